//! Comments and documentation are plain technical English (`CONTRIBUTING.md`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::architecture::{root, sources};

/// Maximum number of odd constructions per 1,000 lines of prose. Established projects of this field
/// have 3 to 11: a few occurrences are legitimate, and no count replaces reading.
const LIMIT: usize = 11;

/// Words that open a sentence without naming its subject. A question may start with them.
const OPENINGS: [&str; 4] = ["What", "Whoever", "Whether", "How"];

/// Words without an actor, and idioms that other words express better.
const ODD: [&str; 14] = [
    "whoever",
    "somebody",
    "nobody",
    "everybody",
    "whom",
    "tells",
    "told",
    "anew",
    "dearer",
    "dearest",
    "forth and back",
    "otherwise than",
    "stands in",
    "it stands",
];

fn is_odd(line: &str) -> bool {
    let words: Vec<String> = line
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let has = |wanted: &str| {
        let wanted: Vec<&str> = wanted.split(' ').collect();
        words.windows(wanted.len()).any(|found| found == wanted)
    };
    let opening = line.split(' ').next().unwrap_or_default();
    OPENINGS.contains(&opening) && !line.ends_with('?') || ODD.iter().any(|odd| has(odd))
}

/// The lines of prose of a file, outside of blocks of code.
fn prose(file: &Path) -> Vec<String> {
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let text = fs::read_to_string(file).unwrap();
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim_start) {
        let line = match line.strip_prefix("//") {
            Some(comment) => comment.trim_start_matches(['/', '!']).trim(),
            None if is_rust => continue,
            None => line.trim(),
        };
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.is_empty() {
            found.push(line.to_owned());
        }
    }
    found
}

fn markdown(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            into.push(path);
        }
    }
}

#[test]
fn prose_is_plain_english() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    files.retain(|file| file.components().any(|part| part.as_os_str() == "src"));
    markdown(&root(), &mut files);
    markdown(&root().join("docs"), &mut files);
    let (mut lines, mut odd) = (0, Vec::new());
    for file in &files {
        for line in prose(file) {
            lines += 1;
            if is_odd(&line) {
                odd.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(lines > 5_000, "{lines} lines");
    assert!(odd.len() * 1_000 <= LIMIT * lines, "{odd:#?}");
}

#[test]
fn odd_constructions_are_found() {
    for odd in [
        "What a guard demands.",
        "Whether the session lives",
        "whoever holds it",
        "As told by the store.",
        "A name that stands in for another.",
    ] {
        assert!(is_odd(odd), "{odd}");
    }
    for plain in [
        "Requirements that a guard checks.",
        "What does a guard check?",
        "Whatever the limit, it is kept.",
        "The untold rest.",
    ] {
        assert!(!is_odd(plain), "{plain}");
    }
}
