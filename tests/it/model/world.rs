//! The model: what the rules say, without a token, a store or a thread.

use serde_json::{Value, json};
use supersession::{ReuseClass, SessionHandle};

use super::operation::{Change, Document, Meddling, Place};

pub(super) const ACCESS_VALIDITY: u64 = 60_000;
pub(super) const REFRESH_VALIDITY: u64 = 600_000;
pub(super) const GRACE: u64 = 30_000;
pub(super) const LIFETIME: u64 = 1_500_000;

/// A refresh token. Ours are one line: each has one successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    Own(usize),
    Foreign(usize),
}

use Refresh::{Foreign, Own};

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) handle: SessionHandle,
    pub(super) user: usize,
    pub(super) created_at: u64,
    pub(super) expires_at: u64,
    pub(super) data: Document,
    pub(super) payload: Document,
    pub(super) current: Refresh,
    pub(super) previous: Option<(Refresh, u64)>,
    pub(super) deleted: bool,
}

/// What is known of an access token.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) session: usize,
    pub(super) generation: usize,
    /// In milliseconds, as everything here.
    pub(super) expires_at: u64,
    pub(super) payload: Document,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Created(Document, u64),
    /// Payload, expiry of the access token, expiry of the session.
    Refreshed(Document, u64, u64),
    Reused(ReuseClass),
    Unauthorised,
    RotatedOut,
    TryRefresh,
    /// Payload and expiry.
    Verified(Document, u64),
    Done(bool),
    Merged(Option<Document>),
    Handles(Vec<SessionHandle>),
    Count(u64),
    Fault,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: u64,
    pub(super) rows: Vec<Row>,
    pub(super) metadata: [Document; 2],
    foreign: usize,
}

impl World {
    pub(super) fn new(now: u64) -> Self {
        Self {
            now,
            rows: Vec::new(),
            metadata: Default::default(),
            foreign: 0,
        }
    }

    pub(super) fn is_live(&self, session: usize) -> bool {
        let row = &self.rows[session];
        !row.deleted && self.now < row.expires_at
    }

    fn session_expiry(&self, created_at: u64) -> u64 {
        (self.now + REFRESH_VALIDITY).min(created_at + LIFETIME)
    }

    fn access_expiry(&self, session_expires_at: u64) -> u64 {
        let seconds = |millis: u64| millis / 1_000 * 1_000;
        seconds(self.now + ACCESS_VALIDITY).min(seconds(session_expires_at))
    }

    pub(super) fn create(&mut self, user: usize, data: Document, mut payload: Document) -> Answer {
        payload.insert("iss".to_owned(), json!("https://api.example.com/auth"));
        let expires_at = self.session_expiry(self.now);
        let answer = Answer::Created(payload.clone(), self.access_expiry(expires_at));
        self.rows.push(Row {
            handle: SessionHandle::from("not known yet"),
            user,
            created_at: self.now,
            expires_at,
            data,
            payload,
            current: Own(0),
            previous: None,
            deleted: false,
        });
        answer
    }

    /// Core specification, 3.3, with the same successor for the same token.
    pub(super) fn refresh(&mut self, session: usize, generation: usize) -> Answer {
        if !self.is_live(session) {
            return Answer::Unauthorised;
        }
        let now = self.now;
        let renewed = self.session_expiry(self.rows[session].created_at);
        let row = &mut self.rows[session];
        let parent = generation.checked_sub(1).map(Own);
        if row.current == Own(generation) || parent == Some(row.current) {
            row.previous = Some((Own(generation), now));
            row.expires_at = renewed;
        } else {
            match row.previous {
                Some((previous, since)) if previous == Own(generation) => {
                    if now > since + GRACE {
                        row.deleted = true;
                        return Answer::Reused(ReuseClass::RecentPrev);
                    }
                }
                Some((previous, _)) if parent == Some(previous) => {
                    row.deleted = true;
                    return Answer::Reused(ReuseClass::OrphanedBranch);
                }
                _ => {
                    row.deleted = true;
                    return Answer::Reused(ReuseClass::StaleLineage);
                }
            }
        }
        row.current = Own(generation + 1);
        let (payload, expires_at) = (row.payload.clone(), row.expires_at);
        Answer::Refreshed(payload, self.access_expiry(expires_at), expires_at)
    }

