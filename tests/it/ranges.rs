//! Every duration, count and size of the builder at zero, at the smallest step and at its maximum:
//! refused by name, or usable.

use std::num::NonZero;
use std::time::Duration;

use supersession::engine::{EngineSettings, Engines};
use supersession::store::MemoryStore;
use supersession::{
    AntiCsrfInput, AppId, BuildError, SessionError, Sessions, SessionsBuilder, SystemClock,
    SystemEntropy, VerifyOptions,
};

use crate::support::App;

/// The settings that are refused. Sessions that build must work.
async fn refused(configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder) -> Vec<&'static str> {
    let builder = crate::support::default_config(Sessions::builder(MemoryStore::new()));
    let sessions = match configure(builder).build().await {
        Err(BuildError::Config(problems)) => {
            return problems.iter().map(|problem| problem.setting).collect();
        }
        Err(fault) => panic!("{fault}"),
        Ok(sessions) => sessions,
    };
    let session = sessions.create("alice").await.unwrap();
    let tokens = session.all_session_tokens_dangerously();
    let verified = sessions
        .verify_access_token(&tokens.access_token, None, &VerifyOptions::new())
        .await;
    assert!(verified.unwrap().is_some());
    let refresh = tokens.refresh_token.unwrap();
    sessions
        .refresh_session(&refresh, AntiCsrfInput::Disabled)
        .await
        .unwrap();
    Vec::new()
}

type Set<T> = fn(SessionsBuilder, T) -> SessionsBuilder;

type Change = fn(&mut EngineSettings);

const NANOSECOND: Duration = Duration::from_nanos(1);

#[tokio::test]
async fn durations_are_refused_by_name_or_usable() {
    // Each with what it refuses among zero and a nanosecond; all refuse the maximum.
    let setters: [(&str, Set<Duration>, [bool; 2]); 7] = [
        (
            "access_token_validity",
            SessionsBuilder::access_token_validity,
            [true, true],
        ),
        (
            "refresh_token_validity",
            SessionsBuilder::refresh_token_validity,
            [true, true],
        ),
        (
            "refresh_token_rotation_grace_period",
            SessionsBuilder::refresh_token_rotation_grace_period,
            [false, false],
        ),
        (
            "absolute_session_lifetime",
            SessionsBuilder::absolute_session_lifetime,
            [true, true],
        ),
        (
            "signing_key_update_interval",
            SessionsBuilder::signing_key_update_interval,
            [true, true],
        ),
        (
            "revocation_poll_interval",
            SessionsBuilder::revocation_poll_interval,
            [true, true],
        ),
        (
            "cleanup_interval",
            |builder, interval| builder.cleanup_interval(Some(interval)),
            [true, true],
        ),
    ];
    for (name, set, [zero, nanosecond]) in setters {
        let cases = [
            (Duration::ZERO, zero),
            (NANOSECOND, nanosecond),
            (Duration::MAX, true),
        ];
        for (value, is_refused) in cases {
            let settings = refused(|builder| set(builder, value)).await;
            assert_eq!(
                settings.contains(&name),
                is_refused,
                "{name} {value:?}: {settings:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_longest_durations_are_usable() {
    let longest = Duration::from_secs(36_500 * 86_400);
    let settings = refused(|builder| {
        builder
            .access_token_validity(Duration::from_secs(86_400_000))
            .refresh_token_validity(longest)
            .absolute_session_lifetime(longest)
            .signing_key_update_interval(longest)
            .revocation_poll_interval(Duration::from_secs(86_400))
            .cleanup_interval(Some(longest))
    });
    assert!(settings.await.is_empty());
}

#[tokio::test]
async fn counts_and_sizes_are_refused_by_name_or_usable() {
    let most = NonZero::new(usize::MAX).unwrap();
    assert!(
        refused(|builder| builder.max_sessions_per_user(most))
            .await
            .is_empty()
    );
    assert!(
        refused(|builder| builder.max_sessions_per_user(NonZero::<usize>::MIN))
            .await
            .is_empty()
    );
    for threads in [0, usize::MAX] {
        let settings = refused(|builder| builder.signing_threads(threads)).await;
        assert_eq!(settings, ["signing_threads"]);
    }
    assert!(
        refused(|builder| builder.verified_token_cache(0))
            .await
            .is_empty()
    );
    assert!(
        refused(|builder| builder.verified_token_cache(1))
            .await
            .is_empty()
    );
    let settings = refused(|builder| builder.verified_token_cache(usize::MAX)).await;
    assert_eq!(settings, ["verified_token_cache"]);
    for jitter in [-0.1, 0.26, f64::NAN, f64::INFINITY, f64::MAX] {
        let settings = refused(|builder| builder.access_token_validity_jitter(jitter)).await;
        assert_eq!(settings, ["access_token_validity_jitter"], "{jitter}");
    }
    for status in [0, u16::MAX] {
        let settings = refused(|builder| builder.session_expired_status(status)).await;
        assert_eq!(settings, ["session_expired_status"]);
        let settings = refused(|builder| builder.invalid_claim_status(status)).await;
        assert_eq!(settings, ["invalid_claim_status"]);
    }
}

#[tokio::test]
async fn the_validity_of_a_jwt_has_bounds() {
    let app = App::new().await;
    let longest = Duration::from_secs(36_500 * 86_400);
    for validity in [
        Duration::ZERO,
        NANOSECOND,
        longest + NANOSECOND,
        Duration::MAX,
    ] {
        let error = app.sessions.create_jwt((), validity).await.unwrap_err();
        assert!(matches!(error, SessionError::BadInput(_)), "{error}");
    }
    for validity in [Duration::from_secs(1), longest] {
        app.sessions.create_jwt((), validity).await.unwrap();
    }
}

#[tokio::test]
async fn engines_reject_durations_that_would_overflow() {
    let engines = |threads| {
        Engines::start(
            std::sync::Arc::new(MemoryStore::new()),
            std::sync::Arc::new(SystemClock),
            std::sync::Arc::new(SystemEntropy),
            threads,
        )
    };
    for threads in [0, usize::MAX] {
        let fault = engines(threads).unwrap_err();
        assert!(fault.to_string().contains("signing_threads"), "{fault}");
    }
    let engines = engines(1).unwrap();
    let setters: [(&str, Change); 8] = [
        ("access_token_validity", |s| {
            s.access_token_validity = Duration::MAX;
        }),
        ("access_token_validity_jitter", |s| {
            s.access_token_validity_jitter = f64::NAN;
        }),
        ("access_token_validity_jitter", |s| {
            s.access_token_validity_jitter = 1.5;
        }),
        ("refresh_token_validity", |s| {
            s.refresh_token_validity = Duration::MAX;
        }),
        ("refresh_token_rotation_grace_period", |s| {
            s.refresh_token_rotation_grace_period = Duration::MAX;
        }),
        ("absolute_session_lifetime", |s| {
            s.absolute_session_lifetime = Some(Duration::MAX);
        }),
        ("signing_key_update_interval", |s| {
            s.signing_key_update_interval = Duration::MAX;
        }),
        ("signing_key_overlap", |s| {
            s.signing_key_overlap = Duration::MAX;
        }),
    ];
    for (name, set) in setters {
        let mut settings = EngineSettings::default();
        set(&mut settings);
        let fault = engines.open(AppId::default(), &settings).await.unwrap_err();
        assert!(fault.to_string().contains(name), "{name}: {fault}");
    }
}
