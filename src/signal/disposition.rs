//! The disposition of a signal while no listener exists.
//!
//! signal-hook keeps its handler once it is installed, so a signal would be ignored forever after
//! its last listener. Therefore the first listener of a signal adds an action that stays: if a flag
//! is set, it does what the system does by default. Invariants: under the lock, the flag of a
//! signal is set if and only if it has no listener; that action runs before those of all listeners.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::SIGPIPE;
use signal_hook::flag::{register_conditional_default, register_conditional_shutdown};
use signal_hook::low_level::{signal_name, unregister};

/// The exit status by which shells report that a signal ended a process: 128 and its number.
const ENDED_BY: i32 = 128;

/// The effect of a signal on the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    Default,
    Ignored,
    Handled,
}

/// A signal that has, or had, listeners.
struct SignalState {
    number: i32,
    listeners: usize,
    /// The signal has no listener now. The handler reads this flag.
    has_no_listener: Arc<AtomicBool>,
    /// The disposition before the first listener.
    original: Disposition,
}

/// In the order of their first listeners: there are at most 64 signals.
static SIGNALS: Mutex<Vec<SignalState>> = Mutex::new(Vec::new());

/// Adds a listener, whose handler `install` installs.
pub(super) fn add_listener(
    number: i32,
    install: impl FnOnce() -> io::Result<SigId>,
) -> io::Result<SigId> {
    let mut signals = lock();
    let signal = prepare_in(&mut signals, number)?;
    // Before the flag is cleared: a signal either reaches the listener, or has its former effect.
    let handler = install()?;
    signal.listeners += 1;
    signal.has_no_listener.store(false, Ordering::SeqCst);
    Ok(handler)
}

/// Removes a listener and its handler.
pub(super) fn remove_listener(number: i32, handler: SigId) {
    let mut signals = lock();
    if let Some(signal) = signals.iter_mut().find(|signal| signal.number == number) {
        signal.listeners -= 1;
        // Before the handler is removed: no signal is lost between the two steps.
        signal.has_no_listener.store(signal.listeners == 0, Ordering::SeqCst);
    }
    unregister(handler);
}

/// Prepares a signal before its first action is added. Returns its disposition before that.
pub(super) fn prepare(number: i32) -> io::Result<Disposition> {
    Ok(prepare_in(&mut lock(), number)?.original)
}

/// Adds the action that stays. signal-hook runs actions in the order in which they were added, so
/// this one reads the flag before any listener receives the signal. Otherwise a loop on another
/// thread, which drops its last listener as soon as it has received the signal, could cause the
/// default effect of the same signal.
fn prepare_in(signals: &mut Vec<SignalState>, number: i32) -> io::Result<&mut SignalState> {
    let known = signals.iter().position(|signal| signal.number == number);
    let index = known.unwrap_or(signals.len());
    if known.is_none() {
        let original = disposition(number);
        let has_no_listener = Arc::new(AtomicBool::new(true));
        if original == Disposition::Default {
            restore_if(number, has_no_listener.clone())?;
        }
        signals.push(SignalState { number, listeners: 0, has_no_listener, original });
    }
    Ok(&mut signals[index])
}

/// Adds an action that applies the system's default if `condition` is set.
pub(super) fn restore_if(number: i32, condition: Arc<AtomicBool>) -> io::Result<SigId> {
    match signal_name(number) {
        Some(_) => register_conditional_default(number, condition),
        // signal-hook has no name for real-time signals; by default all of them end the process.
        None => register_conditional_shutdown(number, ENDED_BY + number, condition),
    }
}

/// Returns the signal's present disposition. Only Linux reports it. Elsewhere it is taken to be the
/// default, except for SIGPIPE, which Rust programs ignore from their start.
pub(super) fn disposition(number: i32) -> Disposition {
    let status = fs::read_to_string("/proc/self/status").ok();
    let is_in = |name: &str| {
        let mask = status.as_ref()?.lines().find_map(|line| line.strip_prefix(name))?;
        let bit = number.checked_sub(1).and_then(|bit| u32::try_from(bit).ok())?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        Some(mask.checked_shr(bit).is_some_and(|mask| mask & 1 == 1))
    };
    match (is_in("SigIgn:").unwrap_or(number == SIGPIPE), is_in("SigCgt:")) {
        (true, _) => Disposition::Ignored,
        (false, Some(true)) => Disposition::Handled,
        (false, _) => Disposition::Default,
    }
}

/// No user code runs under the lock, so the data is consistent even after a panic.
fn lock() -> MutexGuard<'static, Vec<SignalState>> {
    SIGNALS.lock().unwrap_or_else(PoisonError::into_inner)
}
