//! No token, anti-CSRF token or API key is in an event, a span, an error or a `Debug` output,
//! whatever a core responds. All tests of this binary log to the same subscriber, which aborts at the
//! first token.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use serde_json::json;
use supersession::{
    AntiCsrf, AntiCsrfInput, RefreshToken, Session, SessionError, Sessions, SystemClock,
    SystemEntropy, VerifyOptions,
};
use supersession_remote::RemoteCore;
use supersession_server::AnyStore;

use crate::capture;
use crate::fake::{Fake, Mint, Reply, configured};
use crate::real::Real;

const API_KEY: &str = "an-api-key-that-nobody-may-see";

#[test]
fn the_search_for_tokens_finds_tokens() {
    let jwt = "token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln";
    let refresh = format!("{}==.{}.V2", "B".repeat(60), "a".repeat(64));
    assert!(capture::token_in(jwt).is_some() && capture::token_in(&refresh).is_some());
    assert!(capture::token_in("handle=0b8a-11_t1 user_id=alice").is_none());
}

/// Records the secrets, and checks everything that is printed.
struct Watch {
    secrets: Vec<String>,
    shown: String,
}

impl Watch {
    fn new() -> Self {
        capture::install();
        let mut watch = Self {
            secrets: Vec::new(),
            shown: String::new(),
        };
        watch.keep(API_KEY);
        watch
    }

    fn keep(&mut self, secret: &str) {
        capture::issued(secret);
        self.secrets.push(secret.to_owned());
    }

    /// Records all tokens of this session. Returns the refresh token.
    fn keep_all_of(&mut self, session: &Session) -> RefreshToken {
        let tokens = session.all_session_tokens_dangerously();
        self.keep(tokens.access_token.expose());
        self.keep(tokens.front_token.expose());
        if let Some(token) = &tokens.anti_csrf_token {
            self.keep(token.expose());
        }
        let refresh = tokens.refresh_token.clone().unwrap();
        self.keep(refresh.expose());
        self.show(session);
        self.show(&tokens);
        refresh
    }

    fn show(&mut self, value: &impl Debug) {
        self.shown.push_str(&format!("{value:?} {value:#?}\n"));
    }

    /// Checks an error and all its sources.
    fn show_error(&mut self, error: &SessionError) {
        self.show(error);
        let mut next: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = next {
            self.shown.push_str(&format!("{error}\n"));
            next = error.source();
        }
    }

    fn check(&self) {
        assert!(capture::issued_count() >= self.secrets.len());
        let told = [self.shown.clone(), capture::captured()].concat();
        for secret in &self.secrets {
            assert!(!told.contains(secret), "{secret}");
        }
        let found = capture::token_in(&self.shown);
        assert!(found.is_none(), "{found:?}");
    }
}

async fn with_anti_csrf(url: &str, key: &str, watch: &mut Watch) -> Sessions {
    let builder = RemoteCore::at(url).api_key(key);
    watch.show(&builder);
    let core = builder.build().await.unwrap();
    watch.show(&core);
    let sessions = configured(Sessions::over(core)).anti_csrf(AntiCsrf::ViaToken);
    let sessions = sessions.build().await.unwrap();
    watch.show(&sessions);
    sessions
}

