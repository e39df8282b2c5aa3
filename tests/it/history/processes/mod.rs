//! The same histories with engines in processes of their own, which are killed in the middle of
//! their work, or stopped and let go on when the grace window of their refreshes is over.

mod engine;
mod protocol;
mod remote;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use supersession_testkit::FileClock;
use supersession_testkit::history::{
    Answer, Call, Engine, History, Node, Operation, Report, Rule, Terms,
};
use supersession_testkit::servers::{PostgresServer, RedisServer};

use super::broken::Flaw;
use super::sound;
use super::workload::{GRACE, Run, until};
use crate::support::{START, capture, seed_keys};
use protocol::{Place, Settings};
use remote::Remote;

const ANSWERS: usize = 2_000;
const KILLS: usize = 4;
const STOPS: usize = 6;
/// How long a writer waits for the lock of a SQLite file, which others have in turns.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The same where the process that has it may be stopped.
const STOPPED_TIMEOUT: Duration = Duration::from_millis(100);

/// Engine processes on one store, on one clock, and a run over them.
struct Machine {
    engines: Vec<Arc<Remote>>,
    clock: FileClock,
    run: Run,
}

impl Machine {
    async fn start(folder: &Path, store: Place, engines: usize, flaw: Option<Flaw>) -> Self {
        capture::install();
        seed_keys(&*store.open().await, START).await;
        let path = folder.join("clock");
        let clock = FileClock::create(&path, START).unwrap();
        let history = Arc::new(History::with_clock(clock.clone()));
        let (mut nodes, mut started) = (Vec::new(), Vec::new());
        for node in 0..engines {
            let settings = Settings {
                node,
                store: store.clone(),
                clock: path.clone(),
                flaw,
                port: 0,
            };
            let engine = Remote::start(settings, folder).await;
            nodes.push(Node::over(
                node,
                Arc::clone(&engine) as Arc<dyn Engine>,
                &history,
            ));
            started.push(engine);
        }
        let terms = Terms {
            grace: Some(GRACE),
            validity: None,
        };
        Self {
            engines: started,
            clock,
            run: Run::over(nodes, history, terms),
        }
    }

    /// Kills the engines in turn while they work, and starts them again while the others go on.
    async fn kill_in_turn(&self) {
        for kill in 0..KILLS {
            let engine = &self.engines[kill % self.engines.len()];
            self.run.more_answers(150).await;
            until("open operations", || engine.open() > 0).await;
            engine.kill();
            self.run.more_answers(150).await;
            engine.restart().await;
        }
    }

    /// Stops the engines in turn, each in the middle of a refresh, and lets it go on when the grace
    /// window is over. Meanwhile the others go on.
    async fn stop_in_turn(&self) {
        for stop in 0..STOPS {
            let engine = &self.engines[stop % self.engines.len()];
            self.run.more_answers(150).await;
            self.freeze_in_a_refresh(engine).await;
            self.run.more_answers_or_errors(80).await;
            self.clock.advance(GRACE + Duration::from_secs(1)).unwrap();
            self.run.more_answers_or_errors(80).await;
            engine.thaw();
        }
    }

    async fn freeze_in_a_refresh(&self, engine: &Remote) {
        loop {
            until("a refresh", || engine.open_refreshes() > 0).await;
            engine.freeze();
            if engine.open_refreshes() > 0 {
                return;
            }
            // It was quicker.
            engine.thaw();
        }
    }

    async fn killed(&self, seed: u64) -> Report {
        self.run.until(ANSWERS, seed, self.kill_in_turn()).await
    }
}

fn in_file(folder: &Path, busy_timeout: Duration) -> Place {
    Place::Sqlite {
        path: folder.join("sessions.db"),
        busy_timeout,
    }
}

/// Where a store keeps its sessions.
#[derive(Clone, Copy, Debug)]
enum Kind {
    SQLite,
    PostgreSQL,
    Redis,
}

impl Kind {
    /// None where its server is not installed.
    fn place(self, folder: &Path, name: &str, busy_timeout: Duration) -> Option<Place> {
        let name = name.to_owned();
        Some(match self {
            Self::SQLite => in_file(folder, busy_timeout),
            Self::PostgreSQL => Place::Postgres {
                url: PostgresServer::shared()?.url(),
                schema: name,
            },
            Self::Redis => Place::Redis {
                url: RedisServer::shared()?.url(),
                prefix: name,
            },
        })
    }
}

async fn killed(store: Kind, engines: usize, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let Some(place) = store.place(folder.path(), "history_engines_killed", BUSY_TIMEOUT) else {
        return;
    };
    let machine = Machine::start(folder.path(), place, engines, None).await;
    let report = machine.killed(seed).await;
    assert!(report.unknown >= KILLS, "{report}");
    let faults = format!("engine processes killed {KILLS} times");
    sound(&machine.run, &format!("{store:?}"), &faults, &report);
}

async fn stopped(store: Kind, engines: usize, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let Some(place) = store.place(folder.path(), "history_engines_stop", STOPPED_TIMEOUT) else {
        return;
    };
    let machine = Machine::start(folder.path(), place, engines, None).await;
    let faults = machine.stop_in_turn();
    let report = machine.run.until(ANSWERS, seed, faults).await;
    let late = late_refreshes(&machine.run.history.operations());
    assert!(
        late >= STOPS,
        "{late} refreshes were under way when the grace window ended"
    );
    let faults = format!(
        "engine processes stopped {STOPS} times past the grace window with {late} refreshes under way"
    );
    sound(&machine.run, &format!("{store:?}"), &faults, &report);
}

/// How many refreshes were asked before the end of a grace window and answered after it.
fn late_refreshes(operations: &[Operation]) -> usize {
    let is_refresh = |operation: &&Operation| matches!(operation.call, Call::Refresh(..));
    let refreshes = operations.iter().filter(is_refresh);
    refreshes
        .filter(|refresh| refresh.answer != Answer::Unknown)
        .filter(|refresh| refresh.answered > refresh.asked.after(GRACE))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_engine_processes_are_killed() {
    killed(Kind::SQLite, 2, 51).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_engine_processes_stop() {
    stopped(Kind::SQLite, 3, 52).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_engine_processes_are_killed() {
    killed(Kind::PostgreSQL, 3, 53).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_engine_processes_stop() {
    stopped(Kind::PostgreSQL, 2, 54).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_engine_processes_are_killed() {
    killed(Kind::Redis, 3, 55).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_engine_processes_stop() {
    stopped(Kind::Redis, 2, 56).await;
}

/// What the judge says of engine processes with this flaw, two of them, which are killed in turn.
#[expect(clippy::print_stdout, reason = "for the reader of the run")]
async fn caught(flaw: Flaw, rule: Rule) {
    let folder = tempfile::tempdir().unwrap();
    let file = in_file(folder.path(), BUSY_TIMEOUT);
    let mut machine = Machine::start(folder.path(), file, 2, Some(flaw)).await;
    machine.run.all_are_told = false;
    let report = machine.killed(57).await;
    println!("{flaw:?}, in engine processes: {:?}", report.broken());
    assert!(report.broken().contains(&rule), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_engine_process_that_writes_after_its_answer_is_caught() {
    caught(Flaw::WritesBehind, Rule::LostUpdate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_engine_process_that_keeps_what_it_read_is_caught() {
    caught(Flaw::ReadsStale, Rule::StaleRead).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn engine_processes_that_merge_in_two_steps_are_caught() {
    caught(Flaw::MergesInTwoSteps, Rule::LostWrite).await;
}
