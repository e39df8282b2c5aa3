//! Secrets in files, as container platforms mount them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::config_error::ConfigError;

/// Maximum size of a secret file. Secrets are much shorter.
const LONGEST: u64 = 64 * 1024;

/// Returns the given value, or the content of the file without its final line break.
///
/// `file_flag` is the name of the file option, used in errors. The parser rejects both options
/// together.
pub(super) fn value_or_file(
    value: Option<&String>,
    file: Option<&Path>,
    file_flag: &str,
) -> Result<Option<String>, ConfigError> {
    match (value, file) {
        (Some(value), _) => Ok(Some(value.clone())),
        (None, Some(file)) => read(file, file_flag).map(Some),
        (None, None) => Ok(None),
    }
}

fn read(path: &Path, flag: &str) -> Result<String, ConfigError> {
    let bad = |problem: &dyn std::fmt::Display| {
        ConfigError::new(format!("{flag} {}: {problem}", path.display()))
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text))
        .map_err(|error| bad(&error))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
        return Err(bad(&format_args!(
            "the file is longer than {LONGEST} bytes"
        )));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return Err(bad(&"the file is empty"));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_without_its_line_break() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        for (content, expected) in [
            ("key", Some("key")),
            ("key\n", Some("key")),
            ("key \r\n", Some("key ")),
            ("\n", None),
            ("", None),
        ] {
            std::fs::write(&path, content).unwrap();
            let read = value_or_file(None, Some(&path), "--api-keys-file");
            match expected {
                Some(expected) => assert_eq!(read.unwrap().as_deref(), Some(expected)),
                None => {
                    let error = read.unwrap_err().to_string();
                    assert!(error.contains("--api-keys-file"), "{error}");
                    assert!(error.contains(path.to_str().unwrap()), "{error}");
                }
            }
        }
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(value_or_file(None, Some(&path), "--api-keys-file").is_err());
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(value_or_file(None, Some(&path), "--api-keys-file").is_err());
        let missing = place.path().join("missing");
        assert!(value_or_file(None, Some(&missing), "--api-keys-file").is_err());
    }
}
