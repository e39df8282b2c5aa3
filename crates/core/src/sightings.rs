//! Observed requests. An unreachable built-in route is detected by the absence of requests.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::config::Config;
use crate::findings::Finding;
use crate::wire;

/// Number of `try refresh token` responses without any refresh beyond which a problem is reported.
const TOLERATED: u32 = 5;
/// Maximum number of requests that are remembered for one run of probes.
const REMEMBERED: usize = 64;

/// The requests that have reached the session layer.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    is_probed: AtomicBool,
    run: Mutex<Weak<ProbeRun>>,
    asked_to_refresh: AtomicU32,
    is_refresh_reachable: AtomicBool,
    is_nesting_reported: AtomicBool,
}

/// Requests for built-in routes that have reached the session layer since a run of probes began.
#[derive(Debug, Default)]
pub(crate) struct ProbeRun(Mutex<Vec<(String, String)>>);

/// The way in which a probe reached the session layer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The probe did not reach it.
    Never,
    /// With this shorter path, as behind a router that strips a prefix.
    Shortened(String),
    /// With its whole path.
    Whole,
}

impl Sightings {
    /// Starts a run of probes. It ends when the last probe is dropped.
    pub(crate) fn begin(&self) -> Arc<ProbeRun> {
        let run = Arc::new(ProbeRun::default());
        *lock(&self.run) = Arc::downgrade(&run);
        self.is_probed.store(true, Ordering::Release);
        run
    }

    /// Records a request that reached the session layer.
    pub(crate) fn note(&self, method: &str, path: &str) {
        if self.is_probed.load(Ordering::Acquire) {
            self.note_probe(method, path);
        }
    }

    #[cold]
    fn note_probe(&self, method: &str, path: &str) {
        let run = lock(&self.run).upgrade();
        match run {
            Some(run) => run.note(method, path),
            None => self.is_probed.store(false, Ordering::Release),
        }
    }

    /// Records a refresh request.
    pub(crate) fn note_refresh(&self) {
        self.is_refresh_reachable.store(true, Ordering::Relaxed);
    }

    /// Records that a client was asked to refresh. Returns a finding, once, if clients are asked
    /// repeatedly and no refresh follows.
    pub(crate) fn note_asked_to_refresh(&self, config: &Config) -> Option<Finding> {
        if self.is_refresh_reachable.load(Ordering::Relaxed)
            || self.asked_to_refresh.fetch_add(1, Ordering::Relaxed) != TOLERATED - 1
        {
            return None;
        }
        Some(Finding::error(
            "api_base_path",
            format!(
                "{TOLERATED} requests were answered with `try refresh token`, and no request for POST {} has reached the session layer of this process",
                config.own_path(wire::REFRESH_PATH)
            ),
            "apply the session layer last, after `fallback` and `fallback_service`, and around the whole application, or add the adapter's `routes`; if it is, compare `api_base_path` and `api_gateway_path` with what clients call. Ignore this if other nodes answer the refreshes",
        ))
    }

    /// Returns a finding, once, if the sessions of an inner and an outer layer conflict.
    pub(crate) fn note_nesting(&self, inner: &Config, outer: &Config) -> Option<Finding> {
        let finding = nesting_finding(inner, outer)?;
        let is_first = !self.is_nesting_reported.swap(true, Ordering::Relaxed);
        is_first.then_some(finding)
    }
}

fn nesting_finding(inner: &Config, outer: &Config) -> Option<Finding> {
    let refresh_path = inner.own_path(wire::REFRESH_PATH);
    if refresh_path == outer.own_path(wire::REFRESH_PATH) {
        return Some(Finding::error(
            "api_base_path",
            format!("two kinds of sessions have the same route POST {refresh_path}"),
            "set a different `api_base_path` for each kind",
        ));
    }
    let names = [
        (&inner.cookies.access.written, &outer.cookies.access.written),
        (
            &inner.cookies.refresh.written,
            &outer.cookies.refresh.written,
        ),
    ];
    let (name, _) = names.into_iter().find(|(inner, outer)| inner == outer)?;
    Some(Finding::error(
        "cookie_names",
        format!("two kinds of sessions have the same cookie `{name}`, and overwrite each other's"),
        "set different `cookie_names` for each kind",
    ))
}

impl ProbeRun {
    fn note(&self, method: &str, path: &str) {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut seen = lock(&self.0);
        let is_probed = [wire::REFRESH_PATH, wire::JWKS_PATH]
            .iter()
            .any(|route| path.ends_with(route));
        if is_probed && seen.len() < REMEMBERED {
            seen.push((method.to_owned(), path.to_owned()));
        }
    }

    pub(crate) fn reach(&self, method: &str, path: &str) -> Reach {
        let seen = lock(&self.0);
        let mut paths = seen
            .iter()
            .filter(|(own, _)| own == method)
            .map(|(_, path)| path);
        if paths.clone().any(|own| own == path) {
            return Reach::Whole;
        }
        paths
            .find(|own| path.ends_with(own.as_str()))
            .map_or(Reach::Never, |own| Reach::Shortened(own.clone()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section assigns or appends whole values, so a poisoned lock is still sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
