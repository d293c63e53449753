//! Steps between tasks: handles, sets, channels and locks.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use evloop::sync::broadcast::{RecvError, TryRecvError};
use evloop::task::JoinSet;

use super::census::{Task, Value};
use super::cx::{Cx, Flow};
use super::handle::Entry;
use super::helper;
use super::program::{Channel, Lock, Script, Step};
use super::run::{branch, wait};
use super::shared::{CAPACITY, Counted, Owned, Taken};
use super::world::World;

pub async fn run_step(cx: &Cx, step: Step) -> Flow {
    match step {
        Step::Await(n) => await_handle(cx, n).await,
        Step::Abort(n) => abort(&cx.world, n),
        Step::Cancel(n) => cancel(cx, n).await,
        Step::DropHandle(n) => drop_handle(&cx.world, n),
        Step::AbortOnDrop(n) => abort_on_drop(&cx.world, n),
        Step::JoinNext(n) => join_next(cx, n % 2).await,
        Step::AbortSet(n) => {
            let n = n % 2;
            if let Some(set) = cx.world.sets[n].take() {
                allow_cancel(&cx.world, n);
                set.abort_all();
                cx.world.sets[n].set(Some(set));
            }
        }
        Step::DropSet(n) => {
            let n = n % 2;
            if let Some(set) = cx.world.sets[n].take() {
                allow_cancel(&cx.world, n);
                cx.world.sets[n].set(Some(JoinSet::new()));
                cx.world.members[n].borrow_mut().clear();
                drop(set);
            }
        }
        Step::DetachSet(n) => {
            let n = n % 2;
            if let Some(mut set) = cx.world.sets[n].take() {
                cx.world.members[n].borrow_mut().clear();
                set.detach_all();
                cx.world.sets[n].set(Some(set));
            }
        }
        Step::Send(channel) => send(cx, channel).await,
        Step::Receive(channel) => receive(cx, channel).await,
        Step::Lock(lock, script) => return with_lock(cx, lock, script).await,
        step => unreachable!("{step:?} is run elsewhere"),
    }
    Ok(())
}

fn entry(world: &World, n: usize) -> Option<Rc<Entry>> {
    let handles = world.handles.borrow();
    handles.get(handles.len().wrapping_sub(1 + n)).cloned()
}

fn allow_cancel(world: &World, set: usize) {
    world.members[set].borrow().iter().for_each(|task| task.allow_cancel());
}

async fn await_handle(cx: &Cx, n: usize) {
    let Some(entry) = entry(&cx.world, n) else { return };
    let Some(handle) = entry.borrow() else { return };
    let task = entry.task.clone();
    let what = format!("the end of task {}", task.number);
    let is_due = is_over(task.clone());
    if let Some(output) = wait(cx, &what, is_due, handle).await {
        cx.world.judge(&task, output);
    }
}

fn is_over(task: Arc<Task>) -> impl Fn(&World) -> bool {
    move |_| task.is_over()
}

pub fn abort(world: &World, n: usize) {
    let Some(entry) = entry(world, n) else { return };
    let before = entry.task.outcome();
    entry.abort();
    if entry.task.outcome() != before {
        world.complain("abort dropped a future inside the call");
    }
}

async fn cancel(cx: &Cx, n: usize) {
    let Some(entry) = entry(&cx.world, n) else { return };
    let Some(handle) = entry.take() else { return };
    let task = entry.task.clone();
    task.allow_cancel();
    let what = format!("the cancel of task {}", task.number);
    let output = wait(cx, &what, is_over(task.clone()), handle.cancel()).await;
    if let Some(output) = output {
        cx.world.judge(&task, output);
    }
}

pub fn drop_handle(world: &World, n: usize) {
    let handle = entry(world, n).and_then(|entry| entry.take());
    drop(handle);
}

