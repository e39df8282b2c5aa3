//! Parses access tokens in one pass.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memchr_iter;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::claims::{CompactClaims, Parts};
use crate::clock::UnixSeconds;
use crate::keys::{SigningAlgorithm, VerifyingKey};
use crate::wire;

/// A structurally valid access token whose signature is not yet verified.
#[derive(Debug)]
pub(crate) struct ParsedAccessToken<'a> {
    pub(crate) named: NamedKey,
    pub(crate) not_before: Option<f64>,
    pub(crate) claims: CompactClaims,
    pub(crate) signing_input: &'a str,
    pub(crate) signature: Signature,
}

/// The key that the token's header names.
#[derive(Debug)]
pub(crate) enum NamedKey {
    /// The header is byte for byte the one that this signing key writes.
    Known(Arc<VerifyingKey>),
    Other {
        algorithm: String,
        kid: String,
    },
}

/// The value is not an access token of this system. Callers ignore it as if it were absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an access token of this system: {0}")]
pub(crate) struct ForeignToken(&'static str);

/// Buffer for a 2048-bit RSA signature, rounded up to whole groups of three bytes. Longer
/// signatures are decoded on the heap.
const SIGNATURE_ROOM: usize = 258;
const HEADER_ROOM: usize = 512;
/// Buffer for the payload. Larger payloads are decoded on the heap.
const PAYLOAD_ROOM: usize = 1_024;

/// Splits a token and checks its structure (sessions 1.3 and 1.6).
///
/// `by_header` returns the key whose encoded header equals the given one. Any other header is
/// decoded.
///
/// Base64url must be unpadded and canonical, so that a token has exactly one spelling. Otherwise
/// one signature would be valid for several texts.
pub(crate) fn parse(
    token: &str,
    by_header: impl FnOnce(&str) -> Option<Arc<VerifyingKey>>,
) -> Result<ParsedAccessToken<'_>, ForeignToken> {
    let segments = Segments::of(token).ok_or(ForeignToken("not three segments"))?;
    let (named, version) = match by_header(segments.header) {
        Some(key) => (
            NamedKey::Known(key),
            leading_integer(wire::ACCESS_TOKEN_VERSION).unwrap_or_default(),
        ),
        None => read_header(segments.header)?,
    };
    let (mut room, mut heap) = ([0; PAYLOAD_ROOM], Vec::new());
    let payload = decode(segments.payload, &mut room, &mut heap)?;
    let payload = std::str::from_utf8(payload).map_err(|_| ForeignToken("payload"))?;
    // A derived `Deserialize` also accepts an array and assigns its items to the fields in order.
    if !payload.trim_start().starts_with('{') {
        return Err(ForeignToken("payload"));
    }
    let raw: RawClaims<'_> = serde_json::from_str(payload).map_err(|_| ForeignToken("payload"))?;
    Ok(ParsedAccessToken {
        named,
        // An `nbf` that is not a number lies in the infinite future, so the token is never valid.
        not_before: raw
            .nbf
            .map(|nbf| number(Some(nbf)).unwrap_or(f64::INFINITY)),
        claims: raw.check(version, token)?,
        signing_input: segments.signing_input,
        signature: Signature::decode(segments.signature)?,
    })
}

struct Segments<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// The encoded header and payload, as signed.
    signing_input: &'a str,
}

impl<'a> Segments<'a> {
    fn of(token: &'a str) -> Option<Self> {
        let mut dots = memchr_iter(b'.', token.as_bytes());
        let (first, second) = (dots.next()?, dots.next()?);
        dots.next().is_none().then_some(())?;
        Some(Self {
            header: token.get(..first)?,
            payload: token.get(first + 1..second)?,
            signature: token.get(second + 1..)?,
            signing_input: token.get(..second)?,
        })
    }
}

fn read_header(header: &str) -> Result<(NamedKey, u32), ForeignToken> {
    let (mut room, mut heap) = ([0; HEADER_ROOM], Vec::new());
    let header = decode(header, &mut room, &mut heap)?;
    let header: Header<'_> = serde_json::from_slice(header).map_err(|_| ForeignToken("header"))?;
    let version = header.check()?;
    let named = NamedKey::Other {
        algorithm: header.alg.unwrap_or_default().into_owned(),
        // A `kid` that is not a string becomes the empty key id, which verification rejects as
        // unknown.
        kid: header.kid.and_then(string).unwrap_or_default(),
    };
    Ok((named, version))
}

impl NamedKey {
    /// Returns `true` if the token names the key's own algorithm.
    pub(crate) fn agrees_with(&self, algorithm: SigningAlgorithm) -> bool {
        match self {
            Self::Known(key) => key.algorithm() == algorithm,
            Self::Other {
                algorithm: named, ..
            } => named == algorithm.name(),
        }
    }
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    alg: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    typ: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    version: Option<&'a RawValue>,
}

