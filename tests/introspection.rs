//! What `TaskInfo` reports of waiting tasks.

use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use evloop::net::TcpListener;
use evloop::queue::Queue;
use evloop::spawn;
use evloop::sync::{Event, Mutex, mpsc, oneshot};
use evloop::task::{self, TaskId, WaitsFor, yield_now};
use evloop::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn waits_for_names_the_primitive() {
    evloop::block_on(async {
        let lock = Rc::new(Mutex::new(()));
        let _guard = lock.clone().lock_owned().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_sender, mut receiver) = mpsc::bounded::<String>(1);
        let (_answer, question) = oneshot::channel::<String>();
        let event = Event::new();
        let queue = Queue::<String>::unbounded();
        let spawned = [
            (spawn_detached(pending()), None),
            (spawn_detached(async { sleep(HOUR).await }), Some(WaitsFor::Time)),
            (spawn_detached(async move { drop(listener.accept().await) }), Some(WaitsFor::Io)),
            (spawn_detached(async move { drop(lock.lock().await) }), Some(WaitsFor::Lock)),
            (spawn_detached(async move { event.wait().await }), Some(WaitsFor::Event)),
            (spawn_detached(async move { drop(receiver.recv().await) }), Some(WaitsFor::Channel)),
            (spawn_detached(async { drop(question.await) }), Some(WaitsFor::Channel)),
            (spawn_detached(async move { drop(queue.get().await) }), Some(WaitsFor::Channel)),
            (spawn_detached(async { drop(spawn(pending::<()>()).await) }), Some(WaitsFor::Task)),
        ];
        yield_now().await;
        yield_now().await;
        let all = task::all();
        for (id, waits_for) in spawned {
            let info = all.iter().find(|info| info.id() == id).unwrap();
            assert_eq!(info.waits_for(), waits_for, "{info}");
        }
        assert_eq!(task::current().unwrap().waits_for(), None, "the task runs");
    });
}

fn spawn_detached(future: impl Future<Output = ()> + 'static) -> TaskId {
    let task = spawn(future);
    let id = task.id();
    drop(task);
    id
}
