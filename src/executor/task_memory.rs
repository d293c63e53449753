//! The memory of a task: one block, and the counted references to it, which run its steps.
//!
//! ```text
//!   Task, Owner: one word each, in slots of the run queue, handles, lists of scopes
//!     |
//!     v
//!   +-- Head --------------------------------+-- body -------------------+
//!   | references | table | header: record    | the future, or its output |
//!   +----------------|-----------------------+---------------------------+
//!                    v
//!                  Table: the functions for this type of body
//! ```
//!
//! The references know nothing of the type of the body. Only the functions in the table do.
//!
//! Invariants:
//!
//! - *Block*: a reference points to a whole `Block`, made by [`Owner::new`]. The block is freed
//!   when its last reference is dropped, and not before.
//! - *Memory*: a small block is taken from the arena by [`Block::allocate`], and released once. A
//!   larger one is a box.
//! - *Table*: the table of a block is for the type of its body. A function of a table is called
//!   only in this file, and only with a task whose block has that table.
//! - *Borrows*: a body may borrow for `'env`. Only its [`Owner`]s, which do not outlive `'env`,
//!   access such a body. A [`Task`] may outlive it: it takes turns, and these access only the rest
//!   of the block. If the output was not taken, such a block is not freed, but leaked.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::process;
use std::ptr::NonNull;

use super::arena::{self, Place, WORDS_MAX, Word};
use super::header::{Header, State};
use super::join_error::JoinError;
use crate::caught::Caught;

/// A reference to a task, as the run queue holds it. A clone refers to the same task.
pub(crate) struct Task(NonNull<Head>);

/// A reference to a task by code that may access the future and the output: by the scope of a
/// child, and by a handle.
#[derive(Clone)]
pub(crate) struct Owner<'env> {
    task: Task,
    env: PhantomData<&'env ()>,
}

/// The start of a block. It has the same layout for all types of bodies.
struct Head {
    references: Cell<u32>,
    /// Where the block lies in the arena, unless [`Block::IS_SMALL`] is `false`.
    place: Place,
    table: &'static Table,
    header: Header,
}

/// The memory of a task. The order of the fields is fixed: a pointer to it points to its head.
#[repr(C)]
struct Block<B> {
    head: Head,
    body: B,
}

/// Returns a block to the arena when it is dropped, also after a panic of a destructor.
struct Release(Place, usize);

/// The functions for one type of body.
pub(super) struct Table {
    /// The steps of a turn, called by the run queue.
    turn: Steps,
    /// The steps of the body, called by its owners.
    own: Steps,
    /// A `fn(&Task) -> Option<Result<T, JoinError>>`, where `T` is the output of the future.
    take: *const (),
    /// Passes a panic that no handle will return to the scope of the task. Returns the panic if
    /// the loop must report it.
    unhandled: Unhandled,
    /// The body borrows: a turn does not access it.
    is_borrowing: bool,
    free: unsafe fn(NonNull<Head>, Place),
}

type Unhandled = fn(&Task, JoinError) -> Option<JoinError>;

/// A task that can be run: by the run queue, or by the scope of a child.
pub(crate) trait Runnable {
    fn header(&self) -> &Header;

    /// Runs one turn. Does nothing if the task is in a turn already, or has ended. Propagates a
    /// panic of the task: then the caller must call [`recover`](Runnable::recover).
    fn run(&self) -> RunOutcome;

    /// Ends the task after a panic of its poll or of its future's destructor.
    ///
    /// # Errors
    ///
    /// Returns the panic if the task did not raise it.
    fn recover(&self, panic: Caught) -> Result<(), Caught>;

    /// Drops the output of a task that has ended. Returns the panic of the task, or of the output's
    /// destructor.
    fn discard(&self) -> Option<JoinError>;
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunOutcome {
    /// The task was polled, and waits.
    Pending,
    /// The task was polled, and has ended.
    Ready,
    /// The task was aborted, and has ended.
    Aborted,
    /// The slot is a child's: its scope will run the child.
    Delegated,
}

/// The functions behind [`Runnable`].
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub(super) run: fn(&Task) -> RunOutcome,
    pub(super) recover: fn(&Task, Caught) -> Result<(), Caught>,
    pub(super) discard: fn(&Task) -> Option<JoinError>,
}

impl<B> Block<B> {
    const WORDS: usize = size_of::<Block<B>>().div_ceil(size_of::<Word>());
    const IS_SMALL: bool = Self::WORDS <= WORDS_MAX && align_of::<Block<B>>() <= align_of::<Word>();

    /// Returns memory for a block.
    #[inline]
    fn allocate() -> (NonNull<Block<B>>, Place) {
        if Self::IS_SMALL {
            let (block, place) = arena::take(Self::WORDS);
            return (block.cast(), place);
        }
        let block = Box::into_raw(Box::<Block<B>>::new_uninit());
        (NonNull::new(block).expect("a box is not null").cast(), Place::default())
    }
}

impl Drop for Release {
    #[inline]
    fn drop(&mut self) {
        arena::release(self.0, self.1);
    }
}

