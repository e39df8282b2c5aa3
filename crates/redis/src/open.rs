//! Connects, and checks that the server is suitable for sessions.

use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, Value, cmd};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::context::Context;
use crate::error::{OpenError, OpenErrorKind};
use crate::fault::Fault;
use crate::keys::{Keyspace, Marks};
use crate::layout::check_layout;
use crate::link::{Confirming, Link, Node};
use crate::options::{RedisOptions, Servers};
use crate::reply;
use crate::scripts::Scripts;
use crate::store::RedisStore;

impl RedisStore {
    /// Opens a store on this server with the default options. Call this function in the tokio
    /// runtime that is to run the work.
    ///
    /// # Errors
    /// Returns an error if the server cannot be used. Its text names the server and the fix.
    pub async fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::options().url(url).open().await
    }

    /// Returns the options for opening a store. Either [`RedisOptions::url`] or
    /// [`RedisOptions::cluster`] is required.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }
}

impl RedisOptions {
    /// Connects, and checks that the server is suitable. Call this method in the tokio runtime that
    /// is to run the work. Afterwards the store may be used from anywhere.
    ///
    /// # Errors
    /// Returns an error if the server cannot be used. Its text names the server and the fix.
    pub async fn open(self) -> Result<RedisStore, OpenError> {
        open(&self).await.inspect_err(|error| {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the session store could not be opened"
            );
        })
    }
}

async fn open(options: &RedisOptions) -> Result<RedisStore, OpenError> {
    let runtime = Handle::try_current()
        .map_err(|error| OpenError::new(OpenErrorKind::NoRuntime).with_source(error))?;
    options.check_ranges()?;
    let prefix = &options.prefix;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-".contains(&byte);
    if prefix.is_empty() || !prefix.bytes().all(plain) {
        return Err(OpenError::new(OpenErrorKind::InvalidPrefix));
    }
    let urls = match &options.servers {
        Servers::None => &[],
        Servers::One(url) => std::slice::from_ref(url),
        Servers::Cluster(urls) => urls.as_slice(),
    };
    let infos = urls
        .iter()
        .map(|url| connection_info(url, options))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(server) = infos.first().map(|info| info.addr().to_string()) else {
        return Err(OpenError::new(OpenErrorKind::NoServer));
    };
    let ready = async {
        let link = connect(options, infos).await?;
        let keys = Keyspace::new(prefix);
        let scripts = Scripts::new();
        inspect(&link, options, &server).await?;
        link.load(&scripts.all()).await?;
        check_layout(&link, &scripts, &keys).await?;
        Ok::<_, OpenError>(Context {
            link,
            keys,
            scripts,
            marks: Marks::new(),
            merges: (0..MERGE_QUEUES)
                .map(|_| tokio::sync::Mutex::new(()))
                .collect(),
            server: server.clone(),
            expiry_margin: options.expiry_margin,
            heartbeat: options.heartbeat,
            response_timeout: options.response_timeout,
            connect_timeout: options.connect_timeout,
        })
    };
    let inner = ready.await.map_err(|error| error.at(&server))?;
    Ok(RedisStore::new(inner, runtime))
}

/// Number of queues in which the merges of this process wait for each other.
const MERGE_QUEUES: usize = 256;

fn connection_info(url: &str, options: &RedisOptions) -> Result<ConnectionInfo, OpenError> {
    // The driver's error is not helpful, and may repeat the URL.
    let info = url
        .into_connection_info()
        .map_err(|_| OpenError::new(OpenErrorKind::InvalidUrl))?;
    if let Some(problem) = unsupported(url) {
        return Err(OpenError::new(OpenErrorKind::InvalidUrl).with_source(problem));
    }
    // The newer protocol reports a lost connection before the next verb uses it.
    let redis = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("supersession-redis", env!("CARGO_PKG_VERSION"));
    Ok(info
        .set_redis_settings(redis)
        .set_tcp_settings(tcp_settings(options.response_timeout)))
}

/// Parameters of other clients, which the driver would ignore, and their replacements.
const FOREIGN: [(&[&str], &str); 6] = [
    (&["ssl", "tls"], "use the scheme `rediss`"),
    (
        &["db", "database"],
        "give the number of the database as the path, as in `redis://host:6379/2`",
    ),
    (
        &["user", "username", "pass", "password"],
        "give both before the host, as in `redis://user:password@host`",
    ),
    (
        &[
            "timeout",
            "connect_timeout",
            "connectTimeout",
            "connection_timeout",
            "dial_timeout",
        ],
        "call `connect_timeout`",
    ),
    (
        &[
            "command_timeout",
            "commandTimeout",
            "read_timeout",
            "response_timeout",
            "socket_timeout",
            "write_timeout",
        ],
        "call `response_timeout`",
    ),
    (
        &[
            "client_name",
            "family",
            "keyPrefix",
            "max_connections",
            "pool_size",
            "protocol",
            "resp",
            "retry_on_timeout",
        ],
        "leave it out",
    ),
];

/// Returns a message that names the first parameter of a URL that would have no effect, and the
/// fix. A name that no client has may be part of a password, so it is not repeated. The URL of a
/// socket has its database and its user there.
fn unsupported(url: &str) -> Option<String> {
    let (before, query) = url.split_once('?')?;
    let is_socket = !before.starts_with("redis://") && !before.starts_with("rediss://");
    let query = query.split('#').next().unwrap_or_default();
    let names = query.split('&').filter(|pair| !pair.is_empty());
    let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    let name = names.find(|name| !(is_socket && ["db", "user", "pass"].contains(name)))?;
    let foreign = FOREIGN.iter().find(|(names, _)| names.contains(&name));
    Some(match foreign {
        Some((_, fix)) => format!("the parameter `{name}` of the URL has no effect. Fix: {fix}"),
        None => "the URL has a parameter that is unknown. Fix: leave out what follows the `?`, and give it to the options".to_owned(),
    })
}

