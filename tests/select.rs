//! `select!`: which branch wins, in which order the futures are polled and dropped, and what
//! handlers may do.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::ops::ControlFlow;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::sync::{Event, mpsc, oneshot};
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{block_on, select, spawn};
use traced::traced;

const HOUR: Duration = Duration::from_secs(3600);

/// Where a panic reports its place.
#[allow(unreachable_pub, dead_code)]
mod panic_place;
/// Futures that record their polls and drops.
#[allow(unreachable_pub)]
mod traced;

#[test]
fn two_branches_that_are_always_ready_win_in_turn() {
    let mut winners = String::new();
    block_on(async {
        for _ in 0..20 {
            select! {
                () = ready(()) => winners.push('a'),
                () = ready(()) => winners.push('b'),
            }
        }
    });
    assert!(["ab".repeat(10), "ba".repeat(10)].contains(&winners), "{winners}");
}

/// Two loops that run in turn would stay in step with a counter, and each would see one winner.
#[test]
fn tasks_that_run_in_turn_do_not_stay_in_step() {
    async fn winners() -> String {
        let mut winners = String::new();
        for _ in 0..100 {
            select! {
                () = ready(()) => winners.push('a'),
                () = ready(()) => winners.push('b'),
            }
            yield_now().await;
        }
        winners
    }
    let tasks = block_on(async {
        let tasks = [spawn(winners()), spawn(winners())];
        evloop::task::gather(tasks).await
    });
    for winners in tasks {
        let winners = winners.unwrap();
        let count = winners.matches('a').count();
        assert!((30..=70).contains(&count), "{winners}");
    }
}

#[test]
fn the_choices_are_the_same_in_each_run() {
    let run = || {
        let mut winners = String::new();
        block_on(async {
            for round in 0..30 {
                select! {
                    () = ready(()) => winners.push('a'),
                    () = ready(()) => winners.push('b'),
                    () = ready(()) => winners.push('c'),
                }
                if round % 3 == 0 {
                    select! { () = ready(()) => {}, () = ready(()) => {} }
                }
            }
        });
        winners
    };
    let [first, second] = [(); 2].map(|()| std::thread::spawn(run).join().unwrap());
    assert_eq!(first, second);
}

#[test]
fn each_poll_begins_with_the_next_branch() {
    let trace = RefCell::default();
    let f = traced(&trace);
    block_on(async {
        select! {
            _ = f('a', 9) => {}
            _ = f('b', 9) => {}
            _ = f('c', 4) => {}
        }
    });
    let trace = trace.take();
    let rotations = ["abc", "bca", "cab", "abc", "bca", "cab"];
    let expected =
        (0..3).map(|i| format!("{}{}{}", rotations[i], rotations[i + 1], rotations[i + 2]));
    let is_expected = |all: &String| trace.starts_with(all.as_str());
    assert!(expected.clone().any(|all| is_expected(&all)), "{trace}");
    assert!(trace.ends_with("ABC"), "dropped in the order of the branches: {trace}");
}

#[test]
fn biased_polls_in_order() {
    let trace = RefCell::default();
    let f = traced(&trace);
    block_on(async {
        for _ in 0..2 {
            select! {
                biased;
                _ = f('a', 9) => {}
                _ = f('b', 2) => trace.borrow_mut().push('!'),
                _ = f('c', 1) => trace.borrow_mut().push('?'),
                _ = f('d', 1) => {}
            }
        }
    });
    assert_eq!(trace.take(), "abcABCD?".repeat(2));
}

#[test]
fn the_futures_are_dropped_before_the_handler_runs() {
    let trace = RefCell::default();
    let f = traced(&trace);
    block_on(async {
        select! {
            name = f('a', 3) => {
                trace.borrow_mut().push(name);
                yield_now().await;
                trace.borrow_mut().push('.');
            }
            _ = f('b', 9) => {}
            biased = f('c', 9) => _ = biased,
        }
    });
    let trace = trace.take();
    assert!(trace.ends_with("ABCa."), "{trace}");
}

#[test]
fn a_handler_may_use_what_the_futures_borrowed() {
    block_on(async {
        let mut text = String::from("x");
        let mut other = vec![1];
        let lender = async |text: &mut String| text.push('y');
        select! {
            biased;
            () = lender(&mut text) => { text.push('z'); other.push(2); }
            n = async { other.len() } => text.push_str(&n.to_string()),
        }
        assert_eq!((text.as_str(), other.len()), ("xyz", 2));
    });
}

