//! Compares Supersession with its peers in one run and prints the tables of `docs/performance.md`.
//!
//! ```text
//! cargo run --release --manifest-path benches/Cargo.toml                  everything
//! cargo run --release --manifest-path benches/Cargo.toml -- --quick       a smaller everything, to see that it works
//! cargo run --release --manifest-path benches/Cargo.toml -- primitives    one part, or several
//! ```

mod contention;
mod context;
mod facts;
mod filling;
mod http;
mod in_process;
mod issue;
mod memory;
mod ours;
mod primitives;
mod scale;
mod updates;
mod view;

use bench_harness::Counting;

use crate::context::Context;
use crate::facts::Facts;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Part = fn(&Context, &mut Facts) -> anyhow::Result<()>;

const PARTS: [(&str, Part); 8] = [
    ("primitives", primitives::run),
    ("issue", issue::run),
    ("contention", contention::run),
    ("in-process", in_process::run),
    ("http", http::run),
    ("updates", updates::run),
    ("memory", memory::run),
    ("scale", scale::run),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["case", "primitives", case, rest @ ..] => primitives::case(case, rest),
        ["case", "in-process", case, rest @ ..] => in_process::case(case, rest),
        ["case", "http", framework, case] => http::case(framework, case),
        ["case", "issue", case] => issue::case(case),
        ["case", "contention", case, threads] => contention::case(case, threads.parse()?),
        ["case", "memory", case, count] => memory::case(case, count.parse()?),
        ["case", "updates", store, place, tasks, verb, sessions] => {
            updates::case(store, place, tasks.parse()?, verb, sessions.parse()?)
        }
        ["case", "scale", store, place, sessions] => scale::case(store, place, sessions.parse()?),
        ["case", ..] => anyhow::bail!("there is no such case"),
        chosen => print_tables(chosen),
    }
}

fn print_tables(arguments: &[&str]) -> anyhow::Result<()> {
    let quick = arguments.contains(&"--quick");
    let chosen: Vec<_> = arguments
        .iter()
        .filter(|argument| **argument != "--quick")
        .collect();
    let names: Vec<_> = PARTS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = chosen.iter().find(|part| !names.contains(part)) {
        anyhow::bail!("there is no part {unknown}; there are {}", names.join(", "));
    }
    let context = Context::new(quick)?;
    println!("{}", context.machine());
    let mut facts = Facts::default();
    for (name, run) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|part| **part == name) {
            eprintln!("== {name}");
            run(&context, &mut facts)?;
        }
    }
    println!("{}", facts.goals());
    Ok(())
}
