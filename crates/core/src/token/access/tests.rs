use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::json::JsonObject;
use crate::wire;

fn parsed(token: &str) -> Result<ParsedAccessToken<'_>, ForeignToken> {
    parse(token, |_| None)
}

fn token(header: &Value, payload: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", encode(header), encode(payload))
}

fn header_of(version: &str) -> Value {
    json!({"alg": "RS256", "typ": "JWT", "version": version, "kid": "d-1"})
}

fn payload_v5() -> Value {
    json!({
        "sub": "u", "rsub": "r", "iat": 10, "exp": 20, "sessionHandle": "h", "refreshTokenHash1": "abc",
        "parentRefreshTokenHash1": null, "antiCsrfToken": null, "tId": "public", "iss": "x"
    })
}

fn without(mut payload: Value, names: &[&str]) -> Value {
    for name in names {
        payload.as_object_mut().unwrap().remove(*name);
    }
    payload
}

fn with(mut payload: Value, name: &str, value: Value) -> Value {
    payload[name] = value;
    payload
}

fn payload_of(header: &Value, payload: &Value) -> JsonObject {
    let token = token(header, payload);
    parsed(&token).unwrap().claims.payload()
}

#[track_caller]
fn accepted(header: &Value, payload: &Value) -> AccessClaims {
    parsed(&token(header, payload))
        .unwrap_or_else(|error| panic!("{error}"))
        .claims
        .to_claims()
}

#[track_caller]
fn foreign(header: &Value, payload: &Value) {
    assert!(parsed(&token(header, payload)).is_err());
}

#[test]
fn a_version_5_token_is_read() {
    let claims = accepted(&header_of("5"), &payload_v5());
    assert_eq!(
        (
            &*claims.user_id,
            &*claims.recipe_user_id,
            &*claims.tenant_id
        ),
        ("u", "r", "public")
    );
    assert_eq!((claims.issued_at.get(), claims.expires_at.get()), (10, 20));
    assert!(claims.anti_csrf.is_none() && claims.parent_refresh_hash1.is_none());
    let payload = payload_of(&header_of("5"), &payload_v5());
    assert_eq!(payload.get("iss"), Some(json!("x")));
}

#[test]
fn segments_must_be_three_and_canonical() {
    for bad in [
        "",
        ".",
        "a.b",
        "..",
        "...",
        "a.b.c.d",
        "a.b.c",
        "\u{e9}.b.c",
    ] {
        assert!(parsed(bad).is_err(), "{bad}");
    }
    let good = token(&header_of("5"), &payload_v5());
    assert!(parsed(&good).is_ok());
    assert!(parsed(&format!("{good}=")).is_err(), "padding");
    // "c2k" and "c2l" differ in spare bits only. A strict decoder rejects the second.
    assert!(parsed(&good.replace("c2ln", "c2k")).is_ok());
    assert!(parsed(&good.replace("c2ln", "c2l")).is_err());
}

#[test]
fn the_version_is_a_string_with_a_leading_integer_of_at_least_3() {
    for (version, ok) in [
        (json!("5"), true),
        (json!("5abc"), true),
        (json!("7"), true),
        (json!("2"), false),
        (json!("x"), false),
        (json!(""), false),
        (json!(5), false),
        (json!(null), false),
        (json!({}), false),
        (json!("99999999999999999999"), false),
    ] {
        let header = with(header_of("5"), "version", version.clone());
        assert_eq!(
            parsed(&token(&header, &payload_v5())).is_ok(),
            ok,
            "{version}"
        );
    }
    let unversioned = without(header_of("5"), &["version"]);
    assert_eq!(
        &*accepted(&unversioned, &without(payload_v5(), &["rsub", "tId"])).recipe_user_id,
        "u"
    );
}

#[test]
fn typ_and_kid_are_required() {
    foreign(&with(header_of("5"), "typ", json!("at+jwt")), &payload_v5());
    foreign(&without(header_of("5"), &["typ"]), &payload_v5());
    foreign(&without(header_of("5"), &["kid"]), &payload_v5());
    assert!(matches!(parsed(&token(
            &with(header_of("5"), "kid", json!(7)),
            &payload_v5()
        ))
        .unwrap()
        .named, NamedKey::Other { kid, .. } if kid.is_empty()));
}