/// The output of a branch borrows; the handler of the other may use what it would have borrowed.
#[test]
fn an_output_of_a_branch_does_not_borrow_in_the_handler_of_another() {
    block_on(async {
        let mutex = evloop::sync::Mutex::new(1);
        let mut cell = RefCell::new(1);
        select! {
            biased;
            guard = async { pending::<()>().await; cell.borrow_mut() } => drop(guard),
            guard = mutex.lock() => assert_eq!(*guard, 1),
        }
        *cell.get_mut() += 1;
        assert_eq!(cell.into_inner(), 2);
    });
}

#[test]
fn patterns_bind_in_every_way() {
    async fn one<T>(value: T) -> T {
        value
    }
    struct Point {
        x: i32,
        y: i32,
    }
    block_on(async {
        let some = select! { Some(mut s) = one(Some(String::from("a"))) => { s.push('b'); s } };
        assert_eq!(some, "ab");
        let sum = select! { (mut a, (b, ..), _) = one((1, (2, 3), "x")) => { a += b; a } };
        assert_eq!(sum, 3);
        let point = select! { Point { x, y: 2 } = one(Point { x: 1, y: 2 }) => x, else => 0 };
        assert_eq!(point, 1);
        let either = select! { Ok(n) | Err(n) = one(Err::<u8, u8>(7)) => n };
        assert_eq!(either, 7);
        let whole =
            select! { all @ [first, .., 3] = one([1, 2, 3]) => (all, first), else => todo() };
        assert_eq!(whole, ([1, 2, 3], 1));
        let length = select! { Some(ref s) = one(Some(String::from("abc"))) => s.len(), else => 0 };
        assert_eq!(length, 3);
        let text = select! { "x" = one("x") => "matched", else => "else" };
        assert_eq!(text, "matched");
        let grown = select! { ref mut list = one(vec![1]) => { list.push(2); list.len() } };
        assert_eq!(grown, 2);
        select! { _ = one(1) => {} }
        let boxed = select! { b = one(Box::new(3)) => *b, };
        assert_eq!(boxed, 3);
    });
}

fn todo<T>() -> T {
    panic!("this branch does not run")
}

#[test]
fn a_value_that_does_not_match_disables_its_branch() {
    let trace = RefCell::default();
    let f = traced(&trace);
    block_on(async {
        let won = select! {
            biased;
            'x' = f('a', 1) => "no match",
            Some(()) = ready(None) => "no match",
            name = f('b', 3) => { assert_eq!(name, 'b'); "b" }
            else => "else",
        };
        assert_eq!(won, "b");
    });
    assert_eq!(trace.take(), "abbbAB", "a is not polled again");
}

#[test]
fn a_value_that_does_not_match_is_dropped_whole() {
    let count = Rc::new(());
    let output = select_none(count.clone());
    assert_eq!(block_on(output), "else");
    assert_eq!(Rc::strong_count(&count), 1);
}

async fn select_none(value: Rc<()>) -> &'static str {
    select! {
        (None::<u8>, _) = ready((Some(1), value)) => "match",
        else => "else",
    }
}

#[test]
fn conditions_are_evaluated_first_then_all_futures() {
    let trace = RefCell::new(String::new());
    let note = |c: char| trace.borrow_mut().push(c);
    let condition = |c, value| {
        note(c);
        value
    };
    let future = |c, value: u8| {
        note(c);
        async move {
            note(c.to_ascii_uppercase());
            value
        }
    };
    let output = block_on(async {
        select! {
            biased;
            n = future('a', 1), if condition('1', false) => n,
            n = future('b', 2) => n,
            n = future('c', 3), if condition('3', true) || todo() => n,
        }
    });
    assert_eq!((output, trace.take().as_str()), (2, "13abcB"));
}

#[test]
fn else_runs_when_all_branches_are_disabled() {
    block_on(async {
        let off = false;
        assert_eq!(select! { n = ready(1), if off => n, else => 2 }, 2);
        assert_eq!(select! { n = pending(), if off => n, else => { 3 } }, 3);
        assert_eq!(select! { Some(n) = ready(None) => n, else => 4, }, 4);
        assert_eq!(select! { else => 5 }, 5);
        assert_eq!(select! { biased; else => { 6 }, }, 6);
    });
}

#[test]
fn without_else_it_panics_at_the_place_of_the_caller() {
    let line = line!() + 3;
    let (result, place) = panic_place::catch(|| {
        let future = async {
            select! {
                () = ready(()), if false => {}
                Some(()) = ready(None) => {}
            }
        };
        futures_lite::future::block_on(future);
    });
    let message = *result.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "select!: all branches are disabled, and there is no `else` branch");
    assert_eq!(place, (file!().to_string(), line));
}

