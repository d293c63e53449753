//! A process that was started and is not reaped yet.

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
    /// The loop in which the process was started.
    home: Weak<Context>,
}

/// The source of the wake-up after the process has ended.
enum Watch {
    Pidfd(Socket<Pidfd>),
    Signal(Rc<ChildSignal>),
}

/// A future that waits until the process has ended, and reaps it.
#[must_use = "the process is reaped when this is awaited"]
pub(super) struct Reaped<'a> {
    running: &'a mut Running,
    waiter: WaiterKey,
}

impl Running {
    /// Watches a process whose pipes were taken. Returns the process with the error if it cannot be
    /// watched.
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

    /// Sends a signal to the process. Does nothing if the process has ended.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let sent = match &self.watch {
            Watch::Pidfd(socket) => socket.get().send(signal),
            // The process is not reaped yet, so no other process has its id.
            Watch::Signal(_) => kill_process(Pid::from_child(&self.process), signal),
        };
        match sent {
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Reaps the process if it has ended.
    pub(super) fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    pub(super) fn reaped(&mut self) -> Reaped<'_> {
        Reaped { running: self, waiter: WaiterKey::default() }
    }

    /// Returns the loop in which the process was started, if that loop still exists.
    pub(super) fn home(&self) -> Option<Rc<Context>> {
        self.home.upgrade()
    }

    /// Stops watching the process and returns it.
    pub(super) fn into_std(self) -> process::Child {
        self.process
    }
}

impl Watch {
    fn new(process: &process::Child, context: &Rc<Context>) -> io::Result<Watch> {
        let pidfd = Pidfd::open(process)
            .and_then(|pidfd| Socket::new(pidfd, context.reactor.clone(), false));
        match pidfd {
            // No pidfd: another system, Linux before 5.3, a sandbox, or no free descriptor.
            Ok(socket) => Ok(Watch::Pidfd(socket)),
            Err(_) => Ok(Watch::Signal(ChildSignal::of(context)?)),
        }
    }
}

impl Future for Reaped<'_> {
    type Output = io::Result<ExitStatus>;

    #[track_caller]
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
            Watch::Pidfd(socket) => socket.deregister(Direction::Read, &mut self.waiter),
            Watch::Signal(signal) => signal.deregister(&mut self.waiter),
        }
    }
}
