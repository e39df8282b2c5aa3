//! Thousands of invalid inputs: every response is the documented one or an error with a text, and the
//! server continues to work.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::{Core, LEGACY};

const REQUESTS: usize = 6_000;

/// A sequence that is the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(mixed).unwrap() % bound
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth > 3 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.chance(2)),
            2 => json!(self.below(1_000_000)),
            3 => json!(*self.of(&[-1.5, 1e300, 0.0, -0.0, 1e-300])),
            4 => json!(*self.of(&[
                "",
                "u",
                "\0",
                "ü😀",
                "public",
                "true",
                "_ghost",
                "x_<script>",
                "a.b.c",
                "\u{202e}",
                "..V2"
            ])),
            5 => json!("x".repeat(self.below(600))),
            6 => (0..self.below(4)).map(|_| self.value(depth + 1)).collect(),
            _ => {
                let names = [
                    "a",
                    "<b>",
                    "sub",
                    "exp",
                    "iss",
                    "",
                    "__proto__",
                    "userId",
                    "\0",
                ];
                let count = self.below(4);
                let members =
                    (0..count).map(|_| ((*self.of(&names)).to_owned(), self.value(depth + 1)));
                Value::Object(members.collect())
            }
        }
    }
}

/// Endpoints, each with a supported method.
const ENDPOINTS: [(&str, &str); 34] = [
    ("POST", "/recipe/jwt"),
    ("POST", "/recipe/session"),
    ("POST", "/recipe/session/verify"),
    ("POST", "/recipe/session/refresh"),
    ("POST", "/recipe/session/regenerate"),
    ("POST", "/recipe/session/remove"),
    ("POST", "/recipe/handshake"),
    ("POST", "/recipe/user/metadata/remove"),
    ("POST", "/recipe/user/metadata/bulk"),
    ("POST", "/recipe/multitenancy/tenant/remove"),
    ("POST", "/recipe/multitenancy/app/remove"),
    ("POST", "/recipe/multitenancy/connectionuridomain/remove"),
    ("POST", "/user/remove"),
    ("PUT", "/recipe/session/data"),
    ("PUT", "/recipe/jwt/data"),
    ("PUT", "/recipe/user/metadata"),
    ("PUT", "/recipe/multitenancy/app/v2"),
    ("PUT", "/recipe/multitenancy/tenant/v2"),
    ("PUT", "/recipe/multitenancy/connectionuridomain/v2"),
    ("PUT", "/ee/license"),
    ("GET", "/"),
    ("GET", "/hello"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/apiversion"),
    ("GET", "/config"),
    ("GET", "/telemetry"),
    ("GET", "/user/id"),
    ("GET", "/ee/featureflag"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/recipe/jwt/jwks"),
    ("GET", "/recipe/session/user"),
    ("GET", "/recipe/multitenancy/tenant/list/v2"),
];

const PREFIXES: [&str; 12] = [
    "",
    "",
    "",
    "",
    "/public",
    "/t1",
    "/ghost",
    "/appid-a1",
    "/appid-ghost",
    "/appid-/t1",
    "/APPID-A1/T1",
    "/a_b",
];

const FIELDS: [&str; 30] = [
    "userId",
    "enableAntiCsrf",
    "userDataInJWT",
    "userDataInDatabase",
    "useDynamicSigningKey",
    "accessTokenValidity",
    "accessToken",
    "antiCsrfToken",
    "doAntiCsrfCheck",
    "checkDatabase",
    "refreshToken",
    "sessionHandle",
    "sessionHandles",
    "revokeAcrossAllTenants",
    "revokeSessionsForLinkedAccounts",
    "metadataUpdate",
    "userIds",
    "algorithm",
    "jwksDomain",
    "payload",
    "validity",
    "useStaticSigningKey",
    "appId",
    "tenantId",
    "coreConfig",
    "firstFactors",
    "requiredSecondaryFactors",
    "connectionUriDomain",
    "licenseKey",
    "emailPasswordEnabled",
];

/// A valid field, so that requests pass the first check.
fn fitting(random: &mut Random, field: &str, core: &KnownValues) -> Value {
    match field {
        "enableAntiCsrf"
        | "doAntiCsrfCheck"
        | "checkDatabase"
        | "useDynamicSigningKey"
        | "revokeAcrossAllTenants"
        | "revokeSessionsForLinkedAccounts"
        | "useStaticSigningKey" => {
            json!(random.chance(2))
        }
        "userDataInJWT" | "userDataInDatabase" | "metadataUpdate" | "payload" | "coreConfig" => {
            json!({ "a": random.value(1) })
        }
        "accessToken" => json!(random.of(&core.access)),
        "refreshToken" => json!(random.of(&core.refresh)),
        "sessionHandle" => json!(random.of(&core.handles)),
        "sessionHandles" | "userIds" | "firstFactors" | "requiredSecondaryFactors" => {
            json!(["u", "\0"])
        }
        "validity" | "accessTokenValidity" => json!(random.below(100)),
        "algorithm" => json!("RS256"),
        // Names that exist, and one that does not.
        "appId" => json!(*random.of(&["a1", "a2", "appid-x", "A B"])),
        "tenantId" => json!(*random.of(&["t1", "t2", "recipe", "\0"])),
        _ => json!("u"),
    }
}

struct KnownValues {
    access: Vec<String>,
    refresh: Vec<String>,
    handles: Vec<String>,
}

fn body(random: &mut Random, known: &KnownValues) -> Vec<u8> {
    match random.below(20) {
        0 => Vec::new(),
        1 => random.value(0).to_string().into_bytes(),
        2 => b"\xff\xfe{\"userId\":\"\xc3\x28\"}".to_vec(),
        3 => b"{\"userId\":\"\\ud800\",\"enableAntiCsrf\":false}".to_vec(),
        4 => format!("{{\"userDataInJWT\":{}", "[".repeat(5_000)).into_bytes(),
        5 => format!(
            "{{\"userId\":\"u\",\"metadataUpdate\":{{\"a\":{}{}}}}}",
            "[".repeat(5_000),
            "]".repeat(5_000)
        )
        .into_bytes(),
        6 => vec![b' '; 70_000],
        7 => b"{\"userId\":\"u\",\"userId\":1}".to_vec(),
        _ => {
            let mut body = json!({});
            for field in FIELDS {
                if random.chance(3) {
                    continue;
                }
                body[field] = if random.chance(12) {
                    random.value(0)
                } else {
                    fitting(random, field, known)
                };
            }
            // Usually one of the two.
            let either = *random.of(&["userId", "sessionHandles", "none"]);
            body.as_object_mut().unwrap().remove(either);
            body.to_string().into_bytes()
        }
    }
}

#[tokio::test]
async fn every_invalid_input_is_answered_with_a_text_and_changes_nothing() {
    let core = Core::with(json!({ "access_token_validity": 3600 })).await;
    core.app("a1", json!({})).await;
    core.app("a3", json!({ "api_keys": "abcdefghijklmnopqrstuvwxyz" }))
        .await;
    core.tenant("t1").await;
    let witness = core
        .session_with(LEGACY, json!({ "userId": "witness" }))
        .await;
    let made = core.session(LEGACY).await;
    let known = KnownValues {
        access: vec![made.access().to_owned(), "x".to_owned(), "a.b.c".to_owned()],
        refresh: vec![made.refresh().to_owned(), "x..V2".to_owned(), String::new()],
        handles: vec![
            made.handle().to_owned(),
            "x_ghost".to_owned(),
            "_<script>".to_owned(),
            "\0".to_owned(),
        ],
    };
    let mut random = Random(0x5EED);
    let (mut fine, mut refused) = (0, 0);
    for number in 0..REQUESTS {
        let (known_method, endpoint) = *random.of(&ENDPOINTS);
        let method = if random.chance(6) {
            *random.of(&["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"])
        } else {
            known_method
        };
        let path = if random.chance(20) {
            let odd = [
                "/recipe",
                "//",
                "/recipe//session",
                "/%00",
                "/appid-a1/appid-a1/hello",
                "/..",
                "/recipe/session%2f",
            ];
            (*random.of(&odd)).to_owned()
        } else {
            format!("{}{endpoint}", random.of(&PREFIXES))
        };
        let query = *random.of(&[
            "",
            "",
            "?userId=u",
            "?userId=%ff%00&sessionHandle=x_ghost",
            "?sessionHandle=&pid=1",
            "?&&=&%",
        ]);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{query}"));
        match random.below(12) {
            0 => {}
            1 => {
                request = request.header(
                    "cdi-version",
                    *random.of(&["", "x", "5", "99.0", "4.7", "-1", "1e3", "5.4.4"]),
                );
            }
            2 => request = request.header("cdi-version", &b"\xff\xfe"[..]),
            _ => {
                request = request.header(
                    "cdi-version",
                    *random.of(&["2.7", "2.18", "2.21", "3.1", "4.0", "5.4", "5.6"]),
                );
            }
        }
        if random.chance(6) {
            request = request.header("api-key", &b"\x80wrong"[..]);
            request = request.header(
                "authorization",
                *random.of(&["Bearer", "Bearer ", "", "Basic eDp5", "bearer\tx"]),
            );
        }
        let body = body(&mut random, &known);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let told = format!("request {number}: {} {}", request.method(), request.uri());
        let reply = core.send(request).await;
        match reply.status.as_u16() {
            200 => fine += 1,
            400..=499 => {
                refused += 1;
                // The content type is HTML, for old SDKs, so the request must not be repeated unescaped.
                assert!(!reply.text.contains('<'), "{told}: {:?}", reply.text);
                assert!(reply.text.trim().len() > 5, "{told}: {:?}", reply.text);
                assert_eq!(reply.headers["content-type"], "text/html; charset=UTF-8");
            }
            status => panic!("{told}: {status} {}", reply.text),
        }
        assert!(reply.text.ends_with('\n'), "{told}: {:?}", reply.text);
    }
    assert_eq!(fine + refused, REQUESTS);
    assert!(
        fine > REQUESTS / 20 && refused > REQUESTS / 4,
        "{fine} fine, {refused} refused"
    );
    let still = core.verify(LEGACY, witness.access(), true).await;
    assert_eq!(still["status"], "OK");
    core.refreshed(LEGACY, witness.refresh()).await;
}
