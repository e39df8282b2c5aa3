//! The connection on which a verb runs its statements.

use std::sync::Arc;

use deadpool_postgres::Object;
use tokio_postgres::Row;

use super::Statements;
use crate::fault::Fault;
use crate::quiet::Quiet;

pub(crate) use crate::quiet::Params;

/// One connection, for the duration of a verb.
#[derive(Clone)]
pub(crate) struct Db {
    client: Arc<Object>,
    pub(crate) sql: Arc<Statements>,
}

impl Db {
    pub(crate) fn new(client: Arc<Object>, sql: Arc<Statements>) -> Self {
        Self { client, sql }
    }

    pub(crate) async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let statement = self.client.prepare_cached(sql).await?;
        let quiet = Quiet::all(params);
        let params = Quiet::params(&quiet);
        Ok(self.client.query(&statement, &params).await?)
    }

    pub(crate) async fn row(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Fault> {
        let statement = self.client.prepare_cached(sql).await?;
        let quiet = Quiet::all(params);
        let params = Quiet::params(&quiet);
        Ok(self.client.query_opt(&statement, &params).await?)
    }

    pub(crate) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Fault> {
        let statement = self.client.prepare_cached(sql).await?;
        let quiet = Quiet::all(params);
        let params = Quiet::params(&quiet);
        Ok(self.client.execute(&statement, &params).await?)
    }

    /// Runs `work` in one transaction.
    pub(crate) async fn in_transaction<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.client.batch_execute("BEGIN").await?;
        let outcome = work.await;
        let end = if outcome.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        self.client.batch_execute(end).await?;
        outcome
    }
}
