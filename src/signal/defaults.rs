//! What a signal does to the process while nobody listens.
//!
//! signal-hook keeps its handler once it is installed, so a signal that was listened to would be
//! ignored for ever. Therefore the first listener of a signal adds one action that stays: if a flag
//! is set, it does what the system would have done. Invariant: under the lock, the flag of a signal
//! is set if and only if it has no listener.

use std::collections::BTreeMap;
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

/// A signal that has been listened to.
struct Heard {
    listeners: usize,
    /// Nobody listens now. The handler reads it.
    is_unheard: Arc<AtomicBool>,
}

/// By number.
static HEARD: Mutex<BTreeMap<i32, Heard>> = Mutex::new(BTreeMap::new());

/// Counts a listener, whose handler `install` installs.
pub(super) fn listen(
    number: i32,
    install: impl FnOnce() -> io::Result<SigId>,
) -> io::Result<SigId> {
    let mut heard = lock();
    let is_first = !heard.contains_key(&number);
    let was_default = is_first && is_default(number);
    // Before the flag falls: a signal reaches the listener, or does what it did so far.
    let handler = install()?;
    if is_first {
        let is_unheard = Arc::new(AtomicBool::new(false));
        if was_default {
            restore_if(number, is_unheard.clone()).inspect_err(|_| _ = unregister(handler))?;
        }
        heard.insert(number, Heard { listeners: 0, is_unheard });
    }
    if let Some(heard) = heard.get_mut(&number) {
        heard.listeners += 1;
        heard.is_unheard.store(false, Ordering::SeqCst);
    }
    Ok(handler)
}

/// A listener goes, with its handler.
pub(super) fn leave(number: i32, handler: SigId) {
    let mut heard = lock();
    if let Some(heard) = heard.get_mut(&number) {
        heard.listeners -= 1;
        // Before the handler goes: no signal is lost between the two.
        heard.is_unheard.store(heard.listeners == 0, Ordering::SeqCst);
    }
    unregister(handler);
}

/// From now on the signal does what the system does by default, if `condition` is set.
pub(super) fn restore_if(number: i32, condition: Arc<AtomicBool>) -> io::Result<SigId> {
    match signal_name(number) {
        Some(_) => register_conditional_default(number, condition),
        // Real-time signals and the like: all of them end the process.
        None => register_conditional_shutdown(number, ENDED_BY + number, condition),
    }
}

/// Whether nobody has asked so far that the signal be ignored or handled. Only Linux tells;
/// elsewhere it is taken to be so, but for SIGPIPE, which Rust programs ignore from the beginning.
fn is_default(number: i32) -> bool {
    let is_set = |mask: &str| {
        let bit = number.checked_sub(1).and_then(|bit| u32::try_from(bit).ok());
        let mask = u64::from_str_radix(mask.trim(), 16).ok();
        mask.zip(bit).and_then(|(mask, bit)| mask.checked_shr(bit)).is_some_and(|m| m & 1 == 1)
    };
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return number != SIGPIPE };
    let masks = status.lines().filter_map(|line| line.split_once(':'));
    let mut masks = masks.filter(|(name, _)| matches!(*name, "SigIgn" | "SigCgt"));
    !masks.any(|(_, mask)| is_set(mask))
}

/// Nothing foreign runs under the lock, so what a panic left behind is whole.
fn lock() -> MutexGuard<'static, BTreeMap<i32, Heard>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}
