//! A core behind TLS, with a certificate of a private authority.

use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use supersession::{BuildError, FaultKind, Sessions};
use supersession_remote::{RemoteCore, RemoteCoreBuilder};
use supersession_testkit::servers::Certificates;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::failover::kind;
use crate::fake::configured;
use crate::real::Real;

/// Starts a TLS proxy in front of a core. Returns its port.
async fn terminator(certificates: &Certificates, core: &str) -> u16 {
    let chain = CertificateDer::from_pem_file(&certificates.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(&certificates.key).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let core = core.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (acceptor, core) = (acceptor.clone(), core.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate disconnects.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut core = TcpStream::connect(core).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut core).await;
            });
        }
    });
    port
}

async fn over(core: RemoteCoreBuilder) -> Sessions {
    let core = core.build().await.unwrap();
    configured(Sessions::over(core)).build().await.unwrap()
}

#[tokio::test]
async fn a_core_with_a_private_authority_is_trusted_if_configured() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(own) = Certificates::make(folder.path()) else {
        return;
    };
    let foreign = Certificates::make(other.path()).unwrap();
    let (authority, other_authority) = (own.authority_pem(), foreign.authority_pem());
    let core = Real::start(&folder.path().join("core.db")).await;
    let port = terminator(&own, core.url()).await;
    let url = format!("https://127.0.0.1:{port}");

    let trusting = over(RemoteCore::at(&url).root_certificates(authority.clone())).await;
    let session = trusting.create("alice").await.unwrap();
    assert!(
        trusting
            .information(session.handle())
            .await
            .unwrap()
            .is_some()
    );
    // The list can contain other authorities too.
    let both = [other_authority.clone(), authority.clone()].concat();
    let both = over(RemoteCore::at(&url).root_certificates(both)).await;
    assert!(both.information(session.handle()).await.unwrap().is_some());

    let by_another_name = format!("https://localhost:{port}");
    for untrusting in [
        RemoteCore::at(&url),
        RemoteCore::at(&url).root_certificates(other_authority),
        RemoteCore::at(by_another_name).root_certificates(authority),
    ] {
        let error = over(untrusting).await.create("bob").await.unwrap_err();
        assert_eq!(kind(&error), FaultKind::Unavailable);
        let text = error.to_string();
        assert!(text.contains("RemoteCore::root_certificates"), "{text}");
    }
    // Without trust, no request is sent, so the next host can be tried.
    assert!(trusting.handles_for_user("bob").await.unwrap().is_empty());
    let next = over(RemoteCore::at(&url).host(core.url())).await;
    next.create("bob").await.unwrap();
    assert_eq!(trusting.handles_for_user("bob").await.unwrap().len(), 1);
    core.stop().await;
}

/// The variable with the URL of the core, for the process that is started below.
const CORE: &str = "SUPERSESSION_TEST_CORE";

#[tokio::test]
#[ignore = "not a test: the next one runs it in another process"]
async fn an_application_on_a_system_that_trusts_the_authority() {
    if let Ok(url) = std::env::var(CORE) {
        over(RemoteCore::at(url))
            .await
            .create("alice")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn authorities_of_the_system_are_trusted_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let Some(own) = Certificates::make(folder.path()) else {
        return;
    };
    let core = Real::start(&folder.path().join("core.db")).await;
    let port = terminator(&own, core.url()).await;
    let mut application = Command::new(std::env::current_exe().unwrap());
    application
        .args(["--ignored", "--exact"])
        .arg("tls::an_application_on_a_system_that_trusts_the_authority")
        .env(CORE, format!("https://127.0.0.1:{port}"))
        // The variable from which rustls reads the system's authorities.
        .env("SSL_CERT_FILE", &own.authority)
        .env_remove("SSL_CERT_DIR");
    let ended = tokio::task::spawn_blocking(move || application.output());
    let ended = ended.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}");
    let created = core.sessions().await.handles_for_user("alice").await;
    assert_eq!(created.unwrap().len(), 1, "{said}");
    core.stop().await;
}

#[tokio::test]
async fn an_invalid_certificate_is_a_configuration_problem() {
    for pem in [
        "",
        "core.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let core = RemoteCore::at("https://core:3567").root_certificates(pem);
        let error = core.build().await.unwrap_err();
        let BuildError::Config(problems) = &error else {
            panic!("{error:?}");
        };
        let settings: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
        assert_eq!(settings, ["RemoteCore::root_certificates"], "{pem}");
    }
}
