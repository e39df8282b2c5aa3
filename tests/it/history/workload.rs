//! What clients do: random, and the same for the same seed as far as the order of the answers is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use supersession::{AntiCsrf, Clock, Entropy as _, Sessions, Store};
use supersession_testkit::history::{Answer, Held, History, Node, Place, Report, Terms, judge};
use supersession_testkit::{FaultStore, ManualClock, SeededEntropy};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{START, capture, default_config, seed_keys};

const USERS: usize = 4;
const CLIENTS_PER_USER: usize = 2;
/// After so many rounds a client signs out, so that its document stays small.
const ROUNDS_PER_SESSION: u64 = 20;
/// How long sessions live, where that matters.
pub(crate) const VALIDITY: Duration = Duration::from_secs(7_200);
pub(crate) const GRACE: Duration = Duration::from_secs(300);
/// How long the next answers, or the next errors, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nodes on one store, and those who use them.
#[derive(Clone)]
pub(crate) struct Run {
    nodes: Arc<[Node]>,
    pub(crate) stores: Arc<[FaultStore<dyn Store>]>,
    pub(crate) clocks: Arc<[ManualClock]>,
    pub(crate) history: Arc<History>,
    terms: Terms,
    stop: Arc<AtomicBool>,
    /// Whether it is worth asking: clients who get nothing but errors wait for it.
    up: Arc<watch::Sender<bool>>,
    members: Arc<AtomicU64>,
    /// Clients who wait to be told of an end.
    waiting: Arc<Mutex<JoinSet<Answer>>>,
    /// Whether each of them must be.
    pub(crate) all_are_told: bool,
    /// How many tabs of a client may refresh at once.
    pub(crate) most_tabs: usize,
}

impl Run {
    /// One node in this process for each store. The stores share what they keep.
    pub(crate) async fn on(stores: Vec<Arc<dyn Store>>) -> Self {
        capture::install();
        seed_keys(&*stores[0], START).await;
        let stores: Vec<_> = stores.into_iter().map(FaultStore::over).collect();
        let history = Arc::new(History::new());
        let (mut nodes, mut clocks) = (Vec::new(), Vec::new());
        for (number, store) in stores.iter().enumerate() {
            let clock = ManualClock::new(START);
            let sessions = sessions(store.clone(), clock.clone(), None).await;
            nodes.push(Node::new(number, sessions, &history));
            clocks.push(clock);
        }
        Self {
            stores: stores.into(),
            clocks: clocks.into(),
            ..Self::over(nodes, history, Terms::default())
        }
    }

    /// One node in this process for each store, all on one clock, by which sessions expire.
    pub(crate) async fn where_sessions_expire(stores: Vec<Arc<dyn Store>>) -> (Self, ManualClock) {
        capture::install();
        seed_keys(&*stores[0], START).await;
        let clock = ManualClock::new(START);
        let history = Arc::new(History::with_clock(clock.clone()));
        let mut nodes = Vec::new();
        for (number, store) in stores.into_iter().enumerate() {
            let store = FaultStore::over(store);
            let sessions = sessions(store, clock.clone(), Some(VALIDITY)).await;
            nodes.push(Node::new(number, sessions, &history));
        }
        let terms = Terms {
            grace: Some(GRACE),
            validity: Some(VALIDITY),
        };
        (Self::over(nodes, history, terms), clock)
    }

    /// These nodes, wherever their engines are.
    pub(crate) fn over(nodes: Vec<Node>, history: Arc<History>, terms: Terms) -> Self {
        Self {
            nodes: nodes.into(),
            stores: Arc::new([]),
            clocks: Arc::new([]),
            history,
            terms,
            stop: Arc::default(),
            up: Arc::new(watch::Sender::new(true)),
            members: Arc::default(),
            waiting: Arc::default(),
            all_are_told: true,
            most_tabs: 3,
        }
    }

