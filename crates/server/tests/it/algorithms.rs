//! Apps with other keys than RSA, as configured by an application on the same database.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use supersession::store::{KeyKind, MemoryStore};
use supersession::{AppId, Sessions, SigningAlgorithm, Store as _};
use supersession_server::Limits;
use supersession_testkit::{FaultStore, ManualClock};

use crate::support::{Core, LEGACY, ROTATION, START, header, new_session};

/// A core over the store of an application whose keys have this algorithm.
async fn core_with(algorithm: SigningAlgorithm) -> (Core, Sessions) {
    let store = FaultStore::new(MemoryStore::new());
    let sessions = Sessions::builder(store.clone())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .access_token_signing_algorithm(algorithm)
        .cleanup_interval(None)
        .signing_threads(1)
        .clock(ManualClock::new(START))
        .build()
        .await
        .unwrap();
    let core = Core::over(store, json!({}), "", Limits::Lifted)
        .await
        .unwrap();
    (core, sessions)
}

async fn private_key(core: &Core) -> Vec<u8> {
    let keys = core.store.inner().signing_keys(&AppId::default()).await;
    let keys = keys.unwrap();
    let key = keys.iter().find(|key| key.kind == KeyKind::Dynamic);
    let (_, private) = key.unwrap().key_pair.expose().split_once('|').unwrap();
    STANDARD.decode(private).unwrap()
}

#[tokio::test]
async fn sessions_work_with_every_signing_algorithm() {
    for (algorithm, name) in [
        (SigningAlgorithm::Rs256, "RS256"),
        (SigningAlgorithm::Es256, "ES256"),
        (SigningAlgorithm::EdDsa, "EdDSA"),
    ] {
        let (core, sessions) = core_with(algorithm).await;
        let session = sessions.create("u").await.unwrap();
        let token = session.access_token();
        assert_eq!(header(token.expose())["alg"], name);
        for cdi in ["2.21", "3.1", LEGACY, ROTATION] {
            let made = core.session(cdi).await;
            assert_eq!(header(made.access())["alg"], name);
            for token in [token.expose(), made.access()] {
                let verified = core.verify(cdi, token, true).await;
                assert_eq!(verified["status"], "OK", "{name} {cdi}: {verified}");
                let body = json!({ "accessToken": token, "userDataInJWT": { "a": cdi } });
                let again = core.ok("POST /recipe/session/regenerate", cdi, body).await;
                let new = again["accessToken"]["token"].as_str().unwrap();
                assert_eq!(header(new)["alg"], name);
                let verified = core.verify(cdi, new, true).await;
                assert_eq!(verified["session"]["userDataInJWT"]["a"], cdi, "{verified}");
            }
            let refreshed = core.refreshed(cdi, made.refresh()).await;
            let verified = core.verify(cdi, refreshed.access(), false).await;
            assert_eq!(verified["status"], "OK", "{name} {cdi}: {verified}");
        }
    }
}

/// SDKs of that age do not read the header and support only RSA.
#[tokio::test]
async fn tokens_of_version_2_are_signed_with_rsa_or_not_at_all() {
    let (core, _) = core_with(SigningAlgorithm::Es256).await;
    let body = new_session(&json!({}));
    core.refused("POST /recipe/session", "2.20", body, 500, "Internal error")
        .await;
    let (core, _) = core_with(SigningAlgorithm::Rs256).await;
    let made = core.session("2.20").await;
    assert_eq!(
        core.verify("2.20", made.access(), true).await["status"],
        "OK"
    );
}

#[tokio::test]
async fn a_token_with_another_algorithm_than_its_key_is_rejected() {
    let (core, sessions) = core_with(SigningAlgorithm::Es256).await;
    let token = sessions.create("u").await.unwrap().access_token();
    let token = token.expose();
    let (_, rest) = token.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let private = private_key(&core).await;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref();
    let forged = |alg: Value, by: &EncodingKey, algorithm: Algorithm| {
        let mut header = header(token);
        header["alg"] = alg;
        let input = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let signature = jsonwebtoken::crypto::sign(input.as_bytes(), by, algorithm).unwrap();
        format!("{input}.{signature}")
    };
    let own = EncodingKey::from_ec_der(&private);
    let secret = EncodingKey::from_secret(public);

    // Signed correctly, the token is valid.
    let good = forged(json!("ES256"), &own, Algorithm::ES256);
    assert_eq!(core.verify(ROTATION, &good, true).await["status"], "OK");
    for (token, why) in [
        // A signature of the key, with another algorithm in the header.
        (
            forged(json!("RS256"), &own, Algorithm::ES256),
            "verification failed",
        ),
        (
            forged(json!("EdDSA"), &own, Algorithm::ES256),
            "verification failed",
        ),
        (
            forged(json!("none"), &own, Algorithm::ES256),
            "mismatch - alg",
        ),
        (
            forged(json!("es256"), &own, Algorithm::ES256),
            "mismatch - alg",
        ),
        (
            forged(json!(["ES256"]), &own, Algorithm::ES256),
            "mismatch - alg",
        ),
        // The public key as a secret.
        (
            forged(json!("HS256"), &secret, Algorithm::HS256),
            "mismatch - alg",
        ),
        (
            forged(json!("ES256"), &secret, Algorithm::HS256),
            "verification failed",
        ),
    ] {
        for cdi in [LEGACY, ROTATION] {
            let answer = core.verify(cdi, &token, true).await;
            assert_eq!(answer["status"], "TRY_REFRESH_TOKEN", "{why}");
            let message = answer["message"].as_str().unwrap();
            assert!(message.contains(why), "{message}");
            let reply = core
                .call(
                    "POST /recipe/session/regenerate",
                    cdi,
                    &json!({ "accessToken": token }),
                )
                .await;
            assert!(!reply.text.contains("\"OK\""), "{}", reply.text);
        }
    }
}
