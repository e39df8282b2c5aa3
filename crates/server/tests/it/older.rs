//! Responses for SDKs from before key sets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use supersession::AppId;

use crate::support::{Core, LEGACY, Reply, claims, members};

/// Returns the public keys of a response: the signing one, and all.
fn keys(answer: &Value) -> (String, Vec<String>) {
    let all = answer["jwtSigningPublicKeyList"].as_array().unwrap();
    let all = all
        .iter()
        .map(|key| {
            assert_eq!(members(key), ["createdAt", "expiryTime", "publicKey"]);
            key["publicKey"].as_str().unwrap().to_owned()
        })
        .collect();
    let one = answer["jwtSigningPublicKey"].as_str().unwrap();
    (one.to_owned(), all)
}

fn is_signed_by(token: &str, public_key: &str) -> bool {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = STANDARD.decode(public_key).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(message.as_bytes(), &STANDARD.decode(signature).unwrap())
        .is_ok()
}

/// Cases: C146.
#[tokio::test]
async fn the_handshake_exists_before_key_sets_only() {
    let core = Core::with(json!({ "access_token_blacklisting": true })).await;
    for cdi in ["2.21", LEGACY] {
        core.refused("POST /recipe/handshake", cdi, json!({}), 404, "Not found")
            .await;
    }
    let answer = core.ok("POST /recipe/handshake", "2.9", json!({})).await;
    assert_eq!(answer["accessTokenBlacklistingEnabled"], true);
    assert_eq!(answer["accessTokenValidity"], 3_600_000);
    assert_eq!(answer["refreshTokenValidity"], 144_000_u64 * 60_000);
    let (one, all) = keys(&answer);
    assert_eq!(all, std::slice::from_ref(&one));
    let made = core.session("2.9").await;
    assert!(is_signed_by(made.access(), &one));
    let older = core.ok("POST /recipe/handshake", "2.8", json!({})).await;
    assert!(older.get("jwtSigningPublicKeyList").is_none());
    assert!(older["jwtSigningPublicKey"].is_string());
}

#[tokio::test]
async fn responses_contain_the_public_keys() {
    let core = Core::new().await;
    let made = core.session("2.18").await;
    let (one, _) = keys(&made.0);
    assert!(is_signed_by(made.access(), &one));
    assert!(made.0["idRefreshToken"]["token"].is_string());
    keys(&core.verify("2.18", made.access(), false).await);
    keys(&core.verify("2.18", "x", false).await);
    let newer = core.verify(LEGACY, made.access(), false).await;
    assert!(newer.get("jwtSigningPublicKey").is_none());
}

/// supertokens-website 10 to 15 compares the value to detect a refresh in another tab, and stores the
/// anti-CSRF token with it.
#[tokio::test]
async fn the_id_refresh_token_changes_at_each_refresh() {
    let core = Core::new().await;
    let id = |answer: &Value| {
        let id = &answer["idRefreshToken"];
        assert_eq!(id["expiry"], answer["refreshToken"]["expiry"]);
        assert_eq!(id["createdTime"], answer["refreshToken"]["createdTime"]);
        id["token"].as_str().unwrap().to_owned()
    };
    for cdi in ["2.7", "2.20"] {
        let made = core.session(cdi).await;
        let once = core.refreshed(cdi, made.refresh()).await;
        let again = core.refreshed(cdi, once.refresh()).await;
        let ids = [id(&made.0), id(&once.0), id(&again.0)];
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[1], ids[2]);
        assert!(ids.iter().all(|id| !made.handle().contains(id.as_str())));
    }
    let newer = core.session("2.21").await;
    assert!(newer.0.get("idRefreshToken").is_none());
}

/// SDKs of that age drop a key at its `expiryTime`. Tokens of a key that no longer signs are verified
/// until then.
#[tokio::test]
async fn listed_keys_expire_with_their_last_token() {
    // An interval of 3.6 seconds, and thus an overlap of 0.72 seconds.
    let core = Core::with(json!({
        "access_token_dynamic_signing_key_update_interval": 0.001, "access_token_validity": 2,
    }))
    .await;
    let handshake = async || core.ok("POST /recipe/handshake", "2.20", json!({})).await;
    let first = handshake().await;
    let made = core.session("2.20").await;
    let created = first["jwtSigningPublicKeyList"][0]["createdAt"]
        .as_u64()
        .unwrap();
    let (interval, validity) = (3_600, 2_000);
    let expiry =
        |answer: &Value, key: usize| answer["jwtSigningPublicKeyList"][key]["expiryTime"].clone();
    assert_eq!(expiry(&first, 0), created + interval + 2 * validity);
    assert_eq!(first["jwtSigningPublicKeyExpiryTime"], created + interval);
    // The next key is listed but does not sign yet.
    core.advance(Duration::from_millis(2_900));
    let overlapping = handshake().await;
    let (one, all) = keys(&overlapping);
    assert_eq!(all.len(), 2);
    assert_eq!(one, keys(&first).0);
    assert_eq!(all[1], one);
    // It signs now, and the previous key still verifies.
    core.advance(Duration::from_millis(730));
    let later = handshake().await;
    let (one, listed) = keys(&later);
    assert_eq!(one, all[0]);
    assert_eq!(listed, all);
    assert!(is_signed_by(made.access(), &listed[1]));
    assert_eq!(expiry(&later, 1), expiry(&first, 0));
}

