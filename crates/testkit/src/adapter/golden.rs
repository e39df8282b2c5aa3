//! The files with which transcripts are compared.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::transcript::PART;

/// Environment variable that rewrites the files if set to 1.
const UPDATE: &str = "UPDATE_TRANSCRIPTS";

/// Fails unless the transcript is exactly the file of its topic.
#[track_caller]
pub(super) fn compare(topic: &str, transcript: &str) {
    let path = path_of(topic);
    if is_updating() {
        fs::write(&path, transcript).expect("the transcripts can be written");
        return;
    }
    let expected = expected(topic);
    assert!(
        expected == transcript,
        "topic `{topic}` differs from {}\n{}",
        path.display(),
        first_difference(&expected, transcript)
    );
}

/// Returns the content of a topic's file.
pub(super) fn expected(topic: &str) -> String {
    let path = path_of(topic);
    fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. Fix: run once with {UPDATE}=1, and read what it wrote",
            path.display()
        )
    })
}

/// Returns `true` if the files must be rewritten.
pub(super) fn is_updating() -> bool {
    let updating = is_set(UPDATE, "1");
    assert!(
        !updating || !is_set("CI", "true"),
        "{UPDATE} is for whoever reads the difference, not for CI"
    );
    updating
}

pub(super) fn path_of(topic: &str) -> PathBuf {
    let name = topic.replace('_', "-");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("transcripts/{name}.txt"))
}

fn is_set(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|set| set == value)
}

/// Returns the first part that differs, with the missing lines and the additional ones.
fn first_difference(expected: &str, actual: &str) -> String {
    let (mut wanted, mut got) = (expected.split(PART), actual.split(PART));
    loop {
        match (wanted.next(), got.next()) {
            (Some(wanted), Some(got)) if wanted == got => {}
            (wanted, got) => return lines(wanted.unwrap_or_default(), got.unwrap_or_default()),
        }
    }
}

pub(super) fn lines(wanted: &str, got: &str) -> String {
    let has = |text: &str, line: &str| text.lines().any(|other| other == line);
    let mut text = String::new();
    for line in wanted.lines() {
        let sign = if has(got, line) { ' ' } else { '-' };
        text.push_str(&format!("{sign} {line}\n"));
    }
    for line in got.lines().filter(|line| !has(wanted, line)) {
        text.push_str(&format!("+ {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn every_topic_is_in_the_list_and_has_its_file() {
        let macros = include_str!("mod.rs");
        let list = macros.split_once("@tests $driver;").unwrap().1;
        let listed = set(list.split_once('}').unwrap().0.split_whitespace());
        let uses = include_str!("script/mod.rs").lines();
        let uses = uses.filter_map(|line| line.strip_prefix("pub use ")?.split_once("::"));
        let written = set(uses.flat_map(|(_, names)| names.split([',', ' ', '{', '}', ';'])));
        let folder = path_of("any").parent().unwrap().to_owned();
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = files.filter(|file| file.is_file()).map(|file| {
            file.file_stem()
                .unwrap()
                .to_string_lossy()
                .replace('-', "_")
        });
        assert_eq!(listed, files.collect());
        assert_eq!(
            listed,
            written
                .into_iter()
                .filter(|name| !name.is_empty())
                .collect()
        );
    }

    #[test]
    fn the_first_part_that_differs_is_shown_line_by_line() {
        let expected =
            "\n=== one\n> GET /\n< 200\n\n=== two\n> GET /\n< 200\n< a: 1\n\n=== three\n< 1\n";
        let actual =
            "\n=== one\n> GET /\n< 200\n\n=== two\n> GET /\n< 401\n< a: 1\n\n=== three\n< 2\n";
        assert_eq!(
            first_difference(expected, actual),
            "  two\n  > GET /\n- < 200\n  < a: 1\n+ < 401\n"
        );
        assert_eq!(
            first_difference(expected, &actual[..28]),
            "- two\n- > GET /\n- < 200\n- < a: 1\n"
        );
    }
}
