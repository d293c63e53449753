//! How a file is opened.

use std::fs;

/// How a file is opened: what may be done with it, and what happens if it is there or is not. As
/// [`std::fs::OpenOptions`], from which it can be made too.
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
    /// Nothing allowed yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> OpenOptions {
        OpenOptions(fs::OpenOptions::new())
    }

    /// Whether it can be read from.
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.0.read(read);
        self
    }

    /// Whether it can be written to.
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.0.write(write);
        self
    }

    /// Whether all that is written goes to the end of the file, whatever the cursor.
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.0.append(append);
        self
    }

    /// Whether what is in it goes.
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.0.truncate(truncate);
        self
    }

    /// Whether it is made if it is missing.
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.0.create(create);
        self
    }

    /// Whether it must be missing, and is made.
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
