//! TLS by the crate rustls: feature `rustls`.
//!
//! | item | what it is |
//! |---|---|
//! | [`TlsConnector`] | the configuration of a client, from a `rustls::ClientConfig` |
//! | [`TlsAcceptor`] | the configuration of a server, from a `rustls::ServerConfig` |
//! | [`TlsInfo`] | what a handshake has agreed on: ALPN, the certificates of the peer |
//! | [`open_connection_tls`](crate::streams::open_connection_tls) | connects by TCP and TLS |
//! | [`start_server_tls`](crate::streams::start_server_tls) | serves by TCP and TLS |
//! | [`start_tls`](crate::streams::start_tls) | upgrades a connection: STARTTLS |
//!
//! The configuration is that of the [crate rustls](https://docs.rs/rustls), version 0.23; its name
//! here is [`evloop::rustls::rustls`](rustls). Add this crate to your program, with the provider of
//! its cryptography (`ring` or `aws-lc-rs`). This feature chooses none.
//!
//! ```
//! use std::sync::Arc;
//!
//! use evloop::rustls::{TlsAcceptor, TlsConnector};
//! use evloop::streams::{open_connection_tls, start_server_tls};
//! use rustls::{ClientConfig, RootCertStore, ServerConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A certificate that signs itself. A real server reads its own from a file.
//! let own = rcgen::generate_simple_self_signed(["localhost".to_string()])?;
//! let key = own.key_pair.serialize_der().try_into()?;
//! let mut roots = RootCertStore::empty();
//! roots.add(own.cert.der().clone())?;
//! let server = ServerConfig::builder()
//!     .with_no_client_auth()
//!     .with_single_cert(vec![own.cert.der().clone()], key)?;
//! let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
//! let acceptor = TlsAcceptor::from(Arc::new(server));
//! let connector = TlsConnector::from(Arc::new(client));
//!
//! evloop::block_on(async {
//!     let server = start_server_tls("127.0.0.1:0", acceptor, async |mut reader, writer| {
//!         writer.write(reader.read_line().await?.to_ascii_uppercase());
//!         writer.drain().await
//!     })
//!     .await?;
//!     let addr = server.local_addrs()[0];
//!     let (mut reader, writer) = open_connection_tls(addr, "localhost", &connector).await?;
//!     writer.write("hello\n");
//!     assert_eq!(reader.read_line().await?, b"HELLO\n");
//!     assert_eq!(reader.read_to_end().await?, b"", "the server has sent close_notify");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Certificates in files
//!
//! This is `load_cert_chain` of asyncio's `ssl.SSLContext`, and a client that trusts the
//! certificates of one file (`cafile`). The roots of the system are those of the crate
//! `rustls-native-certs`, those of Mozilla are in `webpki-roots`.
//!
//! ```no_run
//! use std::error::Error;
//! use std::sync::Arc;
//!
//! use evloop::rustls::pki_types::pem::PemObject;
//! use evloop::rustls::pki_types::{CertificateDer, PrivateKeyDer};
//! use evloop::rustls::{TlsAcceptor, TlsConnector};
//! use rustls::{ClientConfig, RootCertStore, ServerConfig};
//!
//! fn acceptor() -> Result<TlsAcceptor, Box<dyn Error>> {
//!     let chain = CertificateDer::pem_file_iter("cert.pem")?.collect::<Result<_, _>>()?;
//!     let key = PrivateKeyDer::from_pem_file("key.pem")?;
//!     let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
//!     Ok(TlsAcceptor::from(Arc::new(config)))
//! }
//!
//! fn connector() -> Result<TlsConnector, Box<dyn Error>> {
//!     let mut roots = RootCertStore::empty();
//!     for certificate in CertificateDer::pem_file_iter("ca.pem")? {
//!         roots.add(certificate?)?;
//!     }
//!     let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
//!     Ok(TlsConnector::from(Arc::new(config)))
//! }
//! ```
//!
//! # The end of a TLS connection
//!
//! Closing a writer, or ending its write direction, sends `close_notify` (RFC 8446, section 6.1).
//! If the connection ends without the `close_notify` of the peer, the reader returns an error of
//! kind `UnexpectedEof` instead of the end of the stream: an attacker may have cut it.
//!
//! # Time limit of the handshake
//!
//! A handshake that takes longer than
//! [`StreamOptions::handshake_timeout`](crate::streams::StreamOptions::handshake_timeout) fails
//! with kind `TimedOut`, and the connection is closed. On the side of the server, a handshake of
//! TLS 1.3 ends when the session tickets are sent: the limit also ends a connection whose client
//! does not read them.
//!
//! # Errors of rustls
//!
//! The error of a handshake has the `rustls::Error` as its [`source`](std::error::Error::source):
//!
//! ```
//! use std::error::Error;
//!
//! fn reason(error: &std::io::Error) -> Option<&rustls::Error> {
//!     error.source()?.downcast_ref()
//! }
//! ```

// Layer L4, below `streams`. Invariant: nothing here depends on where the bytes come from.

mod info;
mod tls;

#[doc(no_inline)]
pub use futures_rustls::{TlsAcceptor, TlsConnector, pki_types, rustls};

pub use self::info::TlsInfo;
pub(crate) use self::tls::Tls;
