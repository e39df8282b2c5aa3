//! All handles of a session share its tokens, and no request keeps itself alive.

use serde_json::json;

use super::*;
use crate::http::{RequestView, ResponseHead};
use crate::keys::SigningAlgorithm;
use crate::request::{RequestSessions, VerifyOptions};
use crate::sessions::Sessions;
use crate::store::MemoryStore;
use crate::wire;

struct View {
    path: &'static str,
    token: String,
}

impl RequestView for View {
    fn method(&self) -> &'static str {
        "POST"
    }

    fn path(&self) -> &str {
        self.path
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        let bearer = format!("Bearer {}", self.token);
        each(wire::AUTHORIZATION_HEADER, bearer.as_bytes());
    }
}

/// A request with an access token cookie and a bearer refresh token.
struct Both {
    access: String,
    refresh: String,
}

impl RequestView for Both {
    fn method(&self) -> &'static str {
        "GET"
    }

    fn path(&self) -> &'static str {
        "/"
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        let cookie = format!("{}={}", wire::ACCESS_COOKIE, self.access);
        each(wire::COOKIE_HEADER, cookie.as_bytes());
        let bearer = format!("Bearer {}", self.refresh);
        each(wire::AUTHORIZATION_HEADER, bearer.as_bytes());
    }
}

/// The names of the headers of a response.
#[derive(Default)]
struct Head(Vec<String>);

impl ResponseHead for Head {
    fn header_values(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}

    fn remove_header(&mut self, _: &str) {}

    fn append_header(&mut self, name: &str, _: &str, _: bool) {
        self.0.push(name.to_owned());
    }
}

async fn sessions() -> Sessions {
    Sessions::builder(MemoryStore::new())
        .api_domain("https://api.example.com")
        .website_domain("https://example.com")
        .access_token_signing_algorithm(SigningAlgorithm::Es256)
        .build()
        .await
        .unwrap()
}

async fn verified(sessions: &Sessions, token: &AccessToken) -> Session {
    let options = VerifyOptions::new();
    let verified = sessions.verify_access_token(token, None, &options).await;
    verified.unwrap().unwrap()
}

fn request(sessions: &Sessions, path: &'static str, token: &str) -> RequestSessions {
    let request = sessions.for_request("POST", path);
    let token = token.to_owned();
    request.read(&View { path, token });
    request
}

fn plan(session: &Session) -> Option<serde_json::Value> {
    session.access_token_payload().get("plan")
}

#[test]
fn a_change_through_one_handle_is_visible_through_all() {
    pollster::block_on(async {
        let sessions = sessions().await;
        let token = sessions.create("alice").await.unwrap().access_token();
        let first = verified(&sessions, &token).await;
        let clone_of_unchanged = first.clone();
        let clone_of_clone = clone_of_unchanged.clone();
        clone_of_unchanged
            .merge_into_access_token_payload(json!({"plan": "free"}))
            .await
            .unwrap();
        let clone_of_changed = first.clone();
        for handle in [
            &first,
            &clone_of_unchanged,
            &clone_of_clone,
            &clone_of_changed,
        ] {
            assert_eq!(plan(handle), Some(json!("free")));
            assert!(
                handle
                    .all_session_tokens_dangerously()
                    .access_and_front_token_updated
            );
        }
        clone_of_changed
            .merge_into_access_token_payload(json!({"plan": "paid"}))
            .await
            .unwrap();
        for handle in [&first, &clone_of_unchanged, &clone_of_clone] {
            assert_eq!(plan(handle), Some(json!("paid")));
        }
    });
}

