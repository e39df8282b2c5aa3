//! The message of a server that is ready: its address, and the headers that its users send.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde::{Deserialize, Serialize};

/// Number of users of a server.
pub const USERS: usize = 256;

/// A server that is ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Served {
    /// Port on the loopback interface.
    pub port: u16,
    /// The headers that each user sends.
    pub users: Vec<Vec<(String, String)>>,
}

impl Served {
    /// Creates users with these cookies and tokens. Every user sends both, whether or not the
    /// server reads them.
    #[must_use]
    pub fn new(port: u16, cookies: &[String], tokens: &[String]) -> Self {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let users = tokens
            .iter()
            .enumerate()
            .map(|(at, token)| {
                let cookie = cookies
                    .get(at)
                    .map_or("theme=0123456789abcdef", String::as_str);
                vec![
                    header("accept", "application/json".to_owned()),
                    header("cookie", cookie.to_owned()),
                    header("authorization", format!("Bearer {token}")),
                ]
            })
            .collect();
        Self { port, users }
    }

    /// Writes the message to the parent process and returns when that process ends.
    ///
    /// # Errors
    /// If the message cannot be written.
    pub fn tell_and_wait(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(self)?)?;
        out.flush()?;
        drop(out);
        std::io::stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

/// Binds a free port of the loopback interface, for use with an async runtime.
///
/// # Errors
/// If no port can be bound.
pub fn listener() -> anyhow::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
