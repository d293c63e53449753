//! Crawls web sites: a queue of URLs, workers that fetch them, and a limit for each host.
//!
//! ```sh
//! python3 -m http.server 8000 --bind 127.0.0.1     # in another terminal: a site to crawl
//! cargo run --example crawler http://127.0.0.1:8000/
//! cargo run --example crawler http://127.0.0.1:8000/ 20 4 500
//! ```
//!
//! The numbers are: the workers (default 10), the fetches from one host at a time (2), the most
//! pages (100). It prints each page when it arrives, and then a summary:
//!
//! ```text
//! 200  http://127.0.0.1:8000/  1234 bytes, 20 links
//! 200  http://127.0.0.1:8000/docs/  467 bytes, 3 links
//! failed  http://127.0.0.1:8000/slow: no page within 5s
//! 2 pages, 1 failed, 5012 ms
//! ```
//!
//! - Each URL is fetched once. A page that is late, broken or endless counts as failed.
//! - The queue holds only URLs that may be fetched now. So no worker waits for a busy host while
//!   other hosts are free: the URLs of a busy host wait in its own list.
//! - The crawl ends when the work on all URLs is done. A link is queued before the work on its page
//!   is reported as done, so the queue never looks finished too early.
//!
//! Only http is supported, without TLS. A redirection is a page without links.

mod head;
mod page;
#[path = "../wget/url.rs"]
mod url;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use evloop::queue::Queue;
use evloop::task;
use evloop::time::{now, timeout};

use page::Page;
use url::Url;

/// How long the fetch of one page may take.
const PAGE_TIME: Duration = Duration::from_secs(5);

/// The state that the workers share. They borrow it: it needs no `Rc`.
struct Crawler {
    queue: Queue<String>,
    /// All URLs that were ever found.
    found: RefCell<HashSet<String>>,
    hosts: RefCell<HashMap<String, Host>>,
    per_host: usize,
    pages_max: usize,
    failed: Cell<usize>,
}

/// The URLs of one host.
#[derive(Default)]
struct Host {
    /// How many are in the queue or are being fetched.
    active: usize,
    waiting: VecDeque<String>,
}

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let Some(start) = args.next().filter(|url| Url::parse(url).is_ok()) else {
        eprintln!("usage: crawler http://host:port/path [workers] [per host] [pages]");
        return ExitCode::FAILURE;
    };
    let mut number =
        |default: usize| args.next().and_then(|it| it.parse().ok()).unwrap_or(default).max(1);
    let (workers, per_host, pages_max) = (number(10), number(2), number(100));
    let crawler = Crawler {
        queue: Queue::unbounded(),
        found: RefCell::default(),
        hosts: RefCell::default(),
        per_host,
        pages_max,
        failed: Cell::new(0),
    };
    let began = now();
    evloop::block_on(crawler.run(start, workers));
    let (found, failed) = (crawler.found.borrow().len(), crawler.failed.get());
    println!("{} pages, {failed} failed, {} ms", found - failed, began.elapsed().as_millis());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Crawler {
    async fn run(&self, start: String, workers: usize) {
        self.add(start);
        task::scope(async |scope| {
            for _ in 0..workers {
                scope.spawn(self.work());
            }
            self.queue.join().await;
            // The workers wait for the next URL. This ends them, and the scope waits for them.
            self.queue.close();
        })
        .await;
    }

    /// Fetches URLs until the queue is closed.
    async fn work(&self) {
        while let Ok(url) = self.queue.get().await {
            match self.fetch(&url).await {
                Ok(page) => {
                    let links = page.links(&url);
                    let (length, count) = (page.text.len(), links.len());
                    println!("{}  {url}  {length} bytes, {count} links", page.status);
                    links.into_iter().for_each(|link| self.add(link));
                }
                Err(error) => {
                    self.failed.set(self.failed.get() + 1);
                    println!("failed  {url}: {error}");
                }
            }
            self.release(&url);
            // Reached whatever the fetch returned: without it, `join` would wait forever.
            self.queue.task_done();
        }
    }

    /// Adds a URL if it is new.
    fn add(&self, url: String) {
        let mut found = self.found.borrow_mut();
        if found.len() == self.pages_max || !found.insert(url.clone()) {
            return;
        }
        let mut hosts = self.hosts.borrow_mut();
        let host = hosts.entry(host_of(&url)).or_default();
        if host.active == self.per_host {
            host.waiting.push_back(url);
        } else {
            host.active += 1;
            self.queue.try_put(url).expect("the queue is open and unbounded");
        }
    }

    /// Queues the next URL of the host of `url`, which has been fetched.
    fn release(&self, url: &str) {
        let mut hosts = self.hosts.borrow_mut();
        let host = hosts.get_mut(&host_of(url)).expect("it was entered when the URL was added");
        match host.waiting.pop_front() {
            Some(next) => self.queue.try_put(next).expect("the queue is open and unbounded"),
            None => host.active -= 1,
        }
    }

    async fn fetch(&self, url: &str) -> io::Result<Page> {
        let url = Url::parse(url).map_err(io::Error::other)?;
        let late = |_| io::Error::other(format!("no page within {PAGE_TIME:?}"));
        timeout(PAGE_TIME, Page::get(&url)).await.map_err(late)?
    }
}

/// Returns the host and the port of a URL.
fn host_of(url: &str) -> String {
    url.split('/').nth(2).unwrap_or_default().to_ascii_lowercase()
}
