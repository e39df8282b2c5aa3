//! TLS parameters of a URL that the driver does not know: `sslmode=verify-full`, and `sslrootcert`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::error::{OpenError, OpenErrorKind};

/// The trusted authorities that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The authorities that the system trusts.
    System,
    /// The authorities in a PEM file.
    File(PathBuf),
}

/// Parses a URL, or `key=value` pairs, as the driver does, and also the TLS parameters that the
/// driver does not know.
pub(crate) fn parse(url: &str) -> Result<(Config, Option<Roots>), OpenErrorKind> {
    let mut ssl = Ssl::default();
    let known = match parameters_of_url(url) {
        Some((rest, parameters)) => ssl.take_from_url(rest, parameters),
        None if has_scheme(url) => Ok(url.to_owned()),
        None => ssl.take_from_pairs(url),
    }?;
    // The driver's parse errors can contain part of the password.
    let mut config: Config = known.parse().map_err(|_| OpenErrorKind::InvalidUrl)?;
    if ssl.roots == Some(Roots::System) {
        match (ssl.has_mode, config.get_ssl_mode()) {
            (false, _) => drop(config.ssl_mode(SslMode::Require)),
            (true, SslMode::Require) => {}
            // As in libpq: the system's authorities issue certificates to everyone, so the name
            // must be verified.
            (true, _) => return Err(OpenErrorKind::WeakSslMode),
        }
    }
    Ok((config, ssl.roots))
}

/// Reads the PEM file that a URL names.
pub(crate) fn read(file: &Path, database: &str) -> Result<Vec<u8>, OpenError> {
    std::fs::read(file).map_err(|error| {
        let source = format!("sslrootcert={}: {error}", file.display());
        OpenError::new(Some(database), OpenErrorKind::Certificates).with_source(source)
    })
}

#[derive(Debug, Default)]
struct Ssl {
    has_mode: bool,
    roots: Option<Roots>,
}

impl Ssl {
    /// Returns the value that the driver reads instead of this parameter's, or `None` to omit the
    /// parameter.
    fn take<'a>(&mut self, name: &str, value: &'a str) -> Result<Option<&'a str>, OpenErrorKind> {
        match (name, value) {
            ("sslmode", "verify-ca") => return Err(OpenErrorKind::WeakSslMode),
            ("sslmode", _) => {
                self.has_mode = true;
                // Our `require` verifies everything that libpq's `verify-full` does.
                return Ok(Some(if value == "verify-full" {
                    "require"
                } else {
                    value
                }));
            }
            ("sslrootcert", "system") => self.roots = Some(Roots::System),
            ("sslrootcert", file) => self.roots = Some(Roots::File(file.into())),
            _ => return Ok(Some(value)),
        }
        Ok(None)
    }

    fn take_from_url(&mut self, rest: &str, parameters: &str) -> Result<String, OpenErrorKind> {
        let mut kept = Vec::new();
        for parameter in parameters.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            match self.take(&name, &value)? {
                Some(same) if same == value => kept.push(parameter.to_owned()),
                Some(other) => kept.push(format!("{name}={other}")),
                None => {}
            }
        }
        Ok(match kept.join("&") {
            none if none.is_empty() => rest.to_owned(),
            kept => format!("{rest}?{kept}"),
        })
    }

    fn take_from_pairs(&mut self, mut text: &str) -> Result<String, OpenErrorKind> {
        let mut kept = String::new();
        loop {
            text = text.trim_start();
            let Some((name, after)) = text.split_once('=') else {
                // The rest is empty, or text that the driver cannot parse either.
                return Ok(kept + text);
            };
            let (value, after) =
                quoted_or_bare(after.trim_start()).ok_or(OpenErrorKind::InvalidUrl)?;
            let pair = text.get(..text.len() - after.len()).unwrap_or_default();
            match self.take(name.trim_end(), &value)? {
                Some(same) if same == value => kept.push_str(pair),
                Some(other) => kept.push_str(&format!("{}={other}", name.trim_end())),
                None => {}
            }
            kept.push(' ');
            text = after;
        }
    }
}

/// Parameters that the driver supports.
const SUPPORTED: [&str; 21] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
    "",
];

