//! A way to the server that counts what goes through, and can lose it.

use std::sync::{Arc, Mutex};

use redis_protocol::Commands;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Connections are cut, new ones too.
    Cut,
    /// Commands reach the server; the first answer is lost together with the connection.
    LoseAnswers,
    /// Nothing goes through, and nothing is said.
    Freeze,
}

pub(crate) struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    seen: Arc<Mutex<Seen>>,
}

/// What went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The commands that the client sent.
    pub(crate) commands: Vec<String>,
    /// How often it sent something after it had got something.
    pub(crate) round_trips: usize,
    answered: bool,
}

impl Proxy {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, modes) = watch::channel(Mode::Pass);
        let seen = Arc::<Mutex<Seen>>::default();
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (modes, noted) = (modes.clone(), Arc::clone(&noted));
                tokio::spawn(async move {
                    if *modes.borrow() == Mode::Cut {
                        return;
                    }
                    client.set_nodelay(true).unwrap();
                    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
                        return;
                    };
                    let (client_in, client_out) = client.into_split();
                    let (server_in, server_out) = server.into_split();
                    // Whichever way ends first ends the other.
                    tokio::select! {
                        () = commands(client_in, server_out, modes.clone(), &noted) => {}
                        () = answers(server_in, client_out, modes, &noted) => {}
                    }
                });
            }
        });
        Self { port, mode, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// What went through since the last call.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

async fn commands(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    seen: &Mutex<Seen>,
) {
    let mut parser = Commands::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = tokio::select! {
            length = from.read(&mut buffer) => length.unwrap_or(0),
            _ = modes.wait_for(|mode| *mode == Mode::Cut) => 0,
        };
        if length == 0 {
            return;
        }
        {
            let mut seen = seen.lock().unwrap();
            if seen.answered || seen.round_trips == 0 {
                seen.round_trips += 1;
                seen.answered = false;
            }
            seen.commands.extend(parser.push(&buffer[..length]));
        }
        let _ = modes.wait_for(|mode| *mode != Mode::Freeze).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    seen: &Mutex<Seen>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = tokio::select! {
            length = from.read(&mut buffer) => length.unwrap_or(0),
            _ = modes.wait_for(|mode| *mode == Mode::Cut) => 0,
        };
        if length == 0 || *modes.borrow() == Mode::LoseAnswers {
            return;
        }
        seen.lock().unwrap().answered = true;
        let _ = modes.wait_for(|mode| *mode != Mode::Freeze).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

mod redis_protocol {
    /// Takes commands out of a stream of bytes.
    #[derive(Default)]
    pub(super) struct Commands {
        waiting: Vec<u8>,
    }

    impl Commands {
        /// The names of the commands that are complete now.
        pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
            self.waiting.extend_from_slice(bytes);
            let mut names = Vec::new();
            while let Some((name, length)) = first(&self.waiting) {
                self.waiting.drain(..length);
                names.push(name);
            }
            names
        }
    }

    /// The name of the first command, and how many bytes it takes.
    fn first(bytes: &[u8]) -> Option<(String, usize)> {
        let (words, mut at) = number(bytes, 0, b'*')?;
        let mut name = None;
        for _ in 0..words {
            let (length, start) = number(bytes, at, b'$')?;
            let word = bytes.get(start..start + length)?;
            name.get_or_insert_with(|| String::from_utf8_lossy(word).to_uppercase());
            at = start + length + 2;
        }
        (bytes.len() >= at).then_some((name?, at))
    }

    fn number(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
        let rest = bytes.get(at..)?;
        assert!(
            rest.first().is_none_or(|first| *first == mark),
            "no command"
        );
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let digits = std::str::from_utf8(&rest[1..end]).unwrap();
        Some((digits.parse().unwrap(), at + end + 2))
    }
}
