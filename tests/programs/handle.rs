//! The handles of a program's tasks, of all kinds.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use evloop::JoinHandle;
use evloop::runtime::RemoteHandle;
use evloop::task::{AbortHandle, JoinError, ScopedHandle};

use super::census::{Task, Value};
use super::world::Late;

pub enum AnyHandle {
    Task(JoinHandle<Value>),
    Child(ScopedHandle<'static, Value>),
    Remote(RemoteHandle<Value>),
}

/// A task, and its handle unless it is in use or was dropped.
pub struct Entry {
    pub task: Arc<Task>,
    pub abort: Option<AbortHandle>,
    pub handle: RefCell<Option<AnyHandle>>,
    /// The handle of a task that another thread spawns.
    pub late: Late<RemoteHandle<Value>>,
}

/// A handle that returns to its entry if it has not returned its output.
pub struct Borrowed {
    entry: Rc<Entry>,
    handle: Option<AnyHandle>,
}

impl Entry {
    pub fn new(task: Arc<Task>, handle: Option<AnyHandle>) -> Entry {
        let abort = match &handle {
            Some(AnyHandle::Task(handle)) => Some(handle.abort_handle()),
            _ => None,
        };
        Entry { task, abort, handle: RefCell::new(handle), late: Late::default() }
    }

    pub fn take(&self) -> Option<AnyHandle> {
        let handle = self.handle.borrow_mut().take();
        handle.or_else(|| Some(AnyHandle::Remote(self.late.lock().unwrap().take()?)))
    }

    pub fn borrow(self: &Rc<Entry>) -> Option<Borrowed> {
        Some(Borrowed { entry: self.clone(), handle: Some(self.take()?) })
    }

    /// Aborts the task, with its handle if it is stored.
    pub fn abort(&self) {
        let handle = self.handle.borrow();
        match (&*handle, &self.abort) {
            (_, Some(abort)) => abort.abort(),
            (Some(AnyHandle::Child(handle)), _) => handle.abort(),
            (Some(AnyHandle::Remote(handle)), _) => handle.abort(),
            _ => return,
        }
        self.task.allow_cancel();
    }
}

impl AnyHandle {
    pub fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<Value, JoinError>> {
        match self {
            AnyHandle::Task(handle) => Pin::new(handle).poll(cx),
            AnyHandle::Child(handle) => Pin::new(handle).poll(cx),
            AnyHandle::Remote(handle) => Pin::new(handle).poll(cx),
        }
    }

    pub async fn cancel(self) -> Result<Value, JoinError> {
        match self {
            AnyHandle::Task(handle) => handle.cancel().await,
            AnyHandle::Child(handle) => handle.cancel().await,
            AnyHandle::Remote(handle) => {
                handle.abort();
                handle.await
            }
        }
    }
}

impl Future for Borrowed {
    type Output = Result<Value, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handle = self.handle.as_mut().expect("it was polled after it was ready");
        let polled = handle.poll_output(cx);
        if polled.is_ready() {
            let handle = self.handle.take();
            drop(handle);
        }
        polled
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.entry.handle.replace(Some(handle));
        }
    }
}
