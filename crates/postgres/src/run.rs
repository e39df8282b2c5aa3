//! Runs verbs: each in a task of the runtime in which the store was opened, on one connection, with
//! a time limit, and with retries where these are safe.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use supersession::store::StoreError;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::fault::{Access, Fault};
use crate::sql::{Db, Statements};

/// Maximum number of attempts for a verb.
const MAX_TRIES: u32 = 5;
/// Maximum pause before the second attempt. It doubles each time.
const PAUSE: Duration = Duration::from_millis(10);

/// Retry class of a verb with its own statements. Decides if the verb may be retried after its
/// connection was lost. A statement that PostgreSQL has rolled back is always retried.
///
/// Changes of documents may share a statement instead: see the batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Changes nothing.
    Read,
    /// A second execution has the same effect and the same outcome as one.
    Repeatable,
    /// A second execution would have another outcome, because it finds the effect of the first one,
    /// or would undo a write of another caller in between.
    Once,
}

/// Runs verbs on the connections of a pool.
pub(crate) struct Runner {
    pub(crate) pool: Pool,
    pub(crate) runtime: Handle,
    pub(crate) sql: Arc<Statements>,
    pub(crate) time_limit: Duration,
    /// If set, the connections have another isolation level, which each verb must set and restore.
    /// This is the case for some of the applications' own pools, and for poolers that drop startup
    /// options.
    pub(crate) isolates: bool,
}

const ISOLATE: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
const RESTORE: &str = "RESET default_transaction_isolation";

impl Runner {
    /// Runs a verb to completion, even if the caller stops waiting. The verb is therefore done or
    /// not done, never half done, and its connection returns to the pool without a pending answer.
    ///
    /// The verb runs in its own task, so the caller may be in another runtime or in none.
    pub(crate) async fn run<T, F, Fut>(
        self: &Arc<Self>,
        operation: &'static str,
        verb: Verb,
        job: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(Db) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let runner = Arc::clone(self);
        let task = self.runtime.spawn(async move {
            let deadline = Instant::now() + runner.time_limit;
            runner.tries(operation, verb, deadline, job).await
        });
        let access = match verb {
            Verb::Read => Access::Read,
            Verb::Repeatable | Verb::Once => Access::Write,
        };
        let outcome = task
            .await
            .unwrap_or_else(|error| Err(Fault::of_task(&error)));
        outcome.map_err(|fault| fault.into_store_error(operation, access))
    }

    /// Runs the verb, and retries it while that is safe and time is left.
    pub(crate) async fn tries<T, F, Fut>(
        &self,
        operation: &str,
        verb: Verb,
        deadline: Instant,
        job: F,
    ) -> Result<T, Fault>
    where
        F: Fn(Db) -> Fut,
        Fut: Future<Output = Result<T, Fault>>,
    {
        let mut pause = PAUSE;
        for _ in 1..MAX_TRIES {
            match self.attempt(deadline, &job).await {
                Err(fault) if fault.left_no_trace() || (verb != Verb::Once && fault.is_loss()) => {
                    tracing::debug!(operation, %fault, "the store tries again");
                }
                outcome => return outcome,
            }
            sleep(jitter(pause)).await;
            pause *= 2;
        }
        self.attempt(deadline, &job).await
    }

    pub(crate) async fn attempt<T, F, Fut>(&self, deadline: Instant, job: &F) -> Result<T, Fault>
    where
        F: Fn(Db) -> Fut,
        Fut: Future<Output = Result<T, Fault>>,
    {
        let client = timeout_at(deadline, self.pool.get());
        let client = Arc::new(client.await.map_err(|_| Fault::PoolTimedOut)??);
        let db = Db::new(Arc::clone(&client), Arc::clone(&self.sql));
        let work = async {
            if !self.isolates {
                return job(db).await;
            }
            client.batch_execute(ISOLATE).await?;
            let outcome = job(db).await;
            // If this fails, the connection is lost, but the outcome is still valid.
            let _ = client.batch_execute(RESTORE).await;
            outcome
        };
        let outcome = timeout_at(deadline, work).await;
        let outcome = outcome.unwrap_or(Err(Fault::TimedOut));
        // An answer may still be pending on this connection, or its prepared statements no longer
        // exist. It cannot be used again.
        if outcome.as_ref().is_err_and(Fault::spoils_the_connection)
            && let Some(client) = Arc::into_inner(client)
        {
            drop(Object::take(client));
        }
        outcome
    }
}

/// Returns a random duration between half of the pause and all of it.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1_000;
    pause / 2 + pause.mul_f64(random as f64 / 2_000.0)
}
