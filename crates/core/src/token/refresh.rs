//! Refresh tokens in the core's V2 format (core 1.5), and the derivation of their successors.
//!
//! The format is `<ciphertext>.<nonce>.V2`. The ciphertext is a small JSON document, encrypted with
//! AES-256-GCM. PBKDF2 derives the AES key from the app's master key and the 12-byte IV.
//!
//! # Successors
//! The first token of a session is random. Every later token is *derived* from the token that it
//! replaces. Two requests that present the same token within the grace period (core 3.3, case 3)
//! therefore receive the same successor, on any node, and the nodes share no memory.
//!
//! The derivation needs the master key and the whole presented token. A stored hash is not enough,
//! so a reader of the database cannot derive a token.
//!
//! AES-GCM must never encrypt two plaintexts under the same key and IV. A derived token cannot use
//! a random IV, so its IV is a MAC over the seed and the complete plaintext. Two different
//! plaintexts never share an IV.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError, random_bytes, random_uuid};
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::secret::{AntiCsrfToken, RefreshHash1, RefreshToken, SecretText, hex, sha256_hex};
use crate::wire;

/// Mints and parses the refresh tokens of one app.
pub(crate) struct RefreshTokens {
    master_key: SecretText,
    derivation: hmac::Key,
}

/// The content of a refresh token.
#[derive(Clone, Debug)]
pub(crate) struct RefreshClaims {
    pub(crate) handle: SessionHandle,
    pub(crate) user_id: UserId,
    pub(crate) tenant_id: TenantId,
    pub(crate) parent_hash1: Option<RefreshHash1>,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
}

/// A refresh token together with the anti-CSRF token inside it.
#[derive(Clone, Debug)]
pub(crate) struct MintedRefresh {
    pub(crate) token: RefreshToken,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
}

