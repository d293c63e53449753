//! Futures that record their polls and drops.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Records when it is polled (`a`) and dropped (`A`). It completes at the given poll.
pub struct Traced<'a> {
    name: char,
    polls_left: u32,
    trace: &'a RefCell<String>,
}

impl Future for Traced<'_> {
    type Output = char;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<char> {
        self.trace.borrow_mut().push(self.name);
        self.polls_left -= 1;
        if self.polls_left == 0 {
            return Poll::Ready(self.name);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Traced<'_> {
    fn drop(&mut self) {
        self.trace.borrow_mut().push(self.name.to_ascii_uppercase());
    }
}

/// A trace, and a function that makes futures which write it.
pub fn traced<'a>(trace: &'a RefCell<String>) -> impl Fn(char, u32) -> Traced<'a> + Copy {
    move |name, polls_left| Traced { name, polls_left, trace }
}