impl Header<'_> {
    fn check(&self) -> Result<u32, ForeignToken> {
        if self.typ.and_then(string).as_deref() != Some(wire::JWT_TYP) {
            return Err(ForeignToken("typ"));
        }
        if self.kid.is_none() {
            return Err(ForeignToken("kid"));
        }
        let version = match self.version {
            // Quirk: a token without a version counts as version 3 (sessions 1.3 and 1.11).
            None => Some(3),
            Some(version) => string(version).and_then(|text| leading_integer(&text)),
        };
        version
            .filter(|version| *version >= 3)
            .ok_or(ForeignToken("version"))
    }
}

/// Parses the leading decimal integer. Quirk: `"5abc"` is version 5 (sessions 1.3).
fn leading_integer(text: &str) -> Option<u32> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .map_or(text, |end| &text[..end]);
    digits.parse().ok()
}

/// The members that the engine reads. All others are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClaims<'a> {
    #[serde(borrow, default)]
    sub: Text<'a>,
    #[serde(borrow, default)]
    rsub: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    iat: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    exp: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    nbf: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session_handle: Text<'a>,
    #[serde(borrow, default)]
    refresh_token_hash1: Text<'a>,
    #[serde(borrow, default)]
    parent_refresh_token_hash1: Text<'a>,
    #[serde(borrow, default)]
    anti_csrf_token: Text<'a>,
    #[serde(borrow, default, rename = "tId")]
    tenant_id: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    stt: Option<&'a RawValue>,
}

impl RawClaims<'_> {
    fn check(&self, version: u32, token: &str) -> Result<CompactClaims, ForeignToken> {
        if self.stt.is_some() && number(self.stt) != Some(0.0) {
            return Err(ForeignToken("stt"));
        }
        let user_id = self.sub.required("sub")?;
        Ok(CompactClaims::new(&Parts {
            token,
            user_id,
            recipe_user_id: if version >= 5 {
                self.rsub.required("rsub")?
            } else {
                user_id
            },
            // A `tId` in a version 3 token belongs to the application (sessions 1.5).
            tenant_id: if version >= 4 {
                self.tenant_id.required("tId")?
            } else {
                wire::DEFAULT_TENANT_ID
            },
            handle: self.session_handle.required("session handle")?,
            refresh_hash1: self.refresh_token_hash1.required("refresh token hash")?,
            parent_refresh_hash1: self.parent_refresh_token_hash1.get(),
            anti_csrf: self.anti_csrf_token.get(),
            issued_at: seconds(number(self.iat).ok_or(ForeignToken("iat"))?),
            expires_at: seconds(number(self.exp).ok_or(ForeignToken("exp"))?),
        }))
    }
}

/// A member that should be a string. A value of any other type counts as absent (sessions 1.6).
#[derive(Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    fn required(&self, name: &'static str) -> Result<&str, ForeignToken> {
        self.get().ok_or(ForeignToken(name))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// Distinguishes an explicit null from an absent member, and preserves the spelling of a number.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn number(raw: Option<&RawValue>) -> Option<f64> {
    serde_json::from_str(raw?.get()).ok()
}

/// Converts to whole seconds. Times before the epoch become the epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what is wanted"
)]
fn seconds(number: f64) -> UnixSeconds {
    UnixSeconds::new(number as u64)
}

/// Decodes into `room`, or into `heap` if `room` is too small.
fn decode<'r>(
    segment: &str,
    room: &'r mut [u8],
    heap: &'r mut Vec<u8>,
) -> Result<&'r [u8], ForeignToken> {
    let failed = ForeignToken("base64url");
    if base64::decoded_len_estimate(segment.len()) > room.len() {
        URL_SAFE_NO_PAD
            .decode_vec(segment, heap)
            .map_err(|_| failed)?;
        return Ok(heap);
    }
    let length = URL_SAFE_NO_PAD
        .decode_slice(segment, room)
        .map_err(|_| failed)?;
    Ok(room.get(..length).unwrap_or_default())
}

/// A decoded signature. Signatures of common lengths need no allocation.
#[derive(Debug)]
pub(crate) struct Signature {
    room: [u8; SIGNATURE_ROOM],
    length: usize,
    heap: Vec<u8>,
}

impl Signature {
    fn decode(segment: &str) -> Result<Self, ForeignToken> {
        let mut signature = Self {
            room: [0; SIGNATURE_ROOM],
            length: 0,
            heap: Vec::new(),
        };
        signature.length = decode(segment, &mut signature.room, &mut signature.heap)?.len();
        Ok(signature)
    }

    pub(crate) fn get(&self) -> &[u8] {
        if self.heap.is_empty() {
            self.room.get(..self.length).unwrap_or_default()
        } else {
            &self.heap
        }
    }
}