fn abort_on_drop(world: &World, n: usize) {
    use super::handle::AnyHandle;

    let Some(entry) = entry(world, n) else { return };
    match entry.take() {
        Some(AnyHandle::Task(handle)) => {
            entry.task.allow_cancel();
            entry.handle.replace(Some(AnyHandle::Task(handle.abort_on_drop())));
        }
        other => drop(entry.handle.replace(other)),
    }
}

async fn join_next(cx: &Cx, n: usize) {
    let Some(mut set) = TakenSet::new(&cx.world, n) else { return };
    let is_due = move |world: &World| {
        let members = world.members[n].borrow();
        let is_ready = |task: &Arc<Task>| !task.is_joined.load(Ordering::SeqCst) && task.is_over();
        members.is_empty() || members.iter().any(is_ready)
    };
    let output = wait(cx, &format!("join_next of set {n}"), is_due, set.0.join_next()).await;
    if let Some(Some(output)) = output {
        cx.world.check_member(&cx.world.members[n], output);
    }
}

/// A set that is stored again when it is dropped.
struct TakenSet(JoinSet<Value>, Rc<World>, usize);

impl TakenSet {
    fn new(world: &Rc<World>, n: usize) -> Option<TakenSet> {
        Some(TakenSet(world.sets[n].take()?, world.clone(), n))
    }
}

impl Drop for TakenSet {
    fn drop(&mut self) {
        let set = std::mem::take(&mut self.0);
        self.1.sets[self.2].set(Some(set));
    }
}

async fn send(cx: &Cx, channel: Channel) {
    let world = cx.world.clone();
    let channels = &world.channels;
    let value = world.census.value();
    let has_capacity = move |world: &World| world.channels.count(channel) < CAPACITY;
    let is_sent = match channel {
        Channel::Bounded => {
            let Some(sender) = channels.bounded.borrow().clone() else { return };
            put(cx, has_capacity, async move { sender.send(value).await.is_ok() }).await
        }
        Channel::Queue => {
            let queue = channels.queue.clone();
            put(cx, has_capacity, async move { queue.put(value).await.is_ok() }).await
        }
        Channel::Thread => {
            let Some(sender) = channels.thread.borrow().clone() else { return };
            put(cx, has_capacity, async move { sender.send(value).await.is_ok() }).await
        }
        Channel::Unbounded => {
            let sender = channels.unbounded.borrow();
            sender.as_ref().is_some_and(|sender| sender.send(value).is_ok())
        }
        Channel::Broadcast => {
            let sender = channels.broadcast.borrow();
            sender.as_ref().is_some_and(|sender| sender.send(value).is_ok())
        }
        Channel::Watch => {
            let sender = channels.watch.borrow();
            sender.as_ref().is_some_and(|sender| sender.send(value).is_ok())
        }
        Channel::Oneshot => {
            channels.oneshot.take().is_some_and(|sender| sender.send(value).is_ok())
        }
        Channel::FromThread => {
            let Some(sender) = channels.thread.borrow().clone() else { return };
            let counter = channels.counter(channel).clone();
            helper::run(move || {
                if sender.try_send(value).is_ok() {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            });
            false
        }
    };
    if is_sent {
        channels.add(channel, 1);
    }
}

async fn put(
    cx: &Cx,
    is_due: impl Fn(&World) -> bool + 'static,
    future: impl Future<Output = bool>,
) -> bool {
    wait(cx, "a send", is_due, future).await.unwrap_or(false)
}

async fn receive(cx: &Cx, channel: Channel) {
    let channels = &cx.world.channels;
    let taken = match channel {
        Channel::Bounded => {
            let Some(mut end) = Taken::new(&channels.bounded_end) else { return };
            get(cx, channel, end.end().recv()).await.flatten().is_some()
        }
        Channel::Unbounded => {
            let Some(mut end) = Taken::new(&channels.unbounded_end) else { return };
            get(cx, channel, end.end().recv()).await.flatten().is_some()
        }
        Channel::Thread | Channel::FromThread => {
            let Some(mut end) = Taken::new(&channels.thread_end) else { return };
            get(cx, channel, end.end().recv()).await.flatten().is_some()
        }
        Channel::Queue => {
            let queue = channels.queue.clone();
            get(cx, channel, queue.get()).await.is_some_and(|value| value.is_ok())
        }
        Channel::Broadcast => return receive_broadcast(cx).await,
        Channel::Watch => {
            let Some(mut end) = Taken::new(&channels.watch_end) else { return };
            if get(cx, channel, end.end().changed()).await.is_some_and(|changed| changed.is_ok()) {
                drop(end.end().borrow_and_update());
                channels.take(channel, channels.count(channel));
            }
            return;
        }
        Channel::Oneshot => {
            let Some(mut end) = Taken::new(&channels.oneshot_end) else { return };
            if get(cx, channel, end.end()).await.is_some() {
                // The receiver has returned its value, and can be used no more.
                drop(end.end.take());
                return;
            }
            return;
        }
    };
    if taken {
        // A sender on another thread updates the count after its send.
        let counter = channels.counter(channel);
        counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n.wrapping_sub(1))).ok();
    }
}

