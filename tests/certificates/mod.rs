//! Configurations of TLS for tests: a certificate of `localhost` that signs itself. Each test file
//! uses some of them.

#![allow(dead_code)]

use std::sync::Arc;

use evloop::rustls::pki_types::PrivateKeyDer;
use evloop::rustls::{TlsAcceptor, TlsConnector};
use rcgen::CertifiedKey;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

pub(crate) const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A certificate, which both sides trust, and its key.
pub(crate) struct Own(CertifiedKey);

impl Own {
    pub(crate) fn new() -> Own {
        let names = ["localhost".to_string(), "127.0.0.1".to_string()];
        Own(rcgen::generate_simple_self_signed(names).unwrap())
    }

    pub(crate) fn pem(&self) -> (String, String) {
        (self.0.cert.pem(), self.0.key_pair.serialize_pem())
    }

    pub(crate) fn der(&self) -> &[u8] {
        self.0.cert.der()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        self.0.key_pair.serialize_der().try_into().unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.cert.der().clone()).unwrap();
        roots
    }

    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let client = ClientConfig::builder_with_protocol_versions(versions);
        client.with_root_certificates(self.roots()).with_no_client_auth()
    }

    /// A client that has the certificate, too.
    pub(crate) fn client_with_certificate(&self) -> ClientConfig {
        let client = ClientConfig::builder().with_root_certificates(self.roots());
        client.with_client_auth_cert(vec![self.0.cert.der().clone()], self.key()).unwrap()
    }

    pub(crate) fn server(&self) -> ServerConfig {
        let server = ServerConfig::builder().with_no_client_auth();
        server.with_single_cert(vec![self.0.cert.der().clone()], self.key()).unwrap()
    }

    /// A server that asks its clients for certificates.
    pub(crate) fn server_with_clients(&self) -> ServerConfig {
        let clients = WebPkiClientVerifier::builder(self.roots().into()).build().unwrap();
        let server = ServerConfig::builder().with_client_cert_verifier(clients);
        server.with_single_cert(vec![self.0.cert.der().clone()], self.key()).unwrap()
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        connector(self.client(&BOTH))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        acceptor(self.server())
    }
}

pub(crate) fn connector(client: ClientConfig) -> TlsConnector {
    TlsConnector::from(Arc::new(client))
}

pub(crate) fn acceptor(server: ServerConfig) -> TlsAcceptor {
    TlsAcceptor::from(Arc::new(server))
}
