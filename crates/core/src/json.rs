//! JSON objects kept as text: session data, payloads and user metadata.
//!
//! Only the root of a document is parsed. Nested values, the order of members and the spelling of
//! numbers are returned exactly as they were stored (core specification, 6.1).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::{self, Excess};

/// A JSON object, shared and immutable. Cheap to clone.
///
/// At most [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH) levels deep and
/// [`MAX_DOCUMENT_BYTES`](crate::MAX_DOCUMENT_BYTES) long, so that every value can be parsed and
/// embedded into other JSON.
///
/// # Examples
/// ```
/// use supersession::JsonObject;
/// use serde_json::json;
///
/// let stored = JsonObject::from_serialize(&json!({"a": 1, "b": {"c": 1}}))?;
/// let update = JsonObject::from_serialize(&json!({"a": null, "b": {"d": null}}))?;
/// assert_eq!(stored.merged_with(&update).as_str(), r#"{"b":{"d":null}}"#);
/// # Ok::<(), supersession::JsonObjectError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(Arc<str>);

type Members<'a> = IndexMap<Cow<'a, str>, &'a RawValue>;

/// The value is not a JSON object, or it exceeds a limit.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct JsonObjectError(#[from] Problem);

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("expected a JSON object at the root, such as a struct or a map")]
    NotAnObject,
    #[error("not valid JSON")]
    Json(#[source] serde_json::Error),
    #[error("the JSON is {0}. Fix: store less data, or nest it less deeply")]
    Excess(Excess),
}

impl JsonObjectError {
    /// Returns `true` if the value is a JSON object that is nested too deep or too long.
    #[must_use]
    pub fn exceeds_limits(&self) -> bool {
        matches!(self.0, Problem::Excess(_))
    }
}

impl From<Excess> for JsonObjectError {
    fn from(excess: Excess) -> Self {
        Self(Problem::Excess(excess))
    }
}

