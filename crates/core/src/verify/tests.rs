use std::sync::LazyLock;

use uuid::Uuid;

use super::*;
use crate::json::JsonObject;
use crate::keys::{SigningAlgorithm, SigningKey};
use crate::session::Access;
use crate::token::access::{self, assemble, signing_input};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let algorithm = SigningAlgorithm::Rs256;
    let stored = SigningKey::generate(KeyKind::Dynamic, algorithm, UnixMillis::new(1), Uuid::nil());
    SigningKey::parse(&stored.unwrap(), UnixMillis::new(200_000)).unwrap()
});

pub(super) fn token(exp: u64, extra: &str) -> String {
    let payload: JsonObject = format!(
        r#"{{"sub":"u","rsub":"u","iat":1,"exp":{exp},"sessionHandle":"h","refreshTokenHash1":"x","tId":"public"{extra}}}"#
    )
    .parse()
    .unwrap();
    let input = signing_input(KEY.public().session_header(), &payload);
    let signature = KEY.sign(input.as_bytes()).unwrap();
    assemble(input, &signature)
}

fn parse(token: &str) -> Result<ParsedAccessToken<'_>, access::ForeignToken> {
    access::parse(token, |_| None)
}

#[track_caller]
fn check(token: &str, now: u64, kind: KeyKind) -> Result<(), Refusal> {
    verify(
        parse(token).unwrap(),
        Some(KEY.public()),
        kind,
        0,
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
        0,
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
            verify(
                token,
                Some(KEY.public()),
                KeyKind::Dynamic,
                0,
                UnixMillis::new(1),
            )
            .is_ok()
        });
        assert_ne!(verdict.ok(), Some(true), "byte {at}");
    }
}

pub(super) fn verified(token: &str, key_generation: u64) -> VerifiedToken {
    let parsed = parse(token).unwrap();
    let now = UnixMillis::new(1_000);
    verify(
        parsed,
        Some(KEY.public()),
        KeyKind::Dynamic,
        key_generation,
        now,
    )
    .unwrap()
}

#[test]
fn the_header_that_a_key_writes_need_not_be_read() {
    let token = token(100, "");
    let by_header =
        |header: &str| (header == KEY.public().session_header()).then(|| Arc::clone(KEY.public()));
    let known = access::parse(&token, by_header).unwrap();
    assert!(matches!(&known.named, access::NamedKey::Known(key) if key.kid == "d-1"));
    let now = UnixMillis::new(1);
    assert!(verify(known, Some(KEY.public()), KeyKind::Dynamic, 0, now).is_ok());
}

#[test]
fn the_algorithm_is_the_keys_not_the_tokens() {
    let header = crate::keys::header("d-1", SigningAlgorithm::Es256, Some("5"));
    let good = token(100, "");
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let input = format!("{header}.{payload}");
    let signature = KEY.sign(input.as_bytes()).unwrap();
    let token = assemble(input, &signature);
    assert_eq!(check(&token, 1, KeyKind::Dynamic), Err(Refusal::Algorithm));
}

fn find(cache: &TokenCache, token: &str, key_generation: u64, now: u64) -> Option<VerifiedToken> {
    let found = cache.get(token.as_bytes())?;
    found
        .still_holds(key_generation, UnixMillis::new(now))
        .then_some(found)
}

#[test]
fn a_cached_token_is_found_while_it_and_its_key_are_valid() {
    let cache = TokenCache::new(1_000_000);
    let token = token(100, "");
    let get = |generation, now| find(&cache, &token, generation, now);
    assert!(get(3, 1_000).is_none());
    cache.insert(&verified(&token, 3));
    let found = get(3, 99_999).unwrap();
    assert_eq!(
        (found.token(), &*found.claims().user_id),
        (token.as_str(), "u")
    );
    assert!(get(3, 100_000).is_none(), "expired");
    assert!(get(4, 1_000).is_none(), "a key is gone");
    assert!(get(3, 1_000).is_some());
}

