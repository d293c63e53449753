//! Runs evloop inside GLib's main loop, the loop of GTK programs.
//!
//! GLib watches the descriptor of evloop and waits for its next deadline, besides its own events. A
//! wake of a task, from this thread or another one, adds an idle call to GLib's loop. All runs on
//! one thread, and no loop polls the other. Other hosts have the same means: a winit program wakes
//! itself by an `EventLoopProxy`, and waits by `ControlFlow::WaitUntil`.
//!
//! Needs no display, but GLib's library and headers: `apt-get install libglib2.0-dev`.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --features glib --bin glib-guest
//! ```
//!
//! prints
//!
//! ```text
//! window: opened
//! task: the server answered HELLO
//! window: clicked
//! task: another thread counted 3 words
//! window: closed 20 ms later
//! ```

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use evloop::Runtime;
use evloop::task::spawn_blocking;
use evloop::time::sleep;
use glib::{ControlFlow, IOCondition, MainLoop, Priority, SourceId};

/// evloop as the guest of GLib's main loop.
struct Guest {
    runtime: Runtime,
    waker: Waker,
    /// The timeout that GLib has for the guest, and its deadline.
    timeout: Option<(SourceId, Instant)>,
}

thread_local! {
    /// The guest of this thread's loop.
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
}

/// Adds a call to GLib's loop, from any thread.
struct AddIdleCall;

impl Wake for AddIdleCall {
    fn wake(self: Arc<Self>) {
        glib::idle_add_full(Priority::DEFAULT, || {
            turn(false);
            ControlFlow::Break
        });
    }
}

fn main() -> io::Result<()> {
    let window = MainLoop::new(None, false);
    let runtime = Runtime::new()?;
    let watch = glib::unix_fd_add_local(runtime.as_fd().as_raw_fd(), IOCondition::IN, |_, _| {
        turn(true);
        ControlFlow::Continue
    });
    let waker = Waker::from(Arc::new(AddIdleCall));
    GUEST.set(Some(Guest { runtime, waker, timeout: None }));
    turn(false);

    println!("window: opened");
    let clicked = window.clone();
    spawn(async move {
        let answer = ask().await.expect("the server is on this machine");
        println!("task: the server answered {answer}");
        // An event of GLib, as a click would be.
        glib::timeout_add_local_once(Duration::from_millis(10), || on_click(clicked));
    });
    window.run();
    println!("window: closed 20 ms later");
    // Before the loop ends: GLib must not watch a closed descriptor.
    watch.remove();
    drop(GUEST.take());
    Ok(())
}

/// Handles a click in GLib's loop: spawns a task of evloop.
fn on_click(window: MainLoop) {
    println!("window: clicked");
    spawn(async move {
        let count = spawn_blocking(|| "as many words".split(' ').count()).await;
        println!("task: another thread counted {} words", count.expect("it does not panic"));
        sleep(Duration::from_millis(20)).await;
        window.quit();
    });
}

/// Spawns a task, from any place in the program: of GLib's loop or of evloop.
fn spawn(task: impl Future<Output = ()> + 'static) {
    if evloop::Handle::try_current().is_some() {
        return evloop::spawn(task).detach();
    }
    GUEST.with_borrow(|guest| {
        guest.as_ref().expect("the guest lives as long as the window").runtime.spawn(task).detach();
    });
}

/// Runs one turn of the guest. A task must not run GLib's loop itself, for a dialog for instance:
/// it would find the guest in a turn.
fn turn(is_readable: bool) {
    GUEST.with_borrow_mut(|guest| {
        // A call that was added before the guest ended.
        let Some(guest) = guest.as_mut() else { return };
        guest.turn(is_readable);
    });
}

impl Guest {
    /// Runs one turn, and makes GLib call the next one in time.
    fn turn(&mut self, is_readable: bool) {
        let turn = self.runtime.turn_hosted(&self.waker, is_readable).expect("a selector");
        if turn.is_work_left {
            self.waker.wake_by_ref();
        }
        self.wait_until(turn.next_deadline);
    }

    fn wait_until(&mut self, deadline: Option<Instant>) {
        if self.timeout.as_ref().map(|(_, at)| *at) == deadline {
            return;
        }
        if let Some((old, _)) = self.timeout.take() {
            old.remove();
        }
        self.timeout = deadline.map(|at| {
            // GLib counts whole milliseconds, and rounds down.
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            let source = glib::timeout_add_local(left, || {
                // Returning `Break` removes the source.
                GUEST.with_borrow_mut(|guest| guest.as_mut().map(|guest| guest.timeout.take()));
                turn(false);
                ControlFlow::Break
            });
            (source, at)
        });
    }
}

/// Asks a server of this program for a word in capitals.
async fn ask() -> io::Result<String> {
    let server = evloop::start_server("127.0.0.1:0", async |mut reader, writer| {
        writer.write(reader.read_line().await?.to_ascii_uppercase());
        writer.drain().await
    });
    let server = server.await?;
    let (mut reader, writer) = evloop::open_connection(server.local_addrs()[0]).await?;
    writer.write("hello\n");
    let answer = reader.read_line().await?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}
