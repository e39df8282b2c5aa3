//! The peers that depend on sqlx, as cases of `supersession-benches`, which starts this program.

mod http;
mod in_process;
mod sessions;
mod updates;

use bench_harness::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["in-process", case] => in_process::case(case),
        ["http"] => http::serve(),
        ["sqlite", case, level, file, tasks, sessions] => {
            updates::sqlite(case, level, file, tasks.parse()?, sessions.parse()?)
        }
        ["postgres", url, tasks, sessions] => {
            updates::postgres(url, tasks.parse()?, sessions.parse()?)
        }
        _ => anyhow::bail!("there is no case {arguments:?}"),
    }
}
