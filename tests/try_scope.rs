//! `try_scope`, `gather`, `try_gather`: the first error ends the others.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use evloop::block_on;
use evloop::sync::oneshot;
use evloop::task::{self, yield_now};
use evloop::time::timeout;

struct OnDrop<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn a_try_scope_without_errors_is_a_scope() {
    let sum = Cell::new(0);
    let result = block_on(task::try_scope(async |s| {
        for i in 1..=3 {
            let sum = &sum;
            s.spawn(async move {
                sum.set(sum.get() + i);
                Ok::<_, ()>(())
            });
        }
        Ok(s.spawn(async { Ok(7) }).await.unwrap())
    }));
    assert_eq!((result, sum.get()), (Ok(7), 6));
}

#[test]
fn the_first_error_drops_the_body_and_the_other_children() {
    let dropped = RefCell::default();
    let result = block_on(task::try_scope(async |s| {
        let _body = OnDrop(&dropped, "body");
        for (name, yields) in [("a", 9), ("b", 1), ("c", 9)] {
            let on_drop = OnDrop(&dropped, name);
            s.spawn(async move {
                let on_drop = on_drop;
                for _ in 0..yields {
                    yield_now().await;
                }
                Err::<(), _>(on_drop.1)
            });
        }
        pending::<Result<(), _>>().await
    }));
    let error = result.unwrap_err();
    assert_eq!((error.errors(), error.to_string().as_str()), (&["b"][..], "b"));
    assert_eq!(dropped.take(), ["b", "body", "a", "c"]);
}

#[test]
fn errors_of_one_poll_are_returned_in_their_order() {
    let result = block_on(task::try_scope(async |s| {
        for i in 1..=2 {
            s.spawn(async move { Err::<(), _>(i) });
        }
        Err::<(), _>(0)
    }));
    assert_eq!(result.unwrap_err().into_errors(), [0, 1, 2]);
}

#[test]
fn an_error_after_the_end_of_the_body_is_returned() {
    let result = block_on(task::try_scope(async |s| {
        s.spawn(async {
            yield_now().await;
            Err::<(), _>("late")
        });
        Ok(())
    }));
    assert_eq!(result.unwrap_err().into_first(), "late");
}

#[test]
fn gather_returns_outputs_in_order_and_polls_only_woken_futures() {
    const FUTURES: usize = 1000;
    let polls = Cell::new(0);
    let futures = (0..FUTURES).map(|i| {
        let (polls, mut left) = (&polls, FUTURES - i);
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            left -= 1;
            if left == 0 {
                return Poll::Ready(i);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    });
    let outputs = block_on(task::gather(futures));
    assert_eq!(outputs, (0..FUTURES).collect::<Vec<_>>());
    assert_eq!(polls.get(), FUTURES * (FUTURES + 1) / 2);
}

#[test]
fn gather_of_nothing_is_empty_and_a_dropped_gather_drops_its_futures() {
    let dropped = RefCell::default();
    block_on(async {
        assert!(task::gather(Vec::<std::future::Ready<()>>::new()).await.is_empty());
        let futures = ["a", "b"].map(|name| {
            let on_drop = OnDrop(&dropped, name);
            async move {
                let _on_drop = on_drop;
                pending::<()>().await;
            }
        });
        assert!(timeout(Duration::from_millis(1), task::gather(futures)).await.is_err());
    });
    assert_eq!(dropped.take(), ["a", "b"]);
}

#[test]
fn a_panic_of_a_gathered_future_is_resumed() {
    let gather = || {
        block_on(task::gather((0..3).map(|i| async move {
            if i == 1 {
                panic!("the second");
            }
            pending::<()>().await;
        })))
    };
    let panic = catch_unwind(AssertUnwindSafe(gather)).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "the second");
}

#[test]
fn try_gather_returns_all_outputs_or_the_first_error() {
    block_on(async {
        let (sender, receiver) = oneshot::channel();
        let all = [Ok(1), Ok(2)].map(|result| async move { result });
        assert_eq!(task::try_gather(all).await, Ok::<_, ()>(vec![1, 2]));
        let mut sender = Some(sender);
        let some = [3, 0, 2].map(|yields| {
            let sender = sender.take();
            async move {
                for _ in 0..yields {
                    yield_now().await;
                }
                sender.map_or(Err(yields), |sender| sender.send(()).map_err(|_| 99))
            }
        });
        assert_eq!(task::try_gather(some).await, Err(0));
        assert!(receiver.await.is_err(), "the others were dropped");
    });
}
