//! The rare parts of the records of tasks: the name, and what is called at the end.
//!
//! They lie in a table of the thread. The record of a task has one flag for them, so that a task
//! without attachments pays nothing. Invariant: the table holds entries only of tasks with the flag
//! whose memory is not freed.

use std::cell::Cell;
use std::hash::BuildHasherDefault;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::spans;
use super::task_end::EndCall;
use crate::current::{TaskId, TaskMap};

/// What is attached to one task.
#[derive(Default)]
pub(crate) struct Attachments {
    name: Option<Rc<str>>,
    pub(super) end: AtEnd,
}

/// What happens at the end of a task.
#[derive(Default)]
pub(crate) struct AtEnd {
    /// They run in tasks of their own, in the order of their registration.
    pub(super) calls: Vec<EndCall>,
    /// Reports the error in the output. Called by the executor.
    pub(super) report: Option<Box<dyn FnOnce()>>,
}

type Table = TaskMap<Attachments>;

const EMPTY: Table = TaskMap::with_hasher(BuildHasherDefault::new());

thread_local! {
    /// Empty, it holds no memory, since it is never dropped.
    static TABLE: ManuallyDrop<Cell<Table>> = const { ManuallyDrop::new(Cell::new(EMPTY)) };
}

/// Calls `f` with the attachments of a task. See [`with_table`].
pub(super) fn with<T>(id: TaskId, f: impl FnOnce(&mut Attachments) -> T) -> T {
    with_table(|table| f(table.entry(id).or_default()))
}

/// Calls `f` with the table, which is taken from its cell: `f` must not run user code.
fn with_table<T>(f: impl FnOnce(&mut Table) -> T) -> T {
    let mut table = replace(EMPTY);
    let result = f(&mut table);
    replace(table);
    result
}

fn replace(table: Table) -> Table {
    TABLE.with(|cell| cell.replace(table))
}

/// Removes the attachments of a task.
#[cold]
pub(super) fn remove(id: TaskId) {
    let removed = with_table(|table| {
        let removed = table.remove(&id);
        if table.is_empty() {
            *table = EMPTY;
        }
        removed
    });
    // Dropped after the borrow has ended: it may own closures.
    drop(removed);
}

/// Returns the name of a task.
pub(super) fn name(id: TaskId) -> Option<Rc<str>> {
    with_table(|table| table.get(&id)?.name.clone())
}

/// Sets the name of a task, which must have the flag.
pub(super) fn set_name(id: TaskId, name: Rc<str>) {
    spans::renamed(id, &name);
    with(id, |attachments| attachments.name = Some(name));
}

impl Attachments {
    /// Adds a function that is called after the end of the task. Removes those that are over when
    /// the list is full: at most as often as it grows, so that a call takes constant time on
    /// average.
    pub(super) fn add_call(&mut self, call: EndCall) {
        let calls = &mut self.end.calls;
        if calls.len() == calls.capacity() {
            calls.retain(|call| !call.is_over());
            // With few removed, the next search would come soon.
            calls.reserve(calls.len() + 1);
        }
        calls.push(call);
    }
}
