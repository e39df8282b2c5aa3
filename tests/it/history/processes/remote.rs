//! The test's end of an engine process.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use supersession_testkit::history::{Answer, Ask, Engine, Held};
use supersession_testkit::servers::Program;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::block_in_place;

use super::engine::TEST;
use super::protocol::{Question, Reply, Settings, VARIABLE};

/// How long an engine may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine in a process of its own, which can be killed, started again and stopped in its tracks.
pub(super) struct Remote {
    settings: Settings,
    directory: PathBuf,
    program: Mutex<Option<Program>>,
    link: Mutex<Arc<Link>>,
    frozen: watch::Sender<bool>,
    numbers: AtomicU64,
}

/// The connection to one life of the process.
struct Link {
    questions: mpsc::UnboundedSender<String>,
    /// Who waits for an answer; none once the connection is lost.
    open: Mutex<Option<HashMap<u64, Waiting>>>,
}

struct Waiting {
    is_refresh: bool,
    answer: oneshot::Sender<(Answer, Option<Held>)>,
}

impl Link {
    fn count(&self, counts: impl Fn(&Waiting) -> bool) -> usize {
        let open = self.open.lock().unwrap();
        open.iter()
            .flat_map(HashMap::values)
            .filter(|one| counts(one))
            .count()
    }
}

impl Remote {
    pub(super) async fn start(settings: Settings, folder: &Path) -> Arc<Self> {
        let directory = folder.join(format!("engine-{}", settings.node));
        std::fs::create_dir(&directory).unwrap();
        let (program, link) = launch(&settings, &directory).await;
        Arc::new(Self {
            settings,
            directory,
            program: Mutex::new(Some(program)),
            link: Mutex::new(link),
            frozen: watch::Sender::new(false),
            numbers: AtomicU64::new(0),
        })
    }

    /// Ends the process wherever it is; its open operations stay without an answer.
    pub(super) fn kill(&self) {
        let program = self.program.lock().unwrap().take();
        block_in_place(|| program.unwrap().kill());
    }

    /// Starts it again on what it has left.
    pub(super) async fn restart(&self) {
        let (program, link) = launch(&self.settings, &self.directory).await;
        *self.program.lock().unwrap() = Some(program);
        *self.link.lock().unwrap() = link;
    }

    /// Stops the process in its tracks. Clients give up what is open, except for refreshes: a token
    /// that is sent again while its successor is used would be a stolen one.
    pub(super) fn freeze(&self) {
        block_in_place(|| self.program.lock().unwrap().as_ref().unwrap().freeze());
        self.frozen.send_replace(true);
    }

    /// Lets it go on, with all that it was in the middle of.
    pub(super) fn thaw(&self) {
        self.frozen.send_replace(false);
        block_in_place(|| self.program.lock().unwrap().as_ref().unwrap().thaw());
    }

    /// How many operations wait for its answer.
    pub(super) fn open(&self) -> usize {
        self.link().count(|_| true)
    }

    /// How many of them are refreshes.
    pub(super) fn open_refreshes(&self) -> usize {
        self.link().count(|waiting| waiting.is_refresh)
    }

    fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link.lock().unwrap())
    }

    /// None if the process is gone.
    fn send(&self, ask: Ask) -> Option<oneshot::Receiver<(Answer, Option<Held>)>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting {
            is_refresh: is_refresh(&ask),
            answer,
        };
        let link = self.link();
        link.open.lock().unwrap().as_mut()?.insert(number, waiting);
        let line = serde_json::to_string(&Question { number, ask }).unwrap();
        link.questions.send(line + "\n").ok()?;
        Some(receiver)
    }
}

#[async_trait]
impl Engine for Remote {
    async fn perform(&self, ask: Ask) -> (Answer, Option<Held>) {
        let unknown = || (Answer::Unknown, None);
        let mut frozen = self.frozen.subscribe();
        let may_come_late = !is_refresh(&ask);
        if *frozen.borrow() && !may_come_late {
            return unknown();
        }
        let Some(answer) = self.send(ask) else {
            return unknown();
        };
        tokio::select! {
            answer = answer => answer.unwrap_or_else(|_| unknown()),
            _ = frozen.wait_for(|frozen| *frozen), if may_come_late => unknown(),
        }
    }

    fn is_up(&self) -> bool {
        !*self.frozen.borrow() && self.link().open.lock().unwrap().is_some()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("node", &self.settings.node)
            .finish_non_exhaustive()
    }
}

fn is_refresh(ask: &Ask) -> bool {
    matches!(ask, Ask::Refresh(_) | Ask::Replay(_))
}

/// Starts the process, and waits until it calls.
async fn launch(settings: &Settings, directory: &Path) -> (Program, Arc<Link>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings {
        port: listener.local_addr().unwrap().port(),
        ..settings.clone()
    };
    let variables = [(VARIABLE, serde_json::to_string(&settings).unwrap())];
    let binary = std::env::current_exe().unwrap().display().to_string();
    let command = [
        binary,
        "--ignored".to_owned(),
        "--exact".to_owned(),
        TEST.to_owned(),
        "--nocapture".to_owned(),
    ];
    let program = block_in_place(|| Program::start(directory, &variables, &command));
    let ended = async {
        while program.is_running() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let called = tokio::select! {
        called = listener.accept() => called.ok(),
        () = ended => None,
        () = tokio::time::sleep(PATIENCE) => None,
    };
    let Some((stream, _)) = called else {
        panic!("the engine does not start:\n{}", program.log());
    };
    (program, link(stream))
}

fn link(stream: TcpStream) -> Arc<Link> {
    stream.set_nodelay(true).unwrap();
    let (answers, questions) = stream.into_split();
    let (sender, waiting) = mpsc::unbounded_channel();
    let link = Arc::new(Link {
        questions: sender,
        open: Mutex::new(Some(HashMap::new())),
    });
    tokio::spawn(pass_on(questions, waiting));
    tokio::spawn(hand_out(answers, Arc::clone(&link)));
    link
}

async fn pass_on(mut questions: OwnedWriteHalf, mut waiting: mpsc::UnboundedReceiver<String>) {
    while let Some(line) = waiting.recv().await {
        if questions.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn hand_out(answers: OwnedReadHalf, link: Arc<Link>) {
    let mut answers = BufReader::new(answers).lines();
    // Half a line is what a killed process leaves; nobody was answered by it.
    while let Ok(Some(line)) = answers.next_line().await
        && let Ok(reply) = serde_json::from_str::<Reply>(&line)
    {
        let mut open = link.open.lock().unwrap();
        let waiting = open.as_mut().and_then(|open| open.remove(&reply.number));
        if let Some(waiting) = waiting {
            // Somebody who has given up does not want to know.
            let _ = waiting.answer.send((reply.answer, reply.held));
        }
    }
    *link.open.lock().unwrap() = None;
}
