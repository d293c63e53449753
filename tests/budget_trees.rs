//! Random trees of scopes, joins, timeouts and leaves that are always ready: every leaf advances,
//! and every timeout ends within a turn of its deadline.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evloop::sync::Semaphore;
use evloop::task::{scope, yield_now};
use evloop::time::{now, timeout, timeout_scope};
use evloop::{Runtime, spawn};
use proptest::prelude::*;

/// The maximum number of polls in a batch. With two tasks, each takes half of them.
const BATCH_MAX: usize = 256;

#[derive(Clone, Debug)]
enum Tree {
    /// Always ready.
    Busy,
    /// Always ready, but yields after so many results.
    Batches(usize),
    /// Ends after so many results.
    Finite(usize),
    Join(Vec<Tree>),
    /// Children, with the first tree as the body.
    Scope(Vec<Tree>),
    Timeout(u64, Box<Tree>),
    TimeoutScope(u64, Box<Tree>),
}

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// The results of a run of a tree.
#[derive(Default)]
struct Report {
    /// The number of results of each leaf.
    leaves: RefCell<Vec<Rc<Cell<u64>>>>,
    /// The timeouts of the tree.
    limits: RefCell<Vec<Rc<Limit>>>,
}

#[derive(Default)]
struct Limit {
    millis: u64,
    /// The time at which the timeout was first polled.
    began: Cell<Option<std::time::Instant>>,
    late: Cell<usize>,
    is_over: Cell<bool>,
}

/// Marks a timeout as over when it is dropped, also if an outer timeout ended it earlier.
struct Over(Rc<Limit>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_over.set(true);
    }
}

impl Report {
    fn leaf(&self) -> Rc<Cell<u64>> {
        let leaf = Rc::new(Cell::new(0));
        self.leaves.borrow_mut().push(leaf.clone());
        leaf
    }

    fn limit(&self, millis: u64) -> Rc<Limit> {
        let limit = Rc::new(Limit { millis, ..Limit::default() });
        self.limits.borrow_mut().push(limit.clone());
        limit
    }

    /// Counts a poll of the neighbour: timeouts past their deadline are late by one more poll.
    fn count(&self) {
        for limit in self.limits.borrow().iter() {
            let length = Duration::from_millis(limit.millis);
            let is_due = limit.began.get().is_some_and(|began| now() > began + length);
            if is_due && !limit.is_over.get() {
                limit.late.set(limit.late.get() + 1);
            }
        }
    }
}

/// Takes `n` results from a leaf that is always ready.
async fn take(n: usize, served: &Cell<u64>) {
    let semaphore = Semaphore::new(1);
    for _ in 0..n {
        drop(semaphore.acquire().await);
        served.set(served.get() + 1);
    }
}

impl Tree {
    fn run(self, report: Rc<Report>) -> Boxed {
        match self {
            Tree::Busy => {
                let served = report.leaf();
                Box::pin(async move { take(usize::MAX, &served).await })
            }
            Tree::Batches(n) => {
                let served = report.leaf();
                Box::pin(async move {
                    loop {
                        take(n, &served).await;
                        yield_now().await;
                    }
                })
            }
            Tree::Finite(n) => {
                let served = report.leaf();
                Box::pin(async move { take(n, &served).await })
            }
            Tree::Join(trees) => {
                let branches = trees.into_iter().map(|tree| tree.run(report.clone()));
                let mut branches: Vec<_> = branches.map(Some).collect();
                Box::pin(poll_fn(move |cx| {
                    for branch in &mut branches {
                        if branch.as_mut().is_some_and(|future| future.as_mut().poll(cx).is_ready())
                        {
                            *branch = None;
                        }
                    }
                    if branches.iter().all(Option::is_none) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }))
            }
            Tree::Scope(trees) => Box::pin(async move {
                let mut trees = trees.into_iter().map(|tree| tree.run(report.clone()));
                let body = trees.next();
                scope(async move |s| {
                    for tree in trees {
                        drop(s.spawn(tree));
                    }
                    if let Some(body) = body {
                        body.await;
                    }
                })
                .await;
            }),
            Tree::Timeout(millis, tree) => {
                let limit = Over(report.limit(millis));
                let tree = tree.run(report);
                Box::pin(async move {
                    limit.0.began.set(Some(now()));
                    let _ = timeout(Duration::from_millis(millis), tree).await;
                    drop(limit);
                })
            }
            Tree::TimeoutScope(millis, tree) => {
                let limit = Over(report.limit(millis));
                let tree = tree.run(report);
                Box::pin(async move {
                    limit.0.began.set(Some(now()));
                    let _ =
                        timeout_scope(Duration::from_millis(millis), async |_| tree.await).await;
                    drop(limit);
                })
            }
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        3 => Just(Tree::Busy),
        1 => (1_usize..300).prop_map(Tree::Batches),
        1 => Just(Tree::Batches(128)),
        1 => (1_usize..500).prop_map(Tree::Finite),
    ];
    leaf.prop_recursive(5, 16, 4, |tree| {
        prop_oneof![
            proptest::collection::vec(tree.clone(), 1..4).prop_map(Tree::Join),
            proptest::collection::vec(tree.clone(), 1..4).prop_map(Tree::Scope),
            (0_u64..5, tree.clone()).prop_map(|(ms, tree)| Tree::Timeout(ms, Box::new(tree))),
            (0_u64..5, tree).prop_map(|(ms, tree)| Tree::TimeoutScope(ms, Box::new(tree))),
        ]
    })
}

/// Runs a tree beside a neighbour until all leaves were served and all timeouts are over.
fn check(tree: Tree) {
    let report = Rc::new(Report::default());
    let mut runtime = Runtime::builder().batch_max(BATCH_MAX).build().unwrap();
    let seen = report.clone();
    runtime.block_on(async move {
        let tree = spawn(tree.run(report.clone())).abort_on_drop();
        // A leaf inside a timeout that ended before the leaf's first poll is never served.
        for poll in 0.. {
            yield_now().await;
            report.count();
            let served = report.leaves.borrow().iter().all(|leaf| leaf.get() > 0);
            let over = report.limits.borrow().iter().all(|limit| limit.is_over.get());
            let is_ended = tree.is_finished() || poll > 200 * BATCH_MAX;
            if (served && over) || is_ended {
                break;
            }
        }
    });
    let limits = seen.limits.borrow();
    // A turn polls the neighbour `BATCH_MAX / 2` times. One turn is running as the deadline passes;
    // a tick of the timers may end in the next one, whose successor ends the timeout.
    let late_max = BATCH_MAX * 3 / 2;
    for limit in limits.iter() {
        assert!(limit.late.get() <= late_max, "late by {} polls", limit.late.get());
    }
    if limits.is_empty() {
        for (i, leaf) in seen.leaves.borrow().iter().enumerate() {
            assert!(leaf.get() > 0, "leaf {i} was not served");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    })]

    #[test]
    fn every_leaf_advances_and_every_timeout_ends(tree in trees()) {
        check(tree);
    }
}
