//! Reading of columns. Errors name the damaged column.

use supersession::store::{KeyKind, Lineage, PreviousRefresh};
use supersession::wire::DYNAMIC_KID_PREFIX;
use supersession::{JsonObject, RefreshHash2, UnixMillis};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::fault::Fault;

pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Fault> {
    row.try_get(column).map_err(|source| Fault::Column {
        column: name(row, column),
        source,
    })
}

pub(super) fn instant(row: &Row, at: usize) -> Result<UnixMillis, Fault> {
    column(row, at).map(UnixMillis::from_i64)
}

pub(super) fn optional_instant(row: &Row, at: usize) -> Result<Option<UnixMillis>, Fault> {
    let millis: Option<i64> = column(row, at)?;
    Ok(millis.map(UnixMillis::from_i64))
}

/// Reads a document. NULL reads as the empty object.
pub(super) fn document(row: &Row, at: usize) -> Result<JsonObject, Fault> {
    match column::<Option<&str>>(row, at)? {
        None => Ok(JsonObject::empty()),
        Some(text) => JsonObject::from_stored(text).map_err(|source| Fault::Document {
            column: name(row, at),
            source,
        }),
    }
}

/// Reads the columns `refresh_token_hash_2`, `prev_refresh_token_hash_2` and
/// `refresh_token_rotated_at`, in this order.
pub(super) fn lineage(row: &Row, first: usize) -> Result<Lineage, Fault> {
    let previous: Option<&str> = column(row, first + 1)?;
    let previous = match (previous, optional_instant(row, first + 2)?) {
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
        RefreshHash2::from_hex(column::<&str>(row, first)?),
        previous,
    ))
}

/// Reads the column `use_static_key`.
pub(super) fn key_kind(row: &Row, at: usize) -> Result<KeyKind, Fault> {
    Ok(if column(row, at)? {
        KeyKind::Static
    } else {
        KeyKind::Dynamic
    })
}

pub(super) fn use_static_key(kind: KeyKind) -> bool {
    kind == KeyKind::Static
}

/// Returns the id of the dynamic key created at that time. The table has no column for it.
pub(super) fn dynamic_kid(created_at: UnixMillis) -> String {
    format!("{DYNAMIC_KID_PREFIX}{created_at}")
}

fn name(row: &Row, at: usize) -> String {
    let column = row.columns().get(at);
    column.map_or_else(String::new, |column| column.name().to_owned())
}
