//! Task-locals: which code has a value, and when.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use evloop::task::{self, yield_now};
use evloop::{block_on, spawn};

evloop::task_local! {
    static NAME: &'static str;
    static COUNT: Cell<u32>;
}

fn name() -> Option<&'static str> {
    NAME.try_with(|name| *name).ok()
}

#[test]
fn scopes_nest_and_restore_the_outer_value() {
    block_on(async {
        let inner = async {
            assert_eq!(name(), Some("outer"));
            let inner = async {
                yield_now().await;
                name()
            };
            assert_eq!(NAME.scope("inner", inner).await, Some("inner"));
            assert_eq!(NAME.sync_scope("sync", name), Some("sync"));
            assert_eq!(name(), Some("outer"));
        };
        NAME.scope("outer", inner).await;
        assert_eq!(name(), None);
    });
}

#[test]
fn interleaved_tasks_each_have_their_own_value() {
    let each = |name_of_task: &'static str| {
        NAME.scope(name_of_task, async move {
            for _ in 0..3 {
                assert_eq!(name(), Some(name_of_task));
                yield_now().await;
            }
        })
    };
    block_on(async {
        let tasks = [spawn(each("a")), spawn(each("b"))];
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn tasks_inherit_only_by_inherit_and_scope_children_always() {
    block_on(NAME.scope("outer", async {
        assert_eq!(spawn(async { name() }).await.unwrap(), None);
        assert_eq!(spawn(NAME.inherit(async { name() })).await.unwrap(), Some("outer"));
        let children = task::scope(async |s| s.spawn(async { name() }).await.unwrap());
        assert_eq!(children.await, Some("outer"));
        assert_eq!(task::gather([async { name() }]).await, [Some("outer")]);
    }));
    let outside = pin!(NAME.inherit(async { name() }));
    assert_eq!(block_on(outside), None);
}

/// The first poll of an eager task runs inside the poll of its spawner, the others do not.
#[test]
fn an_eager_task_does_not_see_the_values_of_its_spawner() {
    block_on(NAME.scope("spawner", async {
        let task = task::Builder::new().eager(true).spawn(async {
            let first = name();
            let own = NAME.scope("own", async { name() }).await;
            yield_now().await;
            (first, own, name())
        });
        assert_eq!(name(), Some("spawner"));
        assert_eq!(task.await.unwrap(), (None, Some("own"), None));
    }));
}

/// Records the name when it is dropped.
struct OnDrop<'a>(&'a RefCell<Vec<Option<&'static str>>>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(name());
    }
}

#[test]
fn destructors_see_the_value_before_and_after_the_first_poll() {
    let seen = RefCell::default();
    let idle = || {
        let on_drop = OnDrop(&seen);
        async move {
            let _on_drop = on_drop;
            pending::<()>().await;
        }
    };
    drop(NAME.scope("unpolled", idle()));
    {
        let mut polled = pin!(NAME.scope("polled", idle()));
        assert!(polled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(name(), None);
    }
    NAME.sync_scope("inherited", || drop(NAME.inherit(idle())));
    assert_eq!(seen.take(), [Some("unpolled"), Some("polled"), Some("inherited")]);
}

#[test]
fn a_panic_restores_the_outer_value() {
    NAME.sync_scope("outer", || {
        let panic = || NAME.sync_scope("inner", || panic!("inside"));
        assert!(catch_unwind(AssertUnwindSafe(panic)).is_err());
        assert_eq!(name(), Some("outer"));
    });
    let text = catch_unwind(|| NAME.get()).unwrap_err();
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("the task-local `NAME` was read outside of its scope"), "{text}");
}

#[test]
fn a_value_is_shared_by_all_futures_in_its_scope() {
    block_on(COUNT.scope(Cell::new(0), async {
        let add = async || COUNT.with(|count| count.set(count.get() + 1));
        futures::join!(add(), add());
        assert_eq!(COUNT.with(Cell::get), 2);
    }));
}
