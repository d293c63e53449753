//! L1: the errors in outputs that nobody will take.
//!
//! What a task gives can be anything. In debug mode a detached task's `Err` is told of if its type
//! is one of those that are usual for a task that only has something to do.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::io;

/// The error in `output`, as text.
pub(crate) fn error_in<T: 'static>(output: &T) -> Option<String> {
    let output = output as &dyn Any;
    text::<io::Error>(output)
        .or_else(|| text::<Box<dyn Error>>(output))
        .or_else(|| text::<Box<dyn Error + Send + Sync>>(output))
        .or_else(|| text::<String>(output))
}

fn text<E: Display + 'static>(output: &dyn Any) -> Option<String> {
    let output = output.downcast_ref::<Result<(), E>>()?;
    output.as_ref().err().map(E::to_string)
}
