//! Trying again where the system tells nobody when there is room: at a Unix socket that another,
//! unconnected one finds full.

use std::io;
use std::time::Duration;

use crate::time::sleep;

/// How long it waits before it tries again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The first result of `attempt` that is not a `WouldBlock`.
pub(super) async fn until_room<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut pause = PAUSE;
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}