/// Parameters of other drivers, and their replacements.
const FOREIGN: [(&[&str], &str); 8] = [
    (
        &["currentSchema", "schema", "search_path"],
        "call `schema` (`postgresql_table_schema` of the server)",
    ),
    (&["ssl", "tls"], "use `sslmode=require`"),
    (
        &["sslcert", "sslkey", "sslpassword", "sslidentity"],
        "give a pool of your own with a client certificate to `pool`",
    ),
    (
        &[
            "connection_limit",
            "maximumPoolSize",
            "max_connections",
            "pool_size",
        ],
        "call `pool_size` (`postgresql_connection_pool_size` of the server)",
    ),
    (
        &[
            "pool_timeout",
            "loginTimeout",
            "socketTimeout",
            "socket_timeout",
            "lock_timeout",
            "statement_timeout",
        ],
        "call `connect_timeout` or `verb_timeout`",
    ),
    (&["ApplicationName"], "use `application_name`"),
    (
        &["targetServerType"],
        "use `target_session_attrs=read-write`",
    ),
    (
        &[
            "charset",
            "client_encoding",
            "gssencmode",
            "krbsrvname",
            "passfile",
            "pgbouncer",
            "prepareThreshold",
            "reWriteBatchedInserts",
            "require_auth",
            "requirepeer",
            "service",
            "sslcompression",
            "sslcrl",
            "ssl_min_protocol_version",
            "statement_cache_capacity",
            "statement-cache-capacity",
            "stringtype",
            "TimeZone",
        ],
        "leave it out",
    ),
];

/// Returns a message that names a parameter that the driver does not know, and the fix. A name that
/// no other driver has may be part of a password, so such names are counted and not repeated.
pub(crate) fn unsupported(url: &str) -> Option<String> {
    let names: Vec<Cow<'_, str>> = match parameters_of_url(url) {
        Some((_, parameters)) => parameters
            .split('&')
            .filter_map(|parameter| decoded(parameter.split('=').next()?).ok())
            .collect(),
        None if has_scheme(url) => Vec::new(),
        None => names_of_pairs(url).into_iter().map(Cow::Borrowed).collect(),
    };
    let at = names
        .iter()
        .position(|name| !SUPPORTED.contains(&name.as_ref()))?;
    let name = names.get(at)?;
    let foreign = FOREIGN
        .iter()
        .find(|(names, _)| names.contains(&name.as_ref()));
    Some(match foreign {
        Some((_, fix)) => {
            format!("the parameter `{name}` of the URL is not supported. Fix: {fix}")
        }
        None => format!(
            "parameter {} of the URL is unknown. Fix: correct its name, or leave it out; known are {}",
            at + 1,
            SUPPORTED.join(", ").trim_end_matches(", ")
        ),
    })
}

fn names_of_pairs(mut text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    while let Some((name, after)) = text.split_once('=') {
        names.push(name.trim());
        let Some((_, after)) = quoted_or_bare(after.trim_start()) else {
            break;
        };
        text = after;
    }
    names
}

fn has_scheme(url: &str) -> bool {
    ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

/// Splits a URL into its parameters and the text before them. As in the driver, the first `@` ends
/// the password, which may contain a `?`.
fn parameters_of_url(url: &str) -> Option<(&str, &str)> {
    if !has_scheme(url) {
        return None;
    }
    let after_password = url.find('@').unwrap_or_default();
    let at = after_password + url.get(after_password..)?.find('?')?;
    Some((url.get(..at)?, url.get(at + 1..)?))
}

fn decoded(text: &str) -> Result<Cow<'_, str>, OpenErrorKind> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| OpenErrorKind::InvalidUrl)
}