#[tokio::test]
async fn no_token_of_our_own_core_is_printed() {
    let mut watch = Watch::new();
    let config = json!({ "api_keys": API_KEY, "refresh_token_rotation_grace_period": 0 });
    let config = config.as_object().unwrap().clone();
    let store = AnyStore::new(supersession::store::MemoryStore::new());
    let core = Real::start_with(store, config, SystemClock, SystemEntropy).await;
    let sessions = with_anti_csrf(core.url(), API_KEY, &mut watch).await;
    let strict = VerifyOptions::new().check_database(true);

    let session = sessions.create("alice").await.unwrap();
    let first = watch.keep_all_of(&session);
    let tokens = session.all_session_tokens_dangerously();
    let anti_csrf = tokens.anti_csrf_token.clone().unwrap();
    let access = tokens.access_token;
    for anti_csrf in [Some(&anti_csrf), None] {
        let verified = sessions.verify_access_token(&access, anti_csrf, &strict);
        match verified.await {
            Ok(session) => watch.show(&session),
            Err(error) => watch.show_error(&error),
        }
    }
    session
        .merge_into_access_token_payload(json!({ "a": 1 }))
        .await
        .unwrap();
    watch.keep(session.access_token().expose());
    let with = AntiCsrfInput::Token(Some(&anti_csrf));
    let refreshed = sessions.refresh_session(&first, with).await.unwrap();
    let second = watch.keep_all_of(&refreshed);
    let anti_csrf = refreshed.all_session_tokens_dangerously().anti_csrf_token;
    let with = || AntiCsrfInput::Token(anti_csrf.as_ref());
    let third = sessions.refresh_session(&second, with()).await.unwrap();
    watch.keep_all_of(&third);
    // Stolen, unknown and invalid tokens.
    for token in [first.clone(), second, RefreshToken::new("garbage")] {
        let error = sessions.refresh_session(&token, with()).await.unwrap_err();
        watch.show_error(&error);
    }
    let wrong = "another-key-that-nobody-may-see";
    watch.keep(wrong);
    let strangers = with_anti_csrf(core.url(), wrong, &mut watch).await;
    let error = strangers.information("h").await.unwrap_err();
    assert!(error.to_string().contains("RemoteCore::api_key"), "{error}");
    watch.show_error(&error);
    watch.check();
    core.stop().await;
}

/// A core may quote the request in its response.
fn quoting(how: usize, quote: &str) -> Reply {
    let json = match how {
        0 => json!({ "status": "UNAUTHORISED", "message": quote }),
        1 => json!({ "status": "TRY_REFRESH_TOKEN", "message": quote }),
        2 => json!({ "status": quote, "message": quote }),
        3 => json!({ "status": "OK", "accessToken": { "token": quote, "expiry": 1 } }),
        4 => json!({
            "status": "TOKEN_THEFT_DETECTED", "recentTokenReuseSubtype": quote,
            "session": { "handle": "h", "userId": "alice" }, "message": quote,
        }),
        5 => return Reply::text(200, quote),
        _ => {
            let statuses = [302, 400, 401, 403, 404, 418, 429, 500, 503];
            return Reply::text(statuses[how - 6], quote);
        }
    };
    Reply::Json(json)
}

#[tokio::test]
async fn no_token_that_a_core_quotes_is_printed() {
    let mut watch = Watch::new();
    let mint = Mint::new(SystemClock).await;
    let keys = mint.key_set().await;
    let quoted = Arc::new(Mutex::new(String::new()));
    for how in 0..15 {
        let (keys, log) = (keys.clone(), Arc::clone(&quoted));
        let core = Fake::start(move |seen| {
            if seen.is("GET", "/.well-known/jwks.json") {
                return keys.clone();
            }
            let quote = format!("{:?} {} {}", seen.headers, seen.path, seen.body);
            log.lock().unwrap().push_str(&quote);
            quoting(how, &quote)
        })
        .await;
        let sessions = with_anti_csrf(&core.url(), API_KEY, &mut watch).await;
        let session = mint.session().await;
        let token = watch.keep_all_of(&session);
        let access = session.access_token();
        let strict = VerifyOptions::new()
            .check_database(true)
            .anti_csrf_check(false);

        if let Err(error) = sessions.create("alice").await {
            watch.show_error(&error);
        }
        let anti_csrf = supersession::AntiCsrfToken::new("anti-csrf-that-nobody-may-see");
        watch.keep(anti_csrf.expose());
        let with = AntiCsrfInput::Token(Some(&anti_csrf));
        let error = sessions.refresh_session(&token, with).await.unwrap_err();
        watch.show_error(&error);
        match sessions.verify_access_token(&access, None, &strict).await {
            Ok(session) => watch.show(&session),
            Err(error) => watch.show_error(&error),
        }
        let loose = VerifyOptions::new().anti_csrf_check(false);
        let verified = sessions.verify_access_token(&access, None, &loose).await;
        let held = verified.unwrap().unwrap();
        if let Err(error) = held
            .merge_into_access_token_payload(json!({ "a": 1 }))
            .await
        {
            watch.show_error(&error);
        }
        if let Err(error) = sessions.revoke(session.handle()).await {
            watch.show_error(&error);
        }
    }
    // The core received the secrets.
    let quoted = quoted.lock().unwrap();
    for secret in watch.secrets.iter().filter(|secret| secret.contains('.')) {
        assert!(quoted.contains(secret.as_str()), "{secret}");
    }
    assert!(quoted.contains(API_KEY));
    watch.check();
}
