//! The program. Unix only: it needs the descriptor of a loop.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use evloop::Runtime;
use evloop::time::sleep;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The other loop, with its own events and state.
struct Window {
    clicks: UnixStream,
    runtime: Runtime,
    is_open: bool,
}

pub(crate) fn main() -> io::Result<()> {
    let (clicks, mut mouse) = UnixStream::pair()?;
    let user = thread::spawn(move || {
        for click in 1..=3 {
            mouse.write_all(&[click]).expect("the window is open");
            thread::sleep(Duration::from_millis(60));
        }
    });
    let mut window = Window { clicks, runtime: Runtime::new()?, is_open: true };
    while window.is_open {
        window.turn()?;
    }
    println!("window: closed");
    user.join().expect("the user does not panic");
    Ok(())
}

impl Window {
    fn turn(&mut self) -> io::Result<()> {
        let deadline = self.runtime.next_deadline();
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec::try_from(left).expect("the deadline is near"));
        let mut fds =
            [PollFd::new(&self.clicks, PollFlags::IN), PollFd::new(&self.runtime, PollFlags::IN)];
        poll(&mut fds, timeout.as_ref())?;
        let is_clicked = !fds[0].revents().is_empty();
        if is_clicked {
            self.click()?;
        }
        // Also after a timeout: the deadline has passed then.
        self.runtime.turn(Some(Duration::ZERO))?;
        Ok(())
    }

    /// Handles a click: spawns a task that takes some time, and does not wait for it.
    fn click(&mut self) -> io::Result<()> {
        let mut click = [0];
        if self.clicks.read(&mut click)? == 0 {
            self.is_open = false;
            return Ok(());
        }
        let [click] = click;
        println!("window: click {click}");
        drop(self.runtime.spawn(async move {
            sleep(Duration::from_millis(20)).await;
            println!("task: 20 ms after click {click}");
        }));
        Ok(())
    }
}
