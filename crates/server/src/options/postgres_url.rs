//! Builds the URL of a PostgreSQL database from the settings that SuperTokens' core accepts: a URI,
//! and separate values for the parts that the URI omits.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config_error::ConfigError;

/// Default database of SuperTokens' core.
const DEFAULT_DATABASE: &str = "supertokens";
const DEFAULT_HOST: &str = "localhost";

/// Characters of a host that are not percent-encoded: those of names, addresses and lists of them.
const HOST: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b':')
    .remove(b',')
    .remove(b'[')
    .remove(b']');

/// The settings. As in the reference, the URI takes precedence over the separate values.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) uri: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) database: Option<&'a str>,
}

/// A complete URL, and the schema if the URI contains one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) url: String,
    pub(super) schema: Option<String>,
}

impl Parts<'_> {
    /// Returns `true` if no setting is given.
    pub(super) fn are_absent(&self) -> bool {
        let texts = [self.uri, self.host, self.user, self.password, self.database];
        texts.iter().all(Option::is_none) && self.port.is_none()
    }

    pub(super) fn location(&self) -> Result<Location, ConfigError> {
        let (scheme, rest) = match self.uri {
            None => ("postgresql", ""),
            Some(uri) => uri
                .split_once("://")
                .filter(|(scheme, _)| {
                    let scheme = scheme.to_ascii_lowercase();
                    matches!(scheme.as_str(), "postgres" | "postgresql")
                })
                .ok_or_else(|| {
                    ConfigError::new(
                        "--postgresql-connection-uri (POSTGRESQL_CONNECTION_URI) must have the form postgresql://user:password@host:port/database"
                            .to_owned(),
                    )
                })?,
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let mut schema = None;
        let mut options = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("currentSchema", name)) => schema = Some(name.to_owned()),
                // The reference adds this option to every URI, but it applies to another database.
                Some(("allowPublicKeyRetrieval", _)) => {}
                _ => options.push(option),
            }
        }
        let has = |name: &str| {
            options.iter().any(|option| {
                option
                    .split_once('=')
                    .is_some_and(|(known, _)| known == name)
            })
        };

        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let user = or_else(user, || self.user.map(encoded));
        let password = or_else(password, || self.password.map(encoded));
        if user.is_empty() && self.uri.is_none() {
            return Err(ConfigError::new(
                "--postgresql-user (POSTGRESQL_USER) must be set, or --postgresql-connection-uri (POSTGRESQL_CONNECTION_URI) must contain the database"
                    .to_owned(),
            ));
        }
        let address = if has("host") || has("hostaddr") {
            address.to_owned()
        } else {
            self.address(address)
        };
        let database = if has("dbname") {
            database.to_owned()
        } else {
            or_else(database, || {
                Some(encoded(self.database.unwrap_or(DEFAULT_DATABASE)))
            })
        };
        let login = match (user.as_str(), password.as_str()) {
            ("", "") => String::new(),
            (user, "") => format!("{user}@"),
            (user, password) => format!("{user}:{password}@"),
        };
        let query = if options.is_empty() {
            String::new()
        } else {
            format!("?{}", options.join("&"))
        };
        Ok(Location {
            url: format!("{scheme}://{login}{address}/{database}{query}"),
            schema,
        })
    }

    /// Returns host and port of a URI that may omit either.
    fn address(&self, given: &str) -> String {
        let (host, port) = match given.rsplit_once(':') {
            // The colon of an IPv6 address is inside brackets.
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (given, ""),
        };
        let host = or_else(host, || {
            let host = self.host.unwrap_or(DEFAULT_HOST);
            Some(if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]")
            } else {
                utf8_percent_encode(host, HOST).to_string()
            })
        });
        let port = or_else(port, || self.port.map(|port| port.to_string()));
        if given.contains(',') {
            // Each host of a list has its own port.
            given.to_owned()
        } else if port.is_empty() {
            host
        } else {
            let hosts: Vec<_> = host
                .split(',')
                .map(|host| format!("{host}:{port}"))
                .collect();
            hosts.join(",")
        }
    }
}

/// Returns the text, or the alternative if the text is empty.
fn or_else(text: &str, other: impl FnOnce() -> Option<String>) -> String {
    if text.is_empty() {
        other().unwrap_or_default()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Parts<'static> {
        Parts {
            uri: None,
            host: Some("db.example.com"),
            port: Some(6432),
            user: Some("alice"),
            password: Some("p@ss:w/rd"),
            database: Some("auth"),
        }
    }

    #[track_caller]
    fn check(parts: &Parts<'_>, url: &str, schema: Option<&str>) {
        let location = parts.location().unwrap();
        assert_eq!(location.url, url);
        assert_eq!(location.schema.as_deref(), schema);
    }

    #[test]
    fn separate_values_form_a_url() {
        check(
            &values(),
            "postgresql://alice:p%40ss%3Aw%2Frd@db.example.com:6432/auth",
            None,
        );
        let user = Parts {
            user: Some("alice"),
            ..Parts::default()
        };
        check(&user, "postgresql://alice@localhost/supertokens", None);
        let socket = Parts {
            host: Some("/var/run/postgresql"),
            ..user
        };
        check(
            &socket,
            "postgresql://alice@%2Fvar%2Frun%2Fpostgresql/supertokens",
            None,
        );
        let six = Parts {
            host: Some("::1"),
            ..values()
        };
        check(
            &six,
            "postgresql://alice:p%40ss%3Aw%2Frd@[::1]:6432/auth",
            None,
        );
        assert!(
            Parts::default()
                .location()
                .unwrap_err()
                .to_string()
                .contains("POSTGRESQL_USER")
        );
    }

    #[test]
    fn a_uri_takes_precedence_over_separate_values() {
        for (uri, url, schema) in [
            (
                "postgresql://bob:secret@other:1/else",
                "postgresql://bob:secret@other:1/else",
                None,
            ),
            (
                "postgres://bob@other",
                "postgres://bob:p%40ss%3Aw%2Frd@other:6432/auth",
                None,
            ),
            (
                "postgresql:///else?sslmode=require",
                "postgresql://alice:p%40ss%3Aw%2Frd@db.example.com:6432/else?sslmode=require",
                None,
            ),
            (
                "postgresql://other/else?currentSchema=st&allowPublicKeyRetrieval=true&sslmode=require",
                "postgresql://alice:p%40ss%3Aw%2Frd@other:6432/else?sslmode=require",
                Some("st"),
            ),
            (
                "postgresql://bob:x@[::1]:2/else",
                "postgresql://bob:x@[::1]:2/else",
                None,
            ),
            (
                "postgresql://bob:x@one:1,two:2/else",
                "postgresql://bob:x@one:1,two:2/else",
                None,
            ),
            (
                "postgresql://bob:x@/else?host=/run/pg",
                "postgresql://bob:x@/else?host=/run/pg",
                None,
            ),
        ] {
            let parts = Parts {
                uri: Some(uri),
                ..values()
            };
            check(&parts, url, schema);
        }
        for bad in ["mysql://x", "host", ""] {
            let parts = Parts {
                uri: Some(bad),
                ..values()
            };
            let error = parts.location().unwrap_err().to_string();
            assert!(error.contains("POSTGRESQL_CONNECTION_URI"), "{error}");
        }
    }
}
