//! Waiting for the end of a session, and the thread that polls the store for all waiting callers.

use std::thread;
use std::time::Duration;

use super::{Sessions, WeakSessions};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::ids::SessionHandle;
use crate::telemetry;
use crate::watch::SessionEnd;

impl Sessions {
    /// Resolves when the session has ended. The caller must have seen the session live, with an
    /// access token that is valid until `expires_at`.
    pub(crate) fn ended(
        &self,
        handle: SessionHandle,
        expires_at: UnixMillis,
    ) -> impl Future<Output = SessionEnd> + Send + use<> {
        let sessions = self.clone();
        let mut end = sessions.watch().subscribe(&handle, expires_at);
        async move {
            // The session may have ended on another node before the subscription began.
            sessions.look_after(&handle).await;
            sessions.keep_watch();
            match end.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(end)) => *end,
                // The sender stays in the map until it has sent the reason.
                Ok(None) | Err(_) => SessionEnd::Revoked,
            }
        }
    }

    /// Queries the store for a session that is waited for. A fault is logged and the next round
    /// tries again, because a store that is down must not end a session.
    async fn look_after(&self, handle: &SessionHandle) {
        let now = self.now();
        match self.authority().information(handle, now).await {
            Ok(Some(session)) => self.watch().lives_until(handle, session.expires_at),
            Ok(None) => self.notify_gone(handle, now),
            Err(fault) => telemetry::fault_met(&fault),
        }
    }

    /// Queries the store for every session that the revocation feed does not cover. Without a feed
    /// these are all sessions. With a feed, these are the sessions that have reached their expiry,
    /// because the feed does not report expired sessions.
    pub(super) async fn look_after_all(&self, feed_covers: bool) {
        for (handle, expires_at) in self.watch().awaited() {
            if !feed_covers || expires_at <= self.now() {
                self.look_after(&handle).await;
            }
        }
    }

    /// Starts the polling thread unless it already runs.
    fn keep_watch(&self) {
        if !self.watch().needs_keeper() {
            return;
        }
        let (sessions, interval) = (self.downgrade(), self.config().revocation_poll_interval);
        let started = thread::Builder::new()
            .name("supersession-watch".to_owned())
            .spawn(move || keep_watch(&sessions, interval));
        if let Err(error) = started {
            self.watch().keeper_failed();
            telemetry::fault_met(
                &Fault::internal("the thread that polls for revoked sessions cannot be started")
                    .with_source(error),
            );
        }
    }
}

/// Runs until no caller waits or the system is dropped.
fn keep_watch(sessions: &WeakSessions, interval: Duration) {
    loop {
        thread::sleep(interval);
        let Some(sessions) = sessions.upgrade() else {
            return;
        };
        let watch = sessions.watch();
        pollster::block_on(sessions.look_after_all(watch.confirmed.is_fed()));
        if watch.is_done() {
            return;
        }
    }
}
