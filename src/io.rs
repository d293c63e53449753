//! L4: any descriptor, and the program's own three.

#[cfg(unix)]
mod async_fd;
#[cfg_attr(windows, path = "io/standard_windows.rs")]
mod standard;
mod stdin;
mod stdout;

#[cfg(unix)]
pub use self::async_fd::AsyncFd;
pub use self::stdin::{Stdin, stdin};
pub use self::stdout::{Output, stderr, stdout};
