//! The start of the program: options at their bounds, the reference's variables, secrets in files,
//! a store that is down; and the log of failed requests.

use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};
use supersession_testkit::servers::{PostgresServer, RedisServer};

use crate::process::{Server, command, place, refuses};
use crate::support::new_session;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz";

/// A server without a store in the environment.
fn without_store() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supersession"));
    command.env_clear().env("SUPERTOKENS_PORT", "0");
    command.args(["--log-format", "json"]);
    command
}

fn starts(command: Command) -> Server {
    let mut server = Server::spawn(command);
    server.is_listening();
    server
}

#[test]
fn sizes_counts_and_durations_have_bounds() {
    let huge = "18446744073709551615";
    for (flag, values) in [
        ("--port", &["65536", "-1"][..]),
        ("--max-body-bytes", &["0", huge]),
        ("--drain-seconds", &["86401", huge]),
        ("--max-server-pool-size", &["0", huge]),
        ("--store-wait-seconds", &["86401", huge]),
        ("--postgresql-connection-pool-size", &["0", huge]),
    ] {
        for value in values {
            refuses(&[&format!("{flag}={value}")], &[], &[flag, value]);
        }
    }
    for (flag, values) in [
        ("--access-token-validity", &["0", "-1", huge, "1e30"][..]),
        (
            "--access-token-validity-jitter",
            &["-1", "1", "1e30", "inf", "NaN"],
        ),
        (
            "--refresh-token-validity",
            &["0", "-1", huge, "1e30", "1e308", "inf"],
        ),
        (
            "--refresh-token-rotation-grace-period",
            &["-1", "301", huge],
        ),
        (
            "--access-token-dynamic-signing-key-update-interval",
            &["0", "-1", huge, "1e30", "1e308"],
        ),
        ("--recent-token-reuse-behaviour", &["0"]),
        ("--supertokens-max-cdi-version", &["0", huge]),
        ("--supertokens-min-cdi-version", &["0", huge]),
    ] {
        let name = flag.trim_start_matches('-').replace('-', "_");
        for value in values {
            let argument = format!("{flag}={value}");
            refuses(&[&argument], &[], &[&name]);
        }
    }
    // Lifted limits are still bounded.
    for argument in [
        "--refresh-token-rotation-grace-period=18446744073709551615",
        "--refresh-token-validity=0",
        "--access-token-dynamic-signing-key-update-interval=1e-12",
    ] {
        refuses(&["--lift-limits", argument], &[], &["must be"]);
    }
    refuses(
        &["--redis-prefix", "a b", "--store", "redis://127.0.0.1:1"],
        &[],
        &["prefix"],
    );
    refuses(&["--base-path", "/a b"], &[], &["BASE_PATH", "spaces"]);
}

#[test]
fn unsupported_variables_of_the_reference_stop_the_start() {
    for name in [
        "MYSQL_CONNECTION_URI",
        "MYSQL_HOST",
        "MYSQL_PASSWORD",
        "MONGODB_CONNECTION_URI",
        "POSTGRESQL_SESSION_INFO_TABLE_NAME",
        "SUPERTOKENS_SAAS_SECRET",
    ] {
        refuses(&[], &[(name, "x")], &[name, "does not support"]);
    }
    refuses(
        &[],
        &[("MYSQL_USER", "x"), ("MONGODB_DATABASE_NAME", "y")],
        &["MONGODB_DATABASE_NAME, MYSQL_USER"],
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let place = place();
    let help = Command::new(env!("CARGO_BIN_EXE_supersession"))
        .env_clear()
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let names: Vec<_> = help
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| rest.split('=').next())
        .filter(|name| *name != "SUPERTOKENS_PORT")
        .collect();
    assert!(names.len() > 30, "{names:?}");
    let mut command = without_store();
    command.current_dir(place.path());
    for name in names.iter().copied().chain(["MYSQL_HOST", "INFO_LOG_PATH"]) {
        command.env(name, "");
    }
    let server = starts(command);
    assert_eq!(server.send("GET", "/hello", &Value::Null).0, 200);
    server.signal("-TERM");
    server.ended();
    assert!(place.path().join("supersession.db").exists());
}