/// No code mints such a token, so it is built from a token of version 2.
#[tokio::test]
async fn an_access_token_of_version_1_is_valid_and_keeps_its_version() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeyPair;
    use aws_lc_rs::signature::RSA_PKCS1_SHA256;
    use supersession::Store as _;
    let core = Core::new().await;
    let made = core.session("2.18").await;
    let keys = core
        .store
        .inner()
        .signing_keys(&AppId::default())
        .await
        .unwrap();
    let key = keys.iter().find(|key| key.kid.starts_with("d-")).unwrap();
    let (_, private) = key.key_pair.expose().split_once('|').unwrap();
    let key = KeyPair::from_pkcs8(&STANDARD.decode(private).unwrap()).unwrap();
    let header = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIxIn0=";
    let payload = made.access().split('.').nth(1).unwrap();
    let message = format!("{header}.{payload}");
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .unwrap();
    let token = format!("{message}.{}", STANDARD.encode(signature));
    for cdi in ["2.7", LEGACY] {
        assert_eq!(core.verify(cdi, &token, true).await["status"], "OK");
        let body = json!({ "accessToken": token, "userDataInJWT": { "x": 1 } });
        let renewed = core.ok("POST /recipe/session/regenerate", cdi, body).await;
        let renewed = renewed["accessToken"]["token"].as_str().unwrap();
        assert!(renewed.starts_with(header));
        assert_eq!(claims(renewed)["userData"], json!({ "x": 1 }));
        let restore = json!({ "sessionHandle": made.handle(), "userDataInJWT": {} });
        core.ok("PUT /recipe/jwt/data", LEGACY, restore).await;
    }
}

#[tokio::test]
async fn the_static_key_signs_if_so_configured() {
    let core = Core::with(json!({ "access_token_signing_key_dynamic": false })).await;
    let made = core.session("2.18").await;
    let (one, all) = keys(&made.0);
    assert_eq!(all.len(), 1);
    assert!(is_signed_by(made.access(), &one));
    let rotating = Core::new().await.session("2.18").await;
    assert!(!is_signed_by(rotating.access(), &one));
}

/// The configuration determines the check, not the request.
#[tokio::test]
async fn verification_checks_the_database_if_so_configured() {
    for (configured, status) in [(true, "UNAUTHORISED"), (false, "OK")] {
        let core = Core::with(json!({ "access_token_blacklisting": configured })).await;
        let made = core.session("2.18").await;
        let body = json!({ "sessionHandles": [made.handle()] });
        core.ok("POST /recipe/session/remove", "2.18", body).await;
        let body = json!({ "accessToken": made.access(), "doAntiCsrfCheck": false, "enableAntiCsrf": false });
        let answer = core.ok("POST /recipe/session/verify", "2.18", body).await;
        assert_eq!(answer["status"], status);
    }
}

/// Cases: C116, C117.
#[tokio::test]
async fn a_token_is_regenerated_in_its_own_version() {
    let core = Core::new().await;
    let oldest = core.session("2.7").await;
    core.advance(Duration::from_secs(5));
    let renew = async |token: &str, cdi: &str, payload: Value| -> Reply {
        let body = json!({ "accessToken": token, "userDataInJWT": payload });
        core.call("POST /recipe/session/regenerate", cdi, &body)
            .await
    };
    for cdi in ["2.7", LEGACY] {
        let reply = renew(oldest.access(), cdi, json!({ "sub": "mine" })).await;
        let answer: Value = serde_json::from_str(&reply.text).unwrap();
        let token = answer["accessToken"]["token"].as_str().unwrap();
        assert_eq!(token.split('.').next(), oldest.access().split('.').next());
        assert_eq!(claims(token)["userData"], json!({ "sub": "mine" }));
        assert_eq!(
            claims(token)["expiryTime"],
            claims(oldest.access())["expiryTime"]
        );
    }
    let newer = core.session("2.21").await;
    let reply = renew(newer.access(), "2.21", json!({ "sub": "mine" })).await;
    let text = "The user payload contains protected field\n";
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (400, text));
}
