//! The options of creating a directory.

use std::fs;
use std::io;
use std::path::Path;

use super::paths::run_on;

/// Options of creating a directory: [`std::fs::DirBuilder`] for the loop.
///
/// [`create_dir`](super::create_dir) and [`create_dir_all`](super::create_dir_all) create one with
/// the default options.
///
/// ```
/// use evloop::fs::{self, DirBuilder};
///
/// evloop::block_on(async {
///     let root = std::env::temp_dir().join(format!("evloop-tree-{}", std::process::id()));
///     DirBuilder::new().recursive(true).create(root.join("a/b")).await?;
///     assert!(fs::metadata(root.join("a/b")).await?.is_dir());
///     fs::remove_dir_all(&root).await
/// }).unwrap();
/// ```
#[derive(Debug, Default)]
#[must_use = "options create a directory when `create` is called"]
pub struct DirBuilder {
    is_recursive: bool,
    /// The permission bits. `None`: the system's default.
    #[cfg(unix)]
    pub(super) mode: Option<u32>,
}

impl DirBuilder {
    /// Creates the default options: not recursive.
    pub fn new() -> DirBuilder {
        DirBuilder::default()
    }

    /// Sets whether missing parents are created too. Then it is no error if the directory exists.
    /// Default: no.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.is_recursive = recursive;
        self
    }

    /// Creates a directory with these options.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirBuilder::create`]. The error names the operation and the path.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, the directory is created, even if the future is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a running loop.
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(self.is_recursive);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
        }
        let path = path.as_ref().to_owned();
        run_on("create_dir", path, move |path| builder.create(path)).await
    }
}