/// The presented value is not a valid refresh token of this app. The client receives
/// "unauthorised".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token of this app: {0}")]
pub(crate) struct MalformedRefreshToken(&'static str);

impl MalformedRefreshToken {
    /// The shape is right, and the key does not decrypt it.
    pub(crate) const OTHER_KEY: Self = Self("not made with this app's key");
}

/// Encryption failed. This cannot happen with keys of the correct size.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("minting a refresh token failed")]
pub(crate) struct MintError;

impl From<EntropyError> for MintError {
    fn from(_: EntropyError) -> Self {
        Self
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plaintext {
    session_handle: String,
    user_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_refresh_token_hash1: Option<String>,
    nonce: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anti_csrf_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
}

const TYPE: &str = "V2";
const OLDER_TYPE: &str = "V1";
const TAG_LEN: usize = 16;
const PBKDF2_ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::new(100).unwrap();
const MASTER_KEY_ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::new(1_000).unwrap();

impl RefreshTokens {
    pub(crate) fn new(master_key: SecretText) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, master_key.expose().as_bytes());
        let derived = hmac::sign(&root, b"supersession refresh token successor v1");
        Self {
            derivation: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
            master_key,
        }
    }

    pub(crate) fn master_key(&self) -> &SecretText {
        &self.master_key
    }

    /// Generates a master key in the core's format, for an app that has none (core 1.5).
    pub(crate) fn new_master_key(entropy: &dyn Entropy) -> Result<SecretText, EntropyError> {
        let salt: [u8; 64] = random_bytes(entropy)?;
        let password: Zeroizing<[u8; 64]> = Zeroizing::new(random_bytes(entropy)?);
        let mut key = Zeroizing::new([0_u8; 64]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA512,
            MASTER_KEY_ITERATIONS,
            &salt,
            hex(&*password).as_bytes(),
            &mut *key,
        );
        Ok(SecretText::new(format!(
            "{MASTER_KEY_ITERATIONS}:{}:{}",
            hex(&salt),
            hex(&*key)
        )))
    }

    /// Mints the random first token of a session.
    pub(crate) fn mint_first(
        &self,
        handle: &SessionHandle,
        user_id: &UserId,
        tenant_id: &TenantId,
        with_anti_csrf: bool,
        entropy: &dyn Entropy,
    ) -> Result<MintedRefresh, MintError> {
        let anti_csrf = with_anti_csrf
            .then(|| random_uuid(entropy))
            .transpose()?
            .map(|id| AntiCsrfToken::new(id.to_string()));
        let nonce = sha256_hex(random_uuid(entropy)?.to_string().as_bytes());
        let claims = RefreshClaims {
            handle: handle.clone(),
            user_id: user_id.clone(),
            tenant_id: tenant_id.clone(),
            parent_hash1: None,
            anti_csrf,
        };
        self.seal(claims, &nonce, |_| {
            random_bytes(entropy).map_err(MintError::from)
        })
    }

    /// Mints the successor of `presented`. The result is deterministic in its arguments.
    pub(crate) fn mint_successor(
        &self,
        presented: &RefreshToken,
        handle: &SessionHandle,
        user_id: &UserId,
        tenant_id: &TenantId,
        with_anti_csrf: bool,
    ) -> Result<MintedRefresh, MintError> {
        let seed = self.mac(b"seed", presented.expose().as_bytes());
        let anti_csrf = with_anti_csrf.then(|| {
            let mut id = [0; 16];
            id.copy_from_slice(&self.mac(b"anti-csrf", &*seed)[..16]);
            AntiCsrfToken::new(uuid::Builder::from_random_bytes(id).into_uuid().to_string())
        });
        let nonce = hex(&*self.mac(b"nonce", &*seed));
        let claims = RefreshClaims {
            handle: handle.clone(),
            user_id: user_id.clone(),
            tenant_id: tenant_id.clone(),
            parent_hash1: Some(RefreshHash1::of(presented)),
            anti_csrf,
        };
        self.seal(claims, &nonce, |plaintext| {
            let mut iv = [0; NONCE_LEN];
            let mut message = seed.to_vec();
            message.extend_from_slice(plaintext);
            iv.copy_from_slice(&self.mac(b"iv", &message)[..NONCE_LEN]);
            Ok(iv)
        })
    }

    /// Decrypts and parses a token that a client presents. The client receives the same answer for
    /// every kind of malformed token.
    pub(crate) fn open(
        &self,
        token: &RefreshToken,
    ) -> Result<RefreshClaims, MalformedRefreshToken> {
        let mut parts = token.expose().split('.');
        let (Some(ciphertext), Some(nonce), Some(kind), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MalformedRefreshToken("not three parts"));
        };
        if !kind.eq_ignore_ascii_case(TYPE) && !kind.eq_ignore_ascii_case(OLDER_TYPE) {
            return Err(MalformedRefreshToken("unknown type"));
        }
        let mut sealed = Zeroizing::new(
            STANDARD
                .decode(ciphertext)
                .map_err(|_| MalformedRefreshToken("not base64"))?,
        );
        if sealed.len() < NONCE_LEN + TAG_LEN {
            return Err(MalformedRefreshToken("too short"));
        }
        let (iv, body) = sealed.split_at_mut(NONCE_LEN);
        let mut nonce_bytes = [0; NONCE_LEN];
        nonce_bytes.copy_from_slice(iv);
        let plaintext = self
            .key(&nonce_bytes)
            .map_err(|_| MalformedRefreshToken("no key"))?
            .open_in_place(
                Nonce::assume_unique_for_key(nonce_bytes),
                Aad::empty(),
                body,
            )
            .map_err(|_| MalformedRefreshToken::OTHER_KEY)?;
        let plaintext: Plaintext = serde_json::from_slice(plaintext)
            .map_err(|_| MalformedRefreshToken("unreadable content"))?;
        if plaintext.nonce != nonce {
            return Err(MalformedRefreshToken("altered nonce"));
        }
        Ok(RefreshClaims {
            handle: SessionHandle::from(plaintext.session_handle),
            user_id: UserId::from(plaintext.user_id),
            tenant_id: plaintext
                .tenant_id
                .as_deref()
                .map_or_else(TenantId::default, TenantId::from_stored),
            parent_hash1: plaintext
                .parent_refresh_token_hash1
                .map(RefreshHash1::from_hex),
            anti_csrf: plaintext.anti_csrf_token.map(AntiCsrfToken::new),
        })
    }

    fn seal(
        &self,
        claims: RefreshClaims,
        nonce: &str,
        iv: impl FnOnce(&[u8]) -> Result<[u8; NONCE_LEN], MintError>,
    ) -> Result<MintedRefresh, MintError> {
        let plaintext = Plaintext {
            session_handle: claims.handle.to_string(),
            user_id: claims.user_id.to_string(),
            parent_refresh_token_hash1: claims.parent_hash1.map(|hash| hash.as_str().to_owned()),
            nonce: nonce.to_owned(),
            anti_csrf_token: claims
                .anti_csrf
                .as_ref()
                .map(|token| token.expose().to_owned()),
            tenant_id: (claims.tenant_id != wire::DEFAULT_TENANT_ID)
                .then(|| claims.tenant_id.to_string()),
        };
        let mut body = Zeroizing::new(serde_json::to_vec(&plaintext).map_err(|_| MintError)?);
        let iv = iv(&body)?;
        let tag = self
            .key(&iv)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut body)
            .map_err(|_| MintError)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + body.len() + TAG_LEN);
        sealed.extend_from_slice(&iv);
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(tag.as_ref());
        let token = RefreshToken::new(format!("{}.{nonce}.{TYPE}", STANDARD.encode(sealed)));
        Ok(MintedRefresh {
            token,
            anti_csrf: claims.anti_csrf,
        })
    }

    fn key(&self, salt: &[u8; NONCE_LEN]) -> Result<LessSafeKey, MintError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA512,
            PBKDF2_ITERATIONS,
            salt,
            self.master_key.expose().as_bytes(),
            &mut *key,
        );
        UnboundKey::new(&AES_256_GCM, &*key)
            .map(LessSafeKey::new)
            .map_err(|_| MintError)
    }

    fn mac(&self, purpose: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut context = hmac::Context::with_key(&self.derivation);
        context.update(&[u8::try_from(purpose.len()).unwrap_or(u8::MAX)]);
        context.update(purpose);
        context.update(message);
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(context.sign().as_ref());
        bytes
    }
}

