//! Every test that `docs/promises.md` names exists and runs, and no store is left out of a line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::architecture::{root, sources};

const STORES: [&str; 4] = ["memory", "sqlite", "postgres", "redis"];

/// `file::test`, of every test of the workspace. A `mod.rs` goes by the name of its folder.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&root().join("tests"), &mut files);
    sources(&root().join("crates"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let module = module_of(&file);
        let is_suite = file.ends_with("testkit/src/store/mod.rs");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[ignore") {
                is_test = false;
            } else if line.starts_with("#[test") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((_, name)) = line.split_once("fn ") {
                if is_test && let Some((name, _)) = name.split_once('(') {
                    tests.insert(format!("{module}::{name}"));
                }
                is_test = false;
            } else if let Some((name, _)) = line.split_once(" => ")
                && module == "promises"
            {
                tests.insert(format!("{module}::{name}"));
            } else if is_suite {
                tests.insert(line.to_owned());
            }
        }
    }
    tests
}

fn module_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap().to_string_lossy();
    if stem == "mod" {
        let folder = file.parent().and_then(Path::file_name);
        return folder.unwrap().to_string_lossy().into_owned();
    }
    stem.into_owned()
}

fn named_in(cell: &str) -> Vec<&str> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains("::"))
        .collect()
}

#[test]
fn every_promise_names_tests_that_exist() {
    let tests = tests();
    let document = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let mut promises = 0;
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells[0] == "promise" || cells[0].starts_with("---") {
            continue;
        }
        promises += 1;
        for (at, cell) in cells[1..].iter().enumerate() {
            let named = named_in(cell);
            let reason = cell.strip_prefix("none: ").unwrap_or_default();
            assert!(
                !named.is_empty() || reason.len() > 10,
                "no test, and no reason: {line}"
            );
            for name in named {
                assert!(tests.contains(name), "`{name}` is not a test: {line}");
                let history = name.strip_prefix("history::");
                if let Some(test) = history.or(name.strip_prefix("processes::")) {
                    assert!(test.starts_with(STORES[at]), "`{name}` in the wrong column");
                }
            }
        }
    }
    println!("docs/promises.md: {promises} promises, each with its tests");
    assert!(promises >= 11);
}
