//! Rules of the architecture that the compiler does not check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which of our crates each of our crates may use, tests aside.
const ALLOWED: [(&str, &[&str]); 21] = [
    ("supersession", &[]),
    ("supersession-actix", &["supersession"]),
    ("supersession-axum", &["supersession"]),
    ("supersession-instructions", &["supersession"]),
    ("supersession-postgres", &["supersession"]),
    ("supersession-redis", &["supersession"]),
    ("supersession-remote", &["supersession"]),
    (
        "supersession-server",
        &[
            "supersession",
            "supersession-postgres",
            "supersession-redis",
            "supersession-sqlite",
        ],
    ),
    ("supersession-sqlite", &["supersession"]),
    ("supersession-testkit", &["supersession"]),
    ("supersession-tests", &[]),
    ("adapter-hyper", &["supersession"]),
    ("blocking-offline", &["supersession", "supersession-sqlite"]),
    (
        "demo-actix",
        &["demo-shared", "supersession-actix", "supersession-sqlite"],
    ),
    (
        "demo-axum",
        &["demo-shared", "supersession-axum", "supersession-sqlite"],
    ),
    ("demo-shared", &["supersession"]),
    ("grpc-tonic", &["supersession-axum"]),
    ("guide-axum", &["supersession-axum", "supersession-sqlite"]),
    ("lambda-axum", &["supersession-axum"]),
    (
        "sdk-rust",
        &[
            "supersession",
            "supersession-actix",
            "supersession-axum",
            "supersession-postgres",
            "supersession-remote",
            "supersession-sqlite",
        ],
    ),
    ("websocket-axum", &["supersession-axum"]),
];

/// What core may use. No framework, no runtime, no driver, no HTTP client: adding a line here is a
/// decision.
const CORE_USES: [&str; 23] = [
    "arc-swap",
    "async-trait",
    "aws-lc-rs",
    "base64",
    "cookie",
    "httpdate",
    "indexmap",
    "jsonwebtoken",
    "memchr",
    "metrics",
    "percent-encoding",
    "pollster",
    "psl",
    "quick_cache",
    "serde",
    "serde_json",
    "subtle",
    "thiserror",
    "tokio",
    "tracing",
    "url",
    "form_urlencoded",
    "uuid",
];