    pub(super) fn verify(&self, token: &Access, database: bool) -> Answer {
        if self.now >= token.expires_at {
            return Answer::TryRefresh;
        }
        if !database {
            return Answer::Verified(token.payload.clone(), token.expires_at);
        }
        if !self.is_live(token.session) {
            return Answer::Unauthorised;
        }
        let row = &self.rows[token.session];
        let own = Own(token.generation);
        if row.current != own && row.previous.is_none_or(|(previous, _)| previous != own) {
            return Answer::RotatedOut;
        }
        Answer::Verified(row.payload.clone(), token.expires_at)
    }

    pub(super) fn change(&mut self, session: usize, place: Place, change: &Change) -> Answer {
        let live = self.is_live(session);
        let row = &mut self.rows[session];
        let document = match place {
            Place::Data => &mut row.data,
            Place::Payload => &mut row.payload,
        };
        changed(live.then_some(document), change)
    }

    pub(super) fn change_metadata(&mut self, user: usize, change: &Change) -> Answer {
        changed(Some(&mut self.metadata[user]), change)
    }

    pub(super) fn set_claim(&mut self, session: usize, value: Option<u8>) -> Answer {
        let entry = value.map_or(Value::Null, |value| json!({"v": value, "t": self.now}));
        let patch = Document::from_iter([("role".to_owned(), entry)]);
        let answer = self.change(session, Place::Payload, &Change::Merge(patch));
        Answer::Done(matches!(answer, Answer::Merged(Some(_))))
    }

    /// A session that is over but not cleared up yet is there to be revoked by its handle.
    pub(super) fn revoke(&mut self, session: usize) -> Answer {
        let was_there = !std::mem::replace(&mut self.rows[session].deleted, true);
        Answer::Done(was_there)
    }

    pub(super) fn revoke_all(&mut self, user: usize, except: Option<usize>) -> Answer {
        let mut handles = Vec::new();
        for session in self.listed(user) {
            if except != Some(session) {
                self.rows[session].deleted = true;
                handles.push(self.rows[session].handle.clone());
            }
        }
        handles.sort();
        Answer::Handles(handles)
    }

    pub(super) fn clean_up(&mut self) -> Answer {
        let now = self.now;
        let over = |row: &&mut Row| !row.deleted && row.expires_at <= now;
        let removed = self.rows.iter_mut().filter(over);
        Answer::Count(removed.map(|row| row.deleted = true).count() as u64)
    }

    /// Whether there was anything to do.
    pub(super) fn meddle(&mut self, session: usize, how: Meddling) -> bool {
        if !self.is_live(session) {
            return false;
        }
        let (now, row) = (self.now, &mut self.rows[session]);
        match (how, row.current) {
            (Meddling::Forward, current) => row.previous = Some((current, now)),
            (Meddling::Sibling, _) if row.previous.is_some() => {}
            (Meddling::Unadopt, Own(generation)) if generation > 0 => {
                (row.current, row.previous) = (Own(generation - 1), None);
                return true;
            }
            _ => return false,
        }
        self.foreign += 1;
        row.current = Foreign(self.foreign);
        true
    }

    /// The live sessions of a user, oldest first, then by handle.
    pub(super) fn listed(&self, user: usize) -> Vec<usize> {
        let mut listed: Vec<_> = (0..self.rows.len())
            .filter(|session| self.rows[*session].user == user && self.is_live(*session))
            .collect();
        listed.sort_by_key(|session| {
            let row = &self.rows[*session];
            (row.created_at, row.handle.clone())
        });
        listed
    }
}

fn changed(document: Option<&mut Document>, change: &Change) -> Answer {
    match (change, document) {
        (Change::Merge(_), None) => Answer::Merged(None),
        (_, None) => Answer::Done(false),
        (Change::Overwrite(replacement), Some(document)) => {
            document.clone_from(replacement);
            Answer::Done(true)
        }
        (Change::Increment, Some(document)) => {
            increment(document);
            Answer::Done(true)
        }
        (Change::Merge(patch), Some(document)) => {
            for (key, value) in patch {
                if value.is_null() {
                    document.remove(key);
                } else {
                    document.insert(key.clone(), value.clone());
                }
            }
            Answer::Merged(Some(document.clone()))
        }
    }
}

pub(super) fn increment(document: &mut Document) {
    let n = document.get("n").and_then(Value::as_u64).unwrap_or(0);
    document.insert("n".to_owned(), json!(n + 1));
}
