//! The authorities whose certificates an example trusts: `smtp` and `wget-https`.

use std::sync::Arc;
use std::{env, io};

use evloop::rustls::TlsConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Debian's file; other systems have others.
const SYSTEM_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Returns a connector that trusts the authorities in the file `SSL_CERT_FILE`, or else those of
/// the system.
pub fn connector() -> io::Result<TlsConnector> {
    let file = env::var("SSL_CERT_FILE").unwrap_or_else(|_| SYSTEM_FILE.to_owned());
    let certificates = CertificateDer::pem_file_iter(&file)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(|error| io::Error::other(format!("{file}: {error}")))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(client)))
}
