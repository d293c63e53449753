//! A world of a thread, without a driver: the tests of this crate run so.
//!
//! With `EVLOOP_SIM_TESTS=7` in the environment, each thread is in a calm world with the seed 7.
//! Each loop of the thread is a host of it, and the wait of a loop lets the time pass.

use std::rc::Rc;

use super::handle::{World, current};
use super::hosts::HostId;

/// The host that a loop is, if its world has no driver.
#[derive(Debug)]
pub(crate) struct OwnHost(Option<HostId>);

/// While it lives, a host without a driver is current. Its drop makes the previous one current.
#[derive(Debug)]
pub(crate) struct OnHost {
    world: Rc<World>,
    outer: Option<HostId>,
}

impl OwnHost {
    /// Makes the host of a new loop, in a world without a driver.
    pub(crate) fn of_new_loop() -> OwnHost {
        let world = current().filter(|world| !world.has_driver);
        OwnHost(world.map(|world| world.add_host("alone")))
    }

    /// Makes this the current host. Does nothing if there is a driver, which does that.
    pub(crate) fn enter(&self) -> Option<OnHost> {
        let (host, world) = (self.0?, current()?);
        let outer = world.host();
        world.set_host(Some(host));
        Some(OnHost { world, outer })
    }
}

impl Drop for OnHost {
    fn drop(&mut self) {
        self.world.set_host(self.outer);
    }
}
