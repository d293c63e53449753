//! What a signal does to the process while nobody listens.
//!
//! signal-hook keeps its handler once it is installed, so a signal that was listened to would be
//! ignored for ever. Therefore the first listener of a signal adds one action that stays: if a flag
//! is set, it does what the system would have done. Invariants: under the lock, the flag of a
//! signal is set if and only if it has no listener; that action runs before those of all listeners.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::SIGPIPE;
use signal_hook::flag::{register_conditional_default, register_conditional_shutdown};
use signal_hook::low_level::{signal_name, unregister};

/// Shells say by such a status that a signal ended a process: 128 and its number.
const ENDED_BY: i32 = 128;

/// What a signal does to the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    Default,
    Ignored,
    Handled,
}

/// A signal that may have been listened to.
struct Heard {
    listeners: usize,
    /// Nobody listens now. The handler reads it.
    is_unheard: Arc<AtomicBool>,
    /// What it did before.
    before: Disposition,
}

/// By number.
static HEARD: Mutex<BTreeMap<i32, Heard>> = Mutex::new(BTreeMap::new());

/// Counts a listener, whose handler `install` installs.
pub(super) fn listen(
    number: i32,
    install: impl FnOnce() -> io::Result<SigId>,
) -> io::Result<SigId> {
    let mut signals = lock();
    let heard = prepare_in(&mut signals, number)?;
    // Before the flag falls: a signal reaches the listener, or does what it did so far.
    let handler = install()?;
    heard.listeners += 1;
    heard.is_unheard.store(false, Ordering::SeqCst);
    Ok(handler)
}

/// A listener goes, with its handler.
pub(super) fn leave(number: i32, handler: SigId) {
    let mut signals = lock();
    if let Some(heard) = signals.get_mut(&number) {
        heard.listeners -= 1;
        // Before the handler goes: no signal is lost between the two.
        heard.is_unheard.store(heard.listeners == 0, Ordering::SeqCst);
    }
    unregister(handler);
}

/// What is needed before the first action of a signal is added. Returns what the signal did to the
/// process before that.
pub(super) fn prepare(number: i32) -> io::Result<Disposition> {
    Ok(prepare_in(&mut lock(), number)?.before)
}

/// Adds the action that stays. signal-hook runs actions in the order in which they were added, so
/// it reads the flag before any listener hears of the signal: a loop on another thread, which drops
/// its last listener as soon as that has heard, cannot bring the default upon the same signal.
fn prepare_in(signals: &mut BTreeMap<i32, Heard>, number: i32) -> io::Result<&mut Heard> {
    match signals.entry(number) {
        Entry::Occupied(heard) => Ok(heard.into_mut()),
        Entry::Vacant(place) => {
            let before = disposition(number);
            let is_unheard = Arc::new(AtomicBool::new(true));
            if before == Disposition::Default {
                restore_if(number, is_unheard.clone())?;
            }
            Ok(place.insert(Heard { listeners: 0, is_unheard, before }))
        }
    }
}

/// From now on the signal does what the system does by default, if `condition` is set.
pub(super) fn restore_if(number: i32, condition: Arc<AtomicBool>) -> io::Result<SigId> {
    match signal_name(number) {
        Some(_) => register_conditional_default(number, condition),
        // Real-time signals and the like: all of them end the process.
        None => register_conditional_shutdown(number, ENDED_BY + number, condition),
    }
}

/// What the signal does now. Only Linux says so. Elsewhere it is taken to be the default, but for
/// SIGPIPE, which Rust programs ignore from the beginning.
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

/// Nothing foreign runs under the lock, so what a panic left behind is whole.
fn lock() -> MutexGuard<'static, BTreeMap<i32, Heard>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}
