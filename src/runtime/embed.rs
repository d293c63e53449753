//! The descriptor by which another event loop, a GUI's or a game's, watches this one. Unix, where
//! the selector has a descriptor.

use std::os::fd::{AsFd, BorrowedFd};

use super::event_loop::{Driver, Runtime};

impl AsFd for Runtime {
    /// Returns the descriptor to watch in another loop. When it is readable, or
    /// [`next_deadline`](Runtime::next_deadline) has come, call [`turn`](Runtime::turn). A wake, a
    /// new task or a new timer between two turns makes it readable too.
    ///
    /// Watch it level-triggered, as poll(2) does. A turn receives at most
    /// [`events_capacity`](super::Builder::events_capacity) events: if more are pending, the
    /// descriptor stays readable, and an edge-triggered watcher sees no new edge. A host that
    /// watches it edge-triggered, or that has a waker of its own, calls
    /// [`turn_hosted`](Runtime::turn_hosted), which returns whether events are left.
    ///
    /// ```
    /// use std::os::fd::AsFd;
    /// use std::time::Duration;
    ///
    /// use rustix::event::{PollFd, PollFlags, poll};
    ///
    /// let mut runtime = evloop::Runtime::new()?;
    /// let task = runtime.spawn(evloop::time::sleep(Duration::from_millis(2)));
    /// while !task.is_finished() {
    ///     // The other loop waits, for its own descriptors too; here it has none.
    ///     poll(&mut [PollFd::new(&runtime, PollFlags::IN)], None)?;
    ///     runtime.turn(Some(Duration::ZERO))?;
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    fn as_fd(&self) -> BorrowedFd<'_> {
        if self.driver.get() == Driver::Program {
            self.driver.set(Driver::Watcher);
            self.update_watcher();
        }
        self.context.reactor.selector().as_fd()
    }
}
