//! What a closure owns lies where its future then lies: both are never held at the same time.

use evloop::coroutine::{Coroutine, stream};
use evloop::task::{self, Started};

/// Live heap bytes, counted by the allocator of this test.
#[allow(unreachable_pub)]
mod heap;

const BYTES: usize = 50_000;

/// Asserts that `make` allocates the bytes that its closure owns once. Returns what it makes.
#[track_caller]
fn assert_allocates_them_once<T>(make: impl FnOnce([u8; BYTES]) -> T) -> T {
    let before = heap::live();
    let made = make([7; BYTES]);
    let bytes = heap::live() - before;
    assert!((BYTES..BYTES * 3 / 2).contains(&(bytes as usize)), "{bytes} bytes");
    made
}

// One test: the allocator counts all threads together.
#[test]
fn a_closure_and_its_future_share_their_memory() {
    let mut coroutine: Coroutine<u8, (), ()> = assert_allocates_them_once(|bytes| {
        Coroutine::new(async move |co| co.yield_(bytes[0]).await)
    });
    assert_eq!(coroutine.next(), Some(7));
    drop(assert_allocates_them_once(|bytes| stream(async move |co| co.yield_(bytes[0]).await)));

    let mut runtime = evloop::Runtime::new().unwrap();
    let handle = runtime.handle();
    runtime.block_on(async {
        let task = assert_allocates_them_once(|bytes| handle.spawn(async move || bytes[0]));
        assert_eq!(task.await.unwrap(), 7);
        task::scope(async |s| {
            let start = assert_allocates_them_once(|bytes| {
                s.start(async move |started: Started<u8>| started.set(bytes[0]))
            });
            assert_eq!(start.await.unwrap(), 7);
        })
        .await;
        let tried = task::try_scope(async |s| {
            let start = assert_allocates_them_once(|bytes| {
                s.start(async move |started: Started<u8>| {
                    started.set(bytes[0]);
                    std::io::Result::Ok(())
                })
            });
            assert_eq!(start.await.unwrap(), 7);
            std::io::Result::Ok(())
        });
        tried.await.unwrap();
    });
}
