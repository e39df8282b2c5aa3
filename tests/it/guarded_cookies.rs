//! Cookies that browsers guard by their names, and partitioned ones: what is written, what is read,
//! and that a changeover logs nobody out.

use std::collections::BTreeMap;

use serde_json::json;
use supersession::store::MemoryStore;
use supersession::{BuildError, CookiePrefix, Sessions, SessionsBuilder};

use crate::support::{Answer, App, Req};

const STEPS: [CookiePrefix; 4] = [
    CookiePrefix::Off,
    CookiePrefix::Accept,
    CookiePrefix::Prefer,
    CookiePrefix::Require,
];
const PLAIN: [&str; 2] = ["sAccessToken", "sRefreshToken"];
const GUARDED: [&str; 2] = ["__Host-sAccessToken", "__Secure-sRefreshToken"];

/// The cookies of a browser, by name, domain, path and partition. Refuses what a browser refuses.
#[derive(Clone, Debug, Default)]
struct Jar(BTreeMap<(String, String, String, bool), String>);

impl Jar {
    fn take(&mut self, answer: &Answer) {
        for cookie in answer.cookies() {
            if cookie.name.starts_with("__") {
                assert!(cookie.secure, "{cookie:?}");
            }
            if cookie.name.starts_with("__Host-") {
                let place = (cookie.domain.as_deref(), cookie.path.as_deref());
                assert_eq!(place, (None, Some("/")), "{cookie:?}");
            }
            let cleared = cookie.is_cleared();
            let key = (
                cookie.name,
                cookie.domain.unwrap_or_default(),
                cookie.path.unwrap_or_default(),
                cookie.partitioned,
            );
            if cleared {
                self.0.remove(&key);
            } else {
                self.0.insert(key, cookie.value);
            }
        }
    }

    fn add_to(&self, mut request: Req, path: &str) -> Req {
        for ((name, _, cookie_path, _), value) in &self.0 {
            if path.starts_with(cookie_path.as_str()) {
                request = request.cookie(name, value);
            }
        }
        request
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(|(name, ..)| name.as_str()).collect()
    }

    /// Sends a request as the browser would, and takes the cookies of the answer.
    async fn send(&mut self, app: &App, method: &str, path: &str) -> Answer {
        let answer = app.send(self.add_to(Req::new(method, path), path)).await;
        self.take(&answer);
        answer
    }