impl JsonObject {
    /// Creates the object without members.
    #[must_use]
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// Wraps a text that is known to be an object.
    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.trim_matches([' ', '\n', '\r', '\t']).into())
    }

    /// Serializes `value`, which must become an object. A value that serializes to `null` (`()`,
    /// `None`) becomes the empty object.
    ///
    /// # Errors
    /// If `value` does not become an object, exceeds a limit, or cannot be serialized (a map with
    /// keys other than strings).
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonObjectError> {
        let text = serde_json::to_string(value).map_err(Problem::Json)?;
        match text.as_bytes().first() {
            Some(b'{') => {
                limits::check(&text)?;
                Ok(Self(text.into()))
            }
            _ if text == "null" => Ok(Self::empty()),
            _ => Err(Problem::NotAnObject.into()),
        }
    }

    /// Parses the text of a document from a store. In contrast to [`FromStr`], this only checks
    /// that the text is an object. A document that is older than the limits must not make its
    /// session unreadable.
    ///
    /// # Errors
    /// If the text is not a JSON object.
    pub fn from_stored(text: &str) -> Result<Self, JsonObjectError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(Problem::Json)?;
        if !raw.get().starts_with('{') {
            return Err(Problem::NotAnObject.into());
        }
        Ok(Self(raw.get().into()))
    }

    /// Checks the limits for a document that came from a store.
    pub(crate) fn check_limits(&self) -> Result<(), JsonObjectError> {
        Ok(limits::check(&self.0)?)
    }

    /// Returns the document without members that are nested too deep, which no constructor accepts.
    /// For documents that handlers receive.
    pub(crate) fn readable(self) -> Self {
        if limits::is_too_deep(&self.0) {
            self.filtered(|_, value| !limits::is_member_too_deep(value))
        } else {
            self
        }
    }

    /// Deserializes the whole document into `T`.
    ///
    /// # Errors
    /// If the document cannot be deserialized into `T`.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Returns the document as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// Returns the names of the members, in their order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.members().into_keys().map(Cow::into_owned).collect()
    }

    /// Returns `true` if there is a member of this name, even if it is null.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.members().contains_key(key)
    }

    /// Returns the member of this name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<serde_json::Value> {
        self.get_as(key).ok().flatten()
    }

    /// Returns the member of this name, deserialized into `T`. An absent member is `None`, and so
    /// is null if `T` is an `Option`.
    ///
    /// # Errors
    /// If the member cannot be deserialized into `T`.
    pub fn get_as<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        self.members()
            .get(key)
            .map(|raw| serde_json::from_str(raw.get()))
            .transpose()
    }

    /// Applies the root-level merge of the SuperTokens guides: each member of `patch` replaces the
    /// member of that name, and null removes it. Nested objects are replaced as a whole, and nulls
    /// inside them are kept. A replaced member moves to the end.
    #[must_use]
    pub fn merged_with(&self, patch: &Self) -> Self {
        let mut members = self.members();
        for (key, value) in patch.members() {
            members.shift_remove(&key);
            if value.get() != "null" {
                members.insert(key, value);
            }
        }
        Self::from_members(&members)
    }

    /// Returns the document without the named members.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Self {
        let mut members = self.members();
        members.retain(|key, _| !keys.contains(&key.as_ref()));
        Self::from_members(&members)
    }

    /// Returns the document with one member set.
    ///
    /// # Errors
    /// If `value` cannot be serialized, or the document would exceed a limit.
    pub fn with<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<Self, JsonObjectError> {
        let value = serde_json::value::to_raw_value(value).map_err(Problem::Json)?;
        let mut members = self.members();
        members.shift_remove(key);
        members.insert(Cow::Borrowed(key), &value);
        let document = Self::from_members(&members);
        limits::check(&document.0)?;
        Ok(document)
    }

    /// Returns `true` if both documents contain the same JSON, regardless of member order and white
    /// space.
    #[must_use]
    pub fn same_json(&self, other: &Self) -> bool {
        fn value(object: &JsonObject) -> Option<serde_json::Value> {
            object.deserialize().ok()
        }
        self == other || value(self).is_some_and(|ours| Some(ours) == value(other))
    }

    /// Returns the patch that turns `before` into `after` at the root: new and changed members of
    /// `after`, and null for removed members.
    pub(crate) fn patch_between(before: &Self, after: &Self) -> Self {
        let null = RawValue::NULL;
        let (old, new) = (before.members(), after.members());
        let mut patch = Members::new();
        for (key, value) in &new {
            if old.get(key).is_none_or(|old| old.get() != value.get()) {
                patch.insert(key.clone(), value);
            }
        }
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            patch.insert(key.clone(), null);
        }
        Self::from_members(&patch)
    }

    /// Applies a patch made by [`Self::patch_between`]: like [`Self::merged_with`], but a member
    /// that `after` holds as null stays as null.
    pub(crate) fn merged_replacing(&self, patch: &Self, after: &Self) -> Self {
        let (patch, kept) = (patch.members(), after.members());
        let mut members = self.members();
        for (key, value) in patch {
            if value.get() != "null" || kept.contains_key(&key) {
                members.insert(key, value);
            } else {
                members.shift_remove(&key);
            }
        }
        Self::from_members(&members)
    }

    /// Keeps the members for which `keep` holds. The value is given as JSON text.
    pub(crate) fn filtered(&self, mut keep: impl FnMut(&str, &str) -> bool) -> Self {
        let mut members = self.members();
        members.retain(|key, value| keep(key, value.get()));
        Self::from_members(&members)
    }

    /// Returns the members of both, including nulls. On a conflict, the member of `other` is used.
    pub(crate) fn merged_keeping_nulls(&self, other: &Self) -> Self {
        let mut members = self.members();
        members.extend(other.members());
        Self::from_members(&members)
    }

    /// Returns `true` if the name of a member or a text contains U+0000, at any depth. Such
    /// documents are rejected before they are stored, because databases and drivers treat that
    /// character differently.
    #[must_use]
    pub fn contains_nul(&self) -> bool {
        // JSON represents it only as an escape, and a backslash only starts escapes.
        let mut rest = self.0.as_bytes();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
            let escape = rest.get(at + 1..).unwrap_or_default();
            if escape.starts_with(b"u0000") {
                return true;
            }
            rest = escape.get(1..).unwrap_or_default();
        }
        false
    }

    fn members(&self) -> Members<'_> {
        // Invariant: every constructor has checked that the text is a JSON object.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    fn from_members(members: &Members<'_>) -> Self {
        // Maps with string keys and raw values always serialize.
        serde_json::to_string(members).map_or_else(|_| Self::empty(), |text| Self(text.into()))
    }
}

impl Default for JsonObject {
    fn default() -> Self {
        Self::empty()
    }
}

impl FromStr for JsonObject {
    type Err = JsonObjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let object = Self::from_stored(text)?;
        object.check_limits()?;
        Ok(object)
    }
}

impl fmt::Display for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows only the names of the members, because documents contain personal data and logs have other
/// readers.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonObject").field(&self.keys()).finish()
    }
}

