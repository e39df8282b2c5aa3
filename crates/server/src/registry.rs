//! The apps and tenants known to this process. They are loaded from the store at startup, every
//! minute, after every change made here, and when a request names an unknown one.
//!
//! Another process may have created an app an instant ago. A name is therefore reported as unknown
//! only after a lookup that began after the request arrived. Each lookup loads everything, and
//! requests that wait for it share its result. Lookups use at most a tenth of the time, however
//! many unknown names are requested.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use supersession::engine::{Engine, Engines};
use supersession::store::{StoreError, TenantRecord, TenantStore};
use supersession::{AppId, Clock, Fault, JsonObject, TenantId, UnixMillis};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::Instant;

use crate::config_error::ConfigError;
use crate::core_config::{self, AppConfig, Limits, Values};
use crate::ip_rules::IpRules;
use crate::stats::RequestStats;

/// Minimum and maximum pause between two lookups of unknown names.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Pause after a lookup, as a multiple of the lookup's duration.
const PAUSE_FACTOR: u32 = 9;

/// One app: its configuration, its tenants and its engine.
pub(crate) struct App {
    pub(crate) id: AppId,
    pub(crate) config: AppConfig,
    pub(crate) tenants: BTreeMap<TenantId, Tenant>,
    pub(crate) requests: Arc<RequestStats>,
    values: Values,
    engine: Arc<OnceCell<Engine>>,
}

/// One tenant.
pub(crate) struct Tenant {
    pub(crate) record: TenantRecord,
    pub(crate) ip_rules: IpRules,
}

pub(crate) struct Registry {
    store: Arc<dyn TenantStore>,
    engines: Engines,
    clock: Arc<dyn Clock>,
    base: Values,
    limits: Limits,
    jwts_as_sessions: bool,
    apps: RwLock<Arc<HashMap<AppId, Arc<App>>>>,
    /// Held while the store is read, so that the newest state that was read is kept.
    lookups: Mutex<Lookups>,
    /// Held during a change, so that changes are read, checked and written one after another.
    changing: Mutex<()>,
}

/// Times of the lookups in the store.
#[derive(Default)]
struct Lookups {
    /// Start of the last successful lookup.
    covers: Option<Instant>,
    /// Earliest start of the next lookup of an unknown name.
    next: Option<Instant>,
}

impl App {
    pub(crate) fn has_tenant(&self, tenant: &TenantId) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// Returns `true` if the records are unchanged.
    fn is(&self, records: &BTreeMap<TenantId, TenantRecord>) -> bool {
        let own = self.tenants.values().map(|tenant| &tenant.record);
        own.eq(records.values())
    }

    /// Returns the engine, if it has been created.
    pub(crate) fn open_engine(&self) -> Option<&Engine> {
        self.engine.get()
    }

    /// Returns the address rules of a tenant, or those of the app if the tenant is unknown.
    pub(crate) fn ip_rules(&self, tenant: &TenantId) -> &IpRules {
        self.tenants
            .get(tenant)
            .map_or(&self.config.ip_rules, |tenant| &tenant.ip_rules)
    }
}

impl Registry {
    /// Checks the configuration of the process and loads the stored apps.
    pub(crate) async fn open(
        store: Arc<dyn TenantStore>,
        engines: Engines,
        clock: Arc<dyn Clock>,
        base: Values,
        limits: Limits,
        jwts_as_sessions: bool,
    ) -> Result<Self, OpenError> {
        AppConfig::read(&base, limits)?;
        let registry = Self {
            store,
            engines,
            clock,
            base,
            limits,
            jwts_as_sessions,
            apps: RwLock::default(),
            lookups: Mutex::default(),
            changing: Mutex::new(()),
        };
        registry.reload().await?;
        Ok(registry)
    }

    pub(crate) fn all(&self) -> Arc<HashMap<AppId, Arc<App>>> {
        Arc::clone(&self.apps.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the app with this id. An unknown id is looked up in the store.
    pub(crate) async fn app(&self, id: &AppId) -> Result<Option<Arc<App>>, StoreError> {
        self.found(|apps| apps.get(id).cloned()).await
    }

    /// Returns the app, if it has this tenant.
    pub(crate) async fn app_with_tenant(
        &self,
        id: &AppId,
        tenant: &TenantId,
    ) -> Result<Option<Arc<App>>, StoreError> {
        self.found(|apps| apps.get(id).filter(|app| app.has_tenant(tenant)).cloned())
            .await
    }

    async fn found<T>(
        &self,
        find: impl Fn(&HashMap<AppId, Arc<App>>) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        if let Some(found) = find(&self.all()) {
            return Ok(Some(found));
        }
        self.catch_up().await?;
        Ok(find(&self.all()))
    }

    /// Returns once everything that was stored before this call is loaded. Concurrent calls share
    /// one lookup.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        let requested_at = Instant::now();
        let mut lookups = self.lookups.lock().await;
        if lookups
            .covers
            .is_some_and(|covered| covered >= requested_at)
        {
            return Ok(());
        }
        if let Some(next) = lookups.next {
            tokio::time::sleep_until(next).await;
        }
        self.load(&mut lookups).await
    }

    /// Reloads everything immediately.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        let mut lookups = self.lookups.lock().await;
        self.load(&mut lookups).await
    }

