//! The facts of TCP on Linux, one test each: connecting, ending, errors.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use super::lab_tests::{Lab, MS, SECOND, read, say, write};
use super::*;

#[test]
fn a_connect_takes_a_round_trip_and_an_accept_half_of_one_more() {
    let lab = Lab::new();
    let listener = lab.listen();
    let client = lab.dial();
    listener.register(1);
    client.register(2);
    lab.pass(2 * MS - 1);
    assert_eq!(lab.events(lab.one), []);
    assert_eq!(say(client.peer_addr()), "NotConnected");
    assert_eq!(write(&client, "early"), "WouldBlock");
    lab.pass(1);
    assert_eq!(lab.events(lab.one), [(2, false, true)]);
    assert_eq!(client.peer_addr().unwrap(), lab.addr(lab.two, 80));
    assert_eq!(say(listener.accept().map(|_| 0)), "WouldBlock");
    lab.pass(MS);
    assert_eq!(lab.events(lab.two), [(1, true, false)]);
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(server.peer_addr().unwrap(), peer);
    assert_eq!(server.local_addr().unwrap(), lab.addr(lab.two, 80));
}

#[test]
fn a_port_without_listener_refuses_after_a_round_trip() {
    let lab = Lab::new();
    let client = lab.dial();
    client.register(7);
    lab.pass(2 * MS - 1);
    assert_eq!(client.take_error().unwrap().map(|e| e.kind()), None);
    lab.pass(1);
    assert_eq!(lab.events(lab.one), [(7, true, true)]);
    assert_eq!(say(Err::<u8, _>(client.take_error().unwrap().unwrap())), "ConnectionRefused");
    assert!(client.take_error().unwrap().is_none(), "it is reported once");
    assert_eq!((read(&client), write(&client, "x")), (String::new(), "BrokenPipe".into()));
    assert_eq!(lab.world.live().0, 1);
    drop(client);
    assert_eq!(lab.world.live(), (0, 0));
}

#[test]
fn a_host_without_power_times_out_after_127_seconds() {
    let lab = Lab::new();
    lab.world.crash(lab.two);
    let client = lab.dial();
    let begin = lab.world.nanos();
    lab.pass(127 * SECOND - 1);
    assert!(client.take_error().unwrap().is_none());
    lab.pass(1);
    assert_eq!(say(Err::<u8, _>(client.take_error().unwrap().unwrap())), "TimedOut");
    assert_eq!(lab.world.nanos() - begin, 127 * SECOND);
}

#[test]
fn a_syn_is_repeated_until_the_host_is_there() {
    let lab = Lab::new();
    lab.world.crash(lab.two);
    let client = lab.dial();
    lab.pass(2 * SECOND);
    lab.world.start(lab.two);
    let _listener = lab.listen();
    // The SYNs are at 0, 1 and 3 s.
    lab.pass(SECOND);
    assert_eq!(say(client.peer_addr()), "NotConnected");
    lab.pass(2 * MS);
    assert!(client.peer_addr().is_ok());
}

#[test]
fn an_address_that_no_host_has_is_silent() {
    let lab = Lab::new();
    let addr = SocketAddr::from(([192, 168, 9, 9], 80));
    let client = lab.on(lab.one, || TcpStream::connect(addr)).unwrap();
    lab.settle();
    assert_eq!(say(Err::<u8, _>(client.take_error().unwrap().unwrap())), "TimedOut");
}

#[test]
fn a_full_backlog_delays_a_connect_by_a_repeated_syn() {
    let lab = Lab::new();
    let addr = lab.addr(lab.two, 80);
    let listener = lab.on(lab.two, || TcpListener::bind(addr, 1, None)).unwrap();
    let clients: Vec<_> = (0..3).map(|_| lab.dial()).collect();
    lab.pass(10 * MS);
    let connected = || clients.iter().filter(|client| client.peer_addr().is_ok()).count();
    assert_eq!(connected(), 2, "one more than the backlog");
    listener.accept().unwrap();
    lab.pass(SECOND);
    assert_eq!(connected(), 3);
}

#[test]
fn bytes_arrive_after_the_latency_and_in_order() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    server.register(3);
    assert_eq!(lab.events(lab.two), [(3, false, true)]);
    assert_eq!((write(&client, "ab"), write(&client, "cd")), ("2".into(), "2".into()));
    lab.pass(MS - 1);
    assert_eq!(read(&server), "WouldBlock");
    lab.pass(1);
    assert_eq!(lab.events(lab.two), [(3, true, false)]);
    let mut buf = [0; 3];
    assert_eq!(server.peek(&mut buf).unwrap(), 3);
    assert_eq!((server.read(&mut buf).unwrap(), &buf), (3, b"abc"));
    assert_eq!((read(&server), read(&server)), ("d".into(), "WouldBlock".into()));
}

#[test]
fn a_fin_comes_after_the_bytes_and_leaves_the_other_direction_open() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&client, "last");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(write(&client, "x"), "BrokenPipe");
    lab.pass(MS);
    assert_eq!(
        (read(&server), read(&server), read(&server)),
        ("last".into(), "".into(), "".into())
    );
    assert_eq!(write(&server, "answer"), "6");
    lab.pass(MS);
    assert_eq!((read(&client), read(&client)), ("answer".into(), "WouldBlock".into()));
    client.shutdown(Shutdown::Write).unwrap();
    drop(server);
    lab.pass(MS);
    assert_eq!(read(&client), "");
    assert_eq!(say(client.peer_addr()), "NotConnected", "both directions have ended");
    assert_eq!(say(client.shutdown(Shutdown::Both).map(|()| 0)), "NotConnected");
    drop(client);
    lab.settle();
    assert_eq!(lab.world.live(), (0, 0));
}