impl Serialize for JsonObject {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members())
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get().parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(text: &str) -> JsonObject {
        text.parse().unwrap()
    }

    #[track_caller]
    fn merged(stored: &str, patch: &str, expected: &str) {
        assert_eq!(
            object(stored).merged_with(&object(patch)).as_str(),
            expected
        );
    }

    #[test]
    fn merging_is_shallow_and_null_removes() {
        merged(
            r#"{"a":1,"b":{"c":1}}"#,
            r#"{"a":null,"b":{"d":null}}"#,
            r#"{"b":{"d":null}}"#,
        );
        merged(r#"{"a":{"x":1}}"#, r#"{"a":{"y":2}}"#, r#"{"a":{"y":2}}"#);
        merged("{}", r#"{"gone":null}"#, "{}");
        merged(r#"{"a":1,"b":2}"#, r#"{"a":3}"#, r#"{"b":2,"a":3}"#);
        merged(r#"{"kept":null}"#, r#"{"a":1}"#, r#"{"kept":null,"a":1}"#);
    }

    #[test]
    fn numbers_and_order_survive() {
        merged(
            r#"{"z":1.50,"a":123456789012345678901234567890}"#,
            "{}",
            r#"{"z":1.50,"a":123456789012345678901234567890}"#,
        );
    }

    #[test]
    fn only_objects_are_documents() {
        for bad in ["", "[]", "1", "null", "\"x\"", "{", "{} {}"] {
            assert!(bad.parse::<JsonObject>().is_err(), "{bad}");
        }
        assert!(JsonObject::from_serialize(&[1]).is_err());
        assert_eq!(JsonObject::from_serialize(&()).unwrap().as_str(), "{}");
        assert_eq!(object("  { \"a\" : 1 } \n").get("a"), Some(json!(1)));
    }

    #[test]
    fn the_patch_between_two_documents_contains_changes_only() {
        let patch = JsonObject::patch_between(
            &object(r#"{"a":1,"b":2,"c":3}"#),
            &object(r#"{"a":1,"b":4,"d":5}"#),
        );
        assert_eq!(patch.as_str(), r#"{"b":4,"d":5,"c":null}"#);
    }

    #[test]
    fn a_null_character_is_found_at_any_depth() {
        for with in [
            r#"{"a":"\u0000"}"#,
            r#"{"\u0000":1}"#,
            r#"{"a":[{"b":"x\\\u0000"}]}"#,
            r#"{"a":"\n\u0000"}"#,
        ] {
            assert!(object(with).contains_nul(), "{with}");
        }
        for without in [
            "{}",
            r#"{"a":"\\u0000"}"#,
            r#"{"a":"u0000\u0001\u000a"}"#,
            r#"{"a":"\\\\u0000","b":0}"#,
        ] {
            assert!(!object(without).contains_nul(), "{without}");
        }
    }

    #[test]
    fn same_json_ignores_order_and_space() {
        assert!(object(r#"{"a":1,"b":2}"#).same_json(&object(r#"{ "b":2, "a":1 }"#)));
        assert!(!object(r#"{"a":1}"#).same_json(&object(r#"{"a":2}"#)));
    }

    #[test]
    fn debug_shows_names_but_no_values() {
        let text = format!("{:?}", object(r#"{"mail":"someone@example.com"}"#));
        assert!(
            text.contains("mail") && !text.contains("example.com"),
            "{text}"
        );
    }

    fn deep(levels: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn accepted_objects_can_be_read_back_and_wrapped() {
        let deepest = object(&deep(99));
        assert!(deepest.get("a").is_some());
        let wrapped = json!({ "p": deepest, "list": [deepest] });
        assert!(wrapped["p"]["a"].is_array());
        assert!(JsonObject::from_serialize(&deepest).is_ok());

        for levels in [100, 127, 200_000] {
            let text = deep(levels);
            let error = text.parse::<JsonObject>().unwrap_err();
            assert!(error.exceeds_limits(), "{error}");
            assert!(error.to_string().contains("100 levels"), "{error}");
            let raw: &RawValue = serde_json::from_str(&text).unwrap();
            assert!(
                JsonObject::from_serialize(raw)
                    .unwrap_err()
                    .exceeds_limits()
            );
            assert!(serde_json::from_str::<JsonObject>(&text).is_err());
        }
        let value: serde_json::Value = serde_json::from_str(&deep(100)).unwrap();
        let error = JsonObject::empty().with("a", &value["a"]).unwrap_err();
        assert!(error.exceeds_limits());
        let long = "x".repeat(crate::MAX_DOCUMENT_BYTES);
        assert!(
            JsonObject::empty()
                .with("a", &long)
                .unwrap_err()
                .exceeds_limits()
        );
    }

    #[test]
    fn a_stored_document_that_is_too_deep_neither_panics_nor_overflows() {
        let text = format!(r#"{{"b":1,{}"#, &deep(200_000)[1..]);
        let stored = JsonObject::from_stored(&text).unwrap();
        assert!(stored.deserialize::<serde_json::Value>().is_err());
        assert_eq!(stored.get("b"), Some(json!(1)));
        assert!(stored.get_as::<serde_json::Value>("a").is_err());
        assert!(stored.check_limits().is_err());
        assert!(serde_json::to_value(&stored).is_err());
        assert_eq!(
            stored.merged_with(&object(r#"{"a":null}"#)),
            object(r#"{"b":1}"#)
        );
        let readable = stored.readable();
        assert_eq!(json!({ "p": readable }), json!({ "p": { "b": 1 } }));
    }
}
