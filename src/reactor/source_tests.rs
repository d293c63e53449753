//! Which readiness a source stores, and which waiters it wakes.

use super::*;

const EVENT: Readiness = Readiness { read: true, write: false };

fn would_block() -> io::Result<Done<()>> {
    Err(io::ErrorKind::WouldBlock.into())
}

fn poll(source: &Source, key: &mut WaiterKey, done: io::Result<Done<()>>) -> Poll<()> {
    let mut done = Some(done);
    let mut cx = Context::from_waker(Waker::noop());
    let op = || done.take().expect("tried once");
    source.poll_io(Direction::Read, &mut cx, key, op).map(|result| result.unwrap())
}

fn waiters(source: &Source) -> usize {
    let mut woken = Vec::new();
    source.set_ready(EVENT, &mut woken);
    source.read.state.ready.set(false);
    woken.len()
}

#[test]
fn a_short_count_clears_the_readiness() {
    let source = Source::new(true);
    let mut key = WaiterKey::default();
    let short = Ok(Done { value: (), short: true });
    assert_eq!(poll(&source, &mut key, short), Poll::Ready(()));
    assert_eq!(source.read.state.ready.get(), !sys::SHORT_IS_DRAINED);
}

#[test]
fn a_short_count_proves_nothing_after_a_special_event() {
    let source = Source::new(true);
    let mut key = WaiterKey::default();
    source.set_special(EVENT, &mut Vec::new());
    source.set_ready(EVENT, &mut Vec::new());
    for _ in 0..2 {
        let short = Ok(Done { value: (), short: true });
        assert_eq!(poll(&source, &mut key, short), Poll::Ready(()));
        assert!(source.read.state.ready.get());
    }
    assert_eq!(poll(&source, &mut key, would_block()), Poll::Pending);
    assert!(!source.read.state.special.get(), "a WouldBlock clears both flags");
}

#[test]
fn an_interrupted_operation_is_tried_again_in_the_same_poll() {
    let source = Source::new(true);
    let mut cx = Context::from_waker(Waker::noop());
    let mut key = WaiterKey::default();
    for last in [Ok(Done { value: 3, short: false }), Err(io::ErrorKind::WouldBlock.into())] {
        let is_pending = last.is_err();
        let mut results = vec![last, Err(io::ErrorKind::Interrupted.into())];
        let op = || results.pop().expect("tried twice");
        let polled = source.poll_io(Direction::Read, &mut cx, &mut key, op);
        assert_eq!(polled.is_pending(), is_pending);
        assert!(results.is_empty());
    }
    assert!(!source.read.state.ready.get(), "the WouldBlock was recorded");
}

#[test]
fn every_waiter_is_woken_and_none_removes_another() {
    let source = Source::new(false);
    let mut keys = [WaiterKey::default(); 4];
    for key in &mut keys {
        assert_eq!(poll(&source, key, would_block()), Poll::Pending);
    }
    assert_eq!(waiters(&source), 4);
    assert_eq!(waiters(&source), 0, "woken once");
    // The last one waits again, then the others are removed, as dropped futures do.
    assert_eq!(poll(&source, &mut keys[3], would_block()), Poll::Pending);
    for key in &mut keys[..3] {
        source.deregister(Direction::Read, key);
    }
    assert_eq!(waiters(&source), 1);
    source.deregister(Direction::Read, &mut keys[3]);
    let mut first = WaiterKey::default();
    assert_eq!(poll(&source, &mut first, would_block()), Poll::Pending);
    source.deregister(Direction::Read, &mut first);
    assert_eq!(waiters(&source), 0, "a removed waiter is not woken");
    assert!(source.read.is_empty(), "no waiter is left");
}

#[test]
fn a_closed_source_returns_an_error() {
    let source = Source::new(true);
    source.close(&mut Vec::new());
    let mut cx = Context::from_waker(Waker::noop());
    let op = || -> io::Result<Done<()>> { panic!("the operation is not tried") };
    let polled = source.poll_io(Direction::Read, &mut cx, &mut WaiterKey::default(), op);
    let Poll::Ready(Err(error)) = polled else { panic!("{polled:?}") };
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn each_side_takes_four_words() {
    // A connection holds both. The bytes of the flags fit into the padding of the waiters.
    assert_eq!(size_of::<Source>(), 2 * size_of::<[usize; 4]>());
}
