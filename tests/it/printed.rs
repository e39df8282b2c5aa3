//! Every `[dependencies]` block in the documentation is complete: the code below it compiles in a
//! new crate beside the repository, with the block as it is printed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::architecture::{metadata, root};

/// A fenced block of Markdown.
struct Block {
    language: String,
    text: String,
}

/// A `[dependencies]` block and the Rust blocks below it, up to the next one.
#[derive(Default)]
struct Printed {
    dependencies: String,
    code: Vec<String>,
}

/// Fenced blocks of a Markdown file, or of a crate's documentation.
fn blocks(path: &Path) -> Vec<Block> {
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| {
        let doc = || {
            line.strip_prefix("//!")
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
        };
        if is_rust { doc() } else { Some(line) }
    });
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in lines {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(language), None) => {
                open = Some(Block {
                    // Code in documentation comments is Rust unless it says otherwise.
                    language: if is_rust && language.is_empty() {
                        "rust"
                    } else {
                        language
                    }
                    .to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => writeln!(block.text, "{line}").unwrap(),
            (None, None) => {}
        }
    }
    blocks
}

fn printed(path: &Path) -> Vec<Printed> {
    let mut all: Vec<Printed> = Vec::new();
    for block in blocks(path) {
        if block.text.starts_with("[dependencies]") {
            all.push(Printed {
                dependencies: block.text,
                code: Vec::new(),
            });
        } else if block.language.split(',').next() == Some("rust")
            && let Some(printed) = all.last_mut()
        {
            assert!(
                !block.language.contains("ignore"),
                "{}: a block is not compiled",
                path.display()
            );
            printed.code.push(block.text);
        }
    }
    all
}

/// README, guides, and the documentation of crates.
fn documents() -> Vec<PathBuf> {
    let root = root();
    let folder = |path: &str| {
        let entries = fs::read_dir(root.join(path)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let guides =
        folder("docs").filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let crates =
        folder("crates").flat_map(|path| [path.join("README.md"), path.join("src/lib.rs")]);
    let mut all: Vec<_> = std::iter::once(root.join("README.md"))
        .chain(guides)
        .chain(crates.filter(|path| path.exists()))
        .collect();
    all.sort();
    all
}

/// The lines of a block that rustdoc compiles: `# ` hides a line from the reader only.
fn compiled(code: &str) -> String {
    let lines = code.lines().map(|line| match line.trim_start() {
        "#" => "",
        hidden => hidden.strip_prefix("# ").unwrap_or(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes a new crate with this block and code.
fn write_crate(folder: &Path, name: &str, printed: &Printed) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    let package =
        format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n");
    // The table ends the search for a workspace, which would find the repository around `target`.
    let manifest = format!("{package}{}\n[workspace]\n", printed.dependencies);
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut library = "#![allow(warnings)]\n".to_owned();
    for (number, code) in printed.code.iter().enumerate() {
        let all = compiled(code);
        if all.contains("fn main") && all.trim() == code.trim() {
            // A whole program, and nothing of it hidden.
            fs::write(folder.join(format!("src/bin/program_{number}.rs")), code).unwrap();
        } else if all.contains("fn main") {
            writeln!(library, "mod block_{number} {{\n{all}\n}}").unwrap();
        } else {
            writeln!(library, "fn block_{number}() {{\n{all}\n}}").unwrap();
        }
    }
    fs::write(folder.join("src/lib.rs"), library).unwrap();
}

#[test]
fn dependencies_compile_as_printed() {
    let target = metadata().target_directory.into_std_path_buf();
    let place = target.join("printed");
    fs::create_dir_all(&place).unwrap();
    // New crates sit beside a clone of this name.
    let clone = place.join("supersession");
    let _ = fs::remove_file(&clone);
    std::os::unix::fs::symlink(root(), &clone).unwrap();

    let mut with_blocks = Vec::new();
    for document in documents() {
        let path = document.strip_prefix(root()).unwrap().to_owned();
        for (number, printed) in printed(&document).iter().enumerate() {
            assert!(
                !printed.code.is_empty(),
                "{}: dependencies of no code",
                path.display()
            );
            let name = path.with_extension("").display().to_string();
            let name = format!("{}-{number}", name.replace('/', "-").to_lowercase());
            let folder = place.join(&name);
            write_crate(&folder, &name, printed);
            let output = Command::new(env!("CARGO"))
                .args(["check", "--quiet", "--lib", "--bins"])
                // Not the workspace's, where the same crates are built with another profile.
                .arg("--target-dir")
                .arg(place.join("target"))
                .current_dir(&folder)
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:\n{errors}", path.display());
        }
        if !printed(&document).is_empty() {
            with_blocks.push(path.display().to_string());
        }
    }
    for expected in ["README.md", "docs/guide-actix.md", "docs/guide.md"] {
        assert!(
            with_blocks.iter().any(|path| path == expected),
            "{expected} prints no dependencies"
        );
    }
}