#[test]
fn required_claims_depend_on_the_version() {
    for name in [
        "sub",
        "rsub",
        "sessionHandle",
        "refreshTokenHash1",
        "exp",
        "iat",
        "tId",
    ] {
        foreign(&header_of("5"), &without(payload_v5(), &[name]));
        foreign(&header_of("5"), &with(payload_v5(), name, json!([])));
    }
    let v4 = accepted(&header_of("4"), &without(payload_v5(), &["rsub"]));
    assert_eq!(v4.recipe_user_id, v4.user_id);
    let v3 = with(without(payload_v5(), &["rsub"]), "tId", json!("mine"));
    assert_eq!(accepted(&header_of("3"), &v3).tenant_id, "public");
    assert_eq!(
        payload_of(&header_of("3"), &v3).get("tId"),
        Some(json!("mine"))
    );
}

#[test]
fn empty_strings_and_zeroes_satisfy_the_types() {
    let claims = accepted(
        &header_of("5"),
        &with(with(payload_v5(), "sub", json!("")), "exp", json!(0)),
    );
    assert_eq!((&*claims.user_id, claims.expires_at.get()), ("", 0));
}

#[test]
fn anti_csrf_and_parent_may_be_missing_or_of_any_type() {
    for value in [json!(null), json!(5), json!({}), json!(true)] {
        let payload = with(
            with(payload_v5(), "antiCsrfToken", value.clone()),
            "parentRefreshTokenHash1",
            value,
        );
        let claims = accepted(&header_of("5"), &payload);
        assert!(claims.anti_csrf.is_none() && claims.parent_refresh_hash1.is_none());
    }
    accepted(
        &header_of("5"),
        &without(payload_v5(), &["antiCsrfToken", "parentRefreshTokenHash1"]),
    );
}

#[test]
fn oauth2_tokens_are_foreign() {
    foreign(&header_of("5"), &with(payload_v5(), "stt", json!(1)));
    foreign(&header_of("5"), &with(payload_v5(), "stt", json!("0")));
    foreign(&header_of("5"), &with(payload_v5(), "stt", json!(null)));
    accepted(&header_of("5"), &with(payload_v5(), "stt", json!(0)));
}

#[test]
fn numbers_out_of_range_do_not_overflow() {
    let claims = accepted(
        &header_of("5"),
        &with(with(payload_v5(), "exp", json!(-5)), "iat", json!(1e300)),
    );
    assert_eq!(
        (claims.expires_at.get(), claims.issued_at.get()),
        (0, u64::MAX)
    );
}

#[test]
fn a_minted_payload_has_the_nine_claims_and_the_applications_own() {
    let claims = accepted(&header_of("5"), &payload_v5());
    let custom: JsonObject = r#"{"iss":"me","n":null,"big":12345678901234567890123}"#
        .parse()
        .unwrap();
    let minted = payload(&claims, &custom).unwrap();
    assert_eq!(minted.keys().len(), 12);
    assert!(minted.as_str().contains("12345678901234567890123"));
    assert_eq!(minted.get("n"), Some(json!(null)));
    assert_eq!(minted.get("parentRefreshTokenHash1"), Some(json!(null)));
    assert_eq!(custom_payload(&minted).as_str(), custom.as_str());
    for name in wire::PROTECTED_CLAIMS {
        let custom = JsonObject::empty().with(name, &0).unwrap();
        assert_eq!(payload(&claims, &custom), Err(ProtectedClaim), "{name}");
    }
}

#[test]
fn a_payload_is_an_object_not_a_list_of_its_values() {
    let list = json!(["u", "r", 10, 20, null, "h", "abc", null, null, "public", 0]);
    foreign(&header_of("5"), &list);
}

#[test]
fn strings_with_escapes_and_values_of_any_depth_are_read() {
    let payload = with(
        with(payload_v5(), "sub", json!("a\"\u{1}\u{20ac}")),
        "deep",
        json!([{"a": [1, {"b": null}]}, 1.5e3, true]),
    );
    assert_eq!(
        accepted(&header_of("5"), &payload).user_id,
        "a\"\u{1}\u{20ac}"
    );
    assert_eq!(
        payload_of(&header_of("5"), &payload).get("deep"),
        Some(payload["deep"].clone())
    );
    for any in [
        json!({"x": [1]}),
        json!([{}]),
        json!(1.5),
        json!(-1),
        json!(1e300),
    ] {
        foreign(&header_of("5"), &with(payload_v5(), "sub", any));
    }
}

#[test]
fn large_payloads_and_signatures_are_read_too() {
    let payload = with(payload_v5(), "large", json!("x".repeat(20_000)));
    let token = token(&header_of("5"), &payload).replace("c2ln", &"c2ln".repeat(1_000));
    let parsed = parsed(&token).unwrap();
    assert_eq!(parsed.signature.get().len(), 3_000);
    assert_eq!(
        parsed.claims.payload().get("large"),
        Some(payload["large"].clone())
    );
    assert_eq!(parsed.claims.token(), token);
}