    async fn load(&self, lookups: &mut Lookups) -> Result<(), StoreError> {
        let began = Instant::now();
        let read = self.store.tenants().await;
        let pause = began.elapsed().saturating_mul(PAUSE_FACTOR);
        lookups.next = Some(Instant::now() + pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
        let records = read?;
        lookups.covers = Some(began);
        let mut by_app: BTreeMap<AppId, Vec<TenantRecord>> = BTreeMap::new();
        let base = TenantRecord::new(AppId::default(), TenantId::default());
        by_app.entry(base.app.clone()).or_default().push(base);
        for record in records {
            by_app.entry(record.app.clone()).or_default().push(record);
        }
        let known = self.all();
        let apps = by_app.into_iter().filter_map(|(id, records)| {
            let records = by_name(records);
            let known = known.get(&id);
            if let Some(known) = known.filter(|known| known.is(&records)) {
                return Some((id, Arc::clone(known)));
            }
            match self.read(&id, records, known.map(Arc::as_ref)) {
                Ok(app) => Some((id, Arc::new(app))),
                Err(error) => {
                    tracing::error!(app = %id, %error, "an app is ignored: its stored configuration is invalid");
                    None
                }
            }
        });
        let apps = Arc::new(apps.collect());
        *self.apps.write().unwrap_or_else(PoisonError::into_inner) = apps;
        Ok(())
    }

    fn read(
        &self,
        id: &AppId,
        records: BTreeMap<TenantId, TenantRecord>,
        known: Option<&App>,
    ) -> Result<App, ConfigError> {
        let root = records.get(&TenantId::default());
        let own = root.map_or_else(JsonObject::empty, |root| root.core_config.clone());
        let values = core_config::overlaid(&self.base, &own);
        let config = AppConfig::read(&values, self.limits)?;
        let tenants = records.into_iter().map(|(tenant, record)| {
            let ip_rules =
                core_config::ip_rules(&core_config::overlaid(&values, &record.core_config))?;
            Ok((tenant, Tenant { record, ip_rules }))
        });
        let tenants = tenants.collect::<Result<_, ConfigError>>()?;
        // An engine contains parsed keys, so it is kept as long as its configuration is unchanged.
        let engine = match known {
            Some(known) if known.values == values => Arc::clone(&known.engine),
            _ => Arc::default(),
        };
        Ok(App {
            id: id.clone(),
            config,
            tenants,
            requests: known.map_or_else(Arc::default, |known| Arc::clone(&known.requests)),
            values,
            engine,
        })
    }

    /// Returns the engine of an app. It is created on first use.
    pub(crate) async fn engine<'a>(&self, app: &'a App) -> Result<&'a Engine, Fault> {
        let mut settings = app.config.engine;
        settings.jwts_as_sessions = self.jwts_as_sessions;
        app.engine
            .get_or_try_init(|| self.engines.open(app.id.clone(), &settings))
            .await
    }

    /// Returns the number of users with a session that was used since then.
    pub(crate) async fn count_active_users(
        &self,
        app: &AppId,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        self.store.count_active_users(app, since, now).await
    }

    /// Returns the values that this configuration of an app would have, if they are valid.
    pub(crate) fn check(&self, own: &JsonObject) -> Result<Values, ConfigError> {
        let values = core_config::overlaid(&self.base, own);
        AppConfig::read(&values, self.limits)?;
        Ok(values)
    }

    /// Waits for exclusive access to change apps and tenants, and loads the stored state.
    pub(crate) async fn change(&self) -> Result<Change<'_>, StoreError> {
        let turn = self.changing.lock().await;
        self.reload().await?;
        Ok(Change {
            registry: self,
            _turn: turn,
        })
    }
}

fn by_name(records: Vec<TenantRecord>) -> BTreeMap<TenantId, TenantRecord> {
    records
        .into_iter()
        .map(|record| (record.tenant.clone(), record))
        .collect()
}

/// Exclusive access to change apps and tenants.
pub(crate) struct Change<'a> {
    registry: &'a Registry,
    _turn: MutexGuard<'a, ()>,
}

impl Change<'_> {
    pub(crate) async fn put(&self, record: &TenantRecord) -> Result<bool, StoreError> {
        let now = self.registry.clock.now();
        let is_new = self.registry.store.put_tenant(record, now).await?;
        self.registry.reload().await?;
        Ok(is_new)
    }

    pub(crate) async fn delete_tenant(
        &self,
        app: &AppId,
        tenant: &TenantId,
    ) -> Result<bool, StoreError> {
        let existed = self.registry.store.delete_tenant(app, tenant).await?;
        self.registry.reload().await?;
        Ok(existed)
    }

    pub(crate) async fn delete_app(&self, app: &AppId) -> Result<bool, StoreError> {
        let existed = self.registry.store.delete_app(app).await?;
        self.registry.reload().await?;
        Ok(existed)
    }
}

/// Why the registry could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration of the process is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system could not start threads.
    #[error("{0}")]
    Threads(Fault),
    /// The store failed.
    #[error("the apps and tenants cannot be read")]
    Store(#[from] StoreError),
}
