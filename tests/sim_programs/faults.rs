//! Faults at random, and their end.

use std::time::Duration;

use evloop::sim::{Host, World};
use evloop::{random, time};

/// How many faults happen.
const FAULTS: usize = 30;

/// Causes faults of the servers and of the network between them and the clients, for about three
/// seconds. Then calms the world, with all servers up.
pub(crate) async fn cause_faults(world: &World<'_>, servers: &[Host<'_>], clients: &[String]) {
    for _ in 0..FAULTS {
        time::sleep(Duration::from_millis(random::range(1..200))).await;
        let server = &servers[random::range(0..servers.len() as u64) as usize];
        let name = server.name();
        match random::range(0..6_u64) {
            0 => server.crash(),
            1 => server.kill(),
            2 | 3 => server.restart(),
            4 => each(clients, |client| {
                world.reset(client, &name);
            }),
            _ => each(clients, |client| match random::range(0..4_u64) {
                0 => world.partition(client, &name),
                1 => world.partition_from(&name, client),
                2 => world.hold(client, &name),
                _ => {
                    world.heal(client, &name);
                    world.release(client, &name);
                }
            }),
        }
    }
    world.calm();
    servers.iter().filter(|server| !server.is_up()).for_each(Host::restart);
}

/// Calls `f` for about a quarter of the clients.
fn each(clients: &[String], mut f: impl FnMut(&str)) {
    clients.iter().filter(|_| random::range(0..4_u64) == 0).for_each(|client| f(client));
}