/// The function that chooses the validators receives the session before the request keeps it, and may
/// keep a clone.
#[test]
fn a_handle_cloned_during_verification_shares_the_tokens_of_the_request() {
    pollster::block_on(async {
        let sessions = sessions().await;
        let token = sessions.create("alice").await.unwrap().access_token();
        let request = request(&sessions, "/", token.expose());
        let kept: Arc<std::sync::Mutex<Option<Session>>> = Arc::default();
        let options = VerifyOptions::new().override_global_validators({
            let kept = kept.clone();
            move |_, session| {
                *kept.lock().unwrap() = Some(session.clone());
                Vec::new()
            }
        });
        let guarded = request.verify(&options).await.unwrap().unwrap();
        let early = kept.lock().unwrap().take().unwrap();
        let extracted = request.session().await.unwrap();
        let delivery = early
            .merge_into_access_token_payload(json!({"plan": "free"}))
            .await
            .unwrap();
        assert_eq!(delivery, Delivery::InThisResponse);
        assert_eq!(plan(&guarded), Some(json!("free")));
        assert_eq!(plan(&extracted), Some(json!("free")));
        let mut head = Head::default();
        request.finish(&mut head);
        assert!(head.0.contains(&wire::ACCESS_TOKEN_HEADER.to_owned()));
    });
}

#[test]
fn a_handle_outlives_its_request_and_no_longer_changes_its_response() {
    pollster::block_on(async {
        let sessions = sessions().await;
        let created = sessions.create("alice").await.unwrap();
        let request = request(&sessions, "/", created.access_token().expose());
        let verified = request.session().await.unwrap();
        let attached = request.attach(&created).unwrap();
        request.finish(&mut Head::default());
        drop(request);
        for handle in [&verified, &attached] {
            let delivery = handle
                .merge_into_access_token_payload(json!({"plan": "free"}))
                .await
                .unwrap();
            assert_eq!(delivery, Delivery::AtNextRefresh);
            assert_eq!(plan(handle), Some(json!("free")));
        }
        // Attaching the session gave it separate tokens.
        assert_eq!(plan(&created), None);
    });
}

#[test]
fn a_revocation_check_of_one_guard_is_not_repeated_by_the_next() {
    pollster::block_on(async {
        let sessions = sessions().await;
        let created = sessions.create("alice").await.unwrap();
        let request = request(&sessions, "/", created.access_token().expose());
        request.session().await.unwrap();
        let asks_store = VerifyOptions::new().check_database(true);
        request.require(&asks_store).await.unwrap();
        // Like a revocation on another node, which sends no notification.
        let elsewhere = sessions.authority();
        elsewhere
            .revoke(std::slice::from_ref(created.handle()))
            .await
            .unwrap();
        request.require(&asks_store).await.unwrap();
        let next = self::request(&sessions, "/", created.access_token().expose());
        next.require(&asks_store).await.unwrap_err();
    });
}

#[test]
fn a_refresh_replaces_the_session_of_a_verified_request() {
    pollster::block_on(async {
        let sessions = sessions().await;
        let alice = sessions.create("alice").await.unwrap();
        let bob = sessions.create("bob").await.unwrap();
        let refresh_token = bob.all_session_tokens_dangerously().refresh_token.unwrap();
        // The access token travels in the cookie, the refresh token in the header.
        let request = sessions.for_request("GET", "/");
        request.read(&Both {
            access: alice.access_token().expose().to_owned(),
            refresh: refresh_token.expose().to_owned(),
        });
        let first = request.session().await.unwrap();
        assert_eq!(first.user_id(), "alice");

        let refreshed = request.refresh().await.unwrap();
        assert_eq!(refreshed.user_id(), "bob");
        let later = request.session().await.unwrap();
        assert_eq!(later.user_id(), "bob");
        assert_eq!(first.user_id(), "alice");
        refreshed
            .merge_into_access_token_payload(json!({"plan": "paid"}))
            .await
            .unwrap();
        assert_eq!(plan(&later), Some(json!("paid")));
        assert_eq!(plan(&first), None);
    });
}

/// The weak link from a session to its request's response breaks the cycle between the two.
#[test]
fn a_request_does_not_keep_itself_alive() {
    pollster::block_on(async {
        let sessions = sessions().await;
        let created = sessions.create("alice").await.unwrap();
        let request = request(&sessions, "/", created.access_token().expose());
        let session = request.session().await.unwrap();
        let response = session.0.response().unwrap().effects.clone();
        assert!(response.upgrade().is_some());
        drop(request);
        assert!(response.upgrade().is_none());
        assert_eq!(session.user_id(), "alice");
    });
}
