//! The name of a database: a path, or a URL as other crates write it.
//!
//! SQLite itself always gets an absolute path, so that no name has a special meaning for it.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

const FOREIGN: &str = "this is the URL of something else than a SQLite database";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Path(PathBuf),
    Memory,
    /// A name that is rejected when the database is opened. Omits the name if it may contain a
    /// password.
    Refused {
        name: Option<PathBuf>,
        reason: &'static str,
    },
}

impl Location {
    /// Applies the rule of the crate documentation, section "Names".
    pub(crate) fn of(name: &Path) -> Self {
        let located = match name.to_str() {
            Some(text) => locate(text),
            None => Ok(Self::Path(name.to_owned())),
        };
        located.unwrap_or_else(|reason| Self::Refused {
            name: (reason != FOREIGN).then(|| name.to_owned()),
            reason,
        })
    }
}

fn locate(text: &str) -> Result<Location, &'static str> {
    match scheme(text) {
        Some(("sqlite", rest)) => url(rest.strip_prefix("//").unwrap_or(rest)),
        Some(("file", rest)) => match rest.strip_prefix("//") {
            None => url(rest),
            Some(after) => {
                let path = after.strip_prefix("localhost").unwrap_or(after);
                if !path.starts_with('/') {
                    return Err("a `file://` URL has no host: write `file:name` or `file:///path`");
                }
                url(path)
            }
        },
        Some((_, rest)) if rest.starts_with("//") => Err(FOREIGN),
        _ => path(text),
    }
}

/// Returns the scheme in lower case, and the text after its colon. A single letter is a drive.
fn scheme(text: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let known = ["sqlite", "file"];
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || "+-.".contains(each));
    is_scheme.then(|| {
        let name = known
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known));
        (name.unwrap_or(""), rest)
    })
}

/// Parses the text after the scheme of a URL, with its slashes.
fn url(rest: &str) -> Result<Location, &'static str> {
    if rest.contains('#') {
        return Err("a `#` begins a fragment in a URL: write `%23`");
    }
    let (name, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    for parameter in parameters.split('&').filter(|each| !each.is_empty()) {
        match parameter {
            // The default of opening.
            "mode=rwc" => {}
            "mode=memory" => return Ok(Location::Memory),
            _ => {
                return Err(
                    "its URL has a parameter other than `mode=rwc` and `mode=memory`: use `SqliteStore::options`",
                );
            }
        }
    }
    let encoded = |at: usize| {
        name.get(at + 1..at + 3)
            .is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    if !name.match_indices('%').all(|(at, _)| encoded(at)) {
        return Err("a `%` in a URL is followed by two hexadecimal digits: write `%25`");
    }
    match String::from_utf8(percent_decode_str(name).collect()) {
        Ok(name) => path(&name),
        Err(bytes) => bytes_path(bytes.into_bytes()),
    }
}

fn path(name: &str) -> Result<Location, &'static str> {
    match name {
        "" => Err("the name is empty: give a path, or `:memory:`"),
        ":memory:" => Ok(Location::Memory),
        _ if name.contains('\0') => Err("the name contains a NUL byte"),
        _ => Ok(Location::Path(name.into())),
    }
}

#[cfg(unix)]
fn bytes_path(name: Vec<u8>) -> Result<Location, &'static str> {
    use std::os::unix::ffi::OsStringExt;
    if name.contains(&0) {
        return Err("the name contains a NUL byte");
    }
    Ok(Location::Path(std::ffi::OsString::from_vec(name).into()))
}

#[cfg(not(unix))]
fn bytes_path(_: Vec<u8>) -> Result<Location, &'static str> {
    Err("the name is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn opens(name: &str, path: &str) {
        assert_eq!(Location::of(Path::new(name)), Location::Path(path.into()));
    }

    #[track_caller]
    fn is_refused(name: &str, because: &str) {
        match Location::of(Path::new(name)) {
            Location::Refused { reason, .. } => assert!(reason.contains(because), "{reason}"),
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn a_name_without_a_scheme_is_taken_literally() {
        for name in [
            "y.db",
            "/a/b.db",
            "./sqlite:y.db",
            "a:b",
            "C:\\y.db",
            "a%20b?x=1#y",
            "backup:1",
            " ",
        ] {
            opens(name, name);
        }
    }

    #[test]
    fn urls_name_the_file_that_other_crates_would_open() {
        for name in [
            "sqlite:y.db",
            "sqlite://y.db",
            "SQLite:y.db",
            "file:y.db",
            "sqlite:y.db?mode=rwc",
            "sqlite:%79.db",
            "sqlite:y.db?",
        ] {
            opens(name, "y.db");
        }
        for name in [
            "sqlite:/a/y.db",
            "sqlite:///a/y.db",
            "file:/a/y.db",
            "file:///a/y.db",
            "file://localhost/a/y.db",
        ] {
            opens(name, "/a/y.db");
        }
        opens("sqlite:a%20b%3F%25.db", "a b?%.db");
        opens("sqlite://a/y.db", "a/y.db");
        for name in [
            ":memory:",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:?mode=memory",
            "file:y?mode=memory",
            "file::memory:",
        ] {
            assert_eq!(Location::of(Path::new(name)), Location::Memory, "{name}");
        }
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for name in ["", "sqlite:", "sqlite://", "file:", "sqlite:?mode=rwc"] {
            is_refused(name, "empty");
        }
        is_refused("file://host/y.db", "no host");
        is_refused("file://", "no host");
        is_refused("postgres://user@host/db", "something else");
        is_refused("https://example.com/y.db", "something else");
        for name in [
            "sqlite:y.db?mode=ro",
            "sqlite:y.db?cache=shared",
            "file:y.db?mode=rwc&vfs=unix",
        ] {
            is_refused(name, "parameter");
        }
        is_refused("sqlite:y.db#a", "%23");
        for name in ["sqlite:100%.db", "sqlite:%4", "sqlite:%zz", "sqlite:%é"] {
            is_refused(name, "%25");
        }
        is_refused("a\0b", "NUL");
        is_refused("sqlite:a%00b", "NUL");
        is_refused("sqlite:a%00%ff", "NUL");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf_8_are_a_name_too() {
        use std::os::unix::ffi::OsStrExt;
        let name = Path::new(std::ffi::OsStr::from_bytes(b"y\xff.db"));
        assert_eq!(Location::of(name), Location::Path(name.to_owned()));
        let url = Path::new("sqlite:y%ff.db");
        assert_eq!(Location::of(url), Location::Path(name.to_owned()));
    }
}
