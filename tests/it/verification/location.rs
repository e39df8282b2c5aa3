//! Where the access token is looked for, and which one counts.

use serde_json::{Value, json};
use supersession::{AntiCsrf, TokenTransferMethod};

use super::app_allowing;
use crate::support::{Answer, App, Req, Tokens};

use TokenTransferMethod::{Any, Cookie, Header};

const METHODS: [TokenTransferMethod; 3] = [Any, Header, Cookie];

/// Fails unless the route ran, without a session.
#[track_caller]
fn is_guest(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"session": null}))
    );
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

/// Fails unless the answer is 401 and takes nothing from the client.
#[track_caller]
fn is_unauthorised_without_clearing(answer: &Answer) {
    answer.is_unauthorised();
    assert!(
        answer.has_no_token_headers() && answer.exposed().is_empty(),
        "{answer:?}"
    );
}

#[track_caller]
fn is_session_of(answer: &Answer, tokens: &Tokens) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["handle"], Value::from(tokens.handle.as_str()));
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

/// The whole table: for each way that is allowed, required or optional, with a token in the header,
/// in the cookie, in both or in none, good or expired. A missing token is nobody or 401 without
/// clearing; an expired one is always "try refresh token".
/// Cases: S62, S63, S64, S65, S66, S67, S68, S75.
#[tokio::test]
async fn token_locations_follow_the_specified_table() {
    for allowed in METHODS {
        let app = app_allowing(allowed).await;
        let by_header = app.login_as("hannah", "header").await;
        let by_cookie = app.login_as("carol", "cookie").await;
        for expired in [false, true] {
            if expired {
                app.advance_secs(3_600);
            }
            for required in [false, true] {
                for (in_header, in_cookie) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let path = if required {
                        "/verify"
                    } else {
                        "/verify-optional"
                    };
                    let mut request = Req::get(path);
                    if in_header {
                        request = request.bearer(&by_header.access);
                    }
                    if in_cookie {
                        request = request.access_cookie(&by_cookie);
                    }
                    let answer = app.send(request).await;
                    let chosen = if in_header && allowed != Cookie {
                        Some(&by_header)
                    } else {
                        (in_cookie && allowed != Header).then_some(&by_cookie)
                    };
                    match chosen {
                        Some(_) if expired => answer.is_try_refresh(),
                        Some(tokens) => is_session_of(&answer, tokens),
                        None if required => is_unauthorised_without_clearing(&answer),
                        None => is_guest(&answer),
                    }
                }
            }
        }
    }
}

/// There is no second choice: an expired or badly signed header beats a good cookie where headers
/// are allowed, and is not seen where they are not.
/// Cases: S69.
#[tokio::test]
async fn an_expired_header_is_not_replaced_by_a_valid_cookie() {
    for allowed in METHODS {
        let app = app_allowing(allowed).await;
        let expired = app.login_as("hannah", "header").await;
        app.advance_secs(3_600);
        let good = app.login_as("carol", "cookie").await;
        let (input, _) = good.access.rsplit_once('.').unwrap();
        let (_, signature) = expired.access.rsplit_once('.').unwrap();
        for bearer in [expired.access.clone(), format!("{input}.{signature}")] {
            let request = Req::get("/verify").bearer(&bearer).access_cookie(&good);
            let answer = app.send(request).await;
            if allowed == Cookie {
                is_session_of(&answer, &good);
            } else {
                answer.is_try_refresh();
            }
        }
    }
}

/// A bearer value that is none of ours is passed over: a good cookie counts where cookies are
/// allowed, and without one there is no session.
/// Cases: S70, S71, S72.
#[tokio::test]
async fn a_foreign_bearer_value_is_passed_over() {
    let foreign =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InMtMSJ9.eyJzdWIiOiJtYWxsb3J5In0.c2ln";
    for allowed in METHODS {
        let app = app_allowing(allowed).await;
        let good = app.login_as("carol", "cookie").await;
        for bearer in [foreign, "asdf", "", "a.b", "a.b.c", &good.refresh] {
            let request = Req::get("/verify").bearer(bearer).access_cookie(&good);
            let answer = app.send(request).await;
            if allowed == Header {
                is_unauthorised_without_clearing(&answer);
            } else {
                is_session_of(&answer, &good);
            }
            let answer = app.send(Req::get("/verify").bearer(bearer)).await;
            is_unauthorised_without_clearing(&answer);
            is_guest(&app.send(Req::get("/verify-optional").bearer(bearer)).await);
        }
    }
}