    async fn login(app: &App) -> Self {
        let mut jar = Self::default();
        let create = Req::post("/create").header("st-auth-mode", "cookie");
        let answer = app.send(create.json(&json!({"userId": "alice"}))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        jar.take(&answer);
        jar
    }
}

async fn at(prefix: CookiePrefix) -> App {
    App::with(|builder| builder.cookie_prefix(prefix)).await
}

async fn then(app: &App, prefix: CookiePrefix) -> App {
    app.restarted_with(|builder| builder.cookie_prefix(prefix))
        .await
}

#[tokio::test]
async fn each_step_writes_its_names() {
    for (prefix, names) in STEPS.into_iter().zip([PLAIN, PLAIN, GUARDED, GUARDED]) {
        assert_eq!(Jar::login(&at(prefix).await).await.names(), names);
    }
    // With a domain, or a narrower path, the access token's cookie cannot be for the host alone.
    let shared = App::with(|builder| {
        builder
            .cookie_prefix(CookiePrefix::Require)
            .cookie_domain(".example.com")
    });
    let narrow = App::with(|builder| {
        builder
            .cookie_prefix(CookiePrefix::Require)
            .access_token_path("/verify")
    });
    for app in [shared.await, narrow.await] {
        let names = ["__Secure-sAccessToken", "__Secure-sRefreshToken"];
        let mut jar = Jar::login(&app).await;
        assert_eq!(jar.names(), names);
        assert_eq!(jar.send(&app, "GET", "/verify").await.status, 200);
    }
}

#[tokio::test]
async fn a_changeover_in_both_directions_logs_no_user_out() {
    let mut app = at(CookiePrefix::Off).await;
    let mut jar = Jar::login(&app).await;
    let back = STEPS.into_iter().rev().skip(1);
    for prefix in STEPS.into_iter().chain(back) {
        app = then(&app, prefix).await;
        assert_eq!(jar.send(&app, "GET", "/verify").await.status, 200);
        let merge = jar.add_to(Req::post("/merge"), "/merge");
        let answer = app.send(merge.json(&json!({"step": 1}))).await;
        assert_eq!(answer.status, 200, "{prefix:?}");
        jar.take(&answer);
        assert_eq!(jar.names().len(), 2, "{prefix:?}: {jar:?}");
        assert_eq!(jar.send(&app, "GET", "/verify").await.status, 200);
        let answer = jar.send(&app, "POST", "/auth/session/refresh").await;
        assert_eq!(answer.status, 200, "{prefix:?}");
        let expected = if prefix >= CookiePrefix::Prefer {
            GUARDED
        } else {
            PLAIN
        };
        assert_eq!(jar.names(), expected);
        assert_eq!(jar.send(&app, "GET", "/verify").await.status, 200);
    }
}

#[tokio::test]
async fn nodes_at_neighbouring_steps_serve_the_same_browser() {
    let first = at(CookiePrefix::Off).await;
    for pair in STEPS.windows(2) {
        let nodes = [then(&first, pair[0]).await, then(&first, pair[1]).await];
        // What the further node writes, the other one must read; the last step is for browsers that
        // have the guarded names already.
        let begin = usize::from(pair[1] == CookiePrefix::Require);
        let mut jar = Jar::login(&nodes[begin]).await;
        if pair[1] == CookiePrefix::Require {
            assert_eq!(jar.names(), GUARDED);
        }
        for node in nodes.iter().cycle().take(6) {
            assert_eq!(jar.send(node, "GET", "/verify").await.status, 200);
            let answer = jar.send(node, "POST", "/auth/session/refresh").await;
            assert_eq!(answer.status, 200, "{pair:?}");
            assert_eq!(jar.names().len(), 2, "{pair:?}");
        }
    }
}

#[tokio::test]
async fn a_planted_cookie_is_ignored_beside_a_guarded_one() {
    let app = at(CookiePrefix::Prefer).await;
    let (mallory, mut alice) = (
        then(&app, CookiePrefix::Off).await.login("mallory").await,
        Jar::login(&app).await,
    );
    for path in ["/verify", "/auth/session/refresh"] {
        let method = if path == "/verify" { "GET" } else { "POST" };
        let request = Req::new(method, path)
            .cookie("sAccessToken", &mallory.access)
            .cookie("sRefreshToken", &mallory.refresh)
            .cookie("sAccessToken", &mallory.access)
            .cookie("sRefreshToken", &mallory.refresh);
        let answer = app.send(alice.add_to(request, path)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if path == "/verify" {
            assert_eq!(answer.json()["userId"], "alice");
        }
        alice.take(&answer);
    }
    // In the last step it does not count at all, and an encoded spelling of a guarded name never.
    let last = then(&app, CookiePrefix::Require).await;
    let planted = Req::get("/verify").access_cookie(&mallory);
    assert_eq!(last.send(planted).await.status, 401);
    for app in [&app, &last] {
        let spelled = Req::get("/verify").cookie("__%48ost-sAccessToken", &mallory.access);
        assert_eq!(app.send(spelled).await.status, 401);
    }
}

#[tokio::test]
async fn signing_out_leaves_no_cookie_of_any_name() {
    let app = at(CookiePrefix::Accept).await;
    let mut jar = Jar::login(&app).await;
    let next = then(&app, CookiePrefix::Prefer).await;
    let answer = jar.send(&next, "POST", "/auth/signout").await;
    assert_eq!(answer.status, 200);
    assert!(jar.0.is_empty(), "{jar:?}");
}

#[tokio::test]
async fn partitioned_cookies_replace_those_from_before() {
    let configure = |builder: SessionsBuilder| builder.website_domain("https://other.org");
    let app = App::with(configure).await;
    let mut jar = Jar::login(&app).await;
    assert!(jar.0.keys().all(|(.., partitioned)| !partitioned));
    for prefix in [CookiePrefix::Off, CookiePrefix::Prefer] {
        let app = app
            .restarted_with(|builder| {
                configure(builder)
                    .cookie_partitioned(true)
                    .cookie_prefix(prefix)
            })
            .await;
        let path = "/auth/session/refresh";
        let request = jar.add_to(Req::post(path), path).header("rid", "session");
        let answer = app.send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for cookie in answer.cookies() {
            assert!(cookie.partitioned || cookie.is_cleared(), "{cookie:?}");
            assert_eq!(cookie.same_site.as_deref(), Some("None"));
            assert!(cookie.secure);
        }
        jar.take(&answer);
        assert_eq!(jar.names().len(), 2, "{jar:?}");
        assert!(jar.0.keys().all(|(.., partitioned)| *partitioned));
        assert_eq!(jar.send(&app, "GET", "/verify").await.status, 200);
    }
    // To a browser without partitions both lines are about one cookie, and the last one counts.
    let app = app
        .restarted_with(|builder| configure(builder).cookie_partitioned(true))
        .await;
    let answer = app
        .send(
            Req::post("/create")
                .header("st-auth-mode", "cookie")
                .json(&json!({})),
        )
        .await;
    let mut last = BTreeMap::new();
    for cookie in answer.cookies() {
        last.insert(cookie.name.clone(), cookie);
    }
    assert!(last.values().all(|cookie| !cookie.is_cleared()));
}

#[tokio::test]
async fn settings_that_browsers_would_reject_do_not_build() {
    let problems = async |configure: fn(SessionsBuilder) -> SessionsBuilder| {
        let builder = Sessions::builder(MemoryStore::new())
            .api_domain("https://api.example.com")
            .website_domain("https://example.com");
        match configure(builder).build().await {
            Err(BuildError::Config(problems)) => {
                problems.iter().map(|problem| problem.setting).collect()
            }
            Err(fault) => panic!("{fault}"),
            Ok(_) => Vec::new(),
        }
    };
    let insecure = |builder: SessionsBuilder| {
        builder
            .cookie_secure(false)
            .cookie_prefix(CookiePrefix::Prefer)
            .cookie_partitioned(true)
    };
    assert_eq!(
        problems(insecure).await,
        ["cookie_prefix", "cookie_partitioned"]
    );
    let refresh_for_host = |builder: SessionsBuilder| builder.cookie_names("a", "__Host-r");
    assert_eq!(problems(refresh_for_host).await, ["cookie_names"]);
    let shared_for_host = |builder: SessionsBuilder| {
        builder
            .cookie_names("__host-a", "r")
            .cookie_domain("example.com")
    };
    assert_eq!(problems(shared_for_host).await, ["cookie_names"]);
    let fine = |builder: SessionsBuilder| builder.cookie_names("__Host-a", "__Secure-r");
    assert!(problems(fine).await.is_empty());
}
