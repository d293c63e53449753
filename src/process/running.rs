//! A process that was started and not reaped yet.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{self, ExitStatus};
use std::rc::{Rc, Weak};
use std::task::{self, Poll, ready};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::child_signal::ChildSignal;
use crate::context::Context;
use crate::current::budget;
use crate::reactor::{Direction, Done, Socket, WaiterKey};
use crate::sys::Pidfd;

pub(super) struct Running {
    process: process::Child,
    watch: Watch,
    /// The loop in which it was started.
    home: Weak<Context>,
}

/// What tells that it may have ended.
enum Watch {
    Pidfd(Socket<Pidfd>),
    Signal(Rc<ChildSignal>),
}

/// Waits until it has ended, and reaps it.
#[must_use = "nobody is reaped unless this is awaited"]
pub(super) struct Reaped<'a> {
    running: &'a mut Running,
    waiter: WaiterKey,
}

impl Running {
    /// Watches a process of which the pipes were taken. If it cannot be watched it comes back.
    pub(super) fn new(
        process: process::Child,
        context: &Rc<Context>,
    ) -> Result<Running, (process::Child, io::Error)> {
        match Watch::new(&process, context) {
            Ok(watch) => Ok(Running { process, watch, home: Rc::downgrade(context) }),
            Err(error) => Err((process, error)),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal. If it has ended nothing happens.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let sent = match &self.watch {
            Watch::Pidfd(socket) => socket.get().send(signal),
            // It was not reaped yet, so its id is its own.
            Watch::Signal(_) => kill_process(Pid::from_child(&self.process), signal),
        };
        match sent {
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Reaps it if it has ended.
    pub(super) fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    pub(super) fn reaped(&mut self) -> Reaped<'_> {
        Reaped { running: self, waiter: WaiterKey::default() }
    }

    /// The loop in which it was started, if that lives.
    pub(super) fn home(&self) -> Option<Rc<Context>> {
        self.home.upgrade()
    }

    /// The process, not watched any more.
    pub(super) fn into_std(self) -> process::Child {
        self.process
    }
}

impl Watch {
    fn new(process: &process::Child, context: &Rc<Context>) -> io::Result<Watch> {
        let pidfd = Pidfd::open(process)
            .and_then(|pidfd| Socket::new(pidfd, context.reactor.clone(), false));
        match pidfd {
            Ok(socket) => Ok(Watch::Pidfd(socket)),
            Err(_) => Ok(Watch::Signal(ChildSignal::of(context)?)),
        }
    }
}

impl Future for Reaped<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Reaped { running, waiter } = &mut *self;
        let Running { process, watch, .. } = &mut **running;
        match watch {
            Watch::Pidfd(socket) => socket.poll_io(Direction::Read, cx, waiter, |_| {
                let status = process.try_wait()?;
                let value = status.ok_or(io::ErrorKind::WouldBlock)?;
                Ok(Done { value, short: false })
            }),
            Watch::Signal(signal) => {
                ready!(budget::poll_left(cx));
                match process.try_wait().transpose() {
                    Some(result) => {
                        budget::spend();
                        Poll::Ready(result)
                    }
                    None => signal.poll_wait(cx, waiter),
                }
            }
        }
    }
}

impl Drop for Reaped<'_> {
    fn drop(&mut self) {
        match &self.running.watch {
            Watch::Pidfd(socket) => socket.leave(Direction::Read, &mut self.waiter),
            Watch::Signal(signal) => signal.leave(&mut self.waiter),
        }
    }
}
