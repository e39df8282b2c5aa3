//! Reading of columns. Errors name the damaged column.

use rusqlite::Row;
use rusqlite::types::FromSqlError;
use supersession::store::{KeyKind, Lineage, PreviousRefresh};
use supersession::wire::DYNAMIC_KID_PREFIX;
use supersession::{JsonObject, RefreshHash2, UnixMillis};

use crate::fault::Fault;

pub(super) fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, Fault> {
    row.get_ref(column)?
        .as_str()
        .map_err(|source| wrong_type(row, column, source))
}

pub(super) fn optional_text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>, Fault> {
    row.get_ref(column)?
        .as_str_or_null()
        .map_err(|source| wrong_type(row, column, source))
}

pub(super) fn instant(row: &Row<'_>, column: usize) -> Result<UnixMillis, Fault> {
    let millis = row.get_ref(column)?.as_i64();
    millis
        .map(UnixMillis::from_i64)
        .map_err(|source| wrong_type(row, column, source))
}

pub(super) fn optional_instant(row: &Row<'_>, column: usize) -> Result<Option<UnixMillis>, Fault> {
    let millis = row.get_ref(column)?.as_i64_or_null();
    millis
        .map(|millis| millis.map(UnixMillis::from_i64))
        .map_err(|source| wrong_type(row, column, source))
}

/// Reads a document. NULL reads as the empty object.
pub(super) fn document(row: &Row<'_>, column: usize) -> Result<JsonObject, Fault> {
    match optional_text(row, column)? {
        None => Ok(JsonObject::empty()),
        Some(text) => JsonObject::from_stored(text).map_err(|source| Fault::Document {
            column: name(row, column),
            source,
        }),
    }
}

/// Reads the columns `refresh_token_hash_2`, `prev_refresh_token_hash_2` and
/// `refresh_token_rotated_at`, in this order.
pub(super) fn lineage(row: &Row<'_>, first: usize) -> Result<Lineage, Fault> {
    let previous = match (
        optional_text(row, first + 1)?,
        optional_instant(row, first + 2)?,
    ) {
        (Some(hash), Some(rotated_at)) => Some(PreviousRefresh::new(
            RefreshHash2::from_hex(hash),
            rotated_at,
        )),
        (None, None) => None,
        _ => {
            return Err(Fault::Row(
                "of `prev_refresh_token_hash_2` and `refresh_token_rotated_at` only one is set",
            ));
        }
    };
    Ok(Lineage::new(
        RefreshHash2::from_hex(text(row, first)?),
        previous,
    ))
}

/// Reads the column `use_static_key`.
pub(super) fn key_kind(row: &Row<'_>, column: usize) -> Result<KeyKind, Fault> {
    let flag = row.get_ref(column)?.as_i64();
    let flag = flag.map_err(|source| wrong_type(row, column, source))?;
    Ok(if flag == 0 {
        KeyKind::Dynamic
    } else {
        KeyKind::Static
    })
}

pub(super) fn use_static_key(kind: KeyKind) -> bool {
    kind == KeyKind::Static
}

/// Returns the id of the dynamic key created at that time. The table has no column for it.
pub(super) fn dynamic_kid(created_at: UnixMillis) -> String {
    format!("{DYNAMIC_KID_PREFIX}{created_at}")
}

fn wrong_type(row: &Row<'_>, column: usize, source: FromSqlError) -> Fault {
    Fault::Column {
        column: name(row, column),
        source,
    }
}

fn name(row: &Row<'_>, column: usize) -> String {
    row.as_ref()
        .column_name(column)
        .unwrap_or_default()
        .to_owned()
}
