//! An engine process: this test binary once more, told by a variable to be one.

use std::sync::Arc;

use supersession::Store;
use supersession_testkit::history::{Engine as _, Local};
use supersession_testkit::{FaultStore, FileClock};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::super::broken::Broken;
use super::super::workload::sessions;
use super::protocol::{Question, Reply, Settings, VARIABLE};
use crate::support::capture;

/// What makes the test binary run this and nothing else.
pub(super) const TEST: &str = "history::processes::engine::an_engine_of_its_own";

/// Answers until the test that started it hangs up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: other tests run it in another process"]
async fn an_engine_of_its_own() {
    let Ok(settings) = std::env::var(VARIABLE) else {
        return;
    };
    capture::install();
    let settings: Settings = serde_json::from_str(&settings).unwrap();
    let mut store: Arc<dyn Store> = settings.store.open().await;
    if let Some(flaw) = settings.flaw {
        store = Arc::new(Broken::new(flaw, settings.node, store));
    }
    let clock = FileClock::open(&settings.clock).unwrap();
    let engine = Local::new(
        settings.node,
        sessions(FaultStore::over(store), clock, None).await,
    );
    // Whoever is called knows by it that the engine is ready.
    let stream = TcpStream::connect(("127.0.0.1", settings.port)).await;
    let (questions, mut answers) = stream.unwrap().into_split();
    let (replies, mut waiting) = mpsc::unbounded_channel::<String>();
    tokio::spawn(async move {
        while let Some(line) = waiting.recv().await {
            if answers.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let mut questions = BufReader::new(questions).lines();
    while let Ok(Some(line)) = questions.next_line().await {
        let Question { number, ask } = serde_json::from_str(&line).unwrap();
        let (engine, replies) = (engine.clone(), replies.clone());
        tokio::spawn(async move {
            let (answer, held) = engine.perform(ask).await;
            let reply = Reply {
                number,
                answer,
                held,
            };
            let _ = replies.send(serde_json::to_string(&reply).unwrap() + "\n");
        });
    }
}