impl std::fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshTokens(..)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::entropy::SystemEntropy;

    fn tokens() -> RefreshTokens {
        RefreshTokens::new(RefreshTokens::new_master_key(&SystemEntropy).unwrap())
    }

    fn first(tokens: &RefreshTokens, anti_csrf: bool) -> MintedRefresh {
        let handle = SessionHandle::compose(Uuid::from_u128(1), &TenantId::new("t1").unwrap());
        tokens
            .mint_first(
                &handle,
                &UserId::from("u"),
                &TenantId::new("t1").unwrap(),
                anti_csrf,
                &SystemEntropy,
            )
            .unwrap()
    }

    fn successor(
        tokens: &RefreshTokens,
        presented: &RefreshToken,
        anti_csrf: bool,
    ) -> MintedRefresh {
        let claims = tokens.open(presented).unwrap();
        tokens
            .mint_successor(
                presented,
                &claims.handle,
                &claims.user_id,
                &claims.tenant_id,
                anti_csrf,
            )
            .unwrap()
    }

    #[test]
    fn a_token_contains_the_given_values() {
        let tokens = tokens();
        let minted = first(&tokens, true);
        let parts: Vec<_> = minted.token.expose().split('.').collect();
        assert_eq!((parts.len(), parts[1].len(), parts[2]), (3, 64, "V2"));
        let claims = tokens.open(&minted.token).unwrap();
        assert_eq!((&*claims.user_id, &*claims.tenant_id), ("u", "t1"));
        assert_eq!(claims.handle, format!("{}_t1", Uuid::from_u128(1)).as_str());
        assert!(claims.parent_hash1.is_none());
        assert_eq!(
            claims.anti_csrf.unwrap().expose(),
            minted.anti_csrf.unwrap().expose()
        );
    }

    #[test]
    fn another_key_or_an_altered_token_decrypts_nothing() {
        let (ours, theirs) = (tokens(), tokens());
        let token = first(&ours, false).token;
        assert!(theirs.open(&token).is_err());
        let text = token.expose().to_owned();
        let (body, rest) = text.split_once('.').unwrap();
        let (nonce, _) = rest.split_once('.').unwrap();
        for (altered, opens) in [
            (format!("{body}.{nonce}.V1"), true),
            (format!("{body}.{nonce}.v2"), true),
            (format!("{body}.{nonce}.V0"), false),
            (format!("{body}.{nonce}.V9"), false),
            (format!("{body}.{}.V2", "0".repeat(64)), false),
            (format!("A{}.{nonce}.V2", &body[1..]), false),
            (format!("{}.{nonce}.V2", &body[..20]), false),
            ("asdf".to_owned(), false),
            (String::new(), false),
            ("..V2".to_owned(), false),
            (format!("{text}.x"), false),
        ] {
            assert_eq!(
                ours.open(&RefreshToken::new(altered.clone())).is_ok(),
                opens,
                "{altered}"
            );
        }
    }

    #[test]
    fn the_successor_of_a_token_is_always_the_same() {
        let tokens = tokens();
        let first = first(&tokens, true);
        let (one, two) = (
            successor(&tokens, &first.token, true),
            successor(&tokens, &first.token, true),
        );
        assert_eq!(one.token.expose(), two.token.expose());
        assert_eq!(
            one.anti_csrf.unwrap().expose(),
            two.anti_csrf.unwrap().expose()
        );
        let claims = tokens.open(&one.token).unwrap();
        assert_eq!(
            claims.parent_hash1.unwrap().as_str(),
            RefreshHash1::of(&first.token).as_str()
        );
        assert_ne!(one.token.expose(), first.token.expose());
        assert_ne!(
            successor(&tokens, &one.token, true).token.expose(),
            one.token.expose()
        );
    }

    #[test]
    fn two_plaintexts_never_share_an_iv() {
        let tokens = tokens();
        let parent = first(&tokens, true).token;
        let iv = |minted: &MintedRefresh| {
            STANDARD
                .decode(minted.token.expose().split('.').next().unwrap())
                .unwrap()[..NONCE_LEN]
                .to_vec()
        };
        assert_ne!(
            iv(&successor(&tokens, &parent, true)),
            iv(&successor(&tokens, &parent, false))
        );
    }

    #[test]
    fn the_master_key_has_the_cores_form() {
        let key = RefreshTokens::new_master_key(&SystemEntropy).unwrap();
        let parts: Vec<_> = key.expose().split(':').collect();
        assert_eq!(
            (parts[0], parts[1].len(), parts[2].len()),
            ("1000", 128, 128)
        );
    }
}
