//! Creating sessions (session specification, 3.1, 3.5, 3.6, 3.10).

use serde_json::json;
use supersession::wire::AUTH_MODE_HEADER;
use supersession::{AntiCsrf, SameSite, TokenTransferMethod};

use super::{DEFAULT, Driver, Req, Stage, default};

/// The tokens of a new session in each transport, and the older tokens that they clear.
pub async fn creation<D: Driver>(stage: &mut Stage<D>) {
    let alice = json!({"userId": "alice", "payload": {"plan": "pro"}, "data": {"cart": []}});
    stage.open(DEFAULT, default).await;
    stage
        .send("with cookies", Req::create("cookie", &alice))
        .await;
    stage
        .send("with headers", Req::create("header", &alice))
        .await;
    stage
        .send("without a mode, in headers", Req::create("", &alice))
        .await;
    stage
        .send(
            "in another letter case, by header",
            Req::create("Header", &alice),
        )
        .await;
    stage
        .send(
            "in another letter case, by cookie",
            Req::create("COOKIE", &alice),
        )
        .await;
    stage
        .send(
            "with an unknown mode, in headers",
            Req::create("carrier-pigeon", &alice),
        )
        .await;
    let protected =
        json!({"payload": {"sub": "mallory", "iss": "mallory", "exp": 1, "plan": "free"}});
    stage
        .send(
            "protected names of the payload are dropped",
            Req::create("cookie", &protected),
        )
        .await;
    let tenant = json!({"userId": "bob", "tenantId": "t1"});
    stage
        .send("in a tenant", Req::create("cookie", &tenant))
        .await;
    let payload = json!({"payload": ["no object"]});
    stage
        .send(
            "with a payload that is no object",
            Req::create("cookie", &payload),
        )
        .await;

    let cookies = stage
        .sign_in("a client with cookies", "alice", "cookie")
        .await;
    let request = Req::create("header", &alice).access_cookie(&cookies);
    stage
        .send("headers after cookies clear the cookies", request)
        .await;
    let request = Req::create("cookie", &alice).access_cookie(&cookies);
    stage
        .send("cookies after cookies replace them", request)
        .await;
    let request = Req::create("cookie", &alice).bearer("anything");
    stage
        .send("cookies after any bearer clear the headers", request)
        .await;
    let request = Req::post("/create-with-headers")
        .header(AUTH_MODE_HEADER, "cookie")
        .json(&alice);
    stage.send("headers of the application stay", request).await;
    let request = Req::post("/create-with-headers")
        .header(AUTH_MODE_HEADER, "header")
        .json(&alice);
    stage
        .send("headers of the application stay in header mode", request)
        .await;

    stage
        .open("anti-CSRF by token", |builder| {
            builder.anti_csrf(AntiCsrf::ViaToken)
        })
        .await;
    stage
        .send(
            "cookies with an anti-CSRF token",
            Req::create("cookie", &alice),
        )
        .await;
    stage
        .send(
            "headers need no anti-CSRF token",
            Req::create("header", &alice),
        )
        .await;

    for (configuration, method) in [
        ("cookies only", TokenTransferMethod::Cookie),
        ("headers only", TokenTransferMethod::Header),
    ] {
        stage
            .open(configuration, |builder| {
                builder.token_transfer_method(move |_, _| method)
            })
            .await;
        let other = if method == TokenTransferMethod::Cookie {
            "header"
        } else {
            "cookie"
        };
        let request = Req::create(other, &alice);
        stage
            .send(
                &format!("{configuration}, whatever the client asks for"),
                request,
            )
            .await;
    }
    let any = |_: &dyn supersession::http::RequestView, _| TokenTransferMethod::Any;
    stage
        .open("either way, as the client says", |builder| {
            builder.token_transfer_method(any)
        })
        .await;
    stage
        .send(
            "either way, cookies asked for",
            Req::create("cookie", &alice),
        )
        .await;
    stage
        .send("either way, nothing asked for", Req::create("", &alice))
        .await;
    stage
        .send(
            "either way, only the exact word counts",
            Req::create("Cookie", &alice),
        )
        .await;

    stage
        .open("the access token exposed beside the cookie", |builder| {
            builder.expose_access_token_to_frontend(true)
        })
        .await;
    stage
        .send(
            "cookies and the access token in a header",
            Req::create("cookie", &alice),
        )
        .await;

    let groups = json!({ "userId": "alice", "payload": { "groups": "x".repeat(3_000) } });
    stage
        .send(
            "a payload that no cookie can carry",
            Req::create("cookie", &groups),
        )
        .await;

    stage
        .open("SameSite=None without Secure", |builder| {
            builder
                .cookie_same_site(SameSite::None)
                .cookie_secure(false)
        })
        .await;
    stage
        .send(
            "cookies that no browser keeps are refused",
            Req::create("cookie", &alice),
        )
        .await;
    stage
        .send("headers are not concerned", Req::create("header", &alice))
        .await;
}
