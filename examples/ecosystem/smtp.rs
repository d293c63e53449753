//! Sends a mail by SMTP (RFC 5321), on the streams of this crate; with `--starttls` over TLS.
//!
//! ```sh
//! cd examples/ecosystem
//! cargo run --bin smtp localhost:8025 me@example.org you@example.org < mail.txt
//! SSL_CERT_FILE=own.pem \
//!     cargo run --bin smtp -- --starttls localhost:8025 me@example.org you@example.org < mail.txt
//! ```
//!
//! Servers to try it with, of the Debian package python3-aiosmtpd, which print each mail:
//!
//! ```sh
//! aiosmtpd --nosetuid --listen localhost:8025
//! openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
//!     -keyout own.key -out own.pem
//! aiosmtpd --nosetuid --listen localhost:8025 --tlscert own.pem --tlskey own.key
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
//!
//! `--starttls` requires TLS (RFC 3207): the mail is not sent if the server does not offer it, or
//! has no valid certificate of its name. It trusts the authorities in the file `SSL_CERT_FILE`, or
//! else those of the system. Bytes that arrive in the clear behind the answer to `STARTTLS` are an
//! error: an attacker may have sent them, to have them taken for answers inside of TLS.

#[path = "shared/trust.rs"]
mod trust;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use evloop::rustls::TlsConnector;
use evloop::streams::start_tls;
use evloop::time::timeout;
use evloop::{StreamReader, StreamWriter, open_connection};

/// How long an answer may take: RFC 5321 asks for some minutes.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args().skip(1).collect();
    let starttls = args.first().is_some_and(|first| first == "--starttls");
    let args = args.split_off(starttls.into());
    let [server, from, to @ ..] = &args[..] else {
        eprintln!("usage: smtp [--starttls] SERVER FROM TO… < MAIL");
        return ExitCode::FAILURE;
    };
    match run(starttls, server, from, to) {
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

fn run(starttls: bool, server: &str, from: &str, to: &[String]) -> io::Result<String> {
    let mut mail = String::new();
    io::stdin().read_to_string(&mut mail)?;
    let connector = starttls.then(trust::connector).transpose()?;
    evloop::block_on(async {
        let (mut session, extensions) = Session::open(server, connector).await?;
        session.send(&extensions, from, to, &mail).await
    })
}

struct Session {
    reader: StreamReader,
    writer: StreamWriter,
}

impl Session {
    /// Connects, by TLS if there is a connector. Returns also the extensions of the server.
    async fn open(server: &str, connector: Option<TlsConnector>) -> io::Result<(Session, String)> {
        let (reader, writer) = open_connection(server).await?;
        let mut session = Session { reader, writer };
        session.answer("220").await?;
        let extensions = session.hello().await?;
        let Some(connector) = connector else { return Ok((session, extensions)) };
        if !has(&extensions, "STARTTLS") {
            return Err(io::Error::other("the server does not offer STARTTLS"));
        }
        session.ask("STARTTLS", "220").await?;
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        let Session { reader, writer } = session;
        let (reader, writer) = start_tls(reader, writer, host, &connector).await?;
        let mut session = Session { reader, writer };
        // What was said before TLS does not count.
        let extensions = session.hello().await?;
        Ok((session, extensions))
    }

    async fn hello(&mut self) -> io::Result<String> {
        self.ask("EHLO [127.0.0.1]", "250").await
    }

    /// Sends a mail and returns the server's last answer.
    async fn send(
        &mut self,
        extensions: &str,
        from: &str,
        to: &[String],
        mail: &str,
    ) -> io::Result<String> {
        let mut commands = vec![(format!("MAIL FROM:<{from}>"), "250")];
        commands.extend(to.iter().map(|to| (format!("RCPT TO:<{to}>"), "25")));
        commands.push(("DATA".to_owned(), "354"));
        if has(extensions, "PIPELINING") {
            commands.iter().for_each(|(command, _)| self.write(command));
            for (_, code) in &commands {
                self.answer(code).await?;
            }
        } else {
            for (command, code) in &commands {
                self.ask(command, code).await?;
            }
        }
        for line in mail.lines() {
            let dot = if line.starts_with('.') { "." } else { "" };
            self.write(&format!("{dot}{line}"));
            self.writer.drain().await?;
        }
        let answer = self.ask(".", "250").await?;
        self.ask("QUIT", "221").await?;
        Ok(answer)
    }

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

fn has(extensions: &str, name: &str) -> bool {
    let is_it = |line: &str| line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case(name));
    extensions.lines().any(is_it)
}
