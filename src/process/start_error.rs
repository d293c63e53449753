//! The error of a program that could not be started.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::io_error::explain;

/// Adds the program to an error, and the working directory if that is the reason: the system
/// reports the same number for both.
pub(super) fn start_error(command: &Command, error: io::Error) -> io::Error {
    let program = command.get_program();
    let is_missing = |folder: &&Path| !folder.is_dir();
    let sentence = match command.get_current_dir().filter(is_missing) {
        Some(folder) => format!(
            "could not start {program:?}: the working directory {folder:?} is not a directory: \
             {error}"
        ),
        None => {
            let hint = hint(&program.to_string_lossy(), error.kind());
            format!("could not start {program:?}: {error}{hint}")
        }
    };
    explain(error, sentence)
}

/// Returns what to do about a program that the system did not find, or may not execute.
fn hint(program: &str, kind: io::ErrorKind) -> &'static str {
    // Bytes, not characters: those would add the search for strings to a program, 10 KB.
    let contains = |byte| program.as_bytes().contains(&byte);
    match kind {
        io::ErrorKind::NotFound if contains(b' ') => {
            " (Command::arg adds an argument, and Command::shell runs a line)"
        }
        io::ErrorKind::NotFound if !contains(b'/') => " (no folder of PATH has it)",
        io::ErrorKind::PermissionDenied if Path::new(program).is_dir() => " (it is a folder)",
        io::ErrorKind::PermissionDenied if contains(b'/') => {
            " (is the file executable? `chmod +x` makes it so)"
        }
        _ => "",
    }
}
