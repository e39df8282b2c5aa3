//! A PostgreSQL server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::process::{Guarded, free_port, is_running, signal, wait_until};
use super::skip;

const INSTALL: &str = "apt-get install postgresql";
const USER: &str = "tester";
/// Contains characters that must be encoded in a URL, and is easy to search for in logs.
const PASSWORD: &str = "pa/ss@word";

/// A PostgreSQL server with a fresh, empty cluster, on a free port of the loopback interface.
///
/// Requires Debian's `postgresql` package, or `initdb` in the `PATH`. `POSTGRES_BIN` overrides the
/// location. Durability settings are PostgreSQL's defaults.
pub struct PostgresServer {
    directory: PathBuf,
    port: u16,
    programs: PathBuf,
    settings: Vec<String>,
    running: Mutex<Option<Guarded>>,
}

impl PostgresServer {
    /// Returns the server that all tests of a binary share. The first call starts it, and it stops
    /// when the binary ends. Returns `None` and reports it if PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        if programs().is_none() {
            skip("PostgreSQL", INSTALL);
            return None;
        }
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Starts a server that stops on drop. Returns `None` in the same cases as
    /// [`shared`](Self::shared).
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    /// Starts a server with TLS and this certificate and key, both in PEM.
    pub fn start_encrypted(certificate: &Path, key: &Path) -> Option<Self> {
        Self::start_with(Some((certificate, key)))
    }

    fn start_with(tls: Option<(&Path, &Path)>) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(programs) = programs() else {
            skip("PostgreSQL", INSTALL);
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("supersession-postgres-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let password = directory.join("password");
        fs::write(&password, PASSWORD).unwrap();
        let mut settings = Vec::new();
        if let Some((certificate, key)) = tls {
            for (file, name, setting) in [
                (certificate, "server.pem", "ssl_cert_file"),
                (key, "server.key", "ssl_key_file"),
            ] {
                let copy = directory.join(name);
                fs::copy(file, &copy).unwrap();
                // PostgreSQL rejects a key file that other users can read.
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
                settings.push(format!("{setting}={}", copy.display()));
            }
            settings.push("ssl=on".to_owned());
        }
        give_to_server(&directory);
        let init = [
            programs.join("initdb").display().to_string(),
            format!("--pgdata={}", directory.join("data").display()),
            format!("--username={USER}"),
            format!("--pwfile={}", password.display()),
            "--auth-host=scram-sha-256".to_owned(),
            "--auth-local=trust".to_owned(),
            "--encoding=UTF8".to_owned(),
            "--locale=C.UTF-8".to_owned(),
            "--no-sync".to_owned(),
        ];
        let init = as_server(&init);
        let done = Command::new(&init[0]).args(&init[1..]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "initdb: {said}");
        let server = Self {
            directory,
            port: free_port(),
            programs,
            settings,
            running: Mutex::new(None),
        };
        server.resume();
        Some(server)
    }

    /// Returns the URL of the database `postgres` over TCP, including the password.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL with another port, for example that of a proxy.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://{USER}:pa%2Fss%40word@127.0.0.1:{port}/postgres")
    }

    /// Returns the URL over the Unix socket, where no password is required.
    pub fn socket_url(&self) -> String {
        let folder = self.directory.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{}/postgres", self.port)
    }

    /// Returns the port on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the server's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Kills all processes of the server at once, as a machine failure does.
    pub fn kill(&self) {
        let guarded = self.running.lock().unwrap().take();
        let guarded = guarded.unwrap();
        let family = guarded.family();
        signal("KILL", &family);
        guarded.stop();
        for pid in family {
            wait_until("the server's end", || !is_running(pid));
        }
    }

    /// Starts the server again, on the same port and with the same data.
    pub fn resume(&self) {
        let data = self.directory.join("data");
        let mut command = vec![
            self.programs.join("postgres").display().to_string(),
            "-D".to_owned(),
            data.display().to_string(),
        ];
        let fixed = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.directory.display()),
            "max_connections=300".to_owned(),
        ];
        for setting in fixed.into_iter().chain(self.settings.iter().cloned()) {
            command.extend(["-c".to_owned(), setting]);
        }
        let guarded = Guarded::start(&self.directory, "INT", &as_server(&command));
        let pid = guarded.pid;
        wait_until("PostgreSQL to accept connections", || {
            assert!(is_running(pid), "PostgreSQL ended:\n{}", self.log());
            let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            let own = state.lines().next() == Some(&pid.to_string());
            own && state.lines().nth(7).map(str::trim) == Some("ready")
        });
        *self.running.lock().unwrap() = Some(guarded);
    }

    /// Suspends all processes of the server. Their connections stay open.
    pub fn freeze(&self) {
        let running = self.running.lock().unwrap();
        signal("STOP", &running.as_ref().unwrap().family());
    }

    /// Resumes the processes.
    pub fn thaw(&self) {
        let running = self.running.lock().unwrap();
        signal("CONT", &running.as_ref().unwrap().family());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let running = self.running.get_mut();
        let Some(guarded) = running.unwrap_or_else(|error| error.into_inner()).take() else {
            let _ = fs::remove_dir_all(&self.directory);
            return;
        };
        signal("CONT", &guarded.family());
        guarded.remove();
    }
}

impl std::fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresServer")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Returns the directory of the newest installed version.
fn programs() -> Option<PathBuf> {
    let given = std::env::var_os("POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path()).collect())
        .unwrap_or_default();
    debian.sort_by_key(|path: &PathBuf| {
        let version = path
            .file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    given
        .into_iter()
        .chain(debian.into_iter().map(|version| version.join("bin")))
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Wraps a command to run as another user, because PostgreSQL does not run as root.
fn as_server(command: &[String]) -> Vec<String> {
    let Some(user) = other_user() else {
        return command.to_vec();
    };
    let mut whole: Vec<String> = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        .map(str::to_owned)
        .to_vec();
    whole.extend_from_slice(command);
    whole
}

fn give_to_server(directory: &Path) {
    if let Some(user) = other_user() {
        let done = Command::new("chown")
            .arg("-R")
            .arg(user)
            .arg(directory)
            .status();
        assert!(done.unwrap().success(), "chown {}", directory.display());
    }
}

fn other_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    (id.stdout == b"0\n").then_some("postgres")
}
