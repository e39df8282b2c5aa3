//! Which cookies count as duplicates: every spelling of a name that another host could plant, at
//! each step of the cookie prefix and at each endpoint (`docs/design.md`, "Duplicate cookies").

use supersession::{CookiePrefix, SessionError, SessionsBuilder};

use crate::support::{App, Req, Tokens};

const STEPS: [CookiePrefix; 4] = [
    CookiePrefix::Off,
    CookiePrefix::Accept,
    CookiePrefix::Prefer,
    CookiePrefix::Require,
];

/// The cookie that a request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    /// The user's own.
    Own,
    /// One that another host has planted.
    Planted,
    /// It cannot be known which.
    Ambiguous,
    /// The cookie of a legacy session asks for a refresh.
    Legacy,
    None,
}

use Counts::{Ambiguous, Legacy, None, Own, Planted};

/// A name, and whose token it carries.
type Cookie = (Spelling, Owner);

#[derive(Clone, Copy, Debug)]
enum Spelling {
    Guarded,
    EncodedGuarded,
    Plain,
    EncodedPlain,
    LegacyName,
}

use Spelling::{EncodedGuarded, EncodedPlain, Guarded, LegacyName, Plain};

#[derive(Clone, Copy, Debug)]
enum Owner {
    Mine,
    Theirs,
}

use Owner::{Mine, Theirs};

/// The cookies of a request, and the one that counts at each step.
const TABLE: [(&[Cookie], [Counts; 4]); 15] = [
    (&[(Guarded, Mine)], [None, Own, Own, Own]),
    (
        &[(Guarded, Mine), (Guarded, Theirs)],
        [None, Ambiguous, Ambiguous, Ambiguous],
    ),
    (
        &[(Guarded, Mine), (EncodedGuarded, Theirs)],
        [None, Own, Own, Own],
    ),
    (
        &[(EncodedGuarded, Theirs), (Guarded, Mine)],
        [None, Own, Own, Own],
    ),
    (&[(EncodedGuarded, Mine)], [None, None, None, None]),
    (
        &[(Plain, Theirs), (Guarded, Mine)],
        [Planted, Own, Own, Own],
    ),
    (
        &[(Plain, Theirs), (Plain, Theirs), (Guarded, Mine)],
        [Ambiguous, Own, Own, Own],
    ),
    (
        &[(Plain, Theirs), (EncodedPlain, Theirs), (Guarded, Mine)],
        [Ambiguous, Own, Own, Own],
    ),
    (
        &[(EncodedPlain, Theirs), (Guarded, Mine)],
        [None, Own, Own, Own],
    ),
    (&[(Plain, Mine)], [Own, Own, Own, None]),
    (
        &[(Plain, Mine), (Plain, Theirs)],
        [Ambiguous, Ambiguous, Ambiguous, None],
    ),
    (
        &[(Plain, Mine), (EncodedPlain, Theirs)],
        [Ambiguous, Ambiguous, Ambiguous, None],
    ),
    (
        &[(Plain, Mine), (EncodedGuarded, Theirs)],
        [Own, Own, Own, None],
    ),
    (
        &[(LegacyName, Theirs), (Guarded, Mine)],
        [Legacy, Own, Own, Own],
    ),
    (
        &[(LegacyName, Theirs), (Plain, Mine)],
        [Legacy, Legacy, Legacy, None],
    ),
];

/// A cookie of the session: its plain and its guarded name, and its value in a session's tokens.
struct Kind {
    plain: &'static str,
    guarded: &'static str,
    value: fn(&Tokens) -> &str,
}

const ACCESS: Kind = Kind {
    plain: "sAccessToken",
    guarded: "__Host-sAccessToken",
    value: |tokens| &tokens.access,
};
/// As [`ACCESS`], where the cookie has a `Domain`.
const SHARED_ACCESS: Kind = Kind {
    guarded: "__Secure-sAccessToken",
    ..ACCESS
};
const REFRESH: Kind = Kind {
    plain: "sRefreshToken",
    guarded: "__Secure-sRefreshToken",
    value: |tokens| &tokens.refresh,
};

impl Kind {
    fn add(&self, mut request: Req, cookies: &[Cookie], mine: &Tokens, theirs: &Tokens) -> Req {
        for (spelling, owner) in cookies {
            let name = match spelling {
                Guarded => self.guarded.to_owned(),
                // `H` or `S`, in hexadecimal.
                EncodedGuarded => {
                    format!("__%{:x}{}", self.guarded.as_bytes()[2], &self.guarded[3..])
                }
                Plain => self.plain.to_owned(),
                EncodedPlain => format!("%73{}", &self.plain[1..]),
                LegacyName => "sIdRefreshToken".to_owned(),
            };
            let tokens = match owner {
                Mine => mine,
                Theirs => theirs,
            };
            request = request.cookie(&name, (self.value)(tokens));
        }
        request
    }
}

async fn at(step: CookiePrefix, configure: fn(SessionsBuilder) -> SessionsBuilder) -> App {
    App::with(|builder| configure(builder.cookie_prefix(step))).await
}

async fn tokens(app: &App, user: &str) -> Tokens {
    app.login_as(user, "header").await
}

