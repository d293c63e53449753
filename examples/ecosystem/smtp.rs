//! Sends a mail by SMTP (RFC 5321), on the streams of this crate.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin smtp 127.0.0.1:8025 me@example.org you@example.org < mail.txt
//! ```
//!
//! A server to try it with, of the Debian package python3-aiosmtpd, which prints each mail:
//!
//! ```sh
//! aiosmtpd --nosetuid --listen 127.0.0.1:8025
//! ```
//!
//! The example prints:
//!
//! ```text
//! 250 OK
//! ```
//!
//! Commands that need no answer of each other leave together if the server allows it (PIPELINING,
//! RFC 2920). Lines that begin with a dot get a second one, since a dot alone ends the mail.

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, open_connection};

/// How long an answer may take: RFC 5321 asks for some minutes.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [server, from, to @ ..] = &args[..] else {
        eprintln!("usage: smtp SERVER FROM TO… < MAIL");
        return ExitCode::FAILURE;
    };
    let mut mail = String::new();
    let sent = io::stdin().read_to_string(&mut mail);
    match sent.and_then(|_| evloop::block_on(send(server, from, to, &mail))) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("smtp: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Sends a mail and returns the server's last answer.
async fn send(server: &str, from: &str, to: &[String], mail: &str) -> io::Result<String> {
    let (reader, writer) = open_connection(server).await?;
    let mut session = Session { reader, writer };
    session.answer("220").await?;
    let extensions = session.ask("EHLO [127.0.0.1]", "250").await?;

    let mut commands = vec![(format!("MAIL FROM:<{from}>"), "250")];
    commands.extend(to.iter().map(|to| (format!("RCPT TO:<{to}>"), "25")));
    commands.push(("DATA".to_owned(), "354"));
    if extensions.lines().any(|line| line.ends_with("PIPELINING")) {
        commands.iter().for_each(|(command, _)| session.write(command));
        for (_, code) in &commands {
            session.answer(code).await?;
        }
    } else {
        for (command, code) in &commands {
            session.ask(command, code).await?;
        }
    }
    for line in mail.lines() {
        let dot = if line.starts_with('.') { "." } else { "" };
        session.write(&format!("{dot}{line}"));
        session.writer.drain().await?;
    }
    let answer = session.ask(".", "250").await?;
    session.ask("QUIT", "221").await?;
    Ok(answer)
}

struct Session {
    reader: StreamReader,
    writer: StreamWriter,
}

impl Session {
    fn write(&self, line: &str) {
        self.writer.write(line);
        self.writer.write("\r\n");
    }

    async fn ask(&mut self, command: &str, code: &str) -> io::Result<String> {
        self.write(command);
        self.answer(code).await
    }

    /// Reads an answer of one or several lines, which must begin with `code`.
    async fn answer(&mut self, code: &str) -> io::Result<String> {
        let mut answer = String::new();
        loop {
            let line = timeout(PATIENCE, self.reader.read_line()).await??;
            let line = String::from_utf8_lossy(&line).into_owned();
            let Some(line) = line.strip_suffix("\r\n") else {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed"));
            };
            answer.push_str(line);
            // `250-` begins a line with others behind it, `250 ` the last one.
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
            answer.push('\n');
        }
        if answer.starts_with(code) { Ok(answer) } else { Err(io::Error::other(answer)) }
    }
}