pub(crate) fn metadata() -> cargo_metadata::Metadata {
    MetadataCommand::new()
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap()
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

#[test]
fn crates_depend_only_downwards() {
    let metadata = metadata();
    let ours: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let listed: BTreeSet<_> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, listed, "every crate must have its line in `ALLOWED`");
    assert!(
        ALLOWED
            .iter()
            .all(|(_, allowed)| !allowed.contains(&"supersession-server")),
        "no crate may depend on the server"
    );
    for package in &metadata.packages {
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap();
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Normal && ours.contains(dependency.name.as_str())
            {
                assert!(
                    allowed.contains(&dependency.name.as_str()),
                    "{} -> {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

/// Cargo refuses a program of two packages with one `links` name. Names with their version in them
/// never collide; any other is a version that all crates of a program must agree on.
#[test]
fn only_the_sqlite_store_links_a_library_that_a_program_links_once() {
    // The packages of other platforms are not there offline.
    let rustc = std::process::Command::new("rustc").arg("-vV").output();
    let rustc = String::from_utf8(rustc.unwrap().stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = MetadataCommand::new()
        .other_options(["--offline", "--filter-platform", host.unwrap()].map(str::to_owned))
        .exec()
        .unwrap();
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    for ours in &metadata.workspace_packages() {
        let is_published = ours.publish.as_ref().is_none_or(|to| !to.is_empty());
        let mut reached = BTreeSet::new();
        let mut ahead = vec![&ours.id];
        while let Some(id) = ahead.pop() {
            if is_published && reached.insert(id) {
                let node = nodes.iter().find(|node| node.id == *id).unwrap();
                let used = node.deps.iter().filter(|dependency| {
                    let kinds = &mut dependency.dep_kinds.iter();
                    kinds.any(|info| info.kind != DependencyKind::Development)
                });
                ahead.extend(used.map(|dependency| &dependency.pkg));
            }
        }
        for id in reached {
            let linking = &metadata[id];
            let Some(library) = &linking.links else {
                continue;
            };
            let version = linking.version.to_string().replace('.', "_");
            let may_link_sqlite = ["supersession-server", "supersession-sqlite"];
            assert!(
                library.contains(&version)
                    || library == "sqlite3" && may_link_sqlite.contains(&ours.name.as_str()),
                "{} -> {}, which links {library}: a program may have one version of it, so give \
                 the requirement a wide range and test it, as `scripts/sqlite-range` does",
                ours.name,
                linking.name
            );
        }
    }
}

#[test]
fn core_names_no_framework_runtime_driver_or_client() {
    let metadata = metadata();
    let core = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "supersession")
        .unwrap();
    let allowed: BTreeSet<_> = CORE_USES.into_iter().chain(["zeroize"]).collect();
    for dependency in core
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
    {
        assert!(
            allowed.contains(dependency.name.as_str()),
            "core uses {}",
            dependency.name
        );
        if dependency.name == "tokio" {
            // Channels and locks, which need no runtime.
            assert_eq!(dependency.features, ["sync"]);
        }
    }
}

pub(crate) fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name == "node_modules" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// A store behind an `Arc` overrides what the store overrides: no method keeps its default body.
#[test]
fn shared_and_wrapped_stores_forward_every_method() {
    let read = |file| fs::read_to_string(root().join("crates/core/src/store").join(file));
    let wrapper = read("wrapper.rs").unwrap();
    let mut methods = 0;
    for (file, name) in [("mod.rs", "Store"), ("tenants.rs", "TenantStore")] {
        let source = read(file).unwrap();
        let start = format!("pub trait {name}:");
        let body = source.split(&start).nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let Some((method, _)) = line
                .strip_prefix("fn ")
                .and_then(|line| line.split_once('('))
            else {
                continue;
            };
            methods += 1;
            let forwarded = wrapper.contains(&format!("fn {method}("));
            assert!(forwarded, "`{method}` is missing from `store/wrapper.rs`");
        }
    }
    assert!(methods > 20, "{methods}");
}

/// Names of the wire are written once, in `wire.rs`; a second spelling would be a second truth.
#[test]
fn wire_names_are_in_one_file() {
    const NAMES: [&str; 12] = [
        "\"sAccessToken\"",
        "\"sRefreshToken\"",
        "\"sIdRefreshToken\"",
        "\"st-access-token\"",
        "\"st-refresh-token\"",
        "\"front-token\"",
        "\"anti-csrf\"",
        "\"st-auth-mode\"",
        "\"rid\"",
        "\"/session/refresh\"",
        "\"refreshTokenHash1\"",
        "\"sessionHandle\"",
    ];
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    let exempt = [
        "wire.rs",
        "tests.rs",
        "token/access/mod.rs",
        "token/refresh.rs",
    ];
    let mut found = Vec::new();
    for file in files {
        let name = file.to_string_lossy().replace('\\', "/");
        if exempt.iter().any(|exempt| name.ends_with(exempt))
            || name.contains("/tests/")
            || name.contains("testkit")
        {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // Unit tests at the end of a file say what the wire says.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if !is_comment && NAMES.iter().any(|name| line.contains(name)) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_is_overlong() {
    let mut files = Vec::new();
    for folder in ["benches", "crates", "examples", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    for file in files
        .iter()
        .filter(|file| !file.to_string_lossy().contains("/target/"))
    {
        let lines = fs::read_to_string(file).unwrap().lines().count();
        assert!(
            lines <= 800,
            "{} has {lines} lines: name its second idea and split it out",
            file.display()
        );
    }
}

/// Crates whose public types other crates use.
const PUBLISHED: [&str; 7] = [
    "core", "axum", "actix", "remote", "sqlite", "postgres", "redis",
];

/// Returns the name of a type that other crates can match or create field by field: a `pub enum`,
/// or a `pub struct` with a `pub` field.
fn open_type<'a>(declaration: &'a str, body: &[&str]) -> Option<&'a str> {
    let declaration = declaration.trim_start();
    let is_open = if declaration.starts_with("pub enum ") {
        true
    } else if declaration.starts_with("pub struct ") {
        let mut fields = body.iter().take_while(|line| !line.starts_with('}'));
        let has_body = declaration.ends_with('{');
        declaration.contains("(pub ")
            || has_body && fields.any(|line| line.starts_with("    pub ") && line.contains(": "))
    } else {
        false
    };
    let name = declaration.split([' ', '(', '<', ';']).nth(2);
    name.filter(|_| is_open)
}

/// The types of a file that a further variant or field would break, although their documentation
/// does not say that they are exhaustive, and for which reason.
fn closed_without_reason(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(name) = open_type(line, &lines[number + 1..]) else {
            continue;
        };
        let above = lines[..number].iter().rev();
        let above: Vec<_> = above
            .take_while(|line| !line.is_empty() && !line.starts_with('}'))
            .collect();
        let may_grow = above.iter().any(|line| line.contains("#[non_exhaustive]"));
        let has_reason = above.iter().any(|line| line.contains("Exhaustive"));
        if !may_grow && !has_reason {
            found.push(name.to_owned());
        }
    }
    found
}

/// Returns the public and private sources of a published crate, without its tests.
fn published_sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    sources(&root().join("crates").join(name).join("src"), &mut files);
    let sources = files.into_iter().map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
        (file, code)
    });
    sources.collect()
}

