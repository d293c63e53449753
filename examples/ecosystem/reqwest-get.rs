//! Downloads pages by reqwest, which needs tokio, in tasks of evloop: tokio drives the loop.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --features tokio --bin reqwest-get http://127.0.0.1:8080/ http://127.0.0.1:8080/slow
//! ```
//!
//! prints a line for each page, in the order in which the pages arrive:
//!
//! ```text
//! http://127.0.0.1:8080/: 200 OK, 12 bytes
//! http://127.0.0.1:8080/slow: 200 OK, 19 bytes
//! ```

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use evloop::task::JoinSet;
use evloop::time::timeout;

/// A page that takes longer is given up.
const TIME_MAX: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let failed = evloop::tokio::block_on(async {
        let client = reqwest::Client::new();
        let mut pages = JoinSet::new();
        for url in env::args().skip(1) {
            pages.spawn(get(client.clone(), url));
        }
        let mut failed = 0;
        while let Some(page) = pages.join_next().await {
            match page.expect("a task does not panic") {
                Ok(line) => println!("{line}"),
                Err(line) => {
                    eprintln!("{line}");
                    failed += 1;
                }
            }
        }
        failed
    });
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Downloads one page. Returns a line about it.
async fn get(client: reqwest::Client, url: String) -> Result<String, String> {
    let page = async {
        let response = client.get(&url).send().await?;
        let status = response.status();
        Ok::<_, reqwest::Error>((status, response.bytes().await?))
    };
    // The timer is evloop's, the connection is tokio's.
    match timeout(TIME_MAX, page).await {
        Ok(Ok((status, body))) => Ok(format!("{url}: {status}, {} bytes", body.len())),
        Ok(Err(error)) => Err(format!("{url}: {error}")),
        Err(error) => Err(format!("{url}: {error}")),
    }
}