#[test]
fn secrets_can_be_read_from_files() {
    let place = place();
    let keys = place.path().join("keys");
    std::fs::write(&keys, format!("{KEY}\n0123456789-0123456789\n")).unwrap();
    let store = place.path().join("store");
    std::fs::write(
        &store,
        format!("sqlite:{}\n", place.path().join("s.db").display()),
    )
    .unwrap();
    for by_flag in [true, false] {
        let mut command = without_store();
        if by_flag {
            command.arg("--api-keys-file").arg(&keys);
            command.arg("--store-file").arg(&store);
        } else {
            command.env("API_KEYS_FILE", &keys);
            command.env("SUPERSESSION_STORE_FILE", &store);
        }
        let server = starts(command);
        let path = "/user/id?userId=u";
        assert_eq!(server.send("GET", path, &Value::Null).0, 401);
        server.signal("-TERM");
        server.ended();
        assert!(place.path().join("s.db").exists());
    }
    let missing = place.path().join("missing");
    let missing = missing.to_str().unwrap();
    let flag = "--api-keys-file";
    refuses(&[flag, missing], &[], &[flag, missing]);
    refuses(&[], &[("API_KEYS_FILE", missing)], &[flag, missing]);
    refuses(
        &["--api-keys-file", missing, "--api-keys", KEY],
        &[],
        &["--api-keys-file", "cannot be used with"],
    );
    // These have a store in the environment.
    for flag in [
        "--store-file",
        "--postgresql-connection-uri-file",
        "--postgresql-password-file",
        "--postgresql-host",
        "--postgresql-user",
        "--postgresql-database-name",
    ] {
        refuses(&[flag, missing], &[], &[flag, "cannot be used with"]);
    }
}

#[test]
fn the_postgresql_variables_of_the_reference_are_supported() {
    let Some(database) = PostgresServer::shared() else {
        return;
    };
    let place = place();
    let password = place.path().join("password");
    std::fs::write(&password, "pa/ss@word\n").unwrap();
    let url = database.url();
    let user = url
        .trim_start_matches("postgres://")
        .split(':')
        .next()
        .unwrap();
    let port = database.port().to_string();
    let uri = format!("postgresql://{user}@127.0.0.1:{port}");
    let file = place.path().join("uri");
    std::fs::write(&file, &uri).unwrap();
    let password = password.to_str().unwrap();
    let whole: &[(&str, &str)] = &[
        ("POSTGRESQL_HOST", "127.0.0.1"),
        ("POSTGRESQL_PORT", &port),
        ("POSTGRESQL_USER", user),
        ("POSTGRESQL_PASSWORD", "pa/ss@word"),
    ];
    let of_file: &[(&str, &str)] = &[
        ("POSTGRESQL_HOST", "127.0.0.1"),
        ("POSTGRESQL_PORT", &port),
        ("POSTGRESQL_USER", user),
        ("POSTGRESQL_PASSWORD_FILE", password),
    ];
    let uri_without_password: &[(&str, &str)] = &[
        ("POSTGRESQL_CONNECTION_URI", &uri),
        ("POSTGRESQL_PASSWORD", "pa/ss@word"),
        ("POSTGRESQL_HOST", "not.used.invalid"),
    ];
    let uri_of_file: &[(&str, &str)] = &[
        ("POSTGRESQL_CONNECTION_URI_FILE", file.to_str().unwrap()),
        ("POSTGRESQL_PASSWORD_FILE", password),
    ];
    for variables in [whole, of_file, uri_without_password, uri_of_file] {
        let mut command = without_store();
        command.current_dir(place.path());
        command.envs(variables.iter().copied());
        command.env("POSTGRESQL_DATABASE_NAME", "postgres");
        command.env("POSTGRESQL_TABLE_SCHEMA", "server_variables");
        let server = starts(command);
        let made = server.send("POST", "/recipe/session", &new_session(&json!({})));
        assert_eq!(made.0, 200, "{}", made.1);
        server.signal("-TERM");
        let log = server.ended().join("\n");
        assert!(log.contains("Postgres"), "{log}");
        assert!(
            !log.contains("ss@word") && !log.contains("ss%40word"),
            "{log}"
        );
    }
    assert!(!place.path().join("supersession.db").exists());
}

