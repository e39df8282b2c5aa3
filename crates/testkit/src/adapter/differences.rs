//! Transcripts that differ in a few exchanges, because of the authority or the algorithm. The
//! differing exchanges are in separate files, and all others must match the usual file.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::golden;
use super::transcript::PART;

/// Fails unless each part matches the topic's file or its replacement in `folder`. Also fails if a
/// part in `folder` is not needed.
///
/// `expected` converts a usual line to the expected one. `said` removes from a line of the
/// transcript what is not compared.
#[track_caller]
pub(super) fn compare(
    folder: &str,
    topic: &str,
    transcript: &str,
    expected: impl Fn(&str) -> String,
    said: impl Fn(&str) -> String,
) {
    let usual = comparable(&golden::expected(topic), expected);
    let actual = comparable(transcript, said);
    let (usual, actual) = (parts(&usual), parts(&actual));
    let different: Vec<_> = usual
        .iter()
        .zip(&actual)
        .filter(|(usual, actual)| usual != actual)
        .map(|(_, actual)| *actual)
        .collect();
    let path = golden::path_of(&format!("{folder}/{topic}"));
    if golden::is_updating() {
        if different.is_empty() {
            // The file may not exist.
            let _ = fs::remove_file(&path);
        } else {
            let text = format!("=== {}\n", different.join(PART));
            fs::write(&path, text).expect("the transcripts can be written");
        }
        return;
    }
    let names = |parts: &[&str]| -> Vec<String> { parts.iter().map(|part| name(part)).collect() };
    assert_eq!(names(&usual), names(&actual), "the script of `{topic}`");
    let own = fs::read_to_string(&path).unwrap_or_default();
    let own: BTreeMap<_, _> = parts(&own)
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| (name(part), part))
        .collect();
    for part in &different {
        let expected = own.get(&name(part)).copied().unwrap_or_else(|| {
            let at = usual.iter().find(|usual| name(usual) == name(part));
            at.copied().unwrap_or_default()
        });
        assert!(
            expected.trim_end() == part.trim_end(),
            "topic `{topic}` differs from {} and its usual transcript\n{}",
            path.display(),
            golden::lines(expected, part)
        );
    }
    assert_eq!(
        own.len(),
        different.len(),
        "{} has exchanges that are as they are everywhere",
        path.display()
    );
}

fn parts(transcript: &str) -> Vec<&str> {
    let text = transcript.trim_start_matches("=== ");
    text.split(PART)
        .map(|part| part.trim_end_matches('\n'))
        .collect()
}

fn name(part: &str) -> String {
    part.lines().next().unwrap_or_default().to_owned()
}

fn comparable(transcript: &str, read: impl Fn(&str) -> String) -> String {
    transcript.lines().map(|line| read(line) + "\n").collect()
}

/// Removes what depends on the order of the claims in access tokens: that order, and the checksums
/// of these tokens and of the front tokens that repeat them.
pub(super) fn without_order(line: &str) -> String {
    let is_of_access = line.starts_with("  <access#") || line.starts_with("  <front#");
    if !is_of_access {
        return line.to_owned();
    }
    if let Some((bytes, _)) = line.split_once(", checksum ") {
        return bytes.to_owned();
    }
    let Some((before, json)) = line.find('{').map(|at| line.split_at(at)) else {
        return line.to_owned();
    };
    match serde_json::from_str(json) {
        Ok(value) => format!("{before}{}", sorted(value)),
        // The line contains a label instead of a payload.
        Err(_) => line.to_owned(),
    }
}

fn sorted(value: Value) -> String {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_order_in(transcript: &str) -> String {
        comparable(transcript, without_order)
    }

    #[test]
    fn only_the_order_of_claims_is_left_out() {
        let one = "  <access#1> payload {\"sub\":\"a\",\"exp\":{\"y\":1,\"x\":[2,1]}}";
        let other = "  <access#1> payload {\"exp\":{\"x\":[2,1],\"y\":1},\"sub\":\"a\"}";
        assert_eq!(without_order_in(one), without_order_in(other));
        assert_ne!(
            without_order_in(one),
            without_order_in(&one.replace("[2,1]", "[1,2]"))
        );
        let checksum = "  <refresh#1> 316 bytes, checksum 1\n  <access#1> 8 bytes, checksum 1\n";
        assert_eq!(
            without_order_in(checksum),
            "  <refresh#1> 316 bytes, checksum 1\n  <access#1> 8 bytes\n"
        );
        // Response bodies of the application are not changed.
        assert_eq!(
            without_order_in("< {\"b\":1,\"a\":2}"),
            "< {\"b\":1,\"a\":2}\n"
        );
    }
}
