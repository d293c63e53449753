//! A directory for the files of one test, and reading them.

// No test file uses every function.
#![allow(dead_code)]

use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use evloop::fs::File;

/// A new directory. It is removed when this is dropped.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new() -> Dir {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("evloop-fs-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Dir(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Creates a file with these contents.
    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// Creates a FIFO. Opening one end blocks until the other end is opened.
    #[cfg(unix)]
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success(), "mkfifo: {made}");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Reads up to `n` bytes at the cursor.
pub(crate) async fn read(file: &mut File, n: usize) -> String {
    let mut buf = vec![0; n];
    let n = file.read(&mut buf).await.unwrap();
    String::from_utf8(buf[..n].to_vec()).unwrap()
}

/// Returns the contents of a file as the system has them now.
pub(crate) fn contents(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
