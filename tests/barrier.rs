//! `sync::Barrier`: filling, draining, resetting, breaking, and futures that are dropped in each
//! state.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::Poll;

use evloop::sync::{Barrier, BarrierWaitResult, BrokenBarrier};
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, join_all};
use panic_place::assert_points_here;
use probe::Probe;

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Wakers that count what happens to them.
#[allow(unreachable_pub, dead_code)]
mod probe;

/// The budget of one poll of a task: src/current/budget.rs.
const PER_POLL: usize = 128;

type Passed = Result<BarrierWaitResult, BrokenBarrier>;
type Waiting = (Probe, LocalBoxFuture<'static, Passed>);

fn barrier(parties: usize) -> Rc<Barrier> {
    Rc::new(Barrier::new(parties))
}

fn wait(barrier: &Rc<Barrier>) -> LocalBoxFuture<'static, Passed> {
    let barrier = barrier.clone();
    async move { barrier.wait().await }.boxed_local()
}

/// A future that was polled and waits, with its probe.
fn waiting(barrier: &Rc<Barrier>) -> Waiting {
    let (probe, mut waits) = (Probe::new(), wait(barrier));
    assert!(probe.poll(&mut waits).is_pending());
    (probe, waits)
}

/// Arrives as the last task.
fn last(barrier: &Rc<Barrier>) -> BarrierWaitResult {
    let result = wait(barrier).now_or_never().unwrap().unwrap();
    assert!(result.is_leader());
    result
}

/// The state of a future that was polled again.
#[derive(Debug, PartialEq)]
enum State {
    Waits,
    Passed(usize),
    Broken,
}

fn state((probe, waits): &mut Waiting) -> State {
    match probe.poll(waits) {
        Poll::Pending => State::Waits,
        Poll::Ready(Ok(result)) => State::Passed(result.index()),
        Poll::Ready(Err(_)) => State::Broken,
    }
}

fn states(waiters: &mut [Waiting]) -> Vec<State> {
    waiters.iter_mut().map(state).collect()
}

#[test]
fn all_tasks_continue_when_the_last_one_arrives() {
    let barrier = barrier(3);
    for _round in 0..3 {
        let mut waiters = [(); 2].map(|()| waiting(&barrier));
        assert_eq!((barrier.parties(), barrier.n_waiting()), (3, 2));
        assert_eq!(states(&mut waiters), [State::Waits, State::Waits]);
        assert_eq!(last(&barrier).index(), 2);
        assert_eq!(barrier.n_waiting(), 0);
        assert_eq!(waiters.each_ref().map(|(probe, _)| probe.wakes_and_kept()), [(1, 0); 2]);
        assert_eq!(states(&mut waiters), [State::Passed(0), State::Passed(1)]);
    }
}

#[test]
fn a_barrier_for_one_task_never_waits() {
    let barrier = barrier(1);
    for _ in 0..3 {
        assert_eq!((last(&barrier).index(), barrier.n_waiting()), (0, 0));
    }
}

#[test]
fn a_barrier_for_zero_tasks_is_refused_at_the_caller() {
    assert_points_here(|| drop(Barrier::new(0)), "Barrier::new needs at least 1 party");
}

#[test]
fn a_task_that_arrives_while_the_barrier_drains_waits_outside() {
    let barrier = barrier(3);
    let mut waiters = [(); 2].map(|()| waiting(&barrier));
    last(&barrier);
    let mut next = [(); 2].map(|()| waiting(&barrier));
    assert_eq!(state(&mut waiters[1]), State::Passed(0));
    assert_eq!((barrier.n_waiting(), states(&mut next)), (0, vec![State::Waits, State::Waits]));
    assert_eq!(state(&mut waiters[0]), State::Passed(1));
    assert_eq!(next.each_ref().map(|(probe, _)| probe.calls.wakes.get()), [1, 1]);
    assert_eq!(barrier.n_waiting(), 0, "they have not entered yet");
    assert_eq!(states(&mut next), [State::Waits, State::Waits]);
    assert_eq!(barrier.n_waiting(), 2);
    last(&barrier);
    assert_eq!(states(&mut next), [State::Passed(0), State::Passed(1)]);
}

#[test]
fn a_future_dropped_while_the_barrier_fills_has_not_arrived() {
    let barrier = barrier(3);
    let [first, mut second] = [(); 2].map(|()| waiting(&barrier));
    drop(first.1);
    assert_eq!((first.0.wakes_and_kept(), barrier.n_waiting()), ((0, 0), 1));
    let mut third = waiting(&barrier);
    assert_eq!(last(&barrier).index(), 2);
    assert_eq!((state(&mut third), state(&mut second)), (State::Passed(0), State::Passed(1)));
}

#[test]
fn a_future_dropped_while_the_barrier_drains_does_not_stop_it() {
    let barrier = barrier(3);
    let [first, mut second] = [(); 2].map(|()| waiting(&barrier));
    last(&barrier);
    let mut outside = waiting(&barrier);
    drop(first);
    assert_eq!(state(&mut second), State::Passed(0));
    assert_eq!(outside.0.calls.wakes.get(), 1);
    assert_eq!((state(&mut outside), barrier.n_waiting()), (State::Waits, 1));
}

#[test]
fn a_future_dropped_outside_leaves_nothing() {
    let barrier = barrier(2);
    let mut inside = waiting(&barrier);
    last(&barrier);
    let outside = waiting(&barrier);
    drop(outside.1);
    assert_eq!((state(&mut inside), outside.0.wakes_and_kept()), (State::Passed(0), (0, 0)));
    assert_eq!(barrier.n_waiting(), 0);
}

