//! Time, timers, the order of hosts, clocks, and that a seed repeats a run.

use super::handle::is_current;
use super::lab_tests::{Lab, MS, SECOND, read, write};
use super::*;

/// Returns the hosts that run from now on with the times, as numbers of milliseconds.
fn turns(lab: &Lab) -> Vec<(u32, u64)> {
    let mut turns = Vec::new();
    loop {
        while let Some(host) = lab.world.next_runnable() {
            turns.push((host.0, lab.world.nanos() / MS));
        }
        if !lab.world.advance() {
            return turns;
        }
    }
}

#[test]
fn the_last_deadline_of_a_host_counts() {
    let lab = Lab::new();
    lab.world.set_timer(lab.one, Some(9 * MS));
    lab.world.set_timer(lab.one, Some(3 * MS));
    lab.world.set_timer(lab.one, Some(7 * MS));
    lab.world.set_timer(lab.two, Some(5 * MS));
    lab.world.set_timer(lab.two, None);
    assert_eq!(turns(&lab), [(0, 7)]);
    lab.world.set_timer(lab.one, Some(0));
    assert_eq!(turns(&lab), [(0, 9)], "a deadline in the past is due at once");
}

#[test]
fn a_host_that_is_down_or_paused_is_not_chosen() {
    let lab = Lab::new();
    for host in [lab.one, lab.one, lab.two] {
        lab.world.mark_runnable(host);
    }
    lab.world.pause(lab.one);
    lab.world.crash(lab.two);
    lab.world.mark_runnable(lab.two);
    assert_eq!(turns(&lab), []);
    lab.world.resume(lab.one);
    assert_eq!(turns(&lab), [(0, 0)], "once, although it was marked twice");
}

#[test]
fn the_seed_chooses_among_runnable_hosts() {
    let order = |seed| {
        let lab = Lab::with(seed, Settings::default());
        for number in 2..8 {
            lab.world.mark_runnable(lab.world.add_host(&format!("host {number}")));
        }
        turns(&lab)
    };
    assert_eq!(order(1), order(1));
    assert!((2..9).any(|seed| order(seed) != order(1)));
}

#[test]
fn time_passes_to_the_next_event_at_most() {
    let lab = Lab::new();
    lab.world.set_timer(lab.one, Some(MS));
    lab.world.pass(MS / 2);
    assert_eq!(lab.world.nanos(), MS / 2);
    lab.world.pass(MS);
    assert_eq!((lab.world.nanos(), lab.world.next_event()), (MS, Some(MS)));
}

#[test]
fn each_host_has_its_own_clock() {
    let lab = Lab::new();
    lab.world.set_clock(lab.one, -5, 1_000);
    lab.world.set_timer(lab.two, Some(SECOND));
    lab.settle();
    let clocks = |host| lab.on(host, || (lab.world.host_nanos(), lab.world.wall_nanos()));
    assert_eq!(clocks(lab.one), (SECOND + MS, i128::from(SECOND + MS) - 5));
    assert_eq!(clocks(lab.two), (SECOND, SECOND.into()));
    assert_eq!(lab.world.true_nanos(lab.one, SECOND + MS), SECOND);
    lab.world.set_host(None);
    assert_eq!(lab.world.host_nanos(), SECOND);
}

#[test]
fn one_seed_has_one_run() {
    let run = |seed| {
        let latency = Latency::Uniform(MS, 9 * MS);
        let settings = Settings { latency, loss: 0.1, short_io: 0.3, ..Settings::default() };
        let lab = Lab::with(seed, settings);
        let listener = lab.listen();
        let clients: Vec<_> = (0..5).map(|_| lab.dial()).collect();
        lab.pass(100 * SECOND);
        for round in 0..20 {
            clients.iter().for_each(|client| drop(write(client, "twelve bytes")));
            lab.pass(MS * round);
        }
        let servers: Vec<_> = std::iter::from_fn(|| listener.accept().ok()).collect();
        lab.settle();
        let read: Vec<_> = servers.iter().map(|(server, _)| read(server)).collect();
        (lab.world.trace().hash(), read)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn twenty_thousand_hosts_are_cheap_and_reach_each_other() {
    let lab = Lab::new();
    let hosts: Vec<_> = (0..20_000).map(|n| lab.world.add_host(&format!("n{n}"))).collect();
    let listener = lab.listen();
    for host in hosts.iter().step_by(1_000) {
        let client = lab.on(*host, || TcpStream::connect(lab.addr(lab.two, 80))).unwrap();
        lab.pass(3 * MS);
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(lab.world.host_of(peer.ip()), Some(*host));
        write(&client, "hi");
        lab.pass(MS);
        assert_eq!(read(&server), "hi");
    }
    drop(listener);
    lab.settle();
    assert_eq!(lab.world.live(), (0, 0));
}

#[test]
fn a_thread_has_one_current_world() {
    assert!(!is_current() && current().is_none());
    let lab = Lab::new();
    assert!(is_current() && current().is_some());
    drop(lab);
    assert!(!is_current() && current().is_none());
}