fn tcp_settings(response_timeout: Duration) -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(response_timeout * 4);
    #[cfg(not(target_os = "linux"))]
    let _ = response_timeout;
    settings
}

async fn connect(options: &RedisOptions, infos: Vec<ConnectionInfo>) -> Result<Link, OpenError> {
    #[cfg(feature = "tls")]
    // Has no effect if the program has already chosen a provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clients = infos
        .iter()
        .map(|info| Client::open(info.clone()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            OpenError::new(OpenErrorKind::InvalidUrl).with_source(Fault::from(error))
        })?;
    if matches!(options.servers, Servers::Cluster(_)) {
        if options.confirmations.is_some() {
            return Err(OpenError::new(OpenErrorKind::Unsupported));
        }
        let client = ClusterClient::builder(infos)
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(options.connect_timeout)
            .response_timeout(options.response_timeout)
            .overall_response_timeout(Some(options.response_timeout))
            .tcp_settings(tcp_settings(options.response_timeout))
            .retries(0)
            .build()
            .map_err(|error| {
                OpenError::new(OpenErrorKind::InvalidUrl).with_source(Fault::from(error))
            })?;
        let connecting = client.get_async_connection();
        let connection = timeout(options.connect_timeout * 2, connecting)
            .await
            .map_err(|_| Fault::TimedOut)?
            .map_err(no_cluster)?;
        return Ok(Link::Cluster {
            connection,
            seeds: clients,
        });
    }
    let client = clients
        .into_iter()
        .next()
        .ok_or_else(|| OpenError::new(OpenErrorKind::NoServer))?;
    let node = |waiting| {
        Node::new(
            client.clone(),
            options.connect_timeout,
            options.response_timeout + waiting,
        )
    };
    let confirming = options.confirmations.map(|(replicas, within)| Confirming {
        node: node(within),
        replicas,
        within,
    });
    Ok(Link::Node {
        node: Box::new(node(Duration::ZERO)),
        confirming: confirming.map(Box::new),
    })
}

/// The driver reports that it found no connection, and gives the reason only in the text.
fn no_cluster(error: redis::RedisError) -> OpenError {
    let text = error.to_string();
    if text.contains("cluster support disabled") {
        OpenError::new(OpenErrorKind::NotAsDescribed)
    } else {
        Fault::from(error).into()
    }
}

/// The parsed `INFO` output of one server.
struct Info(String);

impl Info {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then_some(value.trim_end())
        })
    }
}

async fn inspect(link: &Link, options: &RedisOptions, server: &str) -> Result<(), OpenError> {
    for answer in link.send_to_masters(&cmd("INFO")).await? {
        let info = match answer {
            Value::VerbatimString { text, .. } => Info(text),
            answer => Info(reply::text(answer, "the answer to INFO")?),
        };
        fitness(&info, link, options, server)?;
    }
    let mut ask = cmd("CONFIG");
    ask.arg("GET").arg("appendfsync");
    match link.send_to_masters(&ask).await {
        Ok(answers) => {
            for answer in answers {
                let flushes_always = reply::pairs(answer, "the answer to CONFIG GET")?
                    .iter()
                    .any(|(_, value)| value == "always");
                if !flushes_always {
                    tracing::warn!(
                        server,
                        "Redis flushes its log once a second at most: up to a second of answered writes, revocations among them, is lost when it stops; set `appendfsync always` to lose none"
                    );
                    break;
                }
            }
        }
        Err(fault) => {
            tracing::warn!(
                server,
                error = &fault as &dyn std::error::Error,
                "Redis does not show its configuration: whether answered writes are on disk is not known"
            );
        }
    }
    Ok(())
}

fn fitness(
    info: &Info,
    link: &Link,
    options: &RedisOptions,
    server: &str,
) -> Result<(), OpenError> {
    let refuse = |kind| Err(OpenError::new(kind));
    // Valkey reports 7.2.4 here, for clients that expect Redis.
    let mut version = info
        .get("redis_version")
        .unwrap_or("0")
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (version.next().unwrap_or(0), version.next().unwrap_or(0));
    if version < (6, 2) {
        return refuse(OpenErrorKind::TooOld);
    }
    let is_cluster = info.get("cluster_enabled") == Some("1");
    if is_cluster == link.shares_slots() {
        return refuse(OpenErrorKind::NotAsDescribed);
    }
    if info.get("role") == Some("slave") {
        return refuse(OpenErrorKind::Replica);
    }
    match info.get("maxmemory_policy") {
        Some(policy) if policy != "noeviction" => {
            if !options.allow_eviction {
                let found = format!("`maxmemory-policy` is `{policy}`");
                return Err(OpenError::new(OpenErrorKind::Evicts).with_source(found));
            }
            tracing::warn!(
                server,
                policy,
                "Redis throws sessions and keys away when its memory is full"
            );
        }
        Some(_) => {}
        None => tracing::warn!(
            server,
            "Redis does not say what it does when its memory is full; make sure that it evicts nothing"
        ),
    }
    if info.get("aof_enabled") != Some("1") {
        tracing::warn!(
            server,
            "Redis keeps no log of its writes: whatever was answered since its last snapshot, revocations among it, is lost when it stops; set `appendonly yes`"
        );
    }
    Ok(())
}
