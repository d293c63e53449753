//! Solution of exercise 8.1: a cache that fetches a page once, also if many tasks want it at the
//! same time, and also if the first fetch fails.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_8_cache
//! ```
//!
//! prints
//!
//! ```text
//! fetch 1 of /a: refused
//! fetch 2 of /a: ok
//! 99 tasks have the page, 1 has an error
//! fetch 1 of /b: ok
//! ```
//!
//! The map stores an `Rc<OnceCell>` for each page: the first task that wants the page fetches it,
//! the others wait for the cell. A failed fetch fails the task that has made it. The next one in
//! the queue of the cell fetches. No borrow of the map is held across an await.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use evloop::sync::OnceCell;
use evloop::task;

#[derive(Default)]
struct Cache {
    pages: RefCell<HashMap<&'static str, Rc<OnceCell<String>>>>,
    fetches: Cell<u32>,
}

impl Cache {
    async fn get(&self, path: &'static str) -> io::Result<String> {
        let cell = self.pages.borrow_mut().entry(path).or_default().clone();
        cell.get_or_try_init(async || self.fetch(path).await).await.cloned()
    }

    /// The server refuses the first request.
    async fn fetch(&self, path: &str) -> io::Result<String> {
        self.fetches.set(self.fetches.get() + 1);
        let fetch = self.fetches.get();
        task::yield_now().await;
        if path == "/a" && fetch == 1 {
            println!("fetch {fetch} of {path}: refused");
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        println!("fetch {fetch} of {path}: ok");
        Ok(format!("the page {path}"))
    }
}

fn main() {
    evloop::block_on(async {
        let cache = Cache::default();
        let pages = task::gather((0..100).map(|_| cache.get("/a"))).await;
        let (ok, failed): (Vec<_>, Vec<_>) = pages.into_iter().partition(Result::is_ok);
        println!("{} tasks have the page, {} has an error", ok.len(), failed.len());
        cache.fetches.set(0);
        task::gather((0..10).map(|_| cache.get("/b"))).await;
    });
}