async fn access_cookies_at(configure: fn(SessionsBuilder) -> SessionsBuilder, kind: &Kind) {
    for (at_step, step) in STEPS.into_iter().enumerate() {
        let app = at(step, configure).await;
        for (cookies, counts) in TABLE {
            let (mine, theirs) = (tokens(&app, "alice").await, tokens(&app, "mallory").await);
            let request = |req| kind.add(req, cookies, &mine, &theirs);
            let counts = counts[at_step];
            let cell = format!("{step:?} {cookies:?}");

            for path in ["/verify", "/verify-optional"] {
                let answer = app.send(request(Req::get(path))).await;
                match counts {
                    Own => assert_eq!(answer.json()["userId"], "alice", "{cell}"),
                    Planted => assert_eq!(answer.json()["userId"], "mallory", "{cell}"),
                    Ambiguous | Legacy => answer.is_try_refresh(),
                    None if path == "/verify" => answer.is_unauthorised(),
                    None => assert_eq!(answer.status, 200, "{cell}"),
                }
            }

            // The refresh token comes alone, under the name that this step writes.
            let writes_guarded = step >= CookiePrefix::Prefer;
            let name = if writes_guarded {
                REFRESH.guarded
            } else {
                REFRESH.plain
            };
            let answer = app
                .send(request(Req::refresh()).cookie(name, &mine.refresh))
                .await;
            let is_guarded = cookies
                .iter()
                .any(|(spelling, _)| matches!(spelling, Guarded))
                && step != CookiePrefix::Off;
            let expected = match counts {
                Ambiguous if is_guarded || !writes_guarded => 500,
                _ => 200,
            };
            assert_eq!(answer.status, expected, "{cell}");

            let answer = app.send(request(Req::signout())).await;
            match counts {
                Own | Planted => assert_eq!(answer.status, 200, "{cell}"),
                Ambiguous | Legacy => answer.is_try_refresh(),
                None => answer.is_unauthorised(),
            }
        }
    }
}

#[tokio::test]
async fn no_spelling_of_the_access_cookie_locks_a_guarded_name_out() {
    access_cookies_at(|builder| builder, &ACCESS).await;
}

#[tokio::test]
async fn an_access_cookie_shared_between_subdomains_does_not_lock_it_out_either() {
    access_cookies_at(
        |builder| builder.cookie_domain(".example.com"),
        &SHARED_ACCESS,
    )
    .await;
}

#[tokio::test]
async fn no_spelling_of_the_refresh_cookie_locks_a_guarded_name_out() {
    for (at_step, step) in STEPS.into_iter().enumerate() {
        let app = at(step, |builder| builder).await;
        for (cookies, counts) in TABLE {
            let (mine, theirs) = (tokens(&app, "alice").await, tokens(&app, "mallory").await);
            let cell = format!("{step:?} {cookies:?}");
            let answer = app
                .send(REFRESH.add(Req::refresh(), cookies, &mine, &theirs))
                .await;
            // The cookie of a legacy session does not matter to a refresh.
            let counts = match (counts[at_step], cookies.last()) {
                (Legacy, Some((Plain, _))) => Own,
                (Legacy, _) => None,
                (counts, _) => counts,
            };
            let user = match counts {
                Own => "alice",
                Planted => "mallory",
                Ambiguous => {
                    assert_eq!(answer.status, 500, "{cell}");
                    assert!(answer.has_no_token_headers(), "{cell}");
                    continue;
                }
                Legacy | None => {
                    answer.is_unauthorised();
                    continue;
                }
            };
            assert_eq!(answer.status, 200, "{cell}");
            let access = answer
                .cookie(if step >= CookiePrefix::Prefer {
                    ACCESS.guarded
                } else {
                    ACCESS.plain
                })
                .unwrap();
            let verify = Req::get("/verify").cookie(&access.name, &access.value);
            assert_eq!(app.send(verify).await.json()["userId"], user, "{cell}");
        }
    }
}

/// A guarded name that the application has chosen itself is guarded as well.
#[tokio::test]
async fn custom_cookie_names_can_be_guarded_too() {
    let app = App::with(|builder| builder.cookie_names("__Host-a", "__Secure-r")).await;
    let mine = tokens(&app, "alice").await;
    let request = |req: Req| {
        req.cookie("__%48ost-a", "x")
            .cookie("__Host-a", &mine.access)
            .cookie("__%53ecure-r", "x")
            .cookie("__Secure-r", &mine.refresh)
            .cookie("sIdRefreshToken", "x")
    };
    for req in [Req::get("/verify"), Req::refresh(), Req::signout()] {
        let answer = app.send(request(req)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Applications recognise the error by its type; its text is the SDKs'.
#[tokio::test]
async fn duplicate_cookies_at_a_refresh_have_their_own_error() {
    let app = App::with(|builder| {
        builder.render_errors(|error, reply| match error {
            SessionError::DuplicateSessionCookies => {
                reply.with_header("x-error", error.to_string())
            }
            _ => reply,
        })
    })
    .await;
    let mine = tokens(&app, "alice").await;
    let twice = Req::refresh().refresh_cookie(&mine).refresh_cookie(&mine);
    let answer = app.send(twice).await;
    let text = answer.header("x-error").unwrap();
    assert!(
        text.starts_with("The request contains multiple session cookies."),
        "{text}"
    );
    assert!(text.contains("older_cookie_domain"), "{text}");
    answer.is_message(500, text);
}
