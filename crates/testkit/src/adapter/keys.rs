//! Publicly known signing keys. With them, signatures are the same in every run.

use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, SigningAlgorithm, Store, UnixMillis};

// For tests only. These private keys are published, so their signatures prove nothing.
const TEST_ONLY_RS256: &str = include_str!("keys/test-only-dynamic-rs256.key");
const TEST_ONLY_ES256: &str = include_str!("keys/test-only-dynamic-es256.key");
const TEST_ONLY_EDDSA: &str = include_str!("keys/test-only-dynamic-eddsa.key");
const TEST_ONLY_STATIC: &str = include_str!("keys/test-only-static.key");

/// Adds a rotating test key of this algorithm and the static test key to a store, as if they had
/// been created at `created_at`.
pub(super) async fn put_into(
    store: &impl Store,
    algorithm: SigningAlgorithm,
    created_at: UnixMillis,
) {
    let app = AppId::default();
    let dynamic = match algorithm {
        SigningAlgorithm::Rs256 => TEST_ONLY_RS256,
        SigningAlgorithm::Es256 => TEST_ONLY_ES256,
        SigningAlgorithm::EdDsa => TEST_ONLY_EDDSA,
        other => panic!("there is no test key for {other:?}"),
    };
    for (kind, key_pair) in [
        (KeyKind::Dynamic, dynamic),
        (KeyKind::Static, TEST_ONLY_STATIC),
    ] {
        let kid = match kind {
            KeyKind::Dynamic => format!("d-{created_at}"),
            KeyKind::Static => "s-00000000-0000-4000-8000-000000000001".to_owned(),
        };
        let key = StoredKey::new(kid, kind, created_at, SecretText::new(key_pair.trim_end()));
        let added = match kind {
            KeyKind::Dynamic => store.add_dynamic_key(&app, &key, created_at).await,
            KeyKind::Static => store.add_static_key(&app, &key).await,
        };
        assert!(added.expect("a store in memory"), "the store is new");
    }
}
