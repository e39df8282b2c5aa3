//! The module graph of each crate: it has no cycles, and it descends in the order that
//! ARCHITECTURE.md gives.
//!
//! An edge is a path in code that leads from one module to another. A name that is used through a
//! re-export counts as a use of the module that defines it, so `crate::Store` is a use of `store`,
//! not of the crate root. Comments, documentation, strings and test code do not count.
//!
//! Modules are compared with their siblings: a directory counts as one module, together with
//! everything in it. A module and its own children may use each other, because the parent declares
//! and re-exports them.

mod graph;
mod sample;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use graph::{Graph, ModulePath};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Returns the directory names below `crates/`.
fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn graph_of(name: &str) -> Graph {
    let src = root().join("crates").join(name).join("src");
    let root_file = ["lib.rs", "main.rs"];
    let root_file = root_file.into_iter().find(|file| src.join(file).exists());
    Graph::read(root_file.unwrap(), |file| {
        fs::read_to_string(src.join(file)).ok()
    })
}

/// Returns the lists of modules in ARCHITECTURE.md: for each crate the fenced block with the info
/// string `modules CRATE`, top to bottom. The first word of each line is the module.
fn orders(document: &str) -> BTreeMap<String, Vec<String>> {
    let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in document.lines() {
        if let Some(name) = line.strip_prefix("```modules ") {
            let name = name.trim().to_owned();
            assert!(!orders.contains_key(&name), "two lists of {name}");
            orders.insert(name.clone(), Vec::new());
            current = Some(name);
        } else if line.starts_with("```") {
            current = None;
        } else if let Some(name) = &current
            && !line.starts_with(' ')
            && let Some(module) = line.split_whitespace().next()
            && let Some(order) = orders.get_mut(name)
        {
            order.push(module.to_owned());
        }
    }
    orders
}

/// Returns everything that speaks against the graph: cycles at any level, and uses that go up in
/// the order of the top-level modules.
fn problems(graph: &Graph, order: &[String]) -> Vec<String> {
    let mut problems: Vec<_> = graph.cycles().into_iter().collect();
    let top = graph.children(&ModulePath::root());
    for module in &top {
        if !order.contains(module) {
            problems.push(format!("{module} is missing from the list"));
        }
    }
    for module in order {
        if !top.contains(module) {
            problems.push(format!("{module} is listed, but there is no such module"));
        }
    }
    let place = |module: &String| order.iter().position(|listed| listed == module);
    for (edge, evidence) in graph.folded(&ModulePath::root()) {
        let (user, used) = edge;
        if place(&user) > place(&used) && place(&used).is_some() {
            problems.push(format!(
                "{user} uses {used}, which is above it ({evidence})"
            ));
        }
    }
    problems
}

#[test]
fn modules_use_only_modules_below_them() {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let orders = orders(&document);
    let mut found = Vec::new();
    for name in crates() {
        let graph = graph_of(&name);
        assert!(graph.edges() > 0, "{name}: the reader found nothing");
        let order = orders.get(&name).map_or(&[][..], Vec::as_slice);
        let problems = problems(&graph, order);
        found.extend(
            problems
                .into_iter()
                .map(|problem| format!("{name}: {problem}")),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