/// The cookie of a legacy session asks for a refresh, whatever else the request carries and whether
/// or not a session is needed.
/// Cases: S73, S74.
#[tokio::test]
async fn the_cookie_of_a_legacy_session_requires_a_refresh() {
    for allowed in METHODS {
        let app = app_allowing(allowed).await;
        let tokens = app.login("alice").await;
        for path in [
            "/verify",
            "/verify-optional",
            "/verify-db",
            "/verify-no-csrf",
        ] {
            let legacy = Req::get(path).cookie("sIdRefreshToken", "x");
            app.send(legacy.clone()).await.is_try_refresh();
            app.send(legacy.clone().access_cookie(&tokens))
                .await
                .is_try_refresh();
            app.send(legacy.bearer(&tokens.access))
                .await
                .is_try_refresh();
            let empty = Req::get(path)
                .cookie("sIdRefreshToken", "")
                .bearer(&tokens.access);
            app.send(empty).await.is_try_refresh();
        }
    }
}

/// Two access cookies ask for a refresh, required or not, and clear nothing; a good bearer token is
/// not hindered by them where headers are allowed.
/// Cases: S76, S77.
#[tokio::test]
async fn two_access_cookies_require_a_refresh() {
    for allowed in METHODS {
        let app = app_allowing(allowed).await;
        let tokens = app.login_as("carol", "cookie").await;
        let bearer = app.login_as("hannah", "header").await;
        for path in ["/verify", "/verify-optional"] {
            let twice = Req::get(path)
                .access_cookie(&tokens)
                .cookie("sAccessToken", "older");
            let answer = app.send(twice.clone()).await;
            match (allowed, path) {
                (Header, "/verify") => is_unauthorised_without_clearing(&answer),
                (Header, _) => is_guest(&answer),
                _ => answer.is_try_refresh(),
            }
            let answer = app.send(twice.bearer(&bearer.access)).await;
            if allowed == Cookie {
                answer.is_try_refresh();
            } else {
                is_session_of(&answer, &bearer);
            }
        }
    }
}

/// Cookies that HTTP/2 has split over several fields are one list: two access cookies are found,
/// one is read.
/// Cases: S76.
#[tokio::test]
async fn cookies_split_over_several_fields_are_one_list() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let access = format!("sAccessToken={}", tokens.access);
    let split = Req::get("/verify")
        .header("cookie", "theme=dark")
        .header("cookie", &access);
    is_session_of(&app.send(split.clone()).await, &tokens);
    app.send(split.header("cookie", &access))
        .await
        .is_try_refresh();
}

/// An empty access cookie, as it is left after signing out, is no token.
/// Cases: S78.
#[tokio::test]
async fn an_empty_access_cookie_is_not_a_token() {
    for allowed in METHODS {
        let app = app_allowing(allowed).await;
        let empty = |path| Req::get(path).cookie("sAccessToken", "");
        is_unauthorised_without_clearing(&app.send(empty("/verify")).await);
        is_guest(&app.send(empty("/verify-optional")).await);
        let twice = empty("/verify").cookie("sAccessToken", "");
        is_unauthorised_without_clearing(&app.send(twice).await);
    }
}

/// OPTIONS and TRACE pass without a session, even where one is needed, whatever the request
/// carries.
/// Cases: S79.
#[tokio::test]
async fn options_and_trace_pass_without_a_session() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let tokens = app.login("alice").await;
    for method in ["OPTIONS", "TRACE"] {
        for path in ["/verify", "/verify-db", "/verify-csrf", "/verify-optional"] {
            is_guest(&app.send(Req::new(method, path)).await);
            is_guest(
                &app.send(Req::new(method, path).access_cookie(&tokens))
                    .await,
            );
            let legacy = Req::new(method, path).cookie("sIdRefreshToken", "x");
            is_guest(&app.send(legacy).await);
        }
    }
    let answer = app.send(Req::new("HEAD", "/verify")).await;
    assert_eq!(answer.status, 401);
}

