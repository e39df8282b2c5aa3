//! The certificate authorities that connections to a core trust.

use std::error::Error;
use std::io;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The trusted authorities.
pub(crate) enum Trust {
    /// None. No host uses TLS.
    None,
    /// The system's authorities.
    System,
    /// Only these authorities.
    Only(RootCertStore),
}

/// Parses the certificates in a PEM file. Returns `None` if there are none, or if any is invalid.
pub(crate) fn authorities(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

pub(crate) fn config(trust: Trust) -> io::Result<ClientConfig> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match trust {
        Trust::None => builder.with_root_certificates(RootCertStore::empty()),
        Trust::System => builder.with_native_roots()?,
        Trust::Only(roots) => builder.with_root_certificates(roots),
    };
    Ok(builder.with_no_client_auth())
}

/// Returns `true` if a connection failed because of the host's certificate.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| {
        matches!(
            error.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(_))
        )
    })
}

/// An error and its sources.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        // `io::Error::source` skips the error that it wraps, so that error is read with `get_ref`.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
