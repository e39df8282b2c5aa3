//! The readiness probe of `--probe`.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::Options;

impl Options {
    /// Calls the readiness check of the server that listens on the address of these options, for
    /// container health checks without an HTTP client. If that server listens on all addresses, the
    /// loopback address is called.
    ///
    /// # Errors
    /// If no server is reachable, or it is not ready.
    pub fn probe_readiness(&self) -> io::Result<()> {
        const TIMEOUT: Duration = Duration::from_secs(2);
        let mut last = io::Error::other(format!("--host {} has no address", self.host));
        for mut address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => {
                    address.set_ip(Ipv4Addr::LOCALHOST.into());
                }
                IpAddr::V6(ip) if ip.is_unspecified() => {
                    address.set_ip(Ipv6Addr::LOCALHOST.into());
                }
                _ => {}
            }
            match self.probe_readiness_at(address, TIMEOUT) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn probe_readiness_at(&self, address: SocketAddr, timeout: Duration) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let base_path = self.base_path.trim_end_matches('/');
        write!(
            stream,
            "GET {base_path}/readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut response = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut response)?;
        if response.starts_with(b"HTTP/1.1 200 ") {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "the server at {address} is not ready"
            )))
        }
    }
}
