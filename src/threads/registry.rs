//! The registry in which a waker finds the inbox of its loop, on any thread.
//!
//! Invariant: no inbox is used while the registry is locked.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::inbox::Inbox;
use crate::current::{LOOPS_MAX, LoopId, TaskId, WakerId};

/// The inboxes of all loops. The index is the loop id minus one.
static REGISTRY: RwLock<Vec<Option<Arc<Inbox>>>> = RwLock::new(Vec::new());

/// Names a loop for any thread, also after the loop has ended: its id may be in use again, its
/// number never is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopName {
    pub(crate) id: LoopId,
    pub(crate) number: u64,
}

impl PartialEq for LoopName {
    fn eq(&self, other: &LoopName) -> bool {
        self.number == other.number
    }
}

impl LoopName {
    /// Returns the inbox of the loop, until the loop has ended.
    pub(crate) fn inbox(self) -> Option<Arc<Inbox>> {
        find(self.id).filter(|inbox| inbox.info.number == self.number)
    }
}

/// Registers a new loop. Returns its id, the lowest free one.
pub(crate) fn register(inbox: Arc<Inbox>) -> io::Result<LoopId> {
    let mut inboxes = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let index = inboxes.iter().position(Option::is_none).unwrap_or(inboxes.len());
    let id = LoopId::try_from(index + 1).ok().filter(|id| *id <= LOOPS_MAX).ok_or_else(|| {
        io::Error::other(format!(
            "{LOOPS_MAX} event loops exist in this process already: drop some before making more"
        ))
    })?;
    if index == inboxes.len() {
        inboxes.push(None);
    }
    inboxes[index] = Some(inbox);
    Ok(id)
}

/// Removes a loop from the registry, and frees its id.
pub(crate) fn deregister(id: LoopId) {
    let mut inboxes = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let inbox = inboxes[id as usize - 1].take();
    drop(inboxes);
    drop(inbox);
}

/// Returns the inboxes of the loops that have a beacon.
pub(crate) fn watched() -> Vec<Arc<Inbox>> {
    let inboxes = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    inboxes.iter().flatten().filter(|inbox| inbox.info.beacon.is_some()).cloned().collect()
}

/// Shows a new name of a task to the thread that watches its loop. Loop 0: the task is not in its
/// loop yet.
#[cold]
pub(crate) fn set_name(in_loop: LoopId, task: TaskId, name: &str) {
    let inbox = if in_loop == 0 { None } else { find(in_loop) };
    if let Some(beacon) = inbox.as_ref().and_then(|inbox| inbox.info.beacon.as_ref()) {
        beacon.set_name(task, name);
    }
}

/// Wakes a task of a loop that is not running on this thread.
#[cold]
pub(crate) fn wake(id: WakerId) {
    if let Some(inbox) = find(id.in_loop()) {
        inbox.wake(id);
    }
}

/// Returns the inbox of a registered loop. It is used after the lock is released: waking makes a
/// system call, and a process that forks during it would inherit the locked registry.
fn find(id: LoopId) -> Option<Arc<Inbox>> {
    let inboxes = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    inboxes.get((id as usize).checked_sub(1)?)?.clone()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;
    use std::thread;
    use std::time::Duration;

    use super::super::inbox::LoopInfo;
    use super::*;

    /// Takes the registry's exclusive lock when it is woken, and sends a message.
    struct Locks(Sender<()>);

    impl Wake for Locks {
        fn wake(self: Arc<Self>) {
            drop(REGISTRY.write().unwrap());
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn the_registry_is_not_locked_while_a_selector_is_woken() {
        let (sender, locked) = channel();
        let inbox = Arc::new(Inbox::new(
            Arc::new(Locks(sender)).into(),
            LoopInfo::new("locks".into(), false, None),
        ));
        let id = register(inbox.clone()).unwrap();
        assert!(inbox.park());
        let waking = thread::spawn(move || wake(WakerId::new(id, 0, 0)));
        locked.recv_timeout(Duration::from_secs(20)).expect("the waker waits for the lock");
        waking.join().unwrap();
        deregister(id);
    }
}
