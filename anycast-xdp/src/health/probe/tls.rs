//! TLS, without a judgement of certificates.
//!
//! What is asked is whether a backend serves, and it is asked by the address of the VIP, over a way that this host chose. A certificate that
//! has expired or is of another name is for the monitoring of the service to find: taking all backends out for it would make it worse.

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{ProbeError, Subject, steps::Steps};

static CONFIG: LazyLock<Result<Arc<ClientConfig>, Error>> = LazyLock::new(|| {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Unjudged(provider)));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A handshake is part of what is asked.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
});

/// A session over a connection; `host` is the name that it asks for.
pub async fn handshake(
    subject: &Subject,
    host: Option<&str>,
    stream: TcpStream,
    steps: &mut Steps,
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let unusable = |error: &dyn std::fmt::Display| ProbeError::NotSent(format!("TLS: {error}"));
    let config = CONFIG.as_ref().map_err(|error| unusable(error))?;
    let name = match host {
        Some(host) => ServerName::try_from(host.to_owned()).map_err(|error| unusable(&error))?,
        None => ServerName::IpAddress(subject.vip.into()),
    };
    steps.wait_for("TLS session");
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
    let stream = stream.map_err(|error| ProbeError::Refused { what: "TLS", why: error.to_string() })?;
    steps.note(|| {
        let version = stream.get_ref().1.protocol_version();
        format!("TLS session, {}", version.and_then(|version| version.as_str()).unwrap_or("of an unknown version"))
    });
    Ok(stream)
}

/// Takes any certificate.
#[derive(Debug)]
struct Unjudged(Arc<CryptoProvider>);

impl ServerCertVerifier for Unjudged {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
