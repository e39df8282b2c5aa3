//! Signing keys that everybody knows: with them, signatures are the same in every run.

use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, Store, UnixMillis};

/// For tests only. These private keys are published; nothing that they sign proves anything.
const TEST_ONLY_KEYS: [(KeyKind, &str); 2] = [
    (KeyKind::Dynamic, include_str!("keys/test-only-dynamic.key")),
    (KeyKind::Static, include_str!("keys/test-only-static.key")),
];

/// Gives a store both test keys, as if they had been made at `created_at`.
pub(super) async fn put_into(store: &impl Store, created_at: UnixMillis) {
    let app = AppId::default();
    for (kind, key_pair) in TEST_ONLY_KEYS {
        let kid = match kind {
            KeyKind::Dynamic => format!("d-{created_at}"),
            KeyKind::Static => "s-00000000-0000-4000-8000-000000000001".to_owned(),
        };
        let key = StoredKey {
            kid,
            kind,
            created_at,
            key_pair: SecretText::new(key_pair.trim_end()),
        };
        let added = match kind {
            KeyKind::Dynamic => store.add_dynamic_key(&app, &key, created_at).await,
            KeyKind::Static => store.add_static_key(&app, &key).await,
        };
        assert!(added.expect("a store in memory"), "the store is new");
    }
}
