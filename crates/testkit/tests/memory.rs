//! The reference implementation passes the suite, bare and wrapped, and the list of the suite is
//! complete.

use supersession::store::MemoryStore;
use supersession_testkit::store::cases::SOURCES;

async fn fresh() -> (MemoryStore, ()) {
    (MemoryStore::new(), ())
}

supersession_testkit::store_conformance!(fresh);
supersession_testkit::tenant_conformance!(fresh);

mod feed {
    use supersession::store::MemoryStore;

    async fn fresh() -> (MemoryStore, ()) {
        (MemoryStore::with_revocation_feed(), ())
    }

    supersession_testkit::store_endings_conformance!(fresh);
}

mod wrapped {
    use supersession::store::MemoryStore;
    use supersession_testkit::FaultStore;

    async fn fresh() -> (FaultStore<MemoryStore>, ()) {
        (FaultStore::new(MemoryStore::new()), ())
    }

    supersession_testkit::store_conformance!(fresh);
}

/// A store behind an `Arc` is a store, also without its type, and a clone is the same store.
mod shared {
    use std::sync::Arc;

    use supersession::Store;
    use supersession::store::MemoryStore;

    async fn fresh() -> (Arc<dyn Store>, MemoryStore) {
        let store = MemoryStore::with_revocation_feed();
        (Arc::new(store.clone()), store)
    }

    async fn fresh_with_tenants() -> (Arc<MemoryStore>, ()) {
        (Arc::default(), ())
    }

    supersession_testkit::store_conformance!(fresh);
    mod tenants {
        use super::fresh_with_tenants;

        supersession_testkit::tenant_conformance!(fresh_with_tenants);
    }
}

#[test]
fn the_list_has_every_case() {
    for (module, source) in SOURCES {
        let written: Vec<_> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('('))
            .map(|(name, _)| name)
            .collect();
        let listed: Vec<_> = STORE_CONFORMANCE_CASES
            .iter()
            .chain(feed::STORE_CONFORMANCE_CASES)
            .filter(|(listed_in, _)| listed_in == module)
            .map(|(_, name)| *name)
            .collect();
        assert_eq!(written, listed, "the cases of {module}, in their order");
    }
}

/// The reference agrees with itself: that histories are played to their end.
mod model {
    use supersession::store::MemoryStore;

    async fn fresh() -> (MemoryStore, ()) {
        (MemoryStore::new(), ())
    }

    supersession_testkit::store_model!(fresh, 256);
}
