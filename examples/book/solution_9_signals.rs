//! Solution of exercise 9.1: the first signal ends a program when its work is done, the second one
//! ends it at once.
//!
//! ```sh
//! cargo run --package evloop-book --example solution_9_signals
//! ```
//!
//! prints, on Unix,
//!
//! ```text
//! one signal: the work is done
//! exit status: 0
//! two signals: signal: 15 (SIGTERM)
//! ```
//!
//! The program starts itself as a child, and sends the signals to it. The listener of the child is
//! dropped after the first signal: then the signal has its usual effect again. SIGTERM is
//! used, since shells let programs in the background ignore SIGINT.

#[cfg(unix)]
mod program {
    use std::time::Duration;
    use std::{env, io};

    use evloop::StreamReader;
    use evloop::process::{Child, Command, Stdio};
    use evloop::signal::{self, SignalKind};
    use evloop::streams::{StreamOptions, from_pipe};
    use evloop::time::sleep;

    pub(crate) fn main() -> io::Result<()> {
        if let Some(millis) = env::args().nth(1) {
            return evloop::block_on(serve(Duration::from_millis(millis.parse().expect("a time"))));
        }
        evloop::block_on(async {
            let (mut child, mut lines) = start("20")?;
            terminate(&child, &mut lines).await?;
            let line = lines.read_line().await?;
            print!("one signal: {}", String::from_utf8_lossy(&line));
            println!("{}", child.wait().await?);

            let (mut child, mut lines) = start("100000")?;
            terminate(&child, &mut lines).await?;
            child.terminate()?;
            println!("two signals: {}", child.wait().await?);
            Ok(())
        })
    }

    /// The service: it waits for a signal, and then for its work.
    async fn serve(work: Duration) -> io::Result<()> {
        let mut listener = signal::unix(SignalKind::terminate())?;
        println!("ready");
        listener.recv().await?;
        drop(listener);
        println!("stopping");
        sleep(work).await;
        println!("the work is done");
        Ok(())
    }

    fn start(work: &str) -> io::Result<(Child, StreamReader)> {
        let mut command = Command::new(env::current_exe()?);
        let mut child = command.arg(work).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        Ok((child, from_pipe(stdout, &StreamOptions::default())))
    }

    /// Sends the first signal, and waits until the child has dropped its listener.
    async fn terminate(child: &Child, lines: &mut StreamReader) -> io::Result<()> {
        assert_eq!(&*lines.read_line().await?, b"ready\n");
        child.terminate()?;
        assert_eq!(&*lines.read_line().await?, b"stopping\n");
        Ok(())
    }
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    program::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this program needs Unix");
}
