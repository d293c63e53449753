//! Step 5 of the loop: sockets. The thread sleeps in the selector until a socket is readable.
//!
//! ```sh
//! cargo run --package evloop-book --example loop_5_socket
//! ```
//!
//! prints
//!
//! ```text
//! pong received "ping"
//! ping received "pong"
//! ```
//!
//! The timers of step 4 are left out here. Step 6 has both.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use mio::net::UdpSocket;
use mio::{Events, Interest, Token};

type Task = Pin<Box<dyn Future<Output = ()>>>;

fn main() -> io::Result<()> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let (ping, pong) = (Socket::bind(loopback)?, Socket::bind(loopback)?);
    let addr = pong.io.local_addr()?;
    spawn(async move {
        let (text, from) = pong.recv_from().await;
        println!("pong received {text:?}");
        pong.io.send_to(b"pong", from).expect("the send buffer is empty");
    });
    spawn(async move {
        ping.io.send_to(b"ping", addr).expect("the send buffer is empty");
        let (text, _) = ping.recv_from().await;
        println!("ping received {text:?}");
    });
    run()
}

thread_local! {
    static LOOP: Loop = Loop::default();
}

#[derive(Default)]
struct Loop {
    tasks: RefCell<Vec<Option<Task>>>,
    ready: Arc<Mutex<VecDeque<usize>>>,
    /// Made by the first socket.
    selector: RefCell<Option<mio::Poll>>,
    /// The wakers of the tasks that wait for a socket, by the token of the socket.
    waiting: RefCell<HashMap<Token, Waker>>,
    token: Cell<usize>,
}

struct TaskWaker {
    id: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("no thread panics").push_back(self.id);
    }
}

fn spawn(future: impl Future<Output = ()> + 'static) {
    LOOP.with(|this| {
        let mut tasks = this.tasks.borrow_mut();
        this.ready.lock().expect("no thread panics").push_back(tasks.len());
        tasks.push(Some(Box::pin(future)));
    });
}

/// Runs until no task is ready and none waits.
fn run() -> io::Result<()> {
    LOOP.with(|this| {
        while this.poll_ready() {
            this.wait()?;
        }
        Ok(())
    })
}

impl Loop {
    /// Sleeps until a socket is readable, and wakes the tasks that wait for the sockets that are.
    fn wait(&self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        if let Some(selector) = &mut *self.selector.borrow_mut() {
            selector.poll(&mut events, None)?;
        }
        for event in &events {
            let waker = self.waiting.borrow_mut().remove(&event.token());
            waker.into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    /// Polls tasks until none is ready. Returns whether one waits for a socket.
    fn poll_ready(&self) -> bool {
        loop {
            let id = self.ready.lock().expect("no thread panics").pop_front();
            let Some(id) = id else { return !self.waiting.borrow().is_empty() };
            let Some(mut task) = self.tasks.borrow_mut()[id].take() else { continue };
            let waker = Waker::from(Arc::new(TaskWaker { id, ready: self.ready.clone() }));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.tasks.borrow_mut()[id] = Some(task);
            }
        }
    }
}

/// A non-blocking socket, registered with the selector. The selector is edge-triggered.
struct Socket {
    io: UdpSocket,
    token: Token,
}

impl Socket {
    fn bind(addr: SocketAddr) -> io::Result<Socket> {
        let mut io = UdpSocket::bind(addr)?;
        LOOP.with(|this| {
            let token = Token(this.token.replace(this.token.get() + 1));
            let mut selector = this.selector.borrow_mut();
            let selector = selector.get_or_insert(mio::Poll::new()?);
            selector.registry().register(&mut io, token, Interest::READABLE)?;
            Ok(Socket { io, token })
        })
    }

    /// Tries to receive. If there is no datagram, waits for an event and tries again.
    async fn recv_from(&self) -> (String, SocketAddr) {
        let mut buf = [0; 64];
        let received = poll_fn(|cx| match self.io.recv_from(&mut buf) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                LOOP.with(|this| this.waiting.borrow_mut().insert(self.token, cx.waker().clone()));
                Poll::Pending
            }
            result => Poll::Ready(result),
        });
        let (count, from) = received.await.expect("the socket is bound");
        (String::from_utf8_lossy(&buf[..count]).into_owned(), from)
    }
}
