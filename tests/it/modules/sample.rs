//! The check itself, on small crates: it finds what it is there to find, and nothing else.

use super::graph::Graph;
use super::{orders, problems};

/// A crate in memory: names and contents of its files.
fn sample(files: &[(&str, &str)]) -> Graph {
    Graph::read("lib.rs", |wanted| {
        let found = files.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, text)| (*text).to_owned())
    })
}

#[track_caller]
fn check(files: &[(&str, &str)], order: &[&str], expected: &[&str]) {
    let order: Vec<_> = order.iter().map(|module| (*module).to_owned()).collect();
    let found = problems(&sample(files), &order);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.contains(expected),
            "{found}\ndoes not contain\n{expected}"
        );
    }
}

#[test]
fn a_graph_without_cycles_is_accepted() {
    let files = [
        ("lib.rs", "mod top; mod middle; mod low; pub use top::Top;"),
        (
            "top.rs",
            "use crate::{low::Low, middle}; fn f() { middle::f(); }",
        ),
        ("middle/mod.rs", "mod inner; pub(crate) use inner::f;"),
        (
            "middle/inner.rs",
            "pub(crate) fn f() { super::super::low::g() }",
        ),
        ("low.rs", "pub(crate) struct Low;"),
    ];
    check(&files, &["top", "middle", "low"], &[]);
    let up = "low uses middle";
    let files_up = files.map(|(name, text)| match name {
        "low.rs" => (name, "use crate::middle::f;"),
        _ => (name, text),
    });
    check(&files_up, &["top", "middle", "low"], &["cycle", up]);
}

#[test]
fn a_cycle_through_a_re_export_is_found() {
    let files = [
        (
            "lib.rs",
            "mod error; mod store; pub use store::Store; mod run;",
        ),
        ("error.rs", "fn f(store: &dyn crate::Store) {}"),
        ("store.rs", "use super::run::{self, Runner as R};"),
        (
            "run.rs",
            "pub struct Runner; fn f() -> Result<(), crate::error::Error> {}",
        ),
    ];
    let order = ["store", "run", "error"];
    let cycle =
        "error -> store (error -> store)\n    store -> run (store -> run)\n    run -> error";
    check(
        &files,
        &order,
        &[cycle, "error uses store, which is above it"],
    );
}

#[test]
fn a_cycle_between_siblings_inside_a_module_is_found() {
    let files = [
        ("lib.rs", "mod a;"),
        (
            "a/mod.rs",
            "mod b; mod c { fn f() { super::b::f() } } pub(crate) use c::f as g;",
        ),
        ("a/b.rs", "fn f() { super::g() }"),
    ];
    check(&files, &["a"], &["cycle in `a`:\n    b -> c"]);
}

#[test]
fn an_item_in_the_crate_root_is_above_every_module() {
    let files = [
        ("lib.rs", "mod a; pub struct Everything;"),
        ("a.rs", "use crate::Everything;"),
    ];
    check(&files, &["a"], &["a -> crate root"]);
}

#[test]
fn comments_strings_documentation_and_tests_are_not_uses() {
    let quiet = r##"
        //! See [`crate::a`].
        // crate::a::f()
        /* use crate::a; */
        /// Calls [`f`](crate::a::f).
        const TEXT: &str = "crate::a::f()";
        const RAW: &str = r#"use crate::a;"#;
        #[cfg(test)]
        use crate::a::{f, g};
        #[cfg(all(test, unix))]
        mod more { use crate::a::f; }
        #[cfg(test)]
        mod tests;
    "##;
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::TEXT;"),
        ("b.rs", quiet),
    ];
    check(&files, &["a", "b"], &[]);
    let loud = format!("{quiet} macro_rules! m {{ () => {{ $crate::a::f() }} }}");
    let files = [files[0], files[1], ("b.rs", loud.as_str())];
    check(&files, &["a", "b"], &["cycle", "b uses a"]);
}

#[test]
fn the_list_and_the_code_name_the_same_modules() {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", ""), ("b.rs", "")];
    let expected = ["b is missing from the list", "c is listed"];
    check(&files, &["a", "c"], &expected);
}

#[test]
fn lists_are_read_from_the_document() {
    let document = "text\n```modules one\na  the first,\n   continued\nb\n```\n```text\nc\n```\n```modules two\nd\n```\n";
    let orders = orders(document);
    assert_eq!(orders["one"], ["a", "b"]);
    assert_eq!(orders["two"], ["d"]);
    assert_eq!(orders.len(), 2);
}
