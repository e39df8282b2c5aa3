//! What a server says when it is ready: where it is, and what its users send.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde::{Deserialize, Serialize};

/// How many users a server has.
pub const USERS: usize = 256;

/// A server that is ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Served {
    /// Its port on the loopback interface.
    pub port: u16,
    /// The headers that each of its users sends.
    pub users: Vec<Vec<(String, String)>>,
}

impl Served {
    /// Users with such cookies and tokens. Everybody sends both, whoever looks at them.
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

    /// Tells whoever started this process, and returns when they have gone.
    ///
    /// # Errors
    /// When they cannot be told.
    pub fn tell_and_wait(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(self)?)?;
        out.flush()?;
        drop(out);
        std::io::stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

/// A listener on a free port of the loopback interface, for an async runtime.
///
/// # Errors
/// When there is none.
pub fn listener() -> anyhow::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
