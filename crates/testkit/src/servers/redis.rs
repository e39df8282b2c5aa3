//! Redis servers and clusters. Valkey works if it is installed as `redis-server`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time limit for a server to become ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the server until standard input closes, which happens when the parent process ends.
const GUARD: &str = r#"
directory=$1; shift
"$@" >"$directory/log" 2>&1 &
server=$!
echo $server
read -r order
kill -9 $server 2>/dev/null
wait $server 2>/dev/null
[ "$order" = keep ] || rm -rf "$directory"
"#;

/// A Redis server. Dropping it stops the server and deletes its data.
#[derive(Debug)]
pub struct RedisServer {
    settings: Vec<String>,
    directory: PathBuf,
    port: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    guard: Child,
    orders: ChildStdin,
    server: u32,
}

/// A cluster of three masters that share the slots.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisServer {
    /// Starts a server with settings such as `["--appendonly", "yes"]`. Returns `None` and reports
    /// it if Redis is not installed.
    ///
    /// # Panics
    /// If the server does not start, or if Redis is not installed and `CI=true`.
    #[must_use]
    pub fn start(settings: &[&str]) -> Option<Self> {
        let installed = Command::new("redis-server").arg("--version").output();
        if installed.is_err() {
            super::skip("redis-server", "apt-get install redis-server");
            return None;
        }
        // Another process may take the port before the server does.
        for _ in 0..10 {
            let mut server = Self {
                settings: settings.iter().map(ToString::to_string).collect(),
                directory: new_directory(),
                port: super::process::free_port(),
                running: None,
            };
            if server.run() {
                return Some(server);
            }
        }
        panic!("redis-server does not start");
    }

    /// Returns the server that all tests of this binary share. Each test must use its own key
    /// prefix.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<RedisServer>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).as_ref()
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server immediately and keeps its data.
    ///
    /// # Panics
    /// If the server is not running.
    pub fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.orders.write_all(b"keep\n").unwrap();
        running.guard.wait().unwrap();
    }

    /// Starts the server again, on the same port and with the same data.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn restart(&mut self) {
        assert!(self.run(), "redis-server does not start again");
    }

    /// The directory where it keeps its data.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Sends a signal such as `STOP` or `CONT`.
    ///
    /// # Panics
    /// If the server is not running.
    pub fn signal(&self, signal: &str) {
        let server = self.running.as_ref().unwrap().server.to_string();
        let sent = Command::new("kill").args(["-s", signal, &server]).status();
        assert!(sent.unwrap().success());
    }

    /// Sends one command, whose words are separated by spaces. Returns the first line of the
    /// answer, or all of a bulk string.
    ///
    /// # Panics
    /// If the server does not answer.
    #[must_use]
    pub fn ask(&self, command: &str) -> String {
        ask(self.port, command).unwrap()
    }

    /// Starts the server. Returns `true` if it is ready.
    fn run(&mut self) -> bool {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(&self.directory);
        guard.args(["redis-server", "--bind", "127.0.0.1", "--daemonize", "no"]);
        guard.args(["--port", &self.port.to_string()]);
        guard.arg("--dir").arg(&self.directory).args(&self.settings);
        let mut guard = guard
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let server: u32 = line.trim().parse().unwrap();
        let orders = guard.stdin.take().unwrap();
        self.running = Some(Running {
            guard,
            orders,
            server,
        });
        let runs = || {
            let mut alive = Command::new("kill");
            alive.args(["-0", &format!("{server}")]);
            let quiet = alive.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.status().is_ok_and(|status| status.success())
        };
        let answers = || {
            // A server that requires a password is ready too.
            let answer = ask(self.port, "PING").unwrap_or_default();
            answer == "+PONG" || answer.starts_with("-NOAUTH")
        };
        let ready = wait_until(|| answers() || !runs());
        ready && runs()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        match self.running.take() {
            Some(mut running) => {
                drop(running.orders);
                let _ = running.guard.wait();
            }
            None => drop(std::fs::remove_dir_all(&self.directory)),
        }
    }
}

impl RedisCluster {
    /// Starts a cluster. Returns `None` and reports it if Redis is not installed.
    ///
    /// # Panics
    /// If the cluster does not start, or if Redis is not installed and `CI=true`.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let bus = super::process::free_port().to_string();
            let node = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            nodes.push((RedisServer::start(&node)?, bus));
        }
        for ((node, _), slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
            assert_eq!(node.ask(&format!("CLUSTER ADDSLOTSRANGE {slots}")), "+OK");
            for (other, bus) in &nodes {
                let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port);
                assert_eq!(node.ask(&meet), "+OK");
            }
        }
        let nodes: Vec<_> = nodes.into_iter().map(|(node, _)| node).collect();
        let agreed = wait_until(|| {
            nodes.iter().all(|node| {
                let info = node.ask("CLUSTER INFO");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
        });
        assert!(agreed, "the cluster does not come together");
        Some(Self { nodes })
    }

    /// Returns the cluster that all tests of this binary share.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<RedisCluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Returns one of the masters, to kill it and start it again.
    ///
    /// # Panics
    /// If `number` is out of range.
    pub fn node(&mut self, number: usize) -> &mut RedisServer {
        self.nodes.get_mut(number).unwrap()
    }

    /// Returns the URLs of the masters.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }
}

fn new_directory() -> PathBuf {
    use std::hash::{BuildHasher, RandomState};
    let name = RandomState::new().hash_one(std::process::id());
    let directory = std::env::temp_dir().join(format!("supersession-redis-{name:016x}"));
    std::fs::create_dir(&directory).unwrap();
    directory
}

fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let words: Vec<_> = command.split_whitespace().collect();
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    stream.write_all(request.as_bytes())?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    let Some(length) = line
        .strip_prefix('$')
        .and_then(|length| length.parse().ok())
    else {
        return Ok(line.to_owned());
    };
    let mut text = vec![0; length];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
