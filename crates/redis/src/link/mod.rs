//! Connections to the server, or to the servers of a cluster.

mod node;

use std::time::Duration;

use futures_util::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{Client, Cmd, ErrorKind, Script, ScriptInvocation, ServerErrorKind, Value};

use crate::fault::Fault;
use crate::reply;

pub(crate) use node::Node;

/// Retries of a command that a cluster has definitely not executed, for example after a slot has
/// moved, and the pause between them.
const REDIRECTIONS: u32 = 8;
const REDIRECTION_PAUSE: Duration = Duration::from_millis(25);

/// Maximum number of keys per script on a single server. A script blocks the server, so it must be
/// short.
const KEYS_PER_SCRIPT: usize = 1_000;

pub(crate) enum Link {
    Node {
        node: Box<Node>,
        /// For writes that replicas must confirm. `WAIT` blocks its connection, so these writes
        /// have a connection of their own.
        confirming: Option<Box<Confirming>>,
    },
    // The driver's own retries are disabled, because they would repeat a write that may already
    // have been executed.
    Cluster {
        connection: ClusterConnection,
        seeds: Vec<Client>,
    },
}

pub(crate) struct Confirming {
    pub(crate) node: Node,
    pub(crate) replicas: u32,
    pub(crate) within: Duration,
}

/// A request that can be sent more than once.
enum Work<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Link {
    /// Returns `true` if a script can access any keys. In a cluster, all keys of a script must
    /// share a slot.
    pub(crate) fn shares_slots(&self) -> bool {
        matches!(self, Self::Node { .. })
    }

    /// Returns the maximum number of sessions per script, if each has `keys` keys.
    pub(crate) fn sessions_per_script(&self, keys: usize) -> usize {
        if self.shares_slots() {
            KEYS_PER_SCRIPT / keys
        } else {
            1
        }
    }

    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, Fault> {
        self.work(Work::Command(command)).await
    }

    /// Runs a script. It is loaded into the server first if the server does not know it.
    pub(crate) async fn call<K, A>(
        &self,
        script: &Script,
        keys: &[K],
        arguments: &[A],
    ) -> Result<Value, Fault>
    where
        K: AsRef<str>,
        A: AsRef<str>,
    {
        self.work(Work::Script(&invocation(script, keys, arguments)))
            .await
    }

    /// Like [`call`](Self::call), for a write that the configured number of replicas must confirm.
    pub(crate) async fn call_confirmed<K, A>(
        &self,
        script: &Script,
        keys: &[K],
        arguments: &[A],
    ) -> Result<Value, Fault>
    where
        K: AsRef<str>,
        A: AsRef<str>,
    {
        let Self::Node {
            confirming: Some(confirming),
            ..
        } = self
        else {
            return self.call(script, keys, arguments).await;
        };
        let mut link = confirming.node.connection().await?;
        let invocation = invocation(script, keys, arguments);
        let answer = confirming
            .run(script, &invocation, &mut link.connection)
            .await;
        if answer.as_ref().is_err_and(Fault::spoils_connection) {
            confirming.node.abandon(&link);
        }
        answer
    }

    async fn work(&self, work: Work<'_>) -> Result<Value, Fault> {
        match self {
            Self::Node { node, .. } => {
                let mut link = node.connection().await?;
                let answer = work.run(&mut link.connection).await;
                if answer.as_ref().is_err_and(Fault::spoils_connection) {
                    node.abandon(&link);
                }
                answer
            }
            Self::Cluster { connection, .. } => {
                let mut tries = 0;
                loop {
                    let answer = work.run(&mut connection.clone()).await;
                    tries += 1;
                    match answer {
                        Err(fault) if fault.is_redirection() && tries < REDIRECTIONS => {
                            tokio::time::sleep(REDIRECTION_PAUSE * tries).await;
                        }
                        answer => return answer,
                    }
                }
            }
        }
    }

    /// Loads the scripts into every server, so that the first calls are as fast as later ones.
    pub(crate) async fn load(&self, scripts: &[&Script]) -> Result<(), Fault> {
        try_join_all(scripts.iter().map(|script| async {
            match self {
                Self::Node { node, .. } => {
                    let mut link = node.connection().await?;
                    script.load_async(&mut link.connection).await?;
                }
                Self::Cluster { connection, .. } => {
                    script.load_async(&mut connection.clone()).await?;
                }
            }
            Ok::<_, Fault>(())
        }))
        .await?;
        Ok(())
    }

    /// Sends a command to all servers that accept writes and returns their answers.
    pub(crate) async fn send_to_masters(&self, command: &Cmd) -> Result<Vec<Value>, Fault> {
        match self {
            Self::Node { .. } => Ok(vec![self.send(command).await?]),
            Self::Cluster { connection, .. } => {
                let masters = MultipleNodeRoutingInfo::AllMasters;
                let routing = RoutingInfo::MultiNode((masters, None::<ResponsePolicy>));
                let answers = connection
                    .clone()
                    .route_command(command.clone(), routing)
                    .await?;
                match answers {
                    Value::Map(answers) => {
                        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
                    }
                    answers => reply::list(answers, "the answer of all servers"),
                }
            }
        }
    }

    /// Returns clients for opening a separate connection. Each of them is sufficient.
    pub(crate) fn clients(&self) -> Vec<Client> {
        match self {
            Self::Node { node, .. } => vec![node.client().clone()],
            Self::Cluster { seeds, .. } => seeds.clone(),
        }
    }
}

fn invocation<'a, K, A>(script: &'a Script, keys: &[K], arguments: &[A]) -> ScriptInvocation<'a>
where
    K: AsRef<str>,
    A: AsRef<str>,
{
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key.as_ref());
    }
    for argument in arguments {
        invocation.arg(argument.as_ref());
    }
    invocation
}

impl Confirming {
    async fn run(
        &self,
        script: &Script,
        invocation: &ScriptInvocation<'_>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Value, Fault> {
        let mut commands = redis::pipe();
        commands.invoke_script(invocation).cmd("WAIT");
        commands.arg(self.replicas);
        commands.arg(u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX));
        let mut answers = commands.query_async::<Vec<Value>>(connection).await;
        let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        if answers.as_ref().is_err_and(|error| error.kind() == unknown) {
            script.load_async(connection).await?;
            answers = commands.query_async(connection).await;
        }
        let mut answers = answers?.into_iter();
        let (Some(answer), Some(Value::Int(confirmed))) = (answers.next(), answers.next()) else {
            return Err(Fault::Damaged("the answer of a confirmed write"));
        };
        if confirmed < i64::from(self.replicas) {
            return Err(Fault::TooFewReplicas {
                confirmed,
                wanted: self.replicas,
            });
        }
        Ok(answer)
    }
}

impl Work<'_> {
    async fn run(
        &self,
        connection: &mut (impl redis::aio::ConnectionLike + Send),
    ) -> Result<Value, Fault> {
        let answer = match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Script(script) => script.invoke_async(connection).await,
        };
        answer.map_err(Fault::from)
    }
}
