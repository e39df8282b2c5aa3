//! Everything that can be seen of the system, compared with the model: what is live, in order, with its
//! documents; what is dead.

use proptest::prelude::*;
use supersession::UnixMillis;
use supersession::store::PreviousRefresh;

use super::{Outcome, System, value_of};
use crate::model::operation::{Document, USERS};

impl System {
    pub(super) async fn audit(&self) -> Outcome<()> {
        let (sessions, world) = (&self.sessions, &self.world);
        for (number, user) in USERS.into_iter().enumerate() {
            let listed = world.listed(number);
            let expected: Vec<_> = listed
                .iter()
                .map(|at| world.rows[*at].handle.clone())
                .collect();
            let handles = sessions.handles_for_user(user).await.unwrap();
            prop_assert_eq!(&handles, &expected);
            let all = sessions.sessions_for_user(user).await.unwrap();
            prop_assert_eq!(all.len(), listed.len());
            for (seen, session) in all.iter().zip(listed) {
                let row = &world.rows[session];
                prop_assert_eq!(&seen.handle, &row.handle);
                prop_assert_eq!(seen.expires_at.get(), row.expires_at);
                prop_assert_eq!(seen.created_at.get(), row.created_at);
                prop_assert_eq!(value_of(&seen.session_data), row.data.clone());
                let payload = value_of(&seen.access_token_payload);
                prop_assert_eq!(payload, row.payload.clone());
                self.audit_lineage(session).await?;
            }
            let metadata: Document = sessions.user_metadata().get(user).await.unwrap();
            prop_assert_eq!(&metadata, &world.metadata[number]);
        }
        for (session, row) in world.rows.iter().enumerate() {
            let known = sessions.information(&row.handle).await.unwrap();
            prop_assert_eq!(known.is_some(), world.is_live(session));
        }
        Ok(())
    }

    async fn audit_lineage(&self, session: usize) -> Outcome<()> {
        let now = UnixMillis::new(self.world.now);
        let stored = self.store.inner().session(&self.key(session), now).await;
        let (stored, row) = (stored.unwrap().unwrap(), &self.world.rows[session]);
        if let Some(hash) = self.hash(session, row.current) {
            prop_assert!(stored.lineage.current == hash, "the current token");
        }
        let since = |previous: &PreviousRefresh| previous.rotated_at.get();
        prop_assert_eq!(
            stored.lineage.previous.as_ref().map(since),
            row.previous.map(|(_, since)| since)
        );
        let Some((previous, _)) = row.previous else {
            return Ok(());
        };
        if let Some(hash) = self.hash(session, previous) {
            prop_assert!(
                stored.lineage.previous.unwrap().hash == hash,
                "the one before"
            );
        }
        Ok(())
    }
}
