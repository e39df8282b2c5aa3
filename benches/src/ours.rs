//! Supersession's side of the benchmarks: sessions, their tokens, and the signing key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use supersession::store::{KeyKind, StoredKey};
use supersession::{
    AppId, Clock as _, SecretText, Sessions, SessionsBuilder, Store, SystemClock, UnixMillis,
};
use supersession_sqlite::SqliteStore;
use tokio::task::JoinSet;

use crate::filling::fill;

/// Default size of the cache of verified tokens.
pub(crate) const CACHE: usize = 32 << 20;
/// Disables the cache, so that every token is verified.
pub(crate) const NO_CACHE: usize = 0;

const DAY: Duration = Duration::from_secs(86_400);

/// Sessions on some store, and their signing key.
pub(crate) struct Ours {
    pub(crate) sessions: Sessions,
    /// The public key in DER format.
    pub(crate) public: Vec<u8>,
}

impl Ours {
    /// Opens sessions with a cache of `cache` bytes.
    pub(crate) async fn open(store: impl Store, cache: usize) -> anyhow::Result<Self> {
        Self::configured(store, cache, |builder| builder).await
    }

    /// Opens sessions with further configuration.
    pub(crate) async fn configured(
        store: impl Store,
        cache: usize,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let (public, private) = (public.as_ref().to_vec(), private.as_ref().to_vec());
        let now = now();
        let key = StoredKey::new(
            format!("d-{now}"),
            KeyKind::Dynamic,
            now,
            SecretText::new(format!(
                "{}|{}",
                STANDARD.encode(&public),
                STANDARD.encode(&private)
            )),
        );
        store.add_dynamic_key(&AppId::default(), &key, now).await?;
        let builder = Sessions::builder(store)
            .api_domain("https://api.example.com")
            .website_domain("https://example.com")
            .access_token_validity(30 * DAY)
            .cleanup_interval(None);
        let sessions = with_cache(configure(builder), cache).build().await?;
        Ok(Self { sessions, public })
    }

    /// Creates sessions and returns their access tokens, which contain 600 bytes of JSON.
    pub(crate) async fn tokens(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let mut creating = JoinSet::new();
        for number in 0..count {
            let sessions = self.sessions.clone();
            creating.spawn(async move {
                let data: Value = serde_json::from_str(bench_harness::SESSION_DATA)?;
                let session = sessions
                    .create(format!("user-{number:08}"))
                    .payload(payload())
                    .data(data)
                    .await?;
                anyhow::Ok(session.access_token().expose().to_owned())
            });
        }
        let tokens: Vec<String> = creating
            .join_all()
            .await
            .into_iter()
            .collect::<anyhow::Result<_>>()?;
        for token in tokens.iter().take(1) {
            let claims = token.split('.').nth(1).context("a JWT has three parts")?;
            let claims = URL_SAFE_NO_PAD.decode(claims)?;
            ensure!(
                claims.len() == 600,
                "the claims have {} bytes: {}",
                claims.len(),
                String::from_utf8_lossy(&claims)
            );
        }
        Ok(tokens)
    }
}

/// Opens sessions that query their store on every request. The store is a SQLite file with 100 000
/// other sessions.
pub(crate) async fn guarded_sqlite(file: &Path) -> anyhow::Result<Ours> {
    let store = SqliteStore::open(file).await?;
    fill(&Arc::new(store.clone()), 100_000).await?;
    Ours::configured(store, CACHE, |builder| builder.check_database(true)).await
}

/// Sets the size of the cache of verified tokens. This is the only place that does.
fn with_cache(builder: SessionsBuilder, bytes: usize) -> SessionsBuilder {
    builder.verified_token_cache(bytes)
}

/// Returns a typical payload: roles, permissions and a verified email address.
fn payload() -> Value {
    json!({
        "st-role": {"v": ["editor", "reviewer"], "t": 1_767_225_600_000_u64},
        "st-perm": {"v": ["read:all", "write:own"], "t": 1_767_225_600_000_u64},
        "st-ev": {"v": true, "t": 1_767_225_600_000_u64},
        "plan": "professional",
        "org": "7f3f8f6a-4a5e-4f43",
        "name": "Alexandra Example",
        "email": "alexandra.example@mail1.example.com",
    })
}

/// Returns the system's time.
pub(crate) fn now() -> UnixMillis {
    SystemClock.now()
}
