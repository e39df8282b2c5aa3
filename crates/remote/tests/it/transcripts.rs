//! The transcripts of the adapters, over a core across the network: the responses of an application
//! in Rust are the same, to the byte.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::json;
use supersession::store::MemoryStore;
use supersession::{RefreshRules, Sessions, SessionsBuilder};
use supersession_remote::RemoteCore;
use supersession_server::AnyStore;
use supersession_testkit::adapter::{Driver, WireRequest, WireResponse, World};

use crate::real::Real;

#[path = "../../../actix/tests/it/driver.rs"]
mod on_actix;
#[path = "../../../axum/tests/it/driver.rs"]
mod on_axum;

mod axum {
    use super::{OverACore, on_axum};

    supersession_testkit::adapter_conformance!(OverACore::of(on_axum::Axum));
}

mod actix {
    use super::{OverACore, on_actix};

    supersession_testkit::adapter_conformance!(OverACore::of(on_actix::Actix));
}

struct OverACore<D> {
    adapter: D,
    /// The core of this world.
    core: RefCell<Option<Real>>,
}

impl<D: Driver> OverACore<D> {
    fn of(adapter: D) -> Self {
        let core = RefCell::default();
        Self { adapter, core }
    }
}

impl<D: Driver> Driver for OverACore<D> {
    type App = D::App;

    fn layer_name(&self) -> &'static str {
        self.adapter.layer_name()
    }

    fn differences(&self) -> Option<&'static str> {
        Some("over-a-core")
    }

    async fn sessions(&self, world: World) -> SessionsBuilder {
        let terms = world.terms;
        let mut config = json!({
            "access_token_validity": terms.access_token_validity.as_secs(),
            "access_token_validity_jitter": 0.0,
            "refresh_token_validity": terms.refresh_token_validity.as_secs() / 60,
            "recent_token_reuse_behaviour":
                if terms.recent_reuse_is_theft { "TOKEN_THEFT" } else { "UNAUTHORISED" },
        });
        if terms.refresh_rules == RefreshRules::Legacy {
            config["supertokens_max_cdi_version"] = "5.5".into();
        }
        let tenants = Arc::new(MemoryStore::new());
        let store = AnyStore::of_two(Arc::new(world.store), tenants);
        let config = config.as_object().unwrap().clone();
        let core = Real::start_with(store, config, world.clock, world.entropy).await;
        // An engine in this process registers a tenant on first use. In a core, it must be created.
        let tenant = json!({ "tenantId": "t1" });
        core.sdk("PUT", "/recipe/multitenancy/tenant/v2", &tenant)
            .await;
        let remote = RemoteCore::at(core.url()).require_atomic_writes(true);
        let sessions = Sessions::over(remote.build().await.unwrap());
        self.core.replace(Some(core));
        sessions
    }

    async fn app(&self, sessions: Option<Sessions>) -> D::App {
        self.adapter.app(sessions).await
    }

    async fn send(&self, app: &D::App, request: WireRequest) -> WireResponse {
        self.adapter.send(app, request).await
    }
}
