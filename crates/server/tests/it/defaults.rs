//! The documented defaults of lifetimes are those of the engine, where they stand once.

use clap::CommandFactory as _;
use supersession::engine::EngineSettings;
use supersession_server::options::Options;

/// Each option with its default.
fn defaults() -> [(&'static str, String); 5] {
    let engine = EngineSettings::default();
    let jitter = engine.access_token_validity_jitter;
    [
        (
            "access-token-validity",
            engine.access_token_validity.as_secs().to_string(),
        ),
        ("access-token-validity-jitter", jitter.to_string()),
        (
            "refresh-token-validity",
            (engine.refresh_token_validity.as_secs() / 60).to_string(),
        ),
        (
            "refresh-token-rotation-grace-period",
            engine
                .refresh_token_rotation_grace_period
                .as_secs()
                .to_string(),
        ),
        (
            "access-token-dynamic-signing-key-update-interval",
            (engine.signing_key_update_interval.as_secs() / 3_600).to_string(),
        ),
    ]
}

#[test]
fn the_help_names_the_defaults_of_the_engine() {
    let command = Options::command();
    for (name, default) in defaults() {
        let option = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name));
        let help = option.unwrap().get_help().unwrap().to_string();
        assert!(
            help.ends_with(&format!("[default: {default}]")),
            "{name}: {help}"
        );
    }
}

#[test]
fn the_table_of_options_names_the_defaults_of_the_engine() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/server.md");
    let table = std::fs::read_to_string(path).unwrap();
    for (name, default) in defaults() {
        let row = table.lines().find(|line| {
            line.starts_with(&format!("| `--{name}` "))
                || line.starts_with(&format!("| `--{name}`,"))
        });
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        assert!(row.ends_with(&format!("| {default} |")), "{row}");
    }
}