#[test]
fn a_future_that_is_borrowed_lives_on_in_a_loop() {
    let polls = Cell::new(0);
    block_on(async {
        let mut work = pin!(async {
            for _ in 0..3 {
                polls.set(polls.get() + 1);
                yield_now().await;
            }
            "done"
        });
        let mut is_done = false;
        let mut rounds = 0;
        let mut ticks = 0;
        while rounds < 8 {
            rounds += 1;
            select! {
                biased;
                output = &mut work, if !is_done => {
                    assert_eq!(output, "done");
                    is_done = true;
                }
                () = ready(()) => ticks += 1,
            }
        }
        assert!(is_done);
        assert_eq!((polls.get(), ticks), (3, 7));
    });
}

#[test]
fn handlers_leave_the_loop_and_the_function() {
    async fn run(mut numbers: mpsc::Receiver<u32>) -> Result<u32, String> {
        let mut sum = 0;
        'rounds: loop {
            for _ in 0..2 {
                select! {
                    n = numbers.recv() => match n {
                        None => break 'rounds,
                        Some(0) => continue 'rounds,
                        Some(9) => return Ok(900),
                        Some(n) if n > 9 => Err(format!("{n} is too large"))?,
                        Some(n) => sum += n,
                    },
                    () = sleep(HOUR) => break,
                }
            }
        }
        Ok(sum)
    }
    let run = |list: &'static [u32]| {
        block_on(async {
            let (sender, receiver) = mpsc::bounded(8);
            for &n in list {
                sender.try_send(n).unwrap();
            }
            drop(sender);
            run(receiver).await
        })
    };
    assert_eq!(run(&[1, 2, 0, 3]), Ok(6));
    assert_eq!(run(&[1, 9, 3]), Ok(900));
    assert_eq!(run(&[1, 10]), Err("10 is too large".to_string()));
}

#[test]
fn handlers_and_futures_use_the_question_mark_and_await() {
    async fn run(text: &str) -> Result<u8, std::num::ParseIntError> {
        let n: u8 = text.parse()?;
        let value = select! {
            value = ready(text.parse::<u8>()?) => {
                yield_now().await;
                value.to_string().parse::<u8>()? + n
            }
        };
        Ok(value)
    }
    assert_eq!(block_on(run("4")), Ok(8));
    assert!(block_on(run("four")).is_err());
}

#[test]
fn a_select_inside_a_select_is_cancelled() {
    let trace = RefCell::default();
    let f = traced(&trace);
    block_on(async {
        select! {
            biased;
            () = async {
                select! {
                    biased;
                    _ = f('a', 9) => {}
                    _ = f('b', 9) => {}
                }
            } => todo(),
            _ = f('c', 2) => {}
        }
    });
    assert_eq!(trace.take(), "abcabcABC");
}

#[test]
fn dropping_the_task_drops_all_branches() {
    let trace = RefCell::default();
    let f = traced(&trace);
    let mut selected = Box::pin(async {
        select! {
            biased;
            _ = f('a', 9) => {}
            _ = f('b', 9), if false => {}
        }
    });
    assert!(block_on(poll_fn(|cx| Poll::Ready(selected.as_mut().poll(cx)))).is_pending());
    drop(selected);
    assert_eq!(trace.take(), "aAB");
}

#[test]
fn the_loser_of_a_channel_loses_no_value() {
    block_on(async {
        let (a, mut from_a) = mpsc::bounded(8);
        let (b, mut from_b) = mpsc::bounded(8);
        for n in 0..8 {
            a.try_send(n).unwrap();
            b.try_send(n).unwrap();
        }
        drop((a, b));
        let (mut seen_a, mut seen_b) = (Vec::new(), Vec::new());
        loop {
            select! {
                Some(n) = from_a.recv() => seen_a.push(n),
                Some(n) = from_b.recv() => seen_b.push(n),
                else => break,
            }
        }
        assert_eq!((seen_a, seen_b), ((0..8).collect(), (0..8).collect()));
    });
}

/// A branch that is always ready takes the units of each poll; the timer fires all the same.
#[test]
fn a_busy_branch_does_not_starve_a_timer() {
    block_on(async {
        let (sender, mut receiver) = mpsc::bounded(1024);
        let refill = || while sender.try_send(()).is_ok() {};
        refill();
        let mut timer = pin!(sleep(Duration::from_millis(5)));
        loop {
            select! {
                Some(()) = receiver.recv() => refill(),
                () = &mut timer => break,
            }
        }
        let mut timer = pin!(sleep(Duration::from_millis(5)));
        loop {
            select! {
                biased;
                Some(()) = receiver.recv() => refill(),
                () = &mut timer => break,
            }
        }
    });
}

