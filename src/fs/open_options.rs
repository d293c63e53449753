//! The options of opening a file.

use std::fs;

/// Options of opening a file: the allowed operations, and the behaviour for an existing or a
/// missing file.
///
/// It has the options of [`std::fs::OpenOptions`], and can be converted from one.
///
/// ```
/// use evloop::fs::{self, File};
///
/// evloop::block_on(async {
///     let path = std::env::temp_dir().join(format!("evloop-log-{}.txt", std::process::id()));
///     for line in ["one\n", "two\n"] {
///         let mut log = File::options().append(true).create(true).open(&path).await?;
///         log.write_all(line.as_bytes()).await?;
///     }
///     assert_eq!(fs::read_to_string(&path).await?, "one\ntwo\n");
///     fs::remove_file(&path).await
/// }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "options open a file when `open` is called"]
pub struct OpenOptions(pub(super) fs::OpenOptions);

impl OpenOptions {
    /// Creates options that allow no operation yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> OpenOptions {
        OpenOptions(fs::OpenOptions::new())
    }

    /// Sets whether the file can be read. Default: no.
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.0.read(read);
        self
    }

    /// Sets whether the file can be written. Default: no.
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.0.write(write);
        self
    }

    /// Sets whether each write goes to the end of the file, wherever the cursor is. Default: no.
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.0.append(append);
        self
    }

    /// Sets whether opening removes the contents of the file. Default: no.
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.0.truncate(truncate);
        self
    }

    /// Sets whether a missing file is created. Default: no.
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.0.create(create);
        self
    }

    /// Sets whether the file must be missing, and is created. Default: no.
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        self.0.create_new(create_new);
        self
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
