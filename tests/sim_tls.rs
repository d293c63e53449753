//! Simulated worlds: TLS on the streams of a world.
#![cfg(all(unix, feature = "sim", feature = "rustls"))]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use evloop::net::{TcpListener, TcpStream};
use evloop::rustls::{TlsAcceptor, TlsConnector};
use evloop::sim;
use futures::{AsyncReadExt, AsyncWriteExt};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SerialNumber};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

const MS: Duration = Duration::from_millis(1);

/// Returns the two ends, for the host `server`. The signatures of Ed25519 have one length, and the
/// number of the certificate is not random, so two runs of a seed send the same numbers of bytes.
fn ends() -> (TlsAcceptor, TlsConnector) {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::new([String::from("server")]).unwrap();
    params.serial_number = Some(SerialNumber::from(1));
    let cert = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let server = ServerConfig::builder().with_no_client_auth();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let server = server.with_single_cert(vec![cert], key).unwrap();
    (Arc::new(server).into(), Arc::new(client).into())
}

async fn serve(acceptor: &TlsAcceptor) -> io::Result<()> {
    let (stream, _) = TcpListener::bind("[::]:443").await?.accept().await?;
    let (mut stream, mut buf) = (acceptor.accept(stream).await?, [0; 5]);
    stream.read_exact(&mut buf).await?;
    stream.write_all(&buf).await?;
    stream.close().await
}

async fn ask(connector: &TlsConnector) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect("server:443").await?;
    let mut stream = connector.connect("server".try_into().unwrap(), stream).await?;
    stream.write_all(b"hello").await?;
    stream.flush().await?;
    let mut buf = vec![0; 5];
    stream.read_exact(&mut buf).await?;
    Ok(buf)
}

#[test]
fn tls_is_unchanged_and_a_seed_repeats_it() {
    sim::check(0..65, |sim| {
        let (acceptor, connector) = ends();
        sim.latency(MS..9 * MS).short_io(0.3).run(async |world| {
            world.host("server", async || serve(&acceptor).await);
            let answer = world.client("client", async || ask(&connector).await);
            assert_eq!(answer.await.unwrap(), b"hello");
        });
    });
}
