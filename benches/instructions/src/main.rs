//! Verifies tokens a given number of times and does nothing else:
//! `supersession-instructions hit 1000`.
//!
//! `scripts/instructions` runs this program under callgrind with two different counts. The
//! difference of the instructions, divided by the difference of the counts, is the cost of one
//! verification, because the set-up cancels out. Key, time and randomness are fixed, so the result
//! is reproducible to a thousandth. It can therefore be compared with a limit, which an elapsed
//! time cannot.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use supersession::http::RequestView;
use supersession::store::{KeyKind, MemoryStore, StoreError, StoredKey};
use supersession::{
    AppId, Clock, Entropy, EntropyError, SecretText, Sessions, SessionsBuilder, Store as _,
    UnixMillis, VerifyOptions, wire,
};

/// 2026-01-01.
const START: UnixMillis = UnixMillis::new(1_767_225_600_000);
const DAY: Duration = Duration::from_secs(86_400);
/// Test keys. They are published, so their signatures prove nothing.
const KEYS: [(KeyKind, &str); 2] = [
    (
        KeyKind::Dynamic,
        include_str!("../../../crates/testkit/src/adapter/keys/test-only-dynamic-rs256.key"),
    ),
    (
        KeyKind::Static,
        include_str!("../../../crates/testkit/src/adapter/keys/test-only-static.key"),
    ),
];

/// A stopped clock.
struct Standstill;

impl Clock for Standstill {
    fn now(&self) -> UnixMillis {
        START
    }
}

/// A source that always returns the same bytes.
struct AlwaysTheSame;

impl Entropy for AlwaysTheSame {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

/// A `GET` request for a page, with a token.
struct View<'a> {
    authorization: &'a [u8],
}

impl RequestView for View<'_> {
    fn method(&self) -> &'static str {
        "GET"
    }

    fn path(&self) -> &'static str {
        "/orders"
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        each(wire::AUTHORIZATION_HEADER, self.authorization);
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: supersession-instructions hit|miss COUNT";
    let [path, count] = arguments.as_slice() else {
        bail!(usage);
    };
    let caches = match path.as_str() {
        "hit" => true,
        "miss" => false,
        _ => bail!(usage),
    };
    verify(caches, count.parse().context(usage)?)
}

/// Verifies the same token in `count` requests. With a cache, all but the first one are hits.
fn verify(caches: bool, count: u32) -> anyhow::Result<()> {
    let store = MemoryStore::new();
    pollster::block_on(put_keys_into(&store))?;
    let builder = Sessions::builder(store)
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        .access_token_validity(DAY)
        .cleanup_interval(None)
        .clock(Standstill)
        .entropy(AlwaysTheSame);
    let sessions = pollster::block_on(with_cache(builder, caches).build())?;
    let payload = json!({"st-role": {"v": ["editor", "reviewer"], "t": 0}, "plan": "professional"});
    let session = pollster::block_on(sessions.create("alice").payload(payload).into_future())?;
    let bearer = format!("Bearer {}", session.access_token().expose());
    let (view, options) = (
        View {
            authorization: bearer.as_bytes(),
        },
        VerifyOptions::new(),
    );
    for _ in 0..count {
        let request = sessions.for_request("GET", "/orders");
        request.read(&view);
        let verifying = pin!(request.verify(&options));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(verified) = verifying.poll(&mut context) else {
            bail!("verifying in memory has nothing to wait for");
        };
        let session = verified?.context("the session is required")?;
        std::hint::black_box(session.user_id());
    }
    Ok(())
}

/// Stores the keys in advance, because generating one takes a different number of instructions each
/// time.
async fn put_keys_into(store: &MemoryStore) -> Result<(), StoreError> {
    let app = AppId::default();
    for (kind, key_pair) in KEYS {
        let key =
            |kid: String| StoredKey::new(kid, kind, START, SecretText::new(key_pair.trim_end()));
        match kind {
            KeyKind::Dynamic => {
                let key = key(format!("{}{START}", wire::DYNAMIC_KID_PREFIX));
                store.add_dynamic_key(&app, &key, START).await?;
            }
            KeyKind::Static => {
                let key = key(format!("{}test-only", wire::STATIC_KID_PREFIX));
                store.add_static_key(&app, &key).await?;
            }
        }
    }
    Ok(())
}

/// Sets the size of the cache of verified tokens. This is the only place that does.
fn with_cache(builder: SessionsBuilder, caches: bool) -> SessionsBuilder {
    builder.verified_token_cache(if caches { 32 << 20 } else { 0 })
}
