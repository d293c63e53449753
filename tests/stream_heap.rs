//! The heap allocations of a stream writer: a turn that writes makes none, once others have.

#![cfg(feature = "streams")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Read;
use std::net::TcpListener;

use evloop::task::yield_now;

thread_local! {
    /// The number of allocations by this thread.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the same promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same promise.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the same promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[test]
fn turns_that_write_do_not_allocate() {
    evloop::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (mut writers, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            writers.push(evloop::open_connection(addr).await.unwrap().1);
            peers.push(listener.accept().unwrap().0);
        }
        let mut buf = [0; 30];
        for turn in 0..100 {
            let before = ALLOCATIONS.get();
            for writer in &writers {
                for _ in 0..3 {
                    writer.write("0123456789");
                    writer.drain().await.unwrap();
                }
            }
            yield_now().await;
            for peer in &mut peers {
                peer.read_exact(&mut buf).unwrap();
            }
            if turn > 0 {
                assert_eq!(ALLOCATIONS.get() - before, 0, "in turn {turn}");
            }
        }
    });
}