async fn get<T>(cx: &Cx, channel: Channel, future: impl Future<Output = T>) -> Option<T> {
    let is_due = move |world: &World| (world.channels.count(channel) as isize) > 0;
    wait(cx, &format!("a receive from {channel:?}"), is_due, future).await
}

/// Receives a value. A receiver that lagged skips the values that it missed.
async fn receive_broadcast(cx: &Cx) {
    let channels = &cx.world.channels;
    let Some(mut end) = Taken::new(&channels.broadcast_end) else { return };
    match get(cx, Channel::Broadcast, end.end().recv()).await {
        Some(Ok(_)) => channels.take(Channel::Broadcast, 1),
        Some(Err(RecvError::Lagged(missed))) => {
            channels.take(Channel::Broadcast, missed as usize);
            if matches!(end.end().try_recv(), Err(TryRecvError::Empty)) {
                cx.world.complain("a receiver lagged, but nothing is there");
            } else {
                channels.take(Channel::Broadcast, 1);
            }
        }
        _ => {}
    }
}

async fn with_lock(cx: &Cx, lock: Lock, script: Script) -> Flow {
    let world = cx.world.clone();
    let locks = &world.locks;
    let inner = branch(cx, script);
    let what = format!("lock {lock:?}");
    let output = match lock {
        Lock::Mutex => {
            let is_free = |world: &World| !world.locks.mutex.is_locked();
            let Some(_guard) = wait(cx, &what, is_free, locks.mutex.lock()).await else {
                return Ok(());
            };
            inner.await
        }
        Lock::Semaphore => {
            let is_free = |world: &World| world.locks.semaphore.available_permits() > 0;
            let Some(_permit) = wait(cx, &what, is_free, locks.semaphore.acquire()).await else {
                return Ok(());
            };
            inner.await
        }
        Lock::Read => {
            let is_free = |world: &World| world.locks.rw_holders.get() == 0;
            let Some(_guard) = wait(cx, &what, is_free, locks.rw_lock.read()).await else {
                return Ok(());
            };
            let _counted = Counted::new(&locks.rw_holders);
            inner.await
        }
        Lock::Write => {
            let is_free = |world: &World| world.locks.rw_holders.get() == 0;
            let Some(_guard) = wait(cx, &what, is_free, locks.rw_lock.write()).await else {
                return Ok(());
            };
            let _counted = Counted::new(&locks.rw_holders);
            inner.await
        }
        Lock::Reentrant => {
            let is_free = |world: &World| world.locks.owner().is_none();
            let Some(_guard) = wait(cx, &what, is_free, locks.reentrant.lock()).await else {
                return Ok(());
            };
            let _owned = Owned::new(&world, cx.task.number);
            inner.await
        }
    };
    output.map(drop).map_err(drop)
}
