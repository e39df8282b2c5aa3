//! TLS connections and their trusted authorities.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{OpenError, OpenErrorKind};

/// Returns the connector for this mode. `roots` is PEM; without it, the system's authorities are
/// trusted.
pub(crate) fn connector(
    mode: SslMode,
    roots: Option<&[u8]>,
    database: &str,
) -> Result<MakeRustlsConnect, OpenError> {
    let refuse = |source: Box<dyn std::error::Error + Send + Sync>| {
        OpenError::new(Some(database), OpenErrorKind::Certificates).with_source(source)
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.into()))?;
    let config = if mode == SslMode::Require || roots.is_some() {
        let roots = match roots {
            Some(pem) => given(pem).map_err(|error| refuse(error.into()))?,
            None => of_the_system(),
        };
        if roots.is_empty() {
            return Err(refuse("no certificate was found".into()));
        }
        builder.with_root_certificates(roots)
    } else {
        let verifier = Arc::new(Unverified(provider));
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

fn given(pem: &[u8]) -> Result<RootCertStore, rustls::pki_types::pem::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add_parsable_certificates([certificate?]);
    }
    Ok(roots)
}

fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Verifier for `prefer`, which encrypts if the server can, as in libpq. An attacker who can
/// replace the certificate can also claim that the server has no TLS, so verification would give no
/// protection here.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