impl Table {
    /// Returns the table of a body that borrows nothing.
    pub(super) const fn of<B, T>(
        own: Steps,
        take: fn(&Task) -> Option<Result<T, JoinError>>,
    ) -> Table {
        let take = take as *const ();
        let unhandled = |_: &Task, panic| Some(panic);
        Table { turn: own, own, take, unhandled, is_borrowing: false, free: free::<B> }
    }

    /// Returns the table of a body that may borrow. `turn` and `unhandled` must not access the
    /// body's future, nor its output.
    pub(super) const fn borrowing(self, turn: Steps, unhandled: Unhandled) -> Table {
        Table { turn, unhandled, is_borrowing: true, ..self }
    }
}

impl Task {
    #[allow(unsafe_code)]
    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: by *Block*, this points to a block, which begins with its head.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        &self.head().header
    }

    /// Returns the body.
    ///
    /// # Safety
    ///
    /// The body must be a `B`.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) unsafe fn body<B>(&self) -> &B {
        // SAFETY: by *Block*, this points to a block. The caller guarantees the type of its body.
        unsafe { &self.0.cast::<Block<B>>().as_ref().body }
    }
}

impl Clone for Task {
    #[inline]
    fn clone(&self) -> Task {
        let references = &self.head().references;
        references.set(references.get().wrapping_add(1));
        if references.get() == 0 {
            // As `Rc` does: after a panic the count would be too low, and *Block* would not hold.
            process::abort();
        }
        Task(self.0)
    }
}

impl Drop for Task {
    #[allow(unsafe_code)]
    #[inline]
    fn drop(&mut self) {
        let Head { references, place, table, header } = self.head();
        references.set(references.get() - 1);
        if references.get() > 0 || table.is_borrowing && header.state.get() != State::Taken {
            return;
        }
        // SAFETY: by *Table*, the function is for this block. By *Block*, it is called once. By
        // *Borrows*, the body borrows nothing, or is empty.
        unsafe { (table.free)(self.0, *place) }
    }
}

/// Drops and frees a block.
///
/// # Safety
///
/// The body of the block must be a `B`, and no other reference to the block may be left.
#[allow(unsafe_code)]
unsafe fn free<B>(head: NonNull<Head>, place: Place) {
    let block = head.cast::<Block<B>>();
    if Block::<B>::IS_SMALL {
        let _release = Release(place, Block::<B>::WORDS);
        // SAFETY: by *Block*, this is the last access to the block.
        unsafe { block.drop_in_place() }
    } else {
        // SAFETY: by *Memory*, this was made from a box.
        drop(unsafe { Box::from_raw(block.as_ptr()) });
    }
}

impl Runnable for Task {
    #[inline]
    fn header(&self) -> &Header {
        Task::header(self)
    }

    #[inline]
    fn run(&self) -> RunOutcome {
        (self.head().table.turn.run)(self)
    }

    fn recover(&self, panic: Caught) -> Result<(), Caught> {
        (self.head().table.turn.recover)(self, panic)
    }

    #[inline]
    fn discard(&self) -> Option<JoinError> {
        (self.head().table.turn.discard)(self)
    }
}

impl Owner<'_> {
    /// Allocates a block, and then makes its contents, which are written straight into it.
    ///
    /// # Safety
    ///
    /// The functions of `table` must be for tasks whose body is a `B`. What the body borrows must
    /// live at least as long as the lifetime of the returned type. If that is not `'static`, the
    /// table must be [`borrowing`](Table::borrowing).
    #[allow(unsafe_code)]
    #[inline]
    pub(super) unsafe fn new<B>(table: &'static Table, make: impl FnOnce() -> (Header, B)) -> Self {
        let (block, place) = Block::<B>::allocate();
        let (header, body) = make();
        let head = Head { references: Cell::new(1), place, table, header };
        // SAFETY: by *Memory*, the block is valid for this type, and not in use.
        unsafe { block.write(Block { head, body }) };
        Owner { task: Task(block.cast()), env: PhantomData }
    }

    #[inline]
    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    /// Passes a panic that no handle will return to the scope of the task. Returns the panic if
    /// the loop must report it.
    pub(crate) fn unhandled(&self, panic: JoinError) -> Option<JoinError> {
        (self.task.head().table.unhandled)(&self.task, panic)
    }

    /// Takes the output, if the task has ended and the output was not taken before.
    ///
    /// # Safety
    ///
    /// The output of the task must be a `T`.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) unsafe fn take<T>(&self) -> Option<Result<T, JoinError>> {
        let take = self.task.head().table.take;
        // SAFETY: `Table::of` made the pointer from a function of this type. The caller guarantees
        // that `T` is the same.
        let take: fn(&Task) -> Option<Result<T, JoinError>> = unsafe { mem::transmute(take) };
        take(&self.task)
    }
}

impl Runnable for Owner<'_> {
    #[inline]
    fn header(&self) -> &Header {
        self.task.header()
    }

    #[inline]
    fn run(&self) -> RunOutcome {
        (self.task.head().table.own.run)(&self.task)
    }

    fn recover(&self, panic: Caught) -> Result<(), Caught> {
        (self.task.head().table.own.recover)(&self.task, panic)
    }

    #[inline]
    fn discard(&self) -> Option<JoinError> {
        (self.task.head().table.own.discard)(&self.task)
    }
}