/// The scheme is `Bearer` in any case and a space (RFC 9110, 11.1): another scheme or none is no
/// token.
/// Cases: S81.
#[tokio::test]
async fn the_bearer_scheme_is_matched_in_any_case() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let send = |value: String| app.send(Req::get("/verify").header("authorization", &value));
    for value in ["Basic", "Bearer\t", "Token", "Bear", "Bearers"] {
        let answer = send(format!("{value} {}", tokens.access)).await;
        is_unauthorised_without_clearing(&answer);
    }
    for value in ["Bearer", "Bearer ", &tokens.access, "", "Bearer Bearer "] {
        is_unauthorised_without_clearing(&send(value.to_owned()).await);
    }
    is_unauthorised_without_clearing(&send(format!("Bearer Bearer {}", tokens.access)).await);
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        is_session_of(&send(format!("{scheme} {}", tokens.access)).await, &tokens);
        let refresh =
            Req::refresh().header("authorization", &format!("{scheme} {}", tokens.refresh));
        assert_eq!(app.send(refresh).await.status, 200, "{scheme}");
    }
    is_session_of(&send(format!("Bearer   {} ", tokens.access)).await, &tokens);
}

/// Cookies of others, with quotes, stray percent signs, no name or no value, neither fail a request
/// nor hide our token; quotes around our own value go, and percent-encoding of it is undone.
/// Cases: S82.
#[tokio::test]
async fn odd_cookies_of_others_do_no_harm() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let access = &tokens.access;
    let encoded = access.replace('.', "%2E");
    for cookies in [
        format!("x=\"q\\\"; 100%; y=%; z=%E0%A4%A; sAccessToken={access}; w"),
        format!("sAccessToken={access}; =v; ;; a=b=c; sAccessTokenOld=1; xsAccessToken=2"),
        format!("json={{\"a\":[1,2]}}; sAccessToken=\"{access}\""),
        format!("sAccessToken={encoded};y=%zz"),
    ] {
        let answer = app
            .send(Req::get("/verify").header("cookie", &cookies))
            .await;
        is_session_of(&answer, &tokens);
    }
    for cookies in ["x=\"; y=%", ";;;", "=", "%", "sAccessToken"] {
        let request = Req::get("/verify").header("cookie", cookies);
        is_unauthorised_without_clearing(&app.send(request).await);
    }
}

/// A cookie whose name is ours only after percent-decoding is not ours. Beside a plain name it counts
/// as a duplicate, which asks for a refresh. Beside a guarded name it does not: browsers guard
/// `__Host-` names by their letters, so another host can set the encoded one.
/// Cases: S76, S82.
#[tokio::test]
async fn an_encoded_spelling_of_a_guarded_cookie_name_is_ignored() {
    let app = App::with(|builder| builder.cookie_names("__Host-access", "refresh")).await;
    let tokens = {
        let request = Req::post("/create").header("st-auth-mode", "cookie");
        let answer = app.send(request.json(&json!({"userId": "alice"}))).await;
        answer.cookie("__Host-access").unwrap().value
    };
    let spelled = |name: &str| Req::get("/verify").header("cookie", &format!("{name}={tokens}"));
    assert_eq!(app.send(spelled("__Host-access")).await.status, 200);
    is_unauthorised_without_clearing(&app.send(spelled("%5F_Host-access")).await);
    let both = format!("%5F_Host-access=planted; __Host-access={tokens}");
    let answer = app.send(Req::get("/verify").header("cookie", &both)).await;
    assert_eq!(answer.status, 200);

    let app = App::new().await;
    let tokens = app.login("alice").await;
    let both = format!("%73AccessToken=planted; sAccessToken={}", tokens.access);
    let answer = app.send(Req::get("/verify").header("cookie", &both)).await;
    answer.is_try_refresh();
}

/// Of a header that comes twice, the first counts: another one behind it, such as a proxy adds,
/// changes nothing.
#[tokio::test]
async fn the_first_value_of_a_repeated_header_is_used() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let first = app.login_as("alice", "header").await;
    let second = app.login_as("bob", "header").await;
    let both = Req::get("/verify")
        .bearer(&first.access)
        .bearer(&second.access);
    is_session_of(&app.send(both).await, &first);

    let tokens = app.login_as("carol", "cookie").await;
    let own = tokens.anti_csrf.as_deref().unwrap();
    let guarded = || Req::get("/verify-csrf").access_cookie(&tokens);
    let good = guarded().header("anti-csrf", own).header("anti-csrf", "x");
    is_session_of(&app.send(good).await, &tokens);
    let wrong = guarded().header("anti-csrf", "x").header("anti-csrf", own);
    app.send(wrong).await.is_try_refresh();

    for (modes, by_cookie) in [(["cookie", "header"], true), (["header", "cookie"], false)] {
        let create = modes.iter().fold(Req::post("/create"), |request, mode| {
            request.header("st-auth-mode", mode)
        });
        let answer = app.send(create.json(&json!({"userId": "dave"}))).await;
        assert_eq!(answer.cookies().is_empty(), !by_cookie, "{answer:?}");
    }
}
