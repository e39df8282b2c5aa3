//! Typed access to the fields of request bodies and queries.
//!
//! Where the reference accepts a wrong type by mistake (a number for a boolean, a string for a
//! number, an array for its element), the field is rejected here.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use supersession::store::KeyKind;
use supersession::{JsonObject, MAX_USER_ID_LENGTH, UserId};

use crate::response::ErrorResponse;

/// A request body: a JSON object of which only the top level is parsed.
pub(crate) struct Input<'a>(HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Input<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, ErrorResponse> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|_| ErrorResponse::bad_request("Invalid Json Input"))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    pub(crate) fn is_null(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|raw| raw.get() == "null")
    }

    /// Returns an optional field. Null is rejected, whatever the type.
    fn optional<T: Deserialize<'a>>(&self, field: &str) -> Result<Option<T>, ErrorResponse> {
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

    fn mandatory<T>(field: &str, value: Option<T>) -> Result<T, ErrorResponse> {
        value.ok_or_else(|| invalid(field))
    }

    pub(crate) fn text(&self, field: &str) -> Result<String, ErrorResponse> {
        Self::mandatory(field, self.optional_text(field)?)
    }

    pub(crate) fn optional_text(&self, field: &str) -> Result<Option<String>, ErrorResponse> {
        self.optional(field)
    }

    pub(crate) fn flag(&self, field: &str) -> Result<bool, ErrorResponse> {
        Self::mandatory(field, self.optional_flag(field)?)
    }

    pub(crate) fn optional_flag(&self, field: &str) -> Result<Option<bool>, ErrorResponse> {
        self.optional(field)
    }

    /// Returns an optional kind of key, from a flag that is `true` for a dynamic key.
    pub(crate) fn optional_key_kind(&self, field: &str) -> Result<Option<KeyKind>, ErrorResponse> {
        let is_dynamic = self.optional_flag(field)?;
        Ok(is_dynamic.map(|is_dynamic| {
            if is_dynamic {
                KeyKind::Dynamic
            } else {
                KeyKind::Static
            }
        }))
    }

    pub(crate) fn key_kind(&self, field: &str) -> Result<KeyKind, ErrorResponse> {
        Self::mandatory(field, self.optional_key_kind(field)?)
    }

    /// Returns an optional integer. A fraction is truncated.
    pub(crate) fn optional_number(&self, field: &str) -> Result<Option<i64>, ErrorResponse> {
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

    pub(crate) fn number(&self, field: &str) -> Result<i64, ErrorResponse> {
        Self::mandatory(field, self.optional_number(field)?)
    }

    /// Returns a document that will be stored or signed.
    pub(crate) fn object(&self, field: &str) -> Result<JsonObject, ErrorResponse> {
        let object = self.stored_object(field)?;
        if object.contains_nul() {
            return Err(ErrorResponse::bad_request(format!(
                "Field name '{field}' is invalid in JSON input: it contains the null character (U+0000)"
            )));
        }
        Ok(object)
    }

    /// Returns a document that will be compared with a stored one.
    pub(crate) fn stored_object(&self, field: &str) -> Result<JsonObject, ErrorResponse> {
        Self::mandatory(field, self.optional_object(field)?)
    }

    pub(crate) fn optional_object(&self, field: &str) -> Result<Option<JsonObject>, ErrorResponse> {
        let Some(raw) = self.0.get(field) else {
            return Ok(None);
        };
        match raw.get().parse::<JsonObject>() {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.exceeds_limits() => Err(ErrorResponse::bad_request(format!(
                "Field name '{field}' is invalid in JSON input: {error}"
            ))),
            Err(_) => Err(invalid(field)),
        }
    }

    /// Returns an optional list.
    pub(crate) fn optional_list<T: Deserialize<'a>>(
        &self,
        field: &str,
    ) -> Result<Option<Vec<T>>, ErrorResponse> {
        self.optional(field)
    }

    /// Returns a user id that will be stored.
    pub(crate) fn user_id(&self, field: &str) -> Result<UserId, ErrorResponse> {
        let id = self.text(field)?;
        check_user_id(&id)?;
        Ok(id.into())
    }
}

/// Rejects a user id that no store accepts.
pub(crate) fn check_user_id(id: &str) -> Result<(), ErrorResponse> {
    if id.chars().count() > MAX_USER_ID_LENGTH || id.contains('\0') {
        return Err(ErrorResponse::bad_request(format!(
            "a user id has at most {MAX_USER_ID_LENGTH} characters, and no null character"
        )));
    }
    Ok(())
}

fn invalid(field: &str) -> ErrorResponse {
    ErrorResponse::bad_request(format!("Field name '{field}' is invalid in JSON input"))
}

/// The query of a URL.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, ErrorResponse> {
        self.optional(name).ok_or_else(|| {
            ErrorResponse::bad_request(format!("Field name '{name}' is missing in GET request"))
        })
    }

    /// Returns an integer.
    pub(crate) fn number(&self, name: &str) -> Result<i64, ErrorResponse> {
        self.text(name)?.parse().map_err(|_| {
            ErrorResponse::bad_request(format!(
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
