//! Conversions of the server's replies. The driver's own conversions put the reply into their
//! errors, and replies contain keys and documents. These conversions do not.

use redis::Value;

use crate::fault::Fault;

/// Converts a reply to a text, or to `None` if it is nil.
pub(crate) fn optional_text(value: Value, what: &'static str) -> Result<Option<String>, Fault> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Fault::Damaged(what)),
        Value::SimpleString(text) => Ok(Some(text)),
        _ => Err(Fault::Damaged(what)),
    }
}

pub(crate) fn text(value: Value, what: &'static str) -> Result<String, Fault> {
    optional_text(value, what)?.ok_or(Fault::Damaged(what))
}

pub(crate) fn number(value: &Value, what: &'static str) -> Result<u64, Fault> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Fault::Damaged(what)),
        _ => Err(Fault::Damaged(what)),
    }
}

pub(crate) fn list(value: Value, what: &'static str) -> Result<Vec<Value>, Fault> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(Fault::Damaged(what)),
    }
}

pub(crate) fn texts(value: Value, what: &'static str) -> Result<Vec<String>, Fault> {
    list(value, what)?
        .into_iter()
        .map(|value| text(value, what))
        .collect()
}

pub(crate) fn optional_texts(
    value: Value,
    what: &'static str,
) -> Result<Vec<Option<String>>, Fault> {
    list(value, what)?
        .into_iter()
        .map(|value| optional_text(value, what))
        .collect()
}

/// Converts a reply to the fields of a hash, in the form of either version of the protocol.
pub(crate) fn pairs(value: Value, what: &'static str) -> Result<Vec<(String, String)>, Fault> {
    if let Value::Map(pairs) = value {
        return pairs
            .into_iter()
            .map(|(field, value)| Ok((text(field, what)?, text(value, what)?)))
            .collect();
    }
    let mut texts = texts(value, what)?.into_iter();
    let mut pairs = Vec::with_capacity(texts.len() / 2);
    while let Some(field) = texts.next() {
        pairs.push((field, texts.next().ok_or(Fault::Damaged(what))?));
    }
    Ok(pairs)
}
