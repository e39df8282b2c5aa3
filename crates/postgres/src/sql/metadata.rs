//! Statements on user metadata.

use supersession::store::{DocumentWrite, WriteOutcome};
use supersession::{AppId, JsonObject, TenantId, UserId};

use super::can_be_stored;
use super::db::Db;
use super::row::document;
use super::scope::Scope;
use crate::fault::Fault;

pub(super) const FIND: &str =
    "SELECT user_metadata FROM @user_metadata WHERE app_id = $1 AND user_id = $2";

pub(super) const SET: &str = "INSERT INTO @user_metadata (app_id, user_id, user_metadata)
    VALUES ($1, $2, $3)
    ON CONFLICT (app_id, user_id) DO UPDATE SET user_metadata = excluded.user_metadata";

pub(super) const ADD: &str = "INSERT INTO @user_metadata (app_id, user_id, user_metadata)
    VALUES ($1, $2, $3) ON CONFLICT (app_id, user_id) DO NOTHING";

/// `UPDATE` waits for a concurrent change of the row and compares with the changed document.
pub(super) const SWAP: &str = "UPDATE @user_metadata SET user_metadata = $3
    WHERE app_id = $1 AND user_id = $2 AND btrim(user_metadata, E' \\t\\n\\r') = $4";

pub(super) const DELETE: &str = "DELETE FROM @user_metadata WHERE app_id = $1 AND user_id = $2";

pub(crate) async fn find(db: Db, app: AppId, user: UserId) -> Result<Option<JsonObject>, Fault> {
    stored(&db, &app, &user).await
}

async fn stored(db: &Db, app: &AppId, user: &UserId) -> Result<Option<JsonObject>, Fault> {
    if !can_be_stored(user) {
        return Ok(None);
    }
    let find = &db.sql.find_metadata;
    let row = db.row(find, &[&app.as_str(), &user.as_str()]).await?;
    row.map(|row| document(&row, 0)).transpose()
}

pub(crate) async fn write(
    db: Db,
    app: AppId,
    user: UserId,
    write: DocumentWrite,
) -> Result<WriteOutcome, Fault> {
    let tenant = TenantId::default();
    let scope = Scope {
        app: &app,
        tenant: &tenant,
        at: None,
    };
    let (app, user) = (app.as_str(), user.as_str());
    if let DocumentWrite::Overwrite(document) = write {
        let set = &db.sql.set_metadata;
        scope
            .execute(&db, set, &[&app, &user, &document.as_str()])
            .await?;
        return Ok(WriteOutcome::Written(document));
    }
    // A round that writes nothing was won by a concurrent writer.
    loop {
        let found = stored(&db, scope.app, &UserId::from(user)).await?;
        let is_new = found.is_none();
        let stored = found.unwrap_or_default();
        let Ok(document) = write.apply_to(&stored) else {
            return Ok(WriteOutcome::Conflict(stored));
        };
        let written = if is_new {
            let add = &db.sql.add_metadata;
            scope
                .execute(&db, add, &[&app, &user, &document.as_str()])
                .await?
        } else {
            let swap = &db.sql.swap_metadata;
            db.execute(swap, &[&app, &user, &document.as_str(), &stored.as_str()])
                .await?
        };
        if written == 1 {
            return Ok(WriteOutcome::Written(document));
        }
    }
}

pub(crate) async fn delete(db: Db, app: AppId, user: UserId) -> Result<bool, Fault> {
    if !can_be_stored(&user) {
        return Ok(false);
    }
    let delete = &db.sql.delete_metadata;
    let deleted = db.execute(delete, &[&app.as_str(), &user.as_str()]).await?;
    Ok(deleted == 1)
}
