//! Copies of the loops' tables, on their way to the watching thread.
//!
//! A copy is made by a request, in pieces, and shared by all clients that wait for one. The last
//! one of a loop is kept: it is the answer if the loop is stuck later. Invariant: a loop makes at
//! most one copy of a kind at a time.

use std::mem;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bell::Bell;
use crate::clock;
use crate::context::{self, Context, Edges, Scan, Snapshot};
use crate::threads::Inbox;

/// What a copy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The counts. They are made at once: no piece of a copy of the tables counts.
    Figures,
    /// The tables.
    Tables,
}

/// A copy of a loop.
pub(super) struct Copy {
    pub(super) figures: Figures,
    pub(super) snapshot: Snapshot,
    pub(super) edges: Edges,
}

/// The counts of a loop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) ready: usize,
    pub(super) tasks: usize,
    pub(super) timers: usize,
    pub(super) sources: usize,
    pub(super) blocking_threads: usize,
    pub(super) busy_blocking_threads: usize,
    pub(super) queued_blocking_work: usize,
}

/// The copies of all loops.
#[derive(Default)]
pub(super) struct Copies(Vec<Entry>);

struct Entry {
    /// The number of the loop.
    number: u64,
    kind: Kind,
    /// The copy that the loop makes.
    pending: Option<Arc<Mutex<Pieces>>>,
    /// The last complete one, and when it was complete.
    last: Option<(u64, Arc<Copy>)>,
}

#[derive(Default)]
struct Pieces {
    figures: Figures,
    /// One after the other: a long list would be moved as it grows, which takes long.
    pieces: Vec<Snapshot>,
    /// When the last piece was made.
    at: u64,
    is_complete: bool,
}

impl Copies {
    /// Asks a loop for a copy, unless it makes one.
    pub(super) fn ask(&mut self, inbox: &Inbox, kind: Kind, bell: &Bell) {
        let number = inbox.info.number;
        let is_it = |entry: &Entry| entry.number == number && entry.kind == kind;
        let index = self.0.iter().position(is_it).unwrap_or_else(|| {
            self.0.push(Entry { number, kind, pending: None, last: None });
            self.0.len() - 1
        });
        let entry = &mut self.0[index];
        if entry.pending.is_none() {
            let pieces = Arc::new(Mutex::new(Pieces::default()));
            if inbox.request(request(kind, pieces.clone(), bell.clone())).is_ok() {
                entry.pending = Some(pieces);
            }
        }
    }

    /// Returns the last copy of a loop, and when it was complete.
    pub(super) fn last(&mut self, number: u64, kind: Kind) -> Option<(u64, Arc<Copy>)> {
        let is_it = |entry: &&mut Entry| entry.number == number && entry.kind == kind;
        let entry = self.0.iter_mut().find(is_it)?;
        if let Some(pieces) = &entry.pending {
            // Dropped unanswered: the loop has ended.
            let is_lost = Arc::strong_count(pieces) == 1;
            let mut pieces = lock(pieces);
            if pieces.is_complete {
                let copy = Arc::new(Copy::of(&mut pieces));
                entry.last = Some((clock::shared().nanos(), copy));
            }
            if pieces.is_complete || is_lost {
                drop(pieces);
                entry.pending = None;
            }
        }
        entry.last.clone()
    }

    /// Returns when the loop has made the last piece of a copy that is not complete. 0: none.
    pub(super) fn progress(&self, number: u64, kind: Kind) -> u64 {
        let entry = self.0.iter().find(|entry| entry.number == number && entry.kind == kind);
        let pieces = entry.and_then(|entry| entry.pending.as_ref());
        pieces.map_or(0, |pieces| lock(pieces).at)
    }

    /// Returns for how long the last copy of the tables of a loop has been complete.
    pub(super) fn age(&mut self, number: u64) -> Option<u64> {
        let (at, _) = self.last(number, Kind::Tables)?;
        Some(clock::shared().nanos().saturating_sub(at))
    }

    /// Forgets the loops that have ended.
    pub(super) fn retain(&mut self, is_alive: impl Fn(u64) -> bool) {
        self.0.retain(|entry| is_alive(entry.number));
    }
}

fn request(
    kind: Kind,
    pieces: Arc<Mutex<Pieces>>,
    bell: Bell,
) -> Box<dyn FnMut() -> ControlFlow<()> + Send> {
    let mut scan = if kind == Kind::Tables { Scan::all() } else { Scan::new(&[]) };
    Box::new(move || {
        let Some(context) = context::current() else { return ControlFlow::Break(()) };
        let mut piece = Snapshot::default();
        let is_more = context.copy_piece(&mut scan, &mut piece);
        let mut pieces = lock(&pieces);
        if kind == Kind::Figures {
            pieces.figures = Figures::of(&context);
        }
        pieces.pieces.push(piece);
        pieces.at = clock::shared().nanos();
        if is_more {
            return ControlFlow::Continue(());
        }
        pieces.is_complete = true;
        drop(pieces);
        bell.ring();
        ControlFlow::Break(())
    })
}

fn lock(pieces: &Mutex<Pieces>) -> MutexGuard<'_, Pieces> {
    pieces.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Copy {
    fn of(pieces: &mut Pieces) -> Copy {
        let mut snapshot = Snapshot::default();
        for piece in mem::take(&mut pieces.pieces) {
            snapshot.tasks.extend(piece.tasks);
            snapshot.timers.extend(piece.timers);
            snapshot.sources.extend(piece.sources);
        }
        Copy { figures: pieces.figures, edges: Edges::of(&snapshot), snapshot }
    }
}

impl Figures {
    fn of(context: &Context) -> Figures {
        let Context { executor, reactor, pool, .. } = context;
        let pool = pool.counts();
        Figures {
            ready: executor.ready(),
            tasks: executor.count(),
            timers: reactor.count_timers(),
            sources: reactor.count_sources(),
            blocking_threads: pool.threads,
            busy_blocking_threads: pool.busy,
            queued_blocking_work: pool.queued,
        }
    }
}
