//! What passes between the test and its engine processes: lines of JSON.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use supersession::Store;
use supersession_sqlite::SqliteStore;
use supersession_testkit::history::{Answer, Ask, Held};

use super::super::broken::Flaw;
use super::super::{postgres, redis};

/// The variable that makes a test binary an engine process. Its value is a [`Settings`].
pub(super) const VARIABLE: &str = "SUPERSESSION_TEST_ENGINE";

/// What an engine process is told when it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) node: usize,
    pub(super) store: Place,
    pub(super) clock: PathBuf,
    /// What is wrong with it.
    pub(super) flaw: Option<Flaw>,
    /// Where the test listens.
    pub(super) port: u16,
}

/// The store that the engine processes share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Place {
    Sqlite {
        path: PathBuf,
        busy_timeout: Duration,
    },
    Postgres {
        url: String,
        schema: String,
    },
    Redis {
        url: String,
        prefix: String,
    },
}

impl Place {
    pub(super) async fn open(&self) -> Arc<dyn Store> {
        let mut stores = match self {
            Self::Sqlite { path, busy_timeout } => {
                let options = SqliteStore::options().path(path);
                let store = options.busy_timeout(*busy_timeout).open().await.unwrap();
                return Arc::new(store);
            }
            Self::Postgres { url, schema } => postgres(url, schema, 1).await,
            Self::Redis { url, prefix } => redis(url, prefix, 1).await,
        };
        stores.remove(0)
    }
}

/// To the engine. Answers name the number of their question.
#[derive(Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) number: u64,
    pub(super) ask: Ask,
}

/// From the engine.
#[derive(Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) number: u64,
    pub(super) answer: Answer,
    pub(super) held: Option<Held>,
}
