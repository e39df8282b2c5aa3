//! Typed access to the fields of request bodies and queries.
//!
//! Where the reference accepts a wrong type by mistake (a number for a boolean, a string for a
//! number, an array for its element), the field is rejected here.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use supersession::{JsonObject, MAX_USER_ID_LENGTH, UserId};

use crate::answer::Refusal;

/// A request body: a JSON object of which only the top level is parsed.
pub(crate) struct Input<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Input<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|_| Refusal::bad_request("Invalid Json Input"))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    pub(crate) fn is_null(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|raw| raw.get() == "null")
    }

    /// Returns an optional field. Null is rejected, whatever the type.
    fn optional<T: Deserialize<'a>>(&self, field: &str) -> Result<Option<T>, Refusal> {
        let Some(raw) = self.0.get(field) else {
            return Ok(None);
        };
        if raw.get() == "null" {
            return Err(invalid(field));
        }
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| invalid(field))
    }

    fn mandatory<T>(field: &str, value: Option<T>) -> Result<T, Refusal> {
        value.ok_or_else(|| invalid(field))
    }

    pub(crate) fn text(&self, field: &str) -> Result<String, Refusal> {
        Self::mandatory(field, self.optional_text(field)?)
    }

    pub(crate) fn optional_text(&self, field: &str) -> Result<Option<String>, Refusal> {
        self.optional(field)
    }

    pub(crate) fn flag(&self, field: &str) -> Result<bool, Refusal> {
        Self::mandatory(field, self.optional_flag(field)?)
    }

    pub(crate) fn optional_flag(&self, field: &str) -> Result<Option<bool>, Refusal> {
        self.optional(field)
    }

    /// Returns an optional integer. A fraction is truncated.
    pub(crate) fn optional_number(&self, field: &str) -> Result<Option<i64>, Refusal> {
        if let Ok(whole) = self.optional::<i64>(field) {
            return Ok(whole);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "`as` drops the fraction and saturates, which is what is wanted"
        )]
        let number = self.optional::<f64>(field)?.map(|number| number as i64);
        Ok(number)
    }

    pub(crate) fn number(&self, field: &str) -> Result<i64, Refusal> {
        Self::mandatory(field, self.optional_number(field)?)
    }

    /// Returns a document that will be stored or signed.
    pub(crate) fn object(&self, field: &str) -> Result<JsonObject, Refusal> {
        let object = self.stored_object(field)?;
        if object.contains_nul() {
            return Err(Refusal::bad_request(format!(
                "Field name '{field}' is invalid in JSON input: it contains the null character (U+0000)"
            )));
        }
        Ok(object)
    }

    /// Returns a document that will be compared with a stored one.
    pub(crate) fn stored_object(&self, field: &str) -> Result<JsonObject, Refusal> {
        Self::mandatory(field, self.optional_object(field)?)
    }

    pub(crate) fn optional_object(&self, field: &str) -> Result<Option<JsonObject>, Refusal> {
        let Some(raw) = self.0.get(field) else {
            return Ok(None);
        };
        match raw.get().parse::<JsonObject>() {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.exceeds_limits() => Err(Refusal::bad_request(format!(
                "Field name '{field}' is invalid in JSON input: {error}"
            ))),
            Err(_) => Err(invalid(field)),
        }
    }

    /// Returns an optional list.
    pub(crate) fn optional_list<T: Deserialize<'a>>(
        &self,
        field: &str,
    ) -> Result<Option<Vec<T>>, Refusal> {
        self.optional(field)
    }

    /// Returns a user id that will be stored.
    pub(crate) fn user_id(&self, field: &str) -> Result<UserId, Refusal> {
        let id = self.text(field)?;
        check_user_id(&id)?;
        Ok(id.into())
    }
}

/// Rejects a user id that no store accepts.
pub(crate) fn check_user_id(id: &str) -> Result<(), Refusal> {
    if id.chars().count() > MAX_USER_ID_LENGTH || id.contains('\0') {
        return Err(Refusal::bad_request(format!(
            "a user id has at most {MAX_USER_ID_LENGTH} characters, and no null character"
        )));
    }
    Ok(())
}

fn invalid(field: &str) -> Refusal {
    Refusal::bad_request(format!("Field name '{field}' is invalid in JSON input"))
}

/// The query of a URL.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&');
        Self(
            pairs
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.optional(name).ok_or_else(|| {
            Refusal::bad_request(format!("Field name '{name}' is missing in GET request"))
        })
    }

    /// Returns an integer.
    pub(crate) fn number(&self, name: &str) -> Result<i64, Refusal> {
        self.text(name)?.parse().map_err(|_| {
            Refusal::bad_request(format!(
                "Field name '{name}' must be a long in the GET request"
            ))
        })
    }

    /// Returns `true` for the text `true` in upper or lower case, and `false` for any other value.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.optional(name)
            .map(|value| value.eq_ignore_ascii_case("true"))
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