/// A new variant or field must not break other crates, unless that is the purpose.
#[test]
fn public_types_can_grow_or_document_why_not() {
    let mut found = Vec::new();
    for name in PUBLISHED {
        for (file, source) in published_sources(name) {
            for open in closed_without_reason(&source) {
                found.push(format!("{}: {open}", file.display()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "add `#[non_exhaustive]`, and a constructor if users create values, or document the reason \
         in a sentence with `Exhaustive`: {found:#?}"
    );
}

#[test]
fn types_that_cannot_grow_are_found() {
    for closed in [
        "pub enum Kind {\n    A,\n}",
        "/// A pair.\npub struct Pair(pub u8, pub u8);",
        "#[derive(Debug)]\npub struct Options {\n    /// The size.\n    pub size: usize,\n}",
    ] {
        assert_eq!(closed_without_reason(closed).len(), 1, "{closed}");
    }
    for fine in [
        "#[non_exhaustive]\npub enum Kind {\n    A,\n}",
        "/// A pair. Exhaustive, because callers create it.\npub struct Pair(pub u8, pub u8);",
        "pub struct Options {\n    size: usize,\n}",
        "pub struct Options {\n    pub(crate) size: usize,\n}",
        "pub struct Unit;\n\npub struct Other {\n    size: usize,\n}",
        "pub(crate) enum Kind {\n    A,\n}",
    ] {
        assert!(closed_without_reason(fine).is_empty(), "{fine}");
    }
}

/// A `bool` that a closure receives does not say what it means.
#[test]
fn closures_of_applications_receive_no_bool() {
    for name in PUBLISHED {
        for (file, source) in published_sources(name) {
            for line in source.lines().map(str::trim_start) {
                let calls = line.split_once("Fn(").or_else(|| line.split_once("FnMut("));
                let calls = calls.or_else(|| line.split_once("FnOnce("));
                let arguments = calls.and_then(|(_, rest)| rest.split_once(')'));
                let is_comment = line.starts_with("//");
                if let (false, Some((arguments, _))) = (is_comment, arguments) {
                    let mut arguments = arguments.split(',').map(str::trim);
                    assert!(
                        arguments.all(|argument| argument != "bool"),
                        "{}: {line}: use an enum",
                        file.display()
                    );
                }
            }
        }
    }
}