#[test]
fn a_shutdown_of_reading_ends_reads_after_the_bytes() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&server, "here");
    lab.pass(MS);
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!((read(&client), read(&client)), ("here".into(), "".into()));
    write(&server, "more");
    lab.pass(MS);
    assert_eq!((read(&client), read(&client)), ("more".into(), "".into()));
}

#[test]
fn a_write_after_the_peer_closed_succeeds_once() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    drop(server);
    lab.pass(MS);
    assert_eq!((read(&client), write(&client, "a")), ("".into(), "1".into()));
    lab.pass(2 * MS);
    assert_eq!(
        (write(&client, "b"), write(&client, "c")),
        ("BrokenPipe".into(), "BrokenPipe".into())
    );
    assert_eq!(read(&client), "");
}

#[test]
fn a_close_with_unread_bytes_resets_and_what_arrived_before_stays_readable() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&client, "unread");
    write(&server, "readable");
    lab.pass(MS);
    drop(server);
    lab.pass(MS);
    let reads = [read(&client), read(&client), read(&client)];
    assert_eq!(reads, ["readable", "ConnectionReset", ""]);
    assert_eq!(write(&client, "x"), "BrokenPipe");
    assert_eq!(say(client.peer_addr()), "NotConnected");
}

#[test]
fn a_write_reports_a_reset_once() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    write(&client, "unread");
    lab.pass(MS);
    drop(server);
    lab.pass(MS);
    let writes = [write(&client, "x"), write(&client, "x")];
    assert_eq!(writes, ["ConnectionReset", "BrokenPipe"]);
    assert_eq!(read(&client), "");
}

#[test]
fn a_linger_of_zero_resets() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    server.set_options(SocketOptions { linger: Some(Duration::ZERO), ..server.options() });
    drop(server);
    lab.pass(MS);
    assert_eq!((read(&client), read(&client)), ("ConnectionReset".into(), "".into()));
    let (client, server) = lab.pair();
    server.set_options(SocketOptions { linger: Some(Duration::from_secs(1)), ..server.options() });
    drop(server);
    lab.pass(MS);
    assert_eq!(read(&client), "");
}

#[test]
fn a_closed_listener_resets_what_it_has_not_accepted() {
    let lab = Lab::new();
    let listener = lab.listen();
    let client = lab.dial();
    lab.pass(10 * MS);
    drop(listener);
    lab.pass(MS);
    assert_eq!((read(&client), read(&client)), ("ConnectionReset".into(), "".into()));
}

#[test]
fn bytes_sent_before_the_accept_are_there_after_it() {
    let lab = Lab::new();
    let listener = lab.listen();
    let client = lab.dial();
    lab.pass(2 * MS);
    assert_eq!(write(&client, "early"), "5");
    drop(client);
    lab.pass(MS);
    let (server, _) = listener.accept().unwrap();
    assert_eq!((read(&server), read(&server)), ("early".into(), "".into()));
}

#[test]
fn a_crashed_host_is_silent_until_the_retransmissions_end() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    lab.world.crash(lab.two);
    drop(server);
    lab.pass(3_600 * SECOND);
    assert_eq!(read(&client), "WouldBlock", "nothing is sent, so nothing is missed");
    write(&client, "are you there?");
    let begin = lab.world.nanos();
    lab.pass(924 * SECOND);
    assert_eq!(read(&client), "WouldBlock");
    lab.settle();
    assert_eq!((read(&client), read(&client)), ("TimedOut".into(), "".into()));
    let seconds = (lab.world.nanos() - begin) / SECOND;
    assert!((924..930).contains(&seconds), "{seconds}");
}

#[test]
fn a_restarted_host_resets_the_connections_of_its_earlier_life() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    lab.world.crash(lab.two);
    drop(server);
    lab.world.start(lab.two);
    write(&client, "hello?");
    lab.pass(2 * MS);
    assert_eq!(read(&client), "ConnectionReset");
}

#[test]
fn a_killed_host_closes_its_sockets() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    let late = lab.listen();
    write(&server, "bye");
    lab.world.kill(lab.two);
    assert_eq!(say(server.write(b"x")), "NetworkDown");
    assert_eq!(
        say(lab.on(lab.two, || TcpListener::bind(lab.addr(lab.two, 9), 1, None)).map(|_| 0)),
        "NetworkDown"
    );
    drop((server, late));
    lab.pass(MS);
    assert_eq!((read(&client), read(&client)), ("bye".into(), "".into()));
    let refused = lab.dial();
    lab.pass(2 * MS);
    assert_eq!(read(&refused), "ConnectionRefused");
}

#[test]
fn keepalive_finds_a_peer_that_is_gone() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    client.set_options(SocketOptions { keepalive: true, ..client.options() });
    let begin = lab.world.nanos();
    lab.pass(20_000 * SECOND);
    assert_eq!(read(&client), "WouldBlock", "the peer's system answers");
    lab.world.crash(lab.two);
    drop(server);
    lab.settle();
    assert_eq!(read(&client), "TimedOut");
    let seconds = (lab.world.nanos() - begin) / SECOND;
    assert!((21_600..23_000).contains(&seconds), "{seconds}");
}

#[test]
fn a_forged_reset_ends_both_ends() {
    let lab = Lab::new();
    let (client, server) = lab.pair();
    assert_eq!(lab.world.reset(lab.two, lab.one), 1);
    assert_eq!(
        (read(&client), read(&server)),
        ("ConnectionReset".into(), "ConnectionReset".into())
    );
    assert_eq!(lab.world.reset(lab.two, lab.one), 0);
}
