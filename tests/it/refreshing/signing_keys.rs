//! A change of the kind of signing key while sessions live (session specification, 12.3).

use supersession::{AccessToken, AntiCsrfInput, RefreshToken, SessionError, VerifyOptions};

use super::assert_cookies_only;
use crate::support::{App, Req, Tokens};

/// A token of the other kind asks for a refresh; the operator can read why.
///
/// Cases: S141.
#[tokio::test]
async fn a_token_of_the_other_kind_of_key_requires_a_refresh() {
    for dynamic_before in [true, false] {
        let before =
            App::with(|builder| builder.use_dynamic_access_token_signing_key(dynamic_before)).await;
        let tokens = before.login("alice").await;
        let after = before
            .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(!dynamic_before))
            .await;
        for path in ["/verify", "/verify-optional", "/verify-db"] {
            after
                .send(Req::get(path).access_cookie(&tokens))
                .await
                .is_try_refresh();
        }
        let access_token = AccessToken::new(tokens.access.clone());
        let error = after
            .sessions
            .verify_access_token(&access_token, None, &VerifyOptions::new())
            .await
            .unwrap_err();
        let SessionError::TryRefreshToken(reason) = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            reason,
            "The access token doesn't match the useDynamicAccessTokenSigningKey setting"
        );
    }
}

/// A refresh moves the session to the other kind. Adapted: rotation happens at the refresh, so that
/// no verification after it has anything to confirm; updated is true, false, false.
///
/// Cases: S142.
#[tokio::test]
async fn a_refresh_moves_the_session_to_the_other_kind_of_key() {
    for dynamic_before in [true, false] {
        let (old_prefix, new_prefix) = if dynamic_before {
            ("d-", "s-")
        } else {
            ("s-", "d-")
        };
        let before =
            App::with(|builder| builder.use_dynamic_access_token_signing_key(dynamic_before)).await;
        let first = before.login("alice").await;
        assert!(
            first.header()["kid"]
                .as_str()
                .unwrap()
                .starts_with(old_prefix)
        );
        let after = before
            .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(!dynamic_before))
            .await;
        let refreshed = after
            .sessions
            .refresh_session(
                &RefreshToken::new(first.refresh.clone()),
                AntiCsrfInput::Disabled,
            )
            .await
            .unwrap();
        let tokens = refreshed.all_session_tokens_dangerously();
        assert!(kid(&tokens.access_token).starts_with(new_prefix));
        assert!(tokens.access_and_front_token_updated);
        for check_database in [false, true] {
            let options = VerifyOptions::new().check_database(check_database);
            let session = after
                .sessions
                .verify_access_token(&tokens.access_token, None, &options)
                .await
                .unwrap()
                .unwrap();
            let again = session.all_session_tokens_dangerously();
            assert!(!again.access_and_front_token_updated);
            assert_eq!(again.access_token.expose(), tokens.access_token.expose());
        }

        // A replay inside the grace period keeps to the new kind, also if it was exchanged under
        // the old one.
        let other = before.login("bob").await;
        let old = assert_cookies_only(&before.send(Req::refresh().refresh_cookie(&other)).await);
        let new = assert_cookies_only(&after.send(Req::refresh().refresh_cookie(&other)).await);
        assert_eq!(new.refresh, old.refresh);
        assert!(
            new.header()["kid"]
                .as_str()
                .unwrap()
                .starts_with(new_prefix)
        );
        assert_eq!(
            after
                .send(Req::get("/verify-db").access_cookie(&new))
                .await
                .status,
            200
        );
    }
}

/// The id of the key that signed an access token.
fn kid(access_token: &AccessToken) -> String {
    let tokens = Tokens {
        access: access_token.expose().to_owned(),
        refresh: String::new(),
        anti_csrf: None,
        handle: String::new(),
    };
    tokens.header()["kid"].as_str().unwrap().to_owned()
}
