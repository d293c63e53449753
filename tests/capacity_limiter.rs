//! `sync::CapacityLimiter`: borrowers, order, and changes of the total.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use evloop::sync::{CapacityLimiter, CapacityToken, TryBorrowError};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use probe::Probe;

/// Wakers and values that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

type Acquiring<'a> = LocalBoxFuture<'a, CapacityToken<'a, u32>>;

fn waiting(limiter: &CapacityLimiter<u32>, borrower: u32) -> (Probe, Acquiring<'_>) {
    let probe = Probe::new();
    let acquire = limiter.acquire_on_behalf_of(borrower);
    let mut acquire = acquire.map(|token| token.unwrap()).boxed_local();
    assert!(probe.poll(&mut acquire).is_pending());
    (probe, acquire)
}

fn counts(limiter: &CapacityLimiter<u32>) -> [usize; 4] {
    let (total, borrowed) = (limiter.total_tokens(), limiter.borrowed_tokens());
    [total, borrowed, limiter.available_tokens(), limiter.waiting()]
}

#[test]
fn a_borrower_holds_one_token() {
    let limiter = CapacityLimiter::new(2);
    let token = limiter.try_acquire_on_behalf_of(1).unwrap();
    assert_eq!(*token.borrower(), 1);
    let again = limiter.try_acquire_on_behalf_of(1);
    assert!(matches!(again, Err(TryBorrowError::AlreadyBorrowed)));
    let other = limiter.try_acquire_on_behalf_of(2).unwrap();
    assert!(matches!(limiter.try_acquire_on_behalf_of(3), Err(TryBorrowError::NoTokens)));
    let (_probe, waits) = waiting(&limiter, 3);
    let twice = limiter.acquire_on_behalf_of(3).now_or_never().expect("at once");
    let error = twice.map(drop).unwrap_err();
    assert!(error.to_string().contains("already"));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AlreadyExists);
    assert_eq!((limiter.borrowers(), counts(&limiter)), (vec![1, 2], [2, 2, 0, 1]));
    drop(waits);
    drop(token);
    drop(limiter.try_acquire_on_behalf_of(3).unwrap());
    drop(other);
    assert_eq!(counts(&limiter), [2, 0, 2, 0]);
}

#[test]
fn borrowers_are_listed_in_the_order_of_their_loans() {
    let limiter = CapacityLimiter::new(200);
    // An order of hashes would be another one.
    let numbers: Vec<_> = (0..100).map(|number| number * 7 % 100).collect();
    let mut tokens: Vec<_> =
        numbers.iter().map(|number| limiter.try_acquire_on_behalf_of(*number).unwrap()).collect();
    assert_eq!(limiter.borrowers(), numbers);
    drop(tokens.remove(0));
    tokens.push(limiter.try_acquire_on_behalf_of(0).unwrap());
    assert_eq!(limiter.borrowers(), [&numbers[1..], &[0]].concat());
}

#[test]
fn a_task_borrows_on_its_own_behalf() {
    block_on(async {
        let limiter = Rc::new(CapacityLimiter::new(1));
        let token = limiter.acquire().await.unwrap();
        assert!(limiter.acquire().await.is_err());
        assert!(matches!(limiter.try_acquire(), Err(TryBorrowError::AlreadyBorrowed)));
        let shared = limiter.clone();
        let other = spawn(async move { shared.acquire().await.is_ok() });
        yield_now().await;
        assert!(!other.is_finished());
        drop(token);
        assert!(other.await.unwrap());
    });
}

#[test]
fn outside_of_a_task_a_borrower_must_be_named() {
    let limiter = CapacityLimiter::new(1);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(limiter.try_acquire()))).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("use acquire_on_behalf_of"));
}

#[test]
fn a_smaller_total_takes_effect_as_tokens_are_released() {
    let limiter = CapacityLimiter::new(3);
    let [a, b, c] = [1, 2, 3].map(|n| limiter.try_acquire_on_behalf_of(n).unwrap());
    let (probe, mut waits) = waiting(&limiter, 4);
    limiter.set_total_tokens(1);
    assert_eq!(counts(&limiter), [1, 3, 0, 1]);
    drop((a, b));
    assert_eq!((counts(&limiter), probe.calls.wakes.get()), ([1, 1, 0, 1], 0));
    drop(c);
    assert_eq!((counts(&limiter), probe.calls.wakes.get()), ([1, 1, 0, 0], 1));
    drop(probe.poll(&mut waits));
    assert_eq!(counts(&limiter), [1, 0, 1, 0]);
}

#[test]
fn a_larger_total_first_makes_up_for_tokens_that_were_removed() {
    let limiter = CapacityLimiter::new(2);
    let tokens = [1, 2].map(|n| limiter.try_acquire_on_behalf_of(n).unwrap());
    limiter.set_total_tokens(0);
    let [one, other] = [waiting(&limiter, 3), waiting(&limiter, 4)];
    let wakes = || [&one, &other].map(|(probe, _)| probe.calls.wakes.get());
    limiter.set_total_tokens(2);
    assert_eq!((counts(&limiter), wakes()), ([2, 2, 0, 2], [0, 0]));
    limiter.set_total_tokens(3);
    assert_eq!((counts(&limiter), wakes()), ([3, 3, 0, 1], [1, 0]));
    limiter.set_total_tokens(5);
    assert_eq!((counts(&limiter), wakes()), ([5, 4, 1, 0], [1, 1]));
    drop(tokens);
    assert_eq!(counts(&limiter), [5, 2, 3, 0]);
}

#[test]
fn a_dropped_woken_borrower_passes_no_token_on_beyond_the_total() {
    let limiter = CapacityLimiter::new(2);
    let tokens = [1, 2].map(|n| limiter.try_acquire_on_behalf_of(n).unwrap());
    let [woken, next] = [waiting(&limiter, 3), waiting(&limiter, 4)];
    let [first, second] = tokens;
    drop(first);
    assert_eq!(woken.0.calls.wakes.get(), 1);
    limiter.set_total_tokens(1);
    drop(woken.1);
    assert_eq!((counts(&limiter), next.0.calls.wakes.get()), ([1, 1, 0, 1], 0));
    drop(second);
    assert_eq!((counts(&limiter), next.0.calls.wakes.get()), ([1, 1, 0, 0], 1));
}

#[test]
fn a_waker_of_a_release_can_borrow_for_the_same_borrower() {
    let limiter = Rc::new(CapacityLimiter::new(2));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (inside, log) = (limiter.clone(), seen.clone());
    let token = limiter.try_acquire_on_behalf_of(1).unwrap();
    let other = limiter.try_acquire_on_behalf_of(2).unwrap();
    let probe = Probe::new().on_wake(move || {
        let again = inside.try_acquire_on_behalf_of(1);
        log.borrow_mut().push(again.map(drop).unwrap_err());
        inside.set_total_tokens(4);
        log.borrow_mut().extend(inside.try_acquire_on_behalf_of(1).map(drop).err());
    });
    let shared = limiter.clone();
    let wait = async move { drop(shared.acquire_on_behalf_of(3).await) };
    let mut wait = wait.boxed_local();
    assert!(probe.poll(&mut wait).is_pending());
    drop(token);
    assert_eq!(*seen.borrow(), [TryBorrowError::NoTokens]);
    assert!(probe.poll(&mut wait).is_ready());
    drop(other);
    assert_eq!((limiter.borrowed_tokens(), limiter.available_tokens()), (0, 4));
}
