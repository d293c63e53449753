//! The errors in the outputs of detached tasks.
//!
//! A task without a handle has no caller that could handle its error, so the loop reports it.

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt::Display;
use std::io;

pub(crate) use self::private::Sealed;
use super::header::Header;
use super::join_error::JoinError;
use crate::caught::catch;
use crate::current;

/// The output of a task that [`JoinHandle::detach`](crate::JoinHandle::detach) accepts, and of a
/// connection's handler: `()`, a `Result` whose error is reported, or `!`.
///
/// This trait is sealed: other crates cannot implement it.
#[diagnostic::on_unimplemented(
    message = "the output `{Self}` is neither `()` nor a `Result` with an error that is `Display`",
    label = "the output of this task cannot be reported",
    note = "a handler and a detached task return `()` or a `Result`; `drop` the handle of a task \
            to ignore an output of another type"
)]
pub trait TaskOutput: private::Sealed {}

type Never = <fn() -> ! as private::Function>::Output;

mod private {
    /// Leads to the type `!`, which stable Rust cannot name otherwise: the output of a task that
    /// loops without end.
    pub trait Function {
        type Output;
    }

    impl<T> Function for fn() -> T {
        type Output = T;
    }

    pub trait Sealed {
        /// Whether there is something to report in some value.
        const CAN_FAIL: bool;

        /// Returns the error to report.
        fn error(&self) -> Option<String>;
    }
}

impl TaskOutput for () {}
impl Sealed for () {
    const CAN_FAIL: bool = false;

    fn error(&self) -> Option<String> {
        None
    }
}

impl TaskOutput for Never {}
impl Sealed for Never {
    const CAN_FAIL: bool = false;

    fn error(&self) -> Option<String> {
        None
    }
}

impl<T, E: Display> TaskOutput for Result<T, E> {}
impl<T, E: Display> Sealed for Result<T, E> {
    const CAN_FAIL: bool = true;

    fn error(&self) -> Option<String> {
        self.as_ref().err().map(E::to_string)
    }
}

/// What runs a task with output `T`: decides which errors in the output are reported.
pub(super) trait RunBy<T> {
    /// Returns whether [`error_in`](RunBy::error_in) knows the type of the output.
    fn knows_errors() -> bool;

    /// Returns the error in the output of a detached task, if the type of the output is known.
    fn error_in(output: &T) -> Option<String>;
}

/// The loop runs the task.
pub(super) struct ByLoop;

/// Returns the error in an output of a known type.
#[inline]
pub(crate) fn known_error<T: 'static>(output: &T) -> Option<String> {
    if knows::<T>() { text(output) } else { None }
}

impl<T: 'static> RunBy<T> for ByLoop {
    #[inline]
    fn knows_errors() -> bool {
        knows::<T>()
    }

    #[inline]
    fn error_in(output: &T) -> Option<String> {
        known_error(output)
    }
}

/// Defines `knows` and `text` for a list of types. A type that is not in the list, such as an error
/// of another crate, needs `JoinHandle::detach`: a bound on `spawn` would exclude all other
/// outputs.
macro_rules! known_outputs {
    ($($output:ty),* $(,)?) => {
        /// Returns whether errors in outputs of type `T` are reported without `detach`. The
        /// compiler reduces it to a constant.
        #[inline]
        pub(crate) fn knows<T: 'static>() -> bool {
            let id = TypeId::of::<T>();
            $(id == TypeId::of::<$output>() ||)* false
        }

        /// Returns the error in an output of a known type.
        #[cold]
        fn text(output: &dyn Any) -> Option<String> {
            $(if let Some(output) = output.downcast_ref::<$output>() {
                return output.error();
            })*
            None
        }
    };
}

known_outputs!(
    Result<(), io::Error>,
    Result<(), Box<dyn Error>>,
    Result<(), Box<dyn Error + Send>>,
    Result<(), Box<dyn Error + Send + Sync>>,
    Result<(), String>,
    Result<(), &'static str>,
    Result<(), JoinError>,
    Result<usize, io::Error>,
    Result<usize, Box<dyn Error>>,
    Result<usize, Box<dyn Error + Send + Sync>>,
    Result<u64, io::Error>,
    Result<u64, Box<dyn Error>>,
    Result<u64, Box<dyn Error + Send + Sync>>,
    Result<String, io::Error>,
    Result<String, Box<dyn Error>>,
    Result<String, Box<dyn Error + Send + Sync>>,
    Result<Vec<u8>, io::Error>,
    Result<Vec<u8>, Box<dyn Error>>,
    Result<Vec<u8>, Box<dyn Error + Send + Sync>>,
);

/// Drops the outcome of a task that no caller will take. Returns the error to report, if there is
/// one: a panic, also of the output's destructor, or an error that `error_in` finds.
pub(crate) fn drop_outcome<T>(
    header: &Header,
    outcome: Result<T, JoinError>,
    error_in: impl FnOnce(&T) -> Option<String>,
) -> Option<JoinError> {
    match outcome {
        Ok(output) => drop_output(header, output, error_in),
        Err(error) => only_panic(error),
    }
}

/// Drops the output of a task. Returns the panic of its destructor, or the error in the output.
#[inline(never)]
pub(super) fn drop_output<T>(
    header: &Header,
    output: T,
    error_in: impl FnOnce(&T) -> Option<String>,
) -> Option<JoinError> {
    let _outer = current::begin_other();
    current::begin_task(header.id);
    // The error's `Display` and the destructor are user code.
    let lost = catch(|| {
        let error = error_in(&output);
        drop(output);
        error
    });
    match lost {
        Ok(error) => error.map(|error| JoinError::failed(header, error)),
        Err(panic) => Some(JoinError::panicked(header, panic)),
    }
}

/// Returns the error if it is a panic. Out of line, since the code that drops other errors is long.
#[cold]
pub(super) fn only_panic(error: JoinError) -> Option<JoinError> {
    error.is_panic().then_some(error)
}
