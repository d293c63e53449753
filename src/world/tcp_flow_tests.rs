//! The flow of bytes: buffers, windows, losses, partitions, bandwidth, short reads and writes.

use super::lab_tests::{Lab, MS, SECOND, read, say, write};
use super::*;

/// Moves `total` bytes from one end to the other, as two programs that act when they can.
fn transfer(lab: &Lab, from: &TcpStream, to: &TcpStream, total: usize) {
    let (mut written, mut received) = (0, 0);
    let bytes: Vec<u8> = (0..total).map(|i| (i * 7 % 251) as u8).collect();
    let mut buf = [0; 5_000];
    while received < total {
        let before = written + received;
        while let Ok(n) = from.write(&bytes[written..]) {
            written += n;
            if written == total {
                break;
            }
        }
        while let Ok(n) = to.read(&mut buf) {
            assert_eq!(buf[..n], bytes[received..received + n]);
            received += n;
        }
        assert!(written + received > before || lab.world.advance(), "{written} {received}");
    }
}

#[test]
fn a_writer_waits_for_a_reader_and_is_woken() {
    let lab =
        Lab::with(1, Settings { send_buffer: 6_000, receive_buffer: 4_000, ..Settings::default() });
    let (client, server) = lab.pair();
    client.register(1);
    lab.events(lab.one);
    let bytes = [7; 20_000];
    assert_eq!(say(client.write(&bytes)), "6000");
    assert_eq!(say(client.write(&bytes)), "WouldBlock");
    lab.settle();
    // 4,000 bytes wait at the reader; the send buffer has space again.
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
    assert_eq!(say(client.write(&bytes)), "4000");
    assert_eq!(say(client.write(&bytes)), "WouldBlock");
    lab.settle();
    assert_eq!(lab.events(lab.one), []);
    let mut buf = [0; 3_000];
    assert_eq!(server.read(&mut buf).unwrap(), 3_000);
    lab.pass(MS);
    lab.pass(2 * MS);
    assert_eq!(lab.events(lab.one), [(1, false, true)]);
    assert_eq!(say(client.write(&bytes)), "3000");
}

#[test]
fn bytes_pass_through_small_buffers() {
    let lab =
        Lab::with(2, Settings { send_buffer: 700, receive_buffer: 300, ..Settings::default() });
    let (client, server) = lab.pair();
    transfer(&lab, &client, &server, 50_000);
    transfer(&lab, &server, &client, 50_000);
}

#[test]
fn losses_and_random_latencies_delay_bytes_and_keep_their_order() {
    let latency = Latency::Exponential { min: MS, mean: 5 * MS };
    for seed in 0..20 {
        let settings = Settings { latency, loss: 0.2, short_io: 0.5, ..Settings::default() };
        let lab = Lab::with(seed, Settings { send_buffer: 9_000, ..settings });
        let listener = lab.listen();
        let client = lab.dial();
        lab.pass(100 * SECOND);
        let (server, _) = listener.accept().unwrap();
        transfer(&lab, &client, &server, 100_000);
    }
}

#[test]
fn short_reads_and_writes_are_of_the_seed() {
    let sizes = |seed| {
        let lab = Lab::with(seed, Settings { short_io: 0.7, ..Settings::default() });
        let (client, server) = lab.pair();
        let writes: Vec<_> = (0..10).map(|_| client.write(&[0; 100]).unwrap()).collect();
        lab.settle();
        let mut buf = [0; 50];
        let reads: Vec<_> = (0..5).map(|_| server.read(&mut buf).unwrap()).collect();
        (writes, reads)
    };
    assert_eq!(sizes(1), sizes(1));
    assert_ne!(sizes(1), sizes(2));
    let (writes, reads) = sizes(1);
    assert!(writes.iter().any(|n| *n < 100) && reads.iter().any(|n| *n < 50));
    assert!(writes.iter().chain(&reads).all(|n| *n > 0));
}

#[test]
fn a_partition_delays_bytes_until_a_retransmission_after_it() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&client, "on the way ");
    lab.world.partition(lab.one, lab.two);
    write(&client, "and later");
    lab.pass(10 * SECOND);
    assert_eq!(read(&server), "WouldBlock");
    assert_eq!(write(&server, "one way"), "7", "the other direction works");
    lab.pass(MS);
    assert_eq!(read(&client), "one way");
    lab.world.heal(lab.one, lab.two);
    lab.pass(MS);
    assert_eq!(read(&server), "WouldBlock", "the sender waits for its time-out");
    lab.pass(20 * SECOND);
    assert_eq!(read(&server), "on the way and later");
    lab.settle();
    assert_eq!((read(&client), read(&server)), ("WouldBlock".into(), "WouldBlock".into()));
}

