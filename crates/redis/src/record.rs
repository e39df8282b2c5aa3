//! Sessions as hashes. The fields have the names of SuperTokens' columns.

use std::time::Duration;

use supersession::store::{
    KeyKind, Lineage, PreviousRefresh, SessionDocument, SessionKey, SessionRecord, SessionStatus,
};
use supersession::{JsonObject, RefreshHash2, UnixMillis, UserId};

use crate::fault::Fault;

/// Fields of a session, in the order in which [`record`] reads them.
pub(crate) const FIELDS: [&str; 14] = [
    ENTRY,
    EXPIRES_AT,
    CREATED_AT,
    USER_ID,
    CURRENT,
    PREVIOUS,
    ROTATED_AT,
    SESSION_DATA,
    PAYLOAD,
    "use_static_key",
    "device_user_agent",
    "device_ip",
    "device_label",
    "last_seen_at",
];

/// The first of [`FIELDS`], which are enough for a list of handles.
pub(crate) const HEAD: [&str; 3] = [ENTRY, EXPIRES_AT, CREATED_AT];

/// Fields that a guard needs, in the order in which [`standing`] reads them. Excludes the session
/// data, which may be large.
pub(crate) const STANDING: [&str; 8] = [
    ENTRY, EXPIRES_AT, CREATED_AT, USER_ID, CURRENT, PREVIOUS, ROTATED_AT, PAYLOAD,
];

const ENTRY: &str = "entry";
pub(crate) const EXPIRES_AT: &str = "expires_at";
const CREATED_AT: &str = "created_at_time";
const USER_ID: &str = "user_id";
const CURRENT: &str = "refresh_token_hash_2";
const PREVIOUS: &str = "prev_refresh_token_hash_2";
const ROTATED_AT: &str = "refresh_token_rotated_at";
const SESSION_DATA: &str = "session_data";
const PAYLOAD: &str = "jwt_user_payload";

/// Largest integer up to which doubles are exact. Scripts and sorted sets count in doubles. In
/// milliseconds, this is the year 287396.
const LAST_MILLISECOND: u64 = (1 << 53) - 1;

pub(crate) fn document_field(document: SessionDocument) -> &'static str {
    match document {
        SessionDocument::SessionData => SESSION_DATA,
        SessionDocument::Payload => PAYLOAD,
    }
}

/// Returns an instant as it is stored.
pub(crate) fn millis(instant: UnixMillis) -> u64 {
    instant.get().min(LAST_MILLISECOND)
}

/// Returns the time for which the server keeps a session that expires at `end`. It is counted from
/// `now`, so the server's own clock has no influence on the expiry of a session.
pub(crate) fn time_to_live(end: UnixMillis, now: UnixMillis, margin: Duration) -> u64 {
    let left = u64::try_from(end.since(now).saturating_add(margin).as_millis());
    left.unwrap_or(u64::MAX).clamp(1, LAST_MILLISECOND)
}

pub(crate) fn static_flag(kind: KeyKind) -> u8 {
    u8::from(kind == KeyKind::Static)
}

/// Returns the fields and values of a new session, without the entry and without absent values.
pub(crate) fn fields(session: &SessionRecord) -> Vec<(&'static str, String)> {
    let text = |text: &str| Some(text.to_owned());
    let previous = session.lineage.previous.as_ref();
    let device = &session.device;
    [
        (EXPIRES_AT, Some(millis(session.expires_at).to_string())),
        (CREATED_AT, Some(millis(session.created_at).to_string())),
        (USER_ID, text(&session.user_id)),
        (CURRENT, text(session.lineage.current.as_str())),
        (
            PREVIOUS,
            previous.map(|previous| previous.hash.as_str().to_owned()),
        ),
        (
            ROTATED_AT,
            previous.map(|previous| millis(previous.rotated_at).to_string()),
        ),
        (SESSION_DATA, text(session.session_data.as_str())),
        (PAYLOAD, text(session.payload.as_str())),
        (
            "use_static_key",
            Some(static_flag(session.key_kind).to_string()),
        ),
        ("device_user_agent", device.user_agent.clone()),
        ("device_ip", device.ip.map(|ip| ip.to_string())),
        ("device_label", device.label.clone()),
        (
            "last_seen_at",
            device.last_seen_at.map(|at| millis(at).to_string()),
        ),
    ]
    .into_iter()
    .filter_map(|(field, value)| Some((field, value?)))
    .collect()
}

