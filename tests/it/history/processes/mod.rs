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

async fn killed(store: &str, folder: &Path, place: Place, engines: usize, seed: u64) {
    let machine = Machine::start(folder, place, engines, None).await;
    let report = machine.killed(seed).await;
    assert!(report.unknown >= KILLS, "{report}");
    let faults = format!("engine processes killed {KILLS} times");
    sound(&machine.run, store, &faults, &report);
}

async fn stopped(store: &str, folder: &Path, place: Place, engines: usize, seed: u64) {
    let machine = Machine::start(folder, place, engines, None).await;
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
    sound(&machine.run, store, &faults, &report);
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

fn in_file(folder: &tempfile::TempDir) -> Place {
    Place::Sqlite(folder.path().join("sessions.db"))
}

fn in_postgres(server: &PostgresServer, schema: &str) -> Place {
    Place::Postgres {
        url: server.url(),
        schema: schema.to_owned(),
    }
}

fn in_redis(server: &RedisServer, prefix: &str) -> Place {
    Place::Redis {
        url: server.url(),
        prefix: prefix.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_engine_processes_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    killed("SQLite", folder.path(), in_file(&folder), 2, 51).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_its_promises_when_engine_processes_stop() {
    let folder = tempfile::tempdir().unwrap();
    stopped("SQLite", folder.path(), in_file(&folder), 3, 52).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_engine_processes_are_killed() {
    if let Some(server) = PostgresServer::shared() {
        let folder = tempfile::tempdir().unwrap();
        let place = in_postgres(server, "history_engines_killed");
        killed("PostgreSQL", folder.path(), place, 3, 53).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_its_promises_when_engine_processes_stop() {
    if let Some(server) = PostgresServer::shared() {
        let folder = tempfile::tempdir().unwrap();
        let place = in_postgres(server, "history_engines_stop");
        stopped("PostgreSQL", folder.path(), place, 2, 54).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_engine_processes_are_killed() {
    if let Some(server) = RedisServer::shared() {
        let folder = tempfile::tempdir().unwrap();
        let place = in_redis(server, "history_engines_killed");
        killed("Redis", folder.path(), place, 3, 55).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_keeps_its_promises_when_engine_processes_stop() {
    if let Some(server) = RedisServer::shared() {
        let folder = tempfile::tempdir().unwrap();
        let place = in_redis(server, "history_engines_stop");
        stopped("Redis", folder.path(), place, 2, 56).await;
    }
}

/// What the judge says of engine processes with this flaw, two of them, which are killed in turn.
#[expect(clippy::print_stdout, reason = "for whoever reads the run")]
async fn caught(flaw: Flaw, rule: Rule) {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = Machine::start(folder.path(), in_file(&folder), 2, Some(flaw)).await;
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