#[test]
fn a_partition_of_acknowledgements_alone_lets_bytes_pass_until_the_time_out() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    lab.world.partition(lab.two, lab.one);
    write(&client, "first");
    write(&client, " second");
    lab.pass(MS);
    assert_eq!(read(&server), "first second");
    lab.settle();
    assert_eq!(read(&client), "TimedOut");
}

#[test]
fn acknowledgements_that_a_partition_lost_are_repeated_after_it() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    lab.world.partition(lab.two, lab.one);
    write(&client, "first");
    lab.pass(100 * SECOND);
    lab.world.heal(lab.two, lab.one);
    lab.settle();
    assert_eq!((read(&client), read(&server)), ("WouldBlock".into(), "first".into()));
}

#[test]
fn a_lost_window_update_is_asked_for() {
    let lab =
        Lab::with(1, Settings { send_buffer: 6_000, receive_buffer: 4_000, ..Settings::default() });
    let (client, server) = lab.pair();
    assert_eq!(client.write(&[1; 6_000]).unwrap(), 6_000);
    lab.settle();
    lab.world.partition(lab.two, lab.one);
    assert_eq!(server.read(&mut [0; 4_000]).unwrap(), 4_000);
    lab.pass(SECOND);
    assert_eq!(say(server.read(&mut [0; 4_000])), "WouldBlock");
    lab.world.heal(lab.two, lab.one);
    lab.settle();
    assert_eq!(say(server.read(&mut [0; 4_000])), "2000");
}

#[test]
fn a_partition_that_ends_a_fin_delays_it() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    lab.world.partition(lab.one, lab.two);
    write(&client, "end");
    drop(client);
    lab.pass(5 * SECOND);
    assert_eq!(read(&server), "WouldBlock");
    lab.world.heal(lab.one, lab.two);
    lab.settle();
    assert_eq!((read(&server), read(&server)), ("end".into(), "".into()));
    drop(server);
    lab.settle();
    assert_eq!(lab.world.live(), (0, 0));
}

#[test]
fn a_closed_socket_gives_up_and_leaves_nothing() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&client, "lost");
    lab.world.crash(lab.two);
    drop((client, server));
    assert_eq!(lab.world.live().0, 1);
    lab.settle();
    assert_eq!(lab.world.live(), (0, 0));
}

#[test]
fn held_packets_arrive_after_the_release_in_order() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&client, "a");
    lab.world.hold(lab.one, lab.two);
    write(&client, "b");
    lab.pass(500 * SECOND);
    assert_eq!(read(&server), "WouldBlock");
    write(&client, "c");
    lab.world.release(lab.one, lab.two);
    lab.pass(MS);
    assert_eq!(read(&server), "abc");
    lab.world.hold(lab.two, lab.one);
    write(&client, "d");
    lab.pass(SECOND);
    lab.world.release(lab.two, lab.one);
    lab.settle();
    assert_eq!((read(&server), read(&client)), ("d".into(), "WouldBlock".into()));
}

#[test]
fn a_link_may_have_a_latency_and_a_bandwidth_of_its_own() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    lab.world.set_latency(lab.one, lab.two, Latency::Fixed(30 * MS));
    write(&client, "slow");
    write(&server, "fast");
    lab.pass(MS);
    assert_eq!((read(&client), read(&server)), ("fast".into(), "WouldBlock".into()));
    lab.pass(29 * MS);
    assert_eq!(read(&server), "slow");
    lab.world.set_latency(lab.one, lab.two, Latency::Fixed(MS));
    lab.world.set_bandwidth(lab.one, lab.two, 1_000_000);
    client.write(&[0; 20_000]).unwrap();
    client.write(&[0; 10_000]).unwrap();
    let mut buf = [0; 40_000];
    lab.pass(21 * MS);
    assert_eq!(server.read(&mut buf).unwrap(), 20_000);
    lab.pass(10 * MS);
    assert_eq!(server.read(&mut buf).unwrap(), 10_000);
}

#[test]
fn a_paused_host_acknowledges_and_does_not_run() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    server.register(1);
    lab.events(lab.two);
    while lab.world.next_runnable().is_some() {}
    lab.world.pause(lab.two);
    write(&client, "wait");
    lab.settle();
    assert_eq!(lab.world.next_runnable(), None);
    assert_eq!(read(&client), "WouldBlock");
    lab.world.resume(lab.two);
    assert_eq!(lab.world.next_runnable(), Some(lab.two));
    assert_eq!((lab.events(lab.two), read(&server)), (vec![(1, true, false)], "wait".into()));
}