/// A port without a listener.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn an_unreachable_store_is_retried_and_logged_once() {
    let Some(mut redis) = RedisServer::start(&[]) else {
        return;
    };
    redis.kill();
    let mut command = without_store();
    command.args(["--store", &redis.url(), "--store-wait-seconds", "60"]);
    let mut server = Server::spawn(command);
    server.wait_for("the store cannot be reached; trying again");
    redis.restart();
    server.is_listening();
    assert_eq!(server.send("GET", "/readyz", &Value::Null).0, 200);
    server.signal("-TERM");
    let log = server.ended().join("\n");
    assert_eq!(log.matches("cannot be reached").count(), 1, "{log}");
    assert!(log.contains("the store is reachable"), "{log}");
    assert!(!log.contains("\"ERROR\""), "{log}");
}

#[test]
fn the_start_fails_if_the_store_stays_unreachable() {
    for url in [
        format!("redis://127.0.0.1:{}", free_port()),
        format!("postgres://user:secret@127.0.0.1:{}/database", free_port()),
    ] {
        for (wait, waits) in [("1", 1), ("0", 0)] {
            let mut command = without_store();
            command.args(["--store", &url, "--store-wait-seconds", wait]);
            let output = command.output().unwrap();
            assert!(!output.status.success());
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(text.matches("trying again").count(), waits, "{text}");
            assert!(text.contains("127.0.0.1"), "{text}");
            assert_eq!(text.contains("--store-wait-seconds"), waits == 1, "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn a_server_that_waits_for_its_store_can_be_stopped() {
    let mut command = without_store();
    let url = format!("redis://127.0.0.1:{}", free_port());
    command.args(["--store", &url, "--store-wait-seconds", "3600"]);
    let mut server = Server::spawn(command);
    server.wait_for("trying again");
    server.signal("-TERM");
    server.ended();
}

/// At the level WARN, with method, path, app and tenant, and without possible secrets.
#[test]
fn failed_requests_are_logged() {
    let place = place();
    let mut command = command(&place.path().join("s.db"));
    command.args(["--log-level", "warn", "--api-keys", KEY]);
    let port = free_port();
    command.args(["--port", &port.to_string()]);
    let server = Server::at(command, port);
    let token = "eyJhbGciOiJSUzI1NiJ9".repeat(5);
    for path in [
        "/no/such/path?secret=query-secret".to_owned(),
        format!("/recipe/session/{token}"),
        "/appid-a1/t1/recipe/session?sessionHandle=query-secret".to_owned(),
        "/recipe/session/verify".to_owned(),
    ] {
        assert!(server.send("GET", &path, &Value::Null).0 >= 400, "{path}");
    }
    assert_eq!(server.send("GET", "/hello", &Value::Null).0, 200);
    server.signal("-TERM");
    let log = server.ended();
    let failed: Vec<Value> = log
        .iter()
        .filter(|line| line.contains("a request failed"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        (
            text("method"),
            text("path"),
            text("app"),
            text("tenant"),
            event["status"].as_u64().unwrap(),
        )
    };
    let event = |path: &str, app: &str, tenant: &str, status| {
        let texts = ["GET", path, app, tenant].map(str::to_owned);
        let [method, path, app, tenant] = texts;
        (method, path, app, tenant, status)
    };
    let expected = [
        event("/no/such/path", "", "", 404),
        event("/recipe/session/(100 characters)", "", "", 404),
        event("/appid-a1/t1/recipe/session", "a1", "t1", 400),
        event("/recipe/session/verify", "public", "public", 401),
    ];
    assert_eq!(failed.iter().map(told).collect::<Vec<_>>(), expected);
    let log = log.join("\n");
    assert!(
        !log.contains("query-secret") && !log.contains(&token),
        "{log}"
    );
}