#[test]
fn a_busy_branch_does_not_starve_other_tasks() {
    block_on(async {
        let (sender, mut receiver) = mpsc::bounded(256);
        let refill = || while sender.try_send(()).is_ok() {};
        refill();
        let stop = Rc::new(Event::new());
        let task = spawn({
            let stop = stop.clone();
            async move {
                yield_now().await;
                stop.set();
            }
        });
        let mut received = 0;
        loop {
            select! {
                biased;
                Some(()) = receiver.recv() => {
                    received += 1;
                    refill();
                }
                () = stop.wait() => break,
            }
        }
        task.await.unwrap();
        assert!(received < 100_000, "{received}");
    });
}

#[test]
fn it_runs_outside_of_a_loop() {
    let (sender, receiver) = oneshot::channel();
    let output = futures_lite::future::block_on(async {
        sender.send(7).unwrap();
        select! {
            n = receiver => n.unwrap(),
            () = pending() => 0,
        }
    });
    assert_eq!(output, 7);
}

#[test]
fn it_is_send_if_its_futures_are() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let selected = assert_send(async {
        select! {
            n = ready(1) => n,
            n = async { yield_now_anywhere().await; 2 } => n,
        }
    });
    let output = std::thread::spawn(|| futures_lite::future::block_on(selected)).join().unwrap();
    assert!(output == 1);
}

async fn yield_now_anywhere() {
    futures_lite::future::yield_now().await;
    pending().await
}

#[test]
fn it_takes_whatever_becomes_a_future() {
    struct Three;
    impl IntoFuture for Three {
        type Output = u8;
        type IntoFuture = std::future::Ready<u8>;
        fn into_future(self) -> Self::IntoFuture {
            ready(3)
        }
    }
    assert_eq!(
        block_on(async {
            select! { n = Three => n }
        }),
        3
    );
}

#[test]
fn temporaries_of_a_future_live_as_long_as_it() {
    block_on(async {
        let make = || Box::pin(async { 5 });
        // The box is a temporary that the branch borrows.
        let n = select! {
            n = &mut make() => n,
            n = &mut Box::pin(pending()) => n,
        };
        assert_eq!(n, 5);
    });
}

#[test]
fn a_future_that_never_returns_is_a_branch() {
    async fn forever() -> Infallible {
        pending().await
    }
    let flow = block_on(async {
        select! {
            never = forever() => match never {},
            () = yield_now() => ControlFlow::Break(1),
            () = pending() => ControlFlow::Continue(()),
        }
    });
    assert_eq!(flow, ControlFlow::Break(1));
}

/// The names inside the macro are not seen by the code of its user.
#[test]
fn the_names_of_the_macro_are_its_own() {
    block_on(async {
        let (first, output, rotation, is_match, future, init) = (1, 2, 4, 8, 16, 32);
        let is_enabled = 64;
        let selected = select! {
            cx = ready(first + output), if is_match == 8 && init == 32 => cx + rotation + future,
            is_pending = pending::<i32>() => is_pending,
        };
        assert_eq!((selected, is_enabled), (23, 64));
    });
}

#[test]
fn a_generic_function_selects() {
    async fn first<A, B: From<A>>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> B {
        select! { a = a => a.into(), b = b => b }
    }
    assert_eq!(block_on(first(ready(1_u8), pending::<u32>())), 1);
}

macro_rules! select_of {
    ($polls:ident $won:ident $($n:literal)*) => {
        select! {
            biased;
            $(_ = poll_fn(|_| {
                $polls.set($polls.get() + 1);
                if $n == 63 { Poll::Ready(()) } else { Poll::Pending }
            }) => $won = $n,)*
        }
    };
}

#[test]
fn there_may_be_64_branches() {
    let polls = Cell::new(0);
    let mut won = 0;
    block_on(async {
        select_of!(polls won 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26
            27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55
            56 57 58 59 60 61 62 63);
    });
    assert_eq!((polls.get(), won), (64, 63));
}

/// The futures are moved once; the copies that they were moved from take no memory.
#[test]
fn it_is_hardly_larger_than_its_futures() {
    async fn large() {
        let bytes = [1_u8; 1000];
        yield_now().await;
        assert_eq!(bytes[999], 1);
    }
    let futures = 2 * size_of_val(&large());
    let selected = async {
        select! { () = large() => 1, () = large() => 2 }
    };
    assert!(size_of_val(&selected) < futures + 100, "{}", size_of_val(&selected));
    let joined = async { evloop::join!(large(), large()) };
    assert!(size_of_val(&joined) < futures + 100, "{}", size_of_val(&joined));
    assert!([1, 2].contains(&block_on(selected)));
    block_on(joined);
}
