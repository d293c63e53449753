//! Tests of the snapshots of a loop that are requested from another thread, here since they spawn.

use std::collections::HashMap;
use std::future::pending;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{TaskState, spawn, yield_now};
use crate::context::{self, Edges, PIECE, Part, Scan, Snapshot, WaitsOn};
use crate::runtime::{Runtime, block_on};
use crate::threads::Inbox;
use crate::time;

const HOUR: Duration = Duration::from_secs(3600);

/// What a request sends: its pieces, each with the turn in which it was made.
type Pieces = Receiver<(u64, Snapshot)>;

fn request(inbox: &Arc<Inbox>, mut scan: Scan) -> Pieces {
    let (sender, pieces): (Sender<(u64, Snapshot)>, _) = channel();
    let answer = move || {
        assert!(crate::current::task().is_none(), "a request is no task");
        let context = context::current().expect("the loop is current");
        let mut piece = Snapshot::default();
        let has_more = context.copy_piece(&mut scan, &mut piece);
        sender.send((context.turns.get(), piece)).unwrap();
        if has_more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    assert!(inbox.request(Box::new(answer)).is_ok());
    pieces
}

/// Returns all pieces as one, and the turns in which they were made.
fn join(pieces: &Pieces) -> (Snapshot, Vec<u64>) {
    let (mut all, mut turns) = (Snapshot::default(), Vec::new());
    for (turn, piece) in pieces.try_iter() {
        assert!(piece.tasks.len() + piece.timers.len() + piece.sources.len() <= PIECE as usize);
        turns.push(turn);
        all.tasks.extend(piece.tasks);
        all.timers.extend(piece.timers);
        all.sources.extend(piece.sources);
    }
    (all, turns)
}

#[test]
fn a_hundred_thousand_tasks_are_copied_in_pieces_one_a_turn() {
    const TASKS: usize = 100_000;
    let mut runtime = Runtime::new().unwrap();
    let sleeps: Vec<_> = (0..TASKS).map(|_| runtime.spawn(time::sleep(HOUR))).collect();
    let ids: Vec<_> = sleeps.iter().map(|task| task.id()).collect();
    let joins: Vec<_> = sleeps.into_iter().map(|sleep| runtime.spawn(sleep)).collect();
    runtime.run_until_stalled().unwrap();
    let pieces = request(&runtime.context.inbox, Scan::all());
    let ticks = runtime.spawn(async {
        loop {
            yield_now().await;
        }
    });
    let mut longest = Duration::ZERO;
    while runtime.context.inbox.is_pending() {
        let began = time::now();
        runtime.turn(Some(Duration::ZERO)).unwrap();
        longest = longest.max(began.elapsed());
    }
    let (all, turns) = join(&pieces);
    assert!(turns.is_sorted_by(|a, b| a + 1 == *b), "one piece a turn: {turns:?}");
    assert!(longest < Duration::from_secs(2), "the loop was held for {longest:?}");
    let seen: HashMap<_, _> = all.tasks.iter().map(|task| (task.id, task)).collect();
    assert_eq!(seen.len(), all.tasks.len(), "each task once");
    assert_eq!(all.timers.len(), TASKS);
    let edges = Edges::of(&all);
    let resolved = joins.iter().zip(&ids).filter(|(join, id)| {
        seen.get(&join.id()).is_some_and(|task| edges.of_task(task) == [WaitsOn::Task(**id)])
    });
    assert_eq!(resolved.count(), TASKS, "edges from piece to piece are resolved");
    assert_eq!(seen[&ticks.id()].state, TaskState::Ready);
    assert!(seen[&ticks.id()].polls > 100, "tasks run between two pieces");
}

#[test]
fn requests_take_turns() {
    let mut runtime = Runtime::new().unwrap();
    let inbox = runtime.context.inbox.clone();
    let both = [request(&inbox, Scan::all()), request(&inbox, Scan::all())];
    assert_eq!(runtime.run_until_stalled().unwrap(), 0, "no task runs for a request");
    let turns = both.map(|pieces| join(&pieces).1);
    assert_eq!(turns, [[1, 3, 5], [2, 4, 6]]);
    assert!(!inbox.is_pending());
}

#[test]
fn a_request_ends_the_wait_of_another_thread() {
    let mut runtime = Runtime::new().unwrap();
    let inbox = runtime.context.inbox.clone();
    let handle = runtime.handle();
    let thread = std::thread::spawn(move || {
        let pieces = request(&inbox, Scan::new(&[Part::Tasks]));
        // All pieces: the loop sends the next one while this thread takes the first.
        let all = std::iter::from_fn(|| pieces.recv_timeout(Duration::from_secs(60)).ok());
        let tasks: usize = all.map(|(_, piece)| piece.tasks.len()).sum();
        handle.stop();
        tasks
    });
    drop(runtime.spawn(pending::<()>()));
    runtime.run().unwrap();
    assert_eq!(thread.join().unwrap(), 1);
}

#[test]
fn the_requests_of_a_loop_that_ends_are_dropped() {
    let mut runtime = Runtime::new().unwrap();
    let inbox = runtime.context.inbox.clone();
    let pieces = request(&inbox, Scan::all());
    runtime.turn(Some(Duration::ZERO)).unwrap();
    drop(runtime);
    assert_eq!(pieces.iter().count(), 1, "the sender is dropped with the request");
    assert!(inbox.request(Box::new(|| ControlFlow::Break(()))).is_err());
}

#[test]
fn the_edges_of_a_slot_that_was_reused_are_those_of_the_new_task() {
    block_on(async {
        let first = spawn(async { time::sleep(HOUR).await });
        yield_now().await;
        let before = context::current().unwrap().snapshot();
        let old = before.tasks.iter().find(|task| task.id == first.id()).unwrap();
        let (old_id, slot) = (old.waker_id, old.waker_id.slot());
        first.cancel().await.unwrap_err();
        let second = spawn(pending::<()>());
        yield_now().await;
        let after = context::current().unwrap().snapshot();
        let new = after.tasks.iter().find(|task| task.id == second.id()).unwrap();
        assert_eq!(new.waker_id.slot(), slot, "the slot is reused");
        assert_ne!(new.waker_id, old_id);
        // A piece with timers of before, and tasks of now.
        let mixed = Snapshot { timers: before.timers, ..after };
        let edges = Edges::of(&mixed);
        let new = mixed.tasks.iter().find(|task| task.id == second.id()).unwrap();
        assert_eq!(edges.of_task(new), []);
        assert_eq!(edges.of_task(old).len(), 1);
    });
}
