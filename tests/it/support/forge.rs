//! Access tokens that the engine would not mint itself, signed with its own keys.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, Store as _};

use super::{App, START};

/// Signs whatever it is given with the keys of an application.
pub(crate) struct Forge {
    keys: Vec<StoredKey>,
}

impl Forge {
    /// With the keys of this application.
    pub(crate) async fn of(app: &App) -> Self {
        let keys = app.store.inner().signing_keys(&AppId::default()).await;
        Self {
            keys: keys.unwrap(),
        }
    }

    /// The header of a session token of this version, with the id of the rotating key.
    pub(crate) fn header(&self, version: &str) -> Value {
        json!({"alg": "RS256", "typ": "JWT", "version": version, "kid": self.key(KeyKind::Dynamic).kid})
    }

    /// A session token of this version, signed by the rotating key.
    pub(crate) fn token(&self, version: &str, payload: &Value) -> String {
        self.sign(KeyKind::Dynamic, &self.header(version), payload)
    }

    /// Any header and payload, signed by a key of this kind, whatever the header says.
    pub(crate) fn sign(&self, kind: KeyKind, header: &Value, payload: &Value) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(header), encode(payload));
        let (_, private) = self.key(kind).key_pair.expose().split_once('|').unwrap();
        let pair = KeyPair::from_pkcs8(&STANDARD.decode(private).unwrap()).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            input.as_bytes(),
            &mut signature,
        )
        .unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn key(&self, kind: KeyKind) -> &StoredKey {
        self.keys.iter().find(|key| key.kind == kind).unwrap()
    }
}

/// The payload of a version 5 token for `user`, minted at the start of the test and valid for an
/// hour. The session that it names does not exist.
pub(crate) fn session_claims(user: &str) -> Value {
    let minted = START.get() / 1_000;
    json!({
        "sub": user,
        "rsub": user,
        "iat": minted,
        "exp": minted + 3_600,
        "sessionHandle": "0c8b7e0e-5d5c-4a35-9f64-5b7b2c1d9a10",
        "refreshTokenHash1": "0".repeat(64),
        "parentRefreshTokenHash1": null,
        "antiCsrfToken": null,
        "tId": "public",
        "iss": "https://api.example.com/auth",
    })
}
