//! Tokens made and read by other means than the library's own, as another implementation would.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::pbkdf2;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use supersession::store::StoredKey;
use supersession::{AppId, Clock as _, SecretText, Store as _};

use super::START_SECS;
use crate::support::App;

/// Lower-case hex SHA-256.
pub(super) fn h1(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Signs any header and payload with a stored key.
pub(super) fn sign(key: &StoredKey, header: &str, payload: &str) -> String {
    let (_, private) = key.key_pair.expose().split_once('|').unwrap();
    let pair = KeyPair::from_pkcs8(&STANDARD.decode(private).unwrap()).unwrap();
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        input.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The header of an access token of this version.
pub(super) fn header(version: &str, kid: &str) -> Value {
    json!({"alg": "RS256", "typ": "JWT", "version": version, "kid": kid})
}

/// The members that every access token has, of a session that is stored nowhere.
pub(super) fn claims(user: &str) -> Value {
    json!({
        "sub": user, "rsub": user, "iat": START_SECS, "exp": START_SECS + 3_600, "sessionHandle": "some-handle",
        "refreshTokenHash1": h1("some refresh token"), "parentRefreshTokenHash1": null, "antiCsrfToken": null,
        "tId": "public",
    })
}

/// The key under which an app's refresh tokens are sealed.
pub(super) async fn master_key(app: &App) -> String {
    let unused = SecretText::new("unused");
    let key = app
        .store
        .inner()
        .refresh_token_key(&AppId::default(), &unused, app.clock.now())
        .await
        .unwrap();
    key.expose().to_owned()
}

fn aead(master_key: &str, iv: &[u8]) -> LessSafeKey {
    let mut key = [0; 32];
    let iterations = 100.try_into().unwrap();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA512,
        iterations,
        iv,
        master_key.as_bytes(),
        &mut key,
    );
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap())
}

/// The content of a refresh token; None if the key is another one.
pub(super) fn open_refresh_token(master_key: &str, token: &str) -> Option<Value> {
    let mut sealed = STANDARD.decode(token.split('.').next().unwrap()).unwrap();
    let (iv, body) = sealed.split_at_mut(12);
    let nonce = Nonce::try_assume_unique_for_key(iv).unwrap();
    let text = aead(master_key, iv)
        .open_in_place(nonce, Aad::empty(), body)
        .ok()?;
    Some(serde_json::from_slice(text).unwrap())
}

/// A refresh token as another core mints it: random, not derived. `content` lacks only the nonce.
pub(super) fn seal_refresh_token(master_key: &str, mut content: Value, kind: &str) -> String {
    let mut iv = [0; 12];
    aws_lc_rs::rand::fill(&mut iv).unwrap();
    let nonce = h1(&format!("{iv:?}"));
    content["nonce"] = json!(nonce);
    let mut body = content.to_string().into_bytes();
    aead(master_key, &iv)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut body)
        .unwrap();
    let sealed = [iv.as_slice(), body.as_slice()].concat();
    format!("{}.{nonce}.{kind}", STANDARD.encode(sealed))
}
