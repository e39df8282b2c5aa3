//! Every conformance case is a test, or stands in `docs/conformance.md` with its reason. A test
//! names its cases in the last line of its documentation: `/// Cases: S12, C3.`, and a test of the
//! browser suite in the line above it: `// Cases: S209.`

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::architecture::{root, sources};

/// The appendices: letter, what it is, number of cases.
const APPENDICES: [(char, &str, u16); 2] = [
    ('S', "sessions (browser side and SDK behaviour)", 220),
    ('C', "core (engine, keys, schema, CDI)", 150),
];

type Case = (char, u16);

fn case(text: &str) -> Case {
    let mut letters = text.chars();
    let letter = letters.next().unwrap();
    let number = letters
        .as_str()
        .parse()
        .unwrap_or_else(|_| panic!("`{text}` is not a case"));
    let last = APPENDICES
        .iter()
        .find(|appendix| appendix.0 == letter)
        .unwrap_or_else(|| panic!("`{text}` is not a case"))
        .2;
    assert!((1..=last).contains(&number), "`{text}` is not a case");
    (letter, number)
}

/// `S1`, or `S1-S3`.
fn cases_of(text: &str) -> Vec<Case> {
    match text.split_once('-') {
        None => vec![case(text)],
        Some((first, last)) => {
            let ((letter, first), (_, last)) = (case(first), case(last));
            (first..=last).map(|number| (letter, number)).collect()
        }
    }
}

fn tested() -> BTreeSet<Case> {
    let mut sources_in_rust = Vec::new();
    sources(&root().join("tests"), &mut sources_in_rust);
    sources(&root().join("crates"), &mut sources_in_rust);
    sources_in_rust.retain(|file| !file.ends_with("ledger.rs"));
    let mut cases = named_in(&sources_in_rust, "/// Cases: ", |below| {
        below.contains("test") && !below.contains("#[ignore")
    });
    cases.extend(named_in(&browser_suite(), "// Cases: ", |below| {
        below.starts_with("sdkTest(")
    }));
    cases
}

fn browser_suite() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("tests/browser")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files
}

/// The cases that are named in lines with this mark. Below each there must be a test that runs.
fn named_in(files: &[PathBuf], mark: &str, is_test: fn(&str) -> bool) -> BTreeSet<Case> {
    let mut cases = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if let Some(list) = line.strip_prefix(mark) {
                let below: Vec<_> = lines[at + 1..].iter().take(4).copied().collect();
                let below = below.join(" ");
                assert!(is_test(&below), "{}:{}: {below}", file.display(), at + 1);
                cases.extend(list.trim_end_matches('.').split(", ").flat_map(cases_of));
            }
        }
    }
    cases
}

fn deferred(document: &str) -> BTreeMap<Case, String> {
    let mut cases = BTreeMap::new();
    for line in document.lines() {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(list), Some(reason)) = (cells.next(), cells.next()) else {
            continue;
        };
        if list.starts_with(['S', 'C']) && list[1..].starts_with(|c: char| c.is_ascii_digit()) {
            assert!(reason.len() > 10, "{list}: a reason, please");
            for case in list.split(", ").flat_map(cases_of) {
                assert!(
                    cases.insert(case, reason.to_owned()).is_none(),
                    "{case:?} is listed twice"
                );
            }
        }
    }
    cases
}

#[test]
fn every_conformance_case_is_tested_or_has_a_reason() {
    let document = fs::read_to_string(Path::new(&root()).join("docs/conformance.md")).unwrap();
    let (tested, deferred) = (tested(), deferred(&document));
    let both: Vec<_> = deferred
        .keys()
        .filter(|case| tested.contains(case))
        .collect();
    assert!(
        both.is_empty(),
        "tested, and listed as not tested: {both:?}"
    );
    for (letter, name, last) in APPENDICES {
        let missing: Vec<_> = (1..=last)
            .map(|number| (letter, number))
            .filter(|case| !tested.contains(case) && !deferred.contains_key(case))
            .collect();
        assert!(missing.is_empty(), "neither tested nor listed: {missing:?}");
        let count = tested.iter().filter(|case| case.0 == letter).count();
        let line = format!(
            "| {name} | {last} | {count} | {} |",
            usize::from(last) - count
        );
        assert!(
            document.contains(&line),
            "docs/conformance.md should say: {line}"
        );
    }
}