/// Returns the first value, bare or in quotes, and the text after it. Returns `None` if the quotes
/// are not closed.
fn quoted_or_bare(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let in_quotes = text.starts_with('\'');
    let mut characters = text.char_indices().skip(usize::from(in_quotes));
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if in_quotes => return Some((value, text.get(at + 1..)?)),
            space if space.is_whitespace() && !in_quotes => {
                return Some((value, text.get(at..)?));
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (!in_quotes).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Option<Roots> {
        Some(Roots::File(PathBuf::from(path)))
    }

    #[track_caller]
    fn means(url: &str, mode: SslMode, roots: &Option<Roots>) {
        let (config, found) = parse(url).unwrap();
        assert_eq!(config.get_ssl_mode(), mode, "{url}");
        assert_eq!(&found, roots, "{url}");
        assert_eq!(config.get_dbname(), Some("app"), "{url}");
        assert_eq!(config.get_user(), Some("me"), "{url}");
    }

    #[test]
    fn what_the_driver_does_not_know_is_understood_in_both_forms() {
        let with = |parameters: &str| format!("postgres://me:pa%3Fss@db.internal/app{parameters}");
        means(&with(""), SslMode::Prefer, &None);
        means(&with("?sslmode=require"), SslMode::Require, &None);
        means(&with("?sslmode=verify-full"), SslMode::Require, &None);
        means(
            &with(
                "?application_name=a&sslrootcert=/etc/my%20ca.pem&sslmode=verify-full&connect_timeout=3",
            ),
            SslMode::Require,
            &file("/etc/my ca.pem"),
        );
        means(
            &with("?sslrootcert=ca.pem"),
            SslMode::Prefer,
            &file("ca.pem"),
        );
        means(
            &with("?sslrootcert=system"),
            SslMode::Require,
            &Some(Roots::System),
        );
        means(
            &with("?sslrootcert=system&sslmode=verify-full"),
            SslMode::Require,
            &Some(Roots::System),
        );
        means(
            "postgresql://me:a?b@db/app?sslmode=verify-full",
            SslMode::Require,
            &None,
        );
        means("host=db user=me dbname=app", SslMode::Prefer, &None);
        means(
            r"host=db sslmode = verify-full user='me' sslrootcert='/etc/my \'ca\'.pem' dbname=app",
            SslMode::Require,
            &file("/etc/my 'ca'.pem"),
        );
    }

    #[test]
    fn the_rest_reaches_the_driver_as_it_was() {
        let url = "postgres://me:p%40ss@one:1,two:2/app?sslrootcert=x&target_session_attrs=read-write&options=-c%20a%3Db";
        let (config, _) = parse(url).unwrap();
        assert_eq!(config.get_password(), Some(&b"p@ss"[..]));
        assert_eq!(config.get_ports(), [1, 2]);
        assert_eq!(config.get_options(), Some("-c a=b"));
        let (config, _) =
            parse(r"password='a b\'c' sslrootcert=x host=h options='-c a=b'").unwrap();
        assert_eq!(config.get_password(), Some(&b"a b'c"[..]));
        assert_eq!(config.get_options(), Some("-c a=b"));
    }

    #[test]
    fn what_would_protect_less_than_it_says_is_refused() {
        for weak in [
            "postgres://me@db/app?sslmode=verify-ca",
            "host=db sslmode=verify-ca",
            "postgres://me@db/app?sslmode=prefer&sslrootcert=system",
            "host=db sslmode=disable sslrootcert=system",
        ] {
            assert_eq!(
                parse(weak).unwrap_err(),
                OpenErrorKind::WeakSslMode,
                "{weak}"
            );
        }
        for broken in [
            "postgres://me@db/app?sslmode=maybe",
            "postgres://me@db/app?sslrootcert=%ff",
            "postgres://me@db/app?nonsense=1",
            "host=db sslmode",
            "sslrootcert='x",
        ] {
            assert_eq!(
                parse(broken).unwrap_err(),
                OpenErrorKind::InvalidUrl,
                "{broken}"
            );
        }
    }

    #[test]
    fn parameters_of_other_drivers_are_named_with_their_fix() {
        for (url, expected) in [
            ("postgres://me@db/app?currentSchema=auth", "`currentSchema`"),
            (
                "postgres://me@db/app?sslmode=require&schema=auth",
                "`schema`",
            ),
            ("postgres://me@db/app?ssl=true", "sslmode=require"),
            ("host=db sslcert='a b' user=me", "`sslcert`"),
            ("postgres://me@db/app?user=me&nonsense=1", "parameter 2"),
            ("host=db nonsense=1", "parameter 2"),
        ] {
            assert_eq!(parse(url).unwrap_err(), OpenErrorKind::InvalidUrl, "{url}");
            let text = unsupported(url).unwrap();
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("nonsense"), "{text}");
        }
        assert_eq!(
            unsupported("postgres://me:a?b=c@db/app?sslmode=maybe"),
            None
        );
    }
}
