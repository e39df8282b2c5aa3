//! A core behind TLS, with a certificate of an authority that no system knows.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use supersession::{BuildError, FaultKind, Sessions};
use supersession_remote::RemoteCore;
use supersession_testkit::servers::skip;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::failover::kind;
use crate::fake::configured;
use crate::real::Real;

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "openssl {arguments}: {said}");
}

/// Certificates for 127.0.0.1; gives that of the authority.
fn certificates(folder: &Path) -> Vec<u8> {
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    for step in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=core -keyout core.key -out core.csr",
        "x509 -req -in core.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out core.pem",
    ] {
        openssl(folder, step);
    }
    std::fs::read(folder.join("ca.pem")).unwrap()
}

/// What stands before a core and speaks TLS for it; gives its port.
async fn terminator(folder: &Path, core: &str) -> u16 {
    let chain = CertificateDer::from_pem_file(folder.join("core.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("core.key")).unwrap();
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
                // Whoever does not trust the certificate goes away.
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

#[tokio::test]
async fn a_core_of_a_private_authority_is_trusted_if_its_certificate_is_given() {
    if Command::new("openssl").arg("version").output().is_err() {
        skip("openssl", "apt-get install openssl");
        return;
    }
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = certificates(folder.path());
    let other_authority = certificates(other.path());
    let core = Real::start(&folder.path().join("core.db")).await;
    let port = terminator(folder.path(), core.url()).await;
    let url = format!("https://127.0.0.1:{port}");
    let over = async |core: supersession_remote::RemoteCoreBuilder| {
        let core = core.build().await.unwrap();
        configured(Sessions::over(core)).build().await.unwrap()
    };

    let trusting = over(RemoteCore::at(&url).root_certificates(authority.clone())).await;
    let session = trusting.create("alice").await.unwrap();
    assert!(
        trusting
            .information(session.handle())
            .await
            .unwrap()
            .is_some()
    );
    // A list of authorities may hold others, too.
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
    // Nothing arrived where nothing was trusted.
    assert!(trusting.handles_for_user("bob").await.unwrap().is_empty());
    core.stop().await;
}

#[tokio::test]
async fn what_is_no_certificate_is_a_problem_of_the_configuration() {
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