#[test]
fn a_cached_token_does_not_outlive_its_key() {
    let cache = TokenCache::new(1_000_000);
    let token = token(1_000, "");
    cache.insert(&verified(&token, 0));
    assert!(find(&cache, &token, 0, 200_000).is_some());
    assert!(find(&cache, &token, 0, 200_001).is_none());
}

#[test]
fn every_byte_of_a_cached_token_is_compared() {
    let cache = TokenCache::new(1_000_000);
    let token = token(100, "");
    cache.insert(&verified(&token, 0));
    for at in (0..token.len()).step_by(7) {
        let other = if token.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        let altered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert!(find(&cache, &altered, 0, 1).is_none(), "byte {at}");
        assert!(find(&cache, &token[..at], 0, 1).is_none());
    }
}

#[test]
fn a_session_has_one_seen_token_which_goes_with_it() {
    let cache = TokenCache::new(1_000_000);
    let (first, second) = (token(100, ""), token(101, ""));
    let is_cached = |token: &str| find(&cache, token, 0, 1).is_some();
    cache.insert(&verified(&first, 0));
    cache.insert(&verified(&first, 0));
    assert!(is_cached(&first));
    cache.insert(&verified(&second, 0));
    assert_eq!((is_cached(&first), is_cached(&second)), (false, true));
    cache.remove(&"other".into());
    assert!(is_cached(&second));
    cache.remove(&"h".into());
    assert!(!is_cached(&second));
}

#[test]
fn seen_tokens_are_bounded_in_bytes_and_show_no_secret() {
    let cache = TokenCache::new(100_000);
    for number in 0..200 {
        let token = token_of_session(&format!("h{number}"));
        cache.insert(&verified(&token, 0));
        assert!(!format!("{cache:?} {:?}", verified(&token, 0)).contains(&token[..60]));
    }
    let (tokens, sessions) = cache.lengths();
    assert!((10..120).contains(&tokens), "{tokens}");
    assert_eq!(
        tokens, sessions,
        "what is pushed out is forgotten everywhere"
    );
    let long = token(100, &format!(r#","x":"{}""#, "x".repeat(4_000)));
    cache.insert(&verified(&long, 0));
    assert!(find(&cache, &long, 0, 1).is_none(), "too long to keep");
}

fn token_of_session(handle: &str) -> String {
    let payload: JsonObject = format!(
        r#"{{"sub":"u","rsub":"u","iat":1,"exp":100,"sessionHandle":"{handle}","refreshTokenHash1":"x","tId":"public"}}"#
    )
    .parse()
    .unwrap();
    let input = signing_input(KEY.public().session_header(), &payload);
    let signature = KEY.sign(input.as_bytes()).unwrap();
    assemble(input, &signature)
}

#[test]
fn a_stored_payload_that_equals_the_tokens_is_read_once() {
    let verified = verified(&token(100, r#","plan":"pro""#), 0);
    let access = Access::Verified(verified.clone());
    let object = |text: &str| text.parse::<JsonObject>().unwrap();
    let [other, stored, respelled] = [
        object(r#"{"plan":"free"}"#),
        object(r#"{"plan":"pro"}"#),
        object(r#"{"plan" : "pro"}"#),
    ];
    assert!(!access.agrees_with(&other));
    assert!(!verified.is_known_to_agree_with(&other));
    assert!(access.agrees_with(&stored));
    assert!(verified.is_known_to_agree_with(&stored));
    for read_each_time in [&other, &respelled] {
        assert!(!verified.is_known_to_agree_with(read_each_time));
    }
    assert!(access.agrees_with(&respelled) && !access.agrees_with(&other));
}

#[test]
fn a_stored_payload_that_is_long_is_not_kept() {
    let long = format!(r#""x":"{}""#, "x".repeat(LONGEST_NOTED_PAYLOAD));
    let verified = verified(&token(100, &format!(",{long}")), 0);
    let stored: JsonObject = format!("{{{long}}}").parse().unwrap();
    assert!(Access::Verified(verified.clone()).agrees_with(&stored));
    assert!(!verified.is_known_to_agree_with(&stored));
}
