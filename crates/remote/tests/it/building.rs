//! Configuration problems, and secrets that are never printed.

use std::time::Duration;

use supersession::{AppId, BuildError, RefreshRules, Sessions, SigningAlgorithm};
use supersession_remote::RemoteCore;

use crate::fake::configured;

fn problems(error: BuildError) -> Vec<(String, String)> {
    match error {
        BuildError::Config(problems) => problems
            .into_iter()
            .map(|problem| (problem.setting.to_owned(), problem.fix))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn settings_of_the_core_are_rejected_with_the_corresponding_name() {
    let core = RemoteCore::at("http://127.0.0.1:9").build().await.unwrap();
    let error = configured(Sessions::over(core.clone()))
        .access_token_validity(Duration::from_secs(60))
        .refresh_token_validity(Duration::from_secs(600))
        .signing_key_update_interval(Duration::from_secs(7_200))
        .cleanup_interval(None)
        .access_token_signing_algorithm(SigningAlgorithm::Es256)
        .app_id(AppId::new("a1").unwrap())
        .track_devices(true)
        .refresh_rules(RefreshRules::Legacy)
        .build()
        .await
        .unwrap_err();
    let problems = problems(error);
    let fix = |setting: &str| {
        let found = problems.iter().find(|(name, _)| name == setting);
        found
            .unwrap_or_else(|| panic!("{setting}: {problems:?}"))
            .1
            .as_str()
    };
    assert!(fix("access_token_validity").contains("`access_token_validity`"));
    assert!(fix("refresh_token_validity").contains("`refresh_token_validity`"));
    assert!(
        fix("signing_key_update_interval")
            .contains("`access_token_dynamic_signing_key_update_interval`")
    );
    assert!(fix("app_id").contains("RemoteCore::app_id"));
    assert!(fix("refresh_rules").contains("`supertokens_max_cdi_version`"));
    assert!(fix("track_devices").contains("leave it out"));
    assert!(!fix("cleanup_interval").is_empty());
    assert_eq!(problems.len(), 8, "{problems:?}");

    // Values without an effect, and settings of the application, are not problems.
    configured(Sessions::over(core))
        .track_devices(false)
        .revocation_poll_interval(Duration::from_secs(1))
        .build()
        .await
        .unwrap();
}

#[tokio::test]
async fn hosts_and_api_keys_are_validated_and_never_printed() {
    let builder = RemoteCore::at("core:3567")
        .host("http://user:hunter2@core")
        .api_key("hunter2\n!")
        .timeout(Duration::ZERO);
    assert!(!format!("{builder:?}").contains("hunter2"));
    let error = builder.build().await.unwrap_err();
    let text = error.to_string();
    assert!(
        !text.contains("hunter2") && text.contains("user name"),
        "{text}"
    );
    assert_eq!(problems(error).len(), 4, "{text}");
    for span in [Duration::from_nanos(1), Duration::MAX] {
        let builder = RemoteCore::at("http://core")
            .timeout(span)
            .connect_timeout(span)
            .retry_step(span);
        let text = builder.build().await.unwrap_err().to_string();
        for setting in [
            "RemoteCore::timeout",
            "RemoteCore::connect_timeout",
            "RemoteCore::retry_step",
        ] {
            assert!(text.contains(setting), "{text}");
        }
    }
    let core = RemoteCore::at("http://core:3567/base")
        .api_key("hunter2")
        .build()
        .await
        .unwrap();
    let text = format!("{core:?}");
    assert!(
        text.contains("http://core:3567") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_missing_runtime_is_named_in_the_error() {
    let error = pollster::block_on(RemoteCore::at("http://core").build()).unwrap_err();
    assert!(error.to_string().contains("tokio"), "{error}");
}

#[tokio::test]
async fn a_url_with_more_than_a_host_is_rejected_with_a_fix() {
    for (url, fix) in [
        ("http://core/appid-a1", "RemoteCore::app_id"),
        ("http://core/recipe/session", "base_path"),
        ("ftp://core", "http://core:3567"),
    ] {
        let error = RemoteCore::at(url).build().await.unwrap_err();
        assert!(problems(error)[0].1.contains(fix), "{url}");
    }
}