    /// Runs until `faults` is over and that many operations were answered; then looks at everything
    /// once more, and judges.
    pub(crate) async fn until(
        &self,
        answered: usize,
        seed: u64,
        faults: impl Future<Output = ()>,
    ) -> Report {
        let mut clients = JoinSet::new();
        for number in 0..USERS * CLIENTS_PER_USER {
            let client = Client {
                run: self.clone(),
                random: SeededEntropy::new(seed * 1_000 + number as u64),
                user: format!("user-{}", number / CLIENTS_PER_USER),
                tokens: Vec::new(),
            };
            clients.spawn(client.live());
        }
        faults.await;
        self.answered(answered).await;
        self.stop.store(true, Ordering::SeqCst);
        clients.join_all().await;
        if self.all_are_told {
            self.end_all().await;
        }
        for user in 0..USERS {
            for node in self.nodes.iter() {
                node.list(&format!("user-{user}")).await;
            }
        }
        judge(&self.history.operations(), self.terms)
    }

    /// Ends all sessions, and waits until everybody has been told.
    async fn end_all(&self) {
        for user in 0..USERS {
            let user = format!("user-{user}");
            let start = Instant::now();
            while self.nodes[0].revoke_all(&user).await == Answer::Unknown {
                assert!(start.elapsed() < PATIENCE, "the store does not recover");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        let all = tokio::time::timeout(PATIENCE, waiting.join_all()).await;
        assert!(
            all.is_ok(),
            "somebody was not told that a session has ended"
        );
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Waits until so many operations were answered in all.
    pub(crate) async fn answered(&self, count: usize) {
        until("answers", || self.history.answered() >= count).await;
    }

    /// Waits until so many more were answered.
    pub(crate) async fn more_answers(&self, count: usize) {
        self.answered(self.history.answered() + count).await;
    }

    /// Waits until so many more were answered, or three times as many failed: a process that is stopped
    /// while it has the lock of a file keeps all others from writing.
    pub(crate) async fn more_answers_or_errors(&self, count: usize) {
        let (answered, unknown) = (self.history.answered(), self.history.unknown());
        let over = || {
            self.history.answered() >= answered + count
                || self.history.unknown() >= unknown + 3 * count
        };
        until("answers or errors", over).await;
    }

    /// Lets `fault` strike, waits until so many operations fail of it, and lets `end` undo it.
    pub(crate) async fn strike(&self, fault: impl FnOnce(), errors: usize, end: impl FnOnce()) {
        self.up.send_replace(false);
        let before = self.history.unknown();
        tokio::task::block_in_place(fault);
        until("errors", || self.history.unknown() >= before + errors).await;
        tokio::task::block_in_place(end);
        self.up.send_replace(true);
    }
}

/// A node as all histories configure it.
pub(crate) async fn sessions(
    store: impl Store,
    clock: impl Clock,
    validity: Option<Duration>,
) -> Sessions {
    let mut builder = default_config(Sessions::builder(store))
        .anti_csrf(AntiCsrf::ViaToken)
        .refresh_token_rotation_grace_period(GRACE)
        .revocation_poll_interval(Duration::from_millis(50))
        .clock(clock);
    if let Some(validity) = validity {
        builder = builder.refresh_token_validity(validity);
    }
    builder.build().await.unwrap()
}

/// Lets the clients work until `is_so`.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "no {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One client of a user, with one session at a time, and the tokens that it has had.
struct Client {
    run: Run,
    random: SeededEntropy,
    user: String,
    tokens: Vec<Held>,
}

impl Client {
    async fn live(mut self) {
        while !self.run.stop.load(Ordering::SeqCst) {
            let Some(held) = self.node().create(&self.user.clone()).await else {
                self.wait_until_up().await;
                continue;
            };
            if self.below(3) == 0 {
                let (node, held) = (self.node(), held.clone());
                let told = async move { node.wait_for_end(&held).await };
                self.run.waiting.lock().unwrap().spawn(told);
            }
            self.tokens = vec![held];
            for round in 0.. {
                let last = round == ROUNDS_PER_SESSION;
                let answers = self.round(last).await;
                let gone = |answer: &Answer| matches!(answer, Answer::Gone | Answer::Theft);
                if last || answers.iter().any(gone) || self.run.stop.load(Ordering::SeqCst) {
                    break;
                }
                if answers.iter().all(|answer| *answer == Answer::Unknown) {
                    self.wait_until_up().await;
                }
            }
            self.look_everywhere().await;
        }
    }

    async fn wait_until_up(&self) {
        let mut up = self.run.up.subscribe();
        up.wait_for(|up| *up).await.unwrap();
    }

    /// Several things at once, on several nodes.
    async fn round(&mut self, last: bool) -> Vec<Answer> {
        let held = self.held().clone();
        let mut tasks = JoinSet::new();
        for _ in 0..1 + self.below(3) {
            let (node, held, choice) = (self.node(), held.clone(), self.below(13));
            let member = format!("m{}", self.run.members.fetch_add(1, Ordering::SeqCst));
            let place = match self.below(6) {
                0 => Place::Payload(held.handle().to_owned()),
                1 => Place::Metadata(held.user().to_owned()),
                _ => Place::SessionData(held.handle().to_owned()),
            };
            tasks.spawn(async move {
                match choice {
                    0..=2 => node.increment(&place).await,
                    3..=5 => node.merge(&place, &member).await,
                    6..=8 => node.read(&place).await,
                    9 => node.verify(&held).await,
                    10 | 11 => node.guard(&held).await,
                    _ => node.list(held.user()).await,
                }
            });
        }
        if last {
            match self.below(4) {
                0 => {
                    let (node, user) = (self.node(), self.user.clone());
                    tasks.spawn(async move { node.revoke_all(&user).await });
                }
                1 if self.tokens.len() > 2 => {
                    let (node, oldest) = (self.node(), self.tokens[0].clone());
                    tasks.spawn(async move { node.replay(&oldest).await });
                }
                // Twice at once: one of them ends it.
                _ => {
                    for _ in 0..2 {
                        let (node, held) = (self.node(), held.clone());
                        tasks.spawn(async move { node.revoke(held.handle()).await });
                    }
                }
            }
        }
        let mut answers = Vec::new();
        // Also while the session ends.
        if self.below(5) == 0 {
            answers = self.refresh(&held).await;
        }
        answers.extend(tasks.join_all().await);
        answers
    }

    /// Several tabs refresh at once. Nobody uses the token any more when the next one is used.
    async fn refresh(&mut self, held: &Held) -> Vec<Answer> {
        let mut tabs = JoinSet::new();
        for _ in 0..1 + self.below(self.run.most_tabs) {
            let (node, held) = (self.node(), held.clone());
            tabs.spawn(async move { node.refresh(&held).await });
        }
        let (answers, next): (Vec<_>, Vec<_>) = tabs.join_all().await.into_iter().unzip();
        // A client whose refresh failed tries again with the same token.
        self.tokens.extend(next.into_iter().flatten().next());
        answers
    }

    /// Whatever became of the session, all nodes say the same.
    async fn look_everywhere(&self) {
        let held = self.held();
        for node in self.run.nodes.iter() {
            let handle = || held.handle().to_owned();
            node.read(&Place::SessionData(handle())).await;
            node.read(&Place::Payload(handle())).await;
            node.verify(held).await;
            node.guard(held).await;
            node.list(held.user()).await;
            node.refresh(held).await;
        }
    }

    fn held(&self) -> &Held {
        self.tokens.last().unwrap()
    }

    /// One that is worth asking, or mostly so: nobody knows for certain who is up.
    fn node(&self) -> Node {
        let any = || &self.run.nodes[self.below(self.run.nodes.len())];
        let first = any();
        if first.is_up() { first } else { any() }.clone()
    }

    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).unwrap()
    }
}
