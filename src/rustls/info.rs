//! What a TLS handshake has agreed on.

use futures_rustls::pki_types::CertificateDer;
use futures_rustls::rustls::{CipherSuite, CommonState, ProtocolVersion};

/// What the handshake of a TLS connection has agreed on; see [`StreamWriter::tls_info`]. It
/// replaces asyncio's `get_extra_info("peercert")`, `("cipher")` and `("ssl_object")`.
///
/// [`StreamWriter::tls_info`]: crate::StreamWriter::tls_info
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version: TLS 1.2 or 1.3.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    #[doc(alias = "cipher")]
    pub cipher_suite: Option<CipherSuite>,
    /// The protocol that ALPN has chosen, such as `h2`; `None` if one side offers no protocols.
    #[doc(alias = "selected_alpn_protocol")]
    pub alpn: Option<Vec<u8>>,
    /// The certificates of the peer, in DER, its own first. Empty if the peer is a client from
    /// which the server has not asked one.
    #[doc(alias = "getpeercert")]
    #[doc(alias = "peercert")]
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// On the side of the server, the name that the client has asked for (SNI).
    pub server_name: Option<String>,
}

impl TlsInfo {
    pub(super) fn new(session: &CommonState, server_name: Option<&str>) -> TlsInfo {
        TlsInfo {
            version: session.protocol_version(),
            cipher_suite: session.negotiated_cipher_suite().map(|suite| suite.suite()),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            peer_certificates: session.peer_certificates().unwrap_or_default().to_vec(),
            server_name: server_name.map(str::to_owned),
        }
    }
}
