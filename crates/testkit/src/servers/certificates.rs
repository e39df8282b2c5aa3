//! Certificates for test servers with TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip;

const STEPS: [&str; 3] = [
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
    "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr",
    "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
];

/// A certificate for 127.0.0.1, issued by an authority that no system trusts. All files are PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
}

impl Certificates {
    /// Creates an authority and a certificate in this directory. Returns `None` and reports it if
    /// `openssl` is not installed.
    ///
    /// # Panics
    /// If `openssl` fails.
    #[must_use]
    pub fn make(directory: &Path) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            skip("openssl", "apt-get install openssl");
            return None;
        }
        fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
        for step in STEPS {
            let done = Command::new("openssl")
                .args(step.split(' '))
                .current_dir(directory)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "openssl {step}: {said}");
        }
        Some(Self {
            authority: directory.join("ca.pem"),
            certificate: directory.join("server.pem"),
            key: directory.join("server.key"),
        })
    }

    /// Returns the authority's certificate, for clients that must trust it.
    ///
    /// # Panics
    /// If its file no longer exists.
    #[must_use]
    pub fn authority_pem(&self) -> Vec<u8> {
        fs::read(&self.authority).unwrap()
    }
}
