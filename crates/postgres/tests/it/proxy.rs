//! A TCP proxy before the server: counts what passes, holds it up, cuts it off.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use supersession_testkit::servers::PostgresServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct State {
    round_trips: AtomicU64,
    statements: AtomicU64,
    connections: AtomicU64,
    /// Cut the connection as soon as the server has begun to answer a statement with this text in
    /// it, before the client hears of it.
    cut_after: Mutex<Option<String>>,
    frozen: watch::Sender<bool>,
    cut: watch::Sender<u64>,
}

/// What passed between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) round_trips: u64,
    pub(crate) statements: u64,
}

impl Proxy {
    pub(crate) async fn before(server: &PostgresServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let (target, shared) = (server.port(), Arc::clone(&state));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A server that is down refuses; then so does the proxy, by closing.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(pass(client, server, Arc::clone(&shared)));
                }
            }
        });
        Self {
            port,
            state,
            accepting: accepting.abort_handle(),
        }
    }

    /// In plain text, so that statements can be counted.
    pub(crate) fn url(&self, server: &PostgresServer) -> String {
        format!("{}?sslmode=disable", server.url_at(self.port))
    }

    pub(crate) fn passed(&self) -> Passed {
        Passed {
            round_trips: self.state.round_trips.load(Ordering::SeqCst),
            statements: self.state.statements.load(Ordering::SeqCst),
        }
    }

    pub(crate) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// From now on nothing passes, in either direction, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.state.frozen.send_replace(true);
    }

    pub(crate) fn thaw(&self) {
        self.state.frozen.send_replace(false);
    }

    /// Closes all connections that there are.
    pub(crate) fn cut(&self) {
        self.state.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Closes the next connection on which the server has answered a statement on this table.
    pub(crate) fn cut_after(&self, text: &str) {
        *self.state.cut_after.lock().unwrap() = Some(text.to_owned());
    }

    /// Whether what [`Self::cut_after`] waits for has happened.
    pub(crate) fn has_cut(&self) -> bool {
        self.state.cut_after.lock().unwrap().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

/// One connection.
struct Way {
    state: Arc<State>,
    client_spoke_last: AtomicBool,
    /// The statement after whose answer the connection is to be cut has been seen.
    armed: AtomicBool,
}

async fn pass(client: TcpStream, server: TcpStream, state: Arc<State>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let mut cut = state.cut.subscribe();
    let way = Way {
        state,
        client_spoke_last: AtomicBool::new(false),
        armed: AtomicBool::new(false),
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = way.upstream(from_client, to_server) => {}
        () = way.downstream(from_server, to_client) => {}
        _ = cut.changed() => {}
    }
}

impl Way {
    async fn upstream(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut frozen = self.state.frozen.subscribe();
        let mut messages = Messages::default();
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            frozen.wait_for(|frozen| !frozen).await.unwrap();
            if !self.client_spoke_last.swap(true, Ordering::SeqCst) {
                self.state.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            for (kind, body) in messages.read(&buffer[..length]) {
                // Execute, and a simple query.
                if kind == b'E' || kind == b'Q' {
                    self.state.statements.fetch_add(1, Ordering::SeqCst);
                }
                let wanted = self.state.cut_after.lock().unwrap().clone();
                if let Some(wanted) = wanted
                    && (kind == b'B' || kind == b'Q')
                    && String::from_utf8_lossy(&body).contains(&wanted)
                {
                    self.armed.store(true, Ordering::SeqCst);
                }
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }

    async fn downstream(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut frozen = self.state.frozen.subscribe();
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            frozen.wait_for(|frozen| !frozen).await.unwrap();
            self.client_spoke_last.store(false, Ordering::SeqCst);
            // The server is ready for the next statement, so it has committed this one.
            let is_ready = buffer[..length].ends_with(b"Z\0\0\0\x05I");
            if is_ready && self.armed.swap(false, Ordering::SeqCst) {
                *self.state.cut_after.lock().unwrap() = None;
                return;
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }
}

/// The messages in what a client sends.
#[derive(Default)]
struct Messages {
    rest: Vec<u8>,
    has_started: bool,
}

impl Messages {
    fn read(&mut self, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.rest.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            // The first message has no type.
            let at = usize::from(self.has_started);
            let Some(length) = self.rest.get(at..at + 4) else {
                return messages;
            };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if self.rest.len() < at + length {
                return messages;
            }
            let message: Vec<_> = self.rest.drain(..at + length).collect();
            if self.has_started {
                messages.push((message[0], message[5..].to_vec()));
            }
            self.has_started = true;
        }
    }
}
