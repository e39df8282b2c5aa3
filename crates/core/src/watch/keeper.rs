//! Waiting for the end of a session, and the thread that asks the store on behalf of those who
//! wait.

use std::thread;
use std::time::Duration;

use super::{SessionEnd, Watch};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::ids::SessionHandle;
use crate::sessions::{Sessions, WeakSessions};
use crate::telemetry;

impl Sessions {
    /// Resolves when the session has ended. Whoever calls this has seen it alive, with an access
    /// token that is good until `expires_at`.
    pub(crate) fn ended(
        &self,
        handle: SessionHandle,
        expires_at: UnixMillis,
    ) -> impl Future<Output = SessionEnd> + Send + 'static {
        let sessions = self.clone();
        let mut end = sessions.watch().subscribe(&handle, expires_at);
        async move {
            // It may have ended elsewhere before we began to listen.
            sessions.look_after(&handle).await;
            sessions.keep_watch();
            match end.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(end)) => *end,
                // The sender stays in the map until it has said how the session ended.
                Ok(None) | Err(_) => SessionEnd::Revoked,
            }
        }
    }

    /// Asks the store about a session that somebody waits for. Trouble is told, and asking again is
    /// left to the next round: nobody's session ends because the store is down.
    async fn look_after(&self, handle: &SessionHandle) {
        let now = self.now();
        match self.authority().information(handle, now).await {
            Ok(Some(session)) => self.watch().lives_until(handle, session.expiry),
            Ok(None) => self.tell_gone(handle, now),
            Err(fault) => telemetry::fault_met(&fault),
        }
    }

    /// Asks about everybody whom the feed does not cover: all of them while there is none, and
    /// always those whose time has come.
    pub(super) async fn look_after_all(&self, feed_covers: bool) {
        for (handle, expires_at) in self.watch().awaited() {
            if !feed_covers || expires_at <= self.now() {
                self.look_after(&handle).await;
            }
        }
    }

    /// Starts the thread, unless it runs.
    fn keep_watch(&self) {
        let mut waiting = self.watch().waiting();
        if waiting.kept || waiting.sessions.is_empty() {
            return;
        }
        let (sessions, interval) = (self.downgrade(), self.config().ending_poll_interval);
        let started = thread::Builder::new()
            .name("supersession-watch".to_owned())
            .spawn(move || keep_watch(&sessions, interval));
        match started {
            Ok(_) => waiting.kept = true,
            Err(error) => telemetry::fault_met(
                &Fault::internal("the thread that watches for sessions to end cannot be started")
                    .with_source(error),
            ),
        }
    }
}

/// Ends when nobody waits any more, or the system is gone.
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

impl Watch {
    /// Whether nobody waits. The thread then counts as ended.
    fn is_done(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.kept = !waiting.sessions.is_empty();
        !waiting.kept
    }
}