#[test]
fn a_reset_while_the_barrier_fills_breaks_all_waits_and_fills_again() {
    let barrier = barrier(3);
    barrier.reset();
    let mut waiters = [(); 2].map(|()| waiting(&barrier));
    barrier.reset();
    assert_eq!(barrier.n_waiting(), 0);
    let mut outside = waiting(&barrier);
    assert_eq!(state(&mut waiters[0]), State::Broken);
    assert_eq!(state(&mut outside), State::Waits);
    assert_eq!(barrier.n_waiting(), 0, "one future is still inside");
    assert_eq!(state(&mut waiters[1]), State::Broken);
    assert_eq!((state(&mut outside), barrier.n_waiting()), (State::Waits, 1));
    assert!(!barrier.is_broken());
}

#[test]
fn a_reset_while_the_barrier_drains_breaks_the_remaining_waits() {
    let barrier = barrier(3);
    let mut waiters = [(); 2].map(|()| waiting(&barrier));
    last(&barrier);
    assert_eq!(state(&mut waiters[0]), State::Passed(0));
    barrier.reset();
    assert_eq!((state(&mut waiters[1]), barrier.n_waiting()), (State::Broken, 0));
    let mut waiters = [(); 2].map(|()| waiting(&barrier));
    last(&barrier);
    assert_eq!(states(&mut waiters), [State::Passed(0), State::Passed(1)]);
}

#[test]
fn an_aborted_barrier_stays_broken_until_it_is_reset() {
    let barrier = barrier(3);
    let mut waiters = [(); 2].map(|()| waiting(&barrier));
    barrier.abort();
    assert!(barrier.is_broken() && barrier.n_waiting() == 0);
    assert!(wait(&barrier).now_or_never().unwrap().is_err());
    assert_eq!(state(&mut waiters[0]), State::Broken);
    barrier.reset();
    assert!(!barrier.is_broken());
    let mut outside = waiting(&barrier);
    assert_eq!(state(&mut waiters[1]), State::Broken);
    assert_eq!((state(&mut outside), barrier.n_waiting()), (State::Waits, 1));
}

#[test]
fn an_abort_while_the_barrier_drains_breaks_the_waits_inside_and_outside() {
    let barrier = barrier(2);
    let mut inside = waiting(&barrier);
    last(&barrier);
    let mut outside = waiting(&barrier);
    barrier.abort();
    assert_eq!((state(&mut outside), state(&mut inside)), (State::Broken, State::Broken));
    assert!(barrier.is_broken());
    barrier.reset();
    let mut inside = waiting(&barrier);
    last(&barrier);
    assert_eq!(state(&mut inside), State::Passed(0));
}

#[test]
fn a_waker_of_the_last_arrival_can_pass_and_arrive_again() {
    let barrier = barrier(2);
    let (hook, waits) = (barrier.clone(), Rc::new(RefCell::new(wait(&barrier))));
    let (again, polls) = (Rc::new(Cell::new(None)), waits.clone());
    let arrives = again.clone();
    let probe = Probe::new().on_wake(move || {
        let passed = (&mut *polls.borrow_mut()).now_or_never().unwrap();
        assert_eq!(passed.unwrap().index(), 0);
        arrives.set(Some(waiting(&hook)));
    });
    assert!(probe.poll(&mut *waits.borrow_mut()).is_pending());
    last(&barrier);
    let mut again = again.take().unwrap();
    assert_eq!(again.0.calls.wakes.get(), 1, "the last task had not left yet");
    assert_eq!((state(&mut again), barrier.n_waiting()), (State::Waits, 1));
}

#[test]
fn tasks_meet_in_many_rounds() {
    block_on(async {
        const TASKS: usize = 5;
        let (barrier, rounds) = (barrier(TASKS), Rc::new(RefCell::new([0; TASKS])));
        let tasks = (0..TASKS).map(|i| {
            let (barrier, rounds) = (barrier.clone(), rounds.clone());
            spawn(async move {
                let mut led = 0;
                for round in 0..20 {
                    for _ in 0..(i * round) % 4 {
                        yield_now().await;
                    }
                    rounds.borrow_mut()[i] += 1;
                    led += usize::from(barrier.wait().await.unwrap().is_leader());
                    assert!(rounds.borrow().iter().all(|of| *of == round + 1 || *of == round + 2));
                }
                led
            })
        });
        let led: usize = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
        assert_eq!((led, barrier.n_waiting()), (20, 0));
    });
}

#[test]
fn tasks_that_pass_together_have_different_indices() {
    block_on(async {
        let barrier = barrier(4);
        let tasks: Vec<_> = (0..6).map(|_| spawn(wait(&barrier))).collect();
        tasks[0].abort();
        yield_now().await;
        // Five tasks arrived. The fifth waits until the barrier fills again.
        let mut indices = Vec::new();
        for task in tasks.into_iter().skip(1).take(4) {
            indices.push(task.await.unwrap().unwrap().index());
        }
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2, 3]);
    });
}

#[test]
fn a_task_that_never_waits_lets_others_run() {
    block_on(async {
        let passed = Rc::new(Cell::new(0));
        let count = passed.clone();
        let busy = spawn(async move {
            let barrier = Barrier::new(1);
            while barrier.wait().await.is_ok() {
                count.set(count.get() + 1);
            }
        });
        yield_now().await;
        assert_eq!(passed.get(), PER_POLL);
        busy.abort();
    });
}

#[test]
fn errors_convert_and_all_types_implement_debug() {
    let barrier = barrier(2);
    barrier.abort();
    let error = wait(&barrier).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the barrier was reset or aborted");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
    let text = "Barrier { parties: 2, n_waiting: 0, state: Broken, .. }";
    assert_eq!(format!("{barrier:?}"), text);
}
