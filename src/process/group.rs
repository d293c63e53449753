//! Process groups: a child and the processes that it starts.

use std::io;
use std::os::unix::process::CommandExt;

use rustix::io::Errno;
use rustix::process::{Pid, kill_process_group};

use super::child::{Child, named_signal};
use super::command::Command;
use crate::signal::SignalKind;

impl Command {
    /// Sets the process group of the child (POSIX `setpgid`). With 0 the child leads a new group,
    /// which the processes that it starts belong to as well.
    ///
    /// Then [`Child::send_signal_to_group`] reaches all of them, and Ctrl-C in the terminal reaches
    /// none of them. Default: the group of this process.
    #[doc(alias = "start_new_session")]
    #[doc(alias = "setpgid")]
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.as_std_mut().process_group(group);
        self
    }
}

impl Child {
    /// Sends a signal to the process group that the child leads: to the child, and to the processes
    /// that it has started, unless they have left the group. Set
    /// [`process_group(0)`](Command::process_group) to start a child as the leader of a group.
    ///
    /// After the child has ended, the signal reaches those that it has left behind. Does nothing if
    /// there are none. Call it soon then: once the group is empty, the system may reuse its id.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Child::send_signal). Kind `InvalidInput` if the child leads no group.
    ///
    /// ```
    /// use evloop::process::{Command, Stdio};
    /// use evloop::signal::SignalKind;
    ///
    /// evloop::block_on(async {
    ///     let mut command = Command::shell("sleep 1000 & sleep 1000");
    ///     let mut child = command.stdout(Stdio::piped()).process_group(0).spawn()?;
    ///     child.send_signal_to_group(SignalKind::kill())?;
    ///     // Both have closed the pipe, so the output ends.
    ///     assert!(!child.output().await?.status.success());
    ///     std::io::Result::Ok(())
    /// }).unwrap();
    /// ```
    #[doc(alias = "killpg")]
    pub fn send_signal_to_group(&self, signal: impl Into<SignalKind>) -> io::Result<()> {
        let signal = named_signal(signal.into())?;
        let group = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        match kill_process_group(group.expect("an id of a process is positive"), signal) {
            Err(Errno::SRCH) if self.has_ended() => Ok(()),
            Err(Errno::SRCH) => {
                let sentence = format!(
                    "process {} leads no process group: start it with Command::process_group(0)",
                    self.id()
                );
                Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
            }
            sent => Ok(sent?),
        }
    }
}
