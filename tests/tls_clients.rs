//! TLS on streams with another implementation of TLS at the other end: OpenSSL, and curl.
//!
//! Without `openssl` or `curl` a test does nothing but say so.

#![cfg(all(target_os = "linux", feature = "rustls", feature = "process"))]

mod certificates;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, process};

use certificates::{BOTH, Own, acceptor, connector};
use evloop::process::{Child, Command};
use evloop::streams::{from_pipe, open_connection_tls, start_server_tls, start_tls_server};
use evloop::time::timeout;
use evloop::{Server, StreamReader, StreamWriter, start_server};
use rustls::ProtocolVersion;

/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";
/// The option of OpenSSL and the version.
const VERSIONS: [(&str, ProtocolVersion); 2] =
    [("-tls1_2", ProtocolVersion::TLSv1_2), ("-tls1_3", ProtocolVersion::TLSv1_3)];

fn run<T>(future: impl Future<Output = T>) -> T {
    evloop::block_on(async { timeout(LIMIT, future).await.expect("it hangs") })
}

/// Files with the certificate and the key, removed by the drop.
struct Files {
    own: Own,
    folder: PathBuf,
}

impl Files {
    fn new(name: &str) -> Files {
        let own = Own::new();
        let folder = env::temp_dir().join(format!("evloop-tls-{}-{name}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = own.pem();
        fs::write(folder.join("certificate"), certificate).unwrap();
        fs::write(folder.join("key"), key).unwrap();
        Files { own, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn is_missing(program: &str) -> bool {
    let is_missing = Command::new(program).arg("--version").output().await.is_err();
    if is_missing {
        eprintln!("skipped: there is no {program}");
    }
    is_missing
}

async fn upper(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    while let line @ [_, ..] = &*reader.read_line().await? {
        writer.write(line.to_ascii_uppercase());
        writer.drain().await?;
    }
    Ok(())
}

/// Answers one request of HTTP with the version and the protocol of the connection.
async fn http(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    reader.read_until(b"\r\n\r\n").await?;
    let info = writer.tls_info().expect("a TLS connection");
    let alpn = info.alpn.map(|alpn| String::from_utf8_lossy(&alpn).into_owned());
    writer.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    writer.write(format!("{:?} {alpn:?}\n", info.version.expect("a version")));
    writer.drain().await
}

fn address(server: &Server) -> String {
    server.local_addrs()[0].to_string()
}

/// Starts a program with pipes as its standard input and output.
fn start(program: &str, args: &[&str]) -> (Child, evloop::net::pipe::Sender, StreamReader) {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    command.stdin(process::Stdio::piped()).stdout(process::Stdio::piped());
    command.stderr(process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, stdin, from_pipe(stdout, &Default::default()))
}

#[test]
fn the_client_of_openssl_talks_to_a_server_in_both_versions() {
    let files = Files::new("s_client");
    run(async {
        if is_missing("openssl").await {
            return;
        }
        let server = start_server_tls(ANY, files.own.acceptor(), upper).await.unwrap();
        for (version, _) in VERSIONS {
            let (address, certificate) = (address(&server), files.path("certificate"));
            let (mut child, stdin, mut stdout) = start(
                "openssl",
                &[
                    "s_client",
                    "-quiet",
                    "-verify_return_error",
                    "-no_ign_eof",
                    version,
                    "-verify_hostname",
                    "localhost",
                    "-CAfile",
                    &certificate,
                    "-connect",
                    &address,
                ],
            );
            stdin.write_all(b"hello\n").await.unwrap();
            assert_eq!(stdout.read_line().await.unwrap(), b"HELLO\n", "{version}");
            // At the end of its input it sends close_notify.
            drop(stdin);
            assert_eq!(stdout.read_to_end().await.unwrap(), b"");
            assert!(child.wait().await.unwrap().success());
        }
    });
}

#[test]
fn a_client_talks_to_the_server_of_openssl_in_both_versions() {
    let files = Files::new("s_server");
    run(async {
        if is_missing("openssl").await {
            return;
        }
        for ((version, number), own_version) in VERSIONS.into_iter().zip(BOTH) {
            let (certificate, key) = (files.path("certificate"), files.path("key"));
            let (_child, _stdin, mut stdout) = start(
                "openssl",
                &[
                    "s_server",
                    "-rev",
                    "-naccept",
                    "1",
                    version,
                    "-alpn",
                    "upside-down",
                    "-cert",
                    &certificate,
                    "-key",
                    &key,
                    "-accept",
                    "127.0.0.1:0",
                ],
            );
            let accept = loop {
                let line = String::from_utf8(stdout.read_line().await.unwrap()).unwrap();
                if let Some(address) = line.strip_prefix("ACCEPT ") {
                    break address.trim().to_owned();
                }
                assert_ne!(line, "", "openssl has ended");
            };
            let mut client = files.own.client(&[own_version]);
            client.alpn_protocols = vec![b"upside-down".to_vec()];
            let opened = open_connection_tls(&*accept, "localhost", &connector(client)).await;
            let (mut reader, writer) = opened.unwrap();
            let info = writer.tls_info().unwrap();
            assert_eq!((info.version, info.alpn), (Some(number), Some(b"upside-down".to_vec())));
            writer.write("olleh\n");
            assert_eq!(reader.read_line().await.unwrap(), b"hello\n");
            writer.write("CLOSE\n");
            assert_eq!(reader.read_to_end().await.unwrap(), b"", "with close_notify");
        }
    });
}

#[test]
fn the_client_of_openssl_upgrades_by_starttls() {
    let files = Files::new("starttls");
    run(async {
        if is_missing("openssl").await {
            return;
        }
        let acceptor = files.own.acceptor();
        let server = start_server(ANY, async move |mut reader, writer| {
            writer.write("220 localhost ESMTP\r\n");
            assert!(reader.read_line().await?.starts_with(b"EHLO "));
            writer.write("250-localhost\r\n250 STARTTLS\r\n");
            assert_eq!(reader.read_line().await?, b"STARTTLS\r\n");
            writer.write("220 go ahead\r\n");
            let (reader, writer) = start_tls_server(reader, writer, &acceptor).await?;
            upper(reader, writer).await
        })
        .await
        .unwrap();
        let (address, certificate) = (address(&server), files.path("certificate"));
        let (_child, stdin, mut stdout) = start(
            "openssl",
            &[
                "s_client",
                "-quiet",
                "-verify_return_error",
                "-no_ign_eof",
                "-starttls",
                "smtp",
                "-CAfile",
                &certificate,
                "-connect",
                &address,
            ],
        );
        stdin.write_all(b"hello\n").await.unwrap();
        assert_eq!(stdout.read_line().await.unwrap(), b"HELLO\n");
    });
}

#[test]
fn curl_fetches_in_both_versions_and_agrees_on_a_protocol() {
    let files = Files::new("curl");
    run(async {
        if is_missing("curl").await {
            return;
        }
        let mut config = files.own.server();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server = start_server_tls(ANY, acceptor(config), http).await.unwrap();
        let port = server.local_addrs()[0].port();
        for (version, name) in [("1.2", "TLSv1_2"), ("1.3", "TLSv1_3")] {
            let mut command = Command::new("curl");
            command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]);
            command.args([files.path("certificate"), format!("--tlsv{version}")]);
            command.args(["--tls-max", version]).arg(format!("https://localhost:{port}/"));
            let output = command.output().await.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            let expected = format!("{name} Some(\"http/1.1\")\n");
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        }
    });
}
