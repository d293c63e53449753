//! A host of a world: crashes, restarts, pauses, and its clock.

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use super::driver::{Driver, SCRIPT};
use super::slot::End;
use crate::clock::nanos;
use crate::world::HostId;

/// A host of a world; returned by [`World::host`](super::World::host). A clone is the same host.
/// Dropping it does not end the host.
///
/// The methods take effect at once, also for packets that are under way. A host that ends itself
/// ends after its running poll.
///
/// # Panics
///
/// All methods panic after the world has ended.
///
/// ```
/// use std::{cell::Cell, time::Duration};
///
/// use evloop::{sim, time};
///
/// let starts = Cell::new(0);
/// sim::run(1, async |world| {
///     let server = world.host("server", async || {
///         starts.set(starts.get() + 1);
///         std::future::pending::<()>().await;
///     });
///     time::sleep(Duration::from_secs(1)).await;
///     server.crash();
///     time::sleep(Duration::from_secs(1)).await;
///     server.restart();
///     time::sleep(Duration::from_secs(1)).await;
/// });
/// assert_eq!(starts.get(), 2);
/// ```
#[derive(Clone)]
pub struct Host<'env> {
    pub(super) driver: Rc<Driver<'env>>,
    pub(super) id: HostId,
}

/// The clock of a host; returned by [`Host::clock`].
#[derive(Debug)]
pub struct HostClock<'env> {
    host: Host<'env>,
}

impl<'env> Host<'env> {
    /// Returns the name of the host.
    pub fn name(&self) -> Rc<str> {
        self.driver.leaf.name(self.id)
    }

    /// Returns the addresses of the host, those of IPv6 first.
    pub fn addrs(&self) -> Vec<IpAddr> {
        self.driver.leaf.addrs(&self.name()).unwrap_or_default()
    }

    /// Returns whether the program of the host runs, or is paused.
    pub fn is_up(&self) -> bool {
        self.driver.slot(self.id, |slot| slot.is_up())
    }

    /// The power of the host fails: its program is dropped, and no packet leaves it any more, also
    /// none that its destructors send. Its peers notice by time-outs. So it is with a host whose
    /// program has ended before.
    #[track_caller]
    pub fn crash(&self) {
        self.driver.end(self.id, End::Crash);
    }

    /// Kills the process of the host: the system closes its sockets, and its program is dropped.
    /// What its destructors send is lost.
    #[track_caller]
    pub fn kill(&self) {
        self.driver.end(self.id, End::Kill);
    }

    /// Stops the program of the host: drops it while the network works, so that its destructors
    /// close its connections.
    #[track_caller]
    pub fn stop(&self) {
        self.driver.end(self.id, End::Stop);
    }

    /// Starts the program of the host again. If it runs, it is killed first.
    ///
    /// # Panics
    ///
    /// If the host is a client, whose program runs once.
    #[track_caller]
    pub fn restart(&self) {
        self.driver.restart(self.id);
    }

    /// Suspends the host: it runs nothing, and its timers are late. Its system still receives and
    /// acknowledges.
    #[track_caller]
    pub fn pause(&self) {
        self.driver.assert_running();
        assert!(self.id != SCRIPT, "the script of a world cannot be paused");
        self.driver.leaf.pause(self.id);
    }

    /// Continues a host that was paused.
    #[track_caller]
    pub fn resume(&self) {
        self.driver.assert_running();
        self.driver.leaf.resume(self.id);
    }

    /// Returns the clock of the host.
    pub fn clock(&self) -> HostClock<'env> {
        HostClock { host: self.clone() }
    }
}

impl HostClock<'_> {
    /// Sets the time of day forward. Timers and [`time::now`](crate::time::now) do not change.
    #[track_caller]
    pub fn jump_forward(&self, time: Duration) {
        self.set(|(offset, _)| *offset = offset.saturating_add_unsigned(nanos(time)));
    }

    /// Sets the time of day back.
    #[track_caller]
    pub fn jump_back(&self, time: Duration) {
        self.set(|(offset, _)| *offset = offset.saturating_sub_unsigned(nanos(time)));
    }

    /// Has the clock run faster by so many parts per million from now on, or slower if the number
    /// is negative. Timers follow the clock.
    #[track_caller]
    pub fn drift(&self, parts_per_million: i32) {
        self.set(|(_, drift)| *drift = parts_per_million.into());
    }

    fn set(&self, change: impl FnOnce(&mut (i64, i64))) {
        let Host { driver, id } = &self.host;
        driver.assert_running();
        let (offset, drift) = driver.slot(*id, |slot| {
            change(&mut slot.clock);
            slot.clock
        });
        driver.leaf.set_clock(*id, offset, drift);
        // Its next turn sets its timer anew.
        driver.leaf.mark_runnable(*id);
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name()).finish_non_exhaustive()
    }
}