/// The first fields of a session.
pub(crate) struct Head {
    pub(crate) entry: String,
    pub(crate) expires_at: UnixMillis,
    pub(crate) created_at: UnixMillis,
}

/// Reads [`HEAD`]. Returns `None` if the session does not exist.
pub(crate) fn head(values: &mut Values) -> Result<Option<Head>, Fault> {
    let Some(entry) = values.optional() else {
        return Ok(None);
    };
    Ok(Some(Head {
        entry,
        expires_at: values.instant(EXPIRES_AT)?,
        created_at: values.instant(CREATED_AT)?,
    }))
}

/// Reads the rest of [`FIELDS`].
pub(crate) fn record(
    key: SessionKey,
    head: &Head,
    values: &mut Values,
) -> Result<SessionRecord, Fault> {
    let mut record = SessionRecord::new(
        key,
        UserId::from(values.required(USER_ID)?),
        values.lineage()?,
        head.created_at,
        head.expires_at,
    );
    record.session_data = document(&values.required(SESSION_DATA)?, SESSION_DATA)?;
    record.payload = document(&values.required(PAYLOAD)?, PAYLOAD)?;
    record.key_kind = match values.required("use_static_key")?.as_str() {
        "0" => KeyKind::Dynamic,
        "1" => KeyKind::Static,
        _ => return Err(Fault::Damaged("use_static_key")),
    };
    record.device.user_agent = values.optional();
    // An address that another program wrote in another format does not invalidate the session.
    record.device.ip = values.optional().and_then(|ip| ip.parse().ok());
    record.device.label = values.optional();
    record.device.last_seen_at = values
        .optional()
        .map(|at| instant(&at, "last_seen_at"))
        .transpose()?;
    Ok(record)
}

/// Reads the rest of [`STANDING`].
pub(crate) fn standing(head: &Head, values: &mut Values) -> Result<SessionStatus, Fault> {
    Ok(SessionStatus::new(
        UserId::from(values.required(USER_ID)?),
        values.lineage()?,
        document(&values.required(PAYLOAD)?, PAYLOAD)?,
        head.created_at,
    ))
}

pub(crate) fn document(text: &str, field: &'static str) -> Result<JsonObject, Fault> {
    JsonObject::from_stored(text).map_err(|error| Fault::document(field, &error))
}

pub(crate) fn instant(text: &str, what: &'static str) -> Result<UnixMillis, Fault> {
    let millis = text.parse().map_err(|_| Fault::Damaged(what))?;
    Ok(UnixMillis::new(millis))
}

/// The values of a hash, in the order of the request.
pub(crate) struct Values(std::vec::IntoIter<Option<String>>);

impl Values {
    pub(crate) fn new(values: Vec<Option<String>>) -> Self {
        Self(values.into_iter())
    }

    fn optional(&mut self) -> Option<String> {
        self.0.next().flatten()
    }

    fn required(&mut self, field: &'static str) -> Result<String, Fault> {
        self.optional().ok_or(Fault::Damaged(field))
    }

    fn instant(&mut self, field: &'static str) -> Result<UnixMillis, Fault> {
        instant(&self.required(field)?, field)
    }

    fn lineage(&mut self) -> Result<Lineage, Fault> {
        let current = RefreshHash2::from_hex(self.required(CURRENT)?);
        let previous = match (self.optional(), self.optional()) {
            (None, None) => None,
            (Some(hash), Some(rotated_at)) => Some(PreviousRefresh::new(
                RefreshHash2::from_hex(hash),
                instant(&rotated_at, ROTATED_AT)?,
            )),
            _ => return Err(Fault::Damaged("the previous refresh token of a session")),
        };
        Ok(Lineage::new(current, previous))
    }
}
