//! RSA keys are made once for all tests: making them takes longer than everything else together.

use supersession::store::{KeyKind, MemoryStore, StoredKey};
use supersession::{AppId, Sessions, Store, UnixMillis};
use tokio::sync::OnceCell;

static KEYS: OnceCell<Vec<StoredKey>> = OnceCell::const_new();

/// Gives a store one key of each kind, as if they had been made at `created_at`.
pub(crate) async fn seed_keys(store: &dyn Store, created_at: UnixMillis) {
    let keys = KEYS.get_or_init(make_keys).await;
    let app = AppId::default();
    for key in keys {
        let added = match key.kind {
            KeyKind::Dynamic => {
                let mut key = key.clone();
                key.kid = format!("d-{created_at}");
                key.created_at = created_at;
                store.add_dynamic_key(&app, &key, created_at).await
            }
            KeyKind::Static => {
                store
                    .add_static_key(&app, &{
                        let mut key = key.clone();
                        key.created_at = created_at;
                        key
                    })
                    .await
            }
        };
        assert!(added.unwrap());
    }
}

async fn make_keys() -> Vec<StoredKey> {
    let store = std::sync::Arc::new(supersession_testkit::FaultStore::new(MemoryStore::new()));
    let _sessions = super::default_config(Sessions::builder((*store).clone()))
        .build()
        .await
        .unwrap();
    store.signing_keys(&AppId::default()).await.unwrap()
}
