//! Verification: signature, time, kind of key. A pure function of the token, a key and the time.

use crate::clock::UnixMillis;
use crate::keys::SigningKey;
use crate::store::KeyKind;
use crate::token::access::{self, AccessClaims, ParsedAccessToken};

/// Proof that what is inside was signed by a live key of ours and has not expired. Only [`verify`]
/// makes one.
#[derive(Clone, Debug)]
pub(crate) struct Verified(AccessClaims);

impl Verified {
    pub(crate) fn into_claims(self) -> AccessClaims {
        self.0
    }
}

/// Why a token of the right shape is no good. The client hears "try refresh token" for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the access token is signed by a key that is not known here, or no longer")]
    UnknownKey,
    #[error("the access token does not name the algorithm of its key")]
    Algorithm,
    #[error("the signature of the access token is wrong")]
    Signature,
    #[error("the access token is not valid yet")]
    NotYetValid,
    #[error("the access token has expired")]
    Expired,
    #[error("The access token doesn't match the useDynamicAccessTokenSigningKey setting")]
    KeyKind,
}

/// Checks a parsed token (session specification, 1.7 and 5.3 steps 6 and 7). `key` is the one that
/// the token names.
///
/// The algorithm comes from the key; the token may only agree with it. A token is valid while `now
/// < exp`, in whole seconds, without leeway.
pub(crate) fn verify(
    token: ParsedAccessToken<'_>,
    key: Option<&SigningKey>,
    expected_kind: KeyKind,
    now: UnixMillis,
) -> Result<Verified, Refusal> {
    let key = key.ok_or(Refusal::UnknownKey)?;
    if token.algorithm != access::ALGORITHM {
        return Err(Refusal::Algorithm);
    }
    if !key.verifies(token.signing_input.as_bytes(), &token.signature) {
        return Err(Refusal::Signature);
    }
    let now = now.floor_seconds();
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since the epoch fit a double for 285 million years"
    )]
    if token
        .not_before
        .is_some_and(|not_before| not_before > now.get() as f64)
    {
        return Err(Refusal::NotYetValid);
    }
    if token.claims.expires_at <= now {
        return Err(Refusal::Expired);
    }
    if key.kind != expected_kind {
        return Err(Refusal::KeyKind);
    }
    Ok(Verified(token.claims))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use uuid::Uuid;

    use super::*;
    use crate::json::JsonObject;
    use crate::token::access::{assemble, parse, signing_input};

    static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
        SigningKey::parse(
            &SigningKey::generate(KeyKind::Dynamic, UnixMillis::new(1), Uuid::nil()).unwrap(),
        )
        .unwrap()
    });

    fn token(exp: u64, extra: &str) -> String {
        let payload: JsonObject = format!(
            r#"{{"sub":"u","rsub":"u","iat":1,"exp":{exp},"sessionHandle":"h","refreshTokenHash1":"x","tId":"public"{extra}}}"#
        )
        .parse()
        .unwrap();
        let input = signing_input(KEY.session_header(), &payload);
        let signature = KEY.sign(input.as_bytes()).unwrap();
        assemble(input, &signature)
    }

    #[track_caller]
    fn check(token: &str, now: u64, kind: KeyKind) -> Result<(), Refusal> {
        verify(
            parse(token).unwrap(),
            Some(&KEY),
            kind,
            UnixMillis::new(now),
        )
        .map(|_| ())
    }

    #[test]
    fn a_token_is_valid_until_the_second_of_its_expiry() {
        let token = token(100, "");
        assert_eq!(check(&token, 99_999, KeyKind::Dynamic), Ok(()));
        assert_eq!(
            check(&token, 100_000, KeyKind::Dynamic),
            Err(Refusal::Expired)
        );
    }

    #[test]
    fn a_token_is_not_valid_before_its_time() {
        assert_eq!(
            check(&token(100, r#","nbf":50"#), 49_999, KeyKind::Dynamic),
            Err(Refusal::NotYetValid)
        );
        assert_eq!(
            check(&token(100, r#","nbf":50"#), 50_000, KeyKind::Dynamic),
            Ok(())
        );
        assert_eq!(
            check(&token(100, r#","nbf":"x""#), 50_000, KeyKind::Dynamic),
            Err(Refusal::NotYetValid)
        );
    }

    #[test]
    fn a_token_must_be_signed_by_the_key_it_names_and_of_the_expected_kind() {
        let good = token(100, "");
        assert_eq!(check(&good, 1, KeyKind::Static), Err(Refusal::KeyKind));
        let unknown = verify(
            parse(&good).unwrap(),
            None,
            KeyKind::Dynamic,
            UnixMillis::new(1),
        );
        assert_eq!(unknown.map(|_| ()), Err(Refusal::UnknownKey));
        let other = token(101, "");
        let forged = format!(
            "{}.{}",
            good.rsplit_once('.').unwrap().0,
            other.rsplit_once('.').unwrap().1
        );
        assert_eq!(check(&forged, 1, KeyKind::Dynamic), Err(Refusal::Signature));
    }

    #[test]
    fn an_altered_byte_anywhere_is_refused() {
        let good = token(100, "");
        let step = good.len() / 40;
        for at in (0..good.len())
            .step_by(step)
            .filter(|at| good.as_bytes()[*at] != b'.')
        {
            let replacement = if good.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            let altered = format!("{}{replacement}{}", &good[..at], &good[at + 1..]);
            let verdict = parse(&altered).map(|token| {
                verify(token, Some(&KEY), KeyKind::Dynamic, UnixMillis::new(1)).is_ok()
            });
            assert_ne!(verdict.ok(), Some(true), "byte {at}");
        }
    }
}
