//! Why a command ends without success, and the status that the program exits with.

use std::io;

/// Why a command ended without success.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// The arguments are wrong: status 2.
    Usage(String),
    /// A sentence that says what happened and what to do: status 1.
    Failed(String),
    /// A signal with this number has ended the command: nothing to say.
    Signal(u8),
    /// The reader of standard output is gone, as in `evloop ps 1 | head -1`: nothing to say.
    Unread,
}

impl Failure {
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Failed(_) => 1,
            // As a shell reports it.
            Failure::Signal(number) => 128 + number,
            Failure::Unread => 0,
        }
    }

    /// Returns the sentence for standard error; `command` is the command that failed.
    pub(crate) fn sentence(&self, command: &str) -> Option<String> {
        match self {
            Failure::Usage(sentence) => {
                Some(format!("evloop: {sentence}\nTry `evloop {command} --help`."))
            }
            Failure::Failed(sentence) => Some(format!("evloop: {sentence}")),
            Failure::Signal(_) | Failure::Unread => None,
        }
    }

    /// Returns the failure of writing the output.
    pub(crate) fn of_output(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::Failed(format!("cannot write the output: {error}")),
        }
    }
}

/// `Failed` with this sentence.
pub(crate) fn failed(sentence: impl Into<String>) -> Failure {
    Failure::Failed(sentence.into())
}
