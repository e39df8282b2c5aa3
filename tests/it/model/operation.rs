//! What can happen, and how it is drawn. Sessions and tokens are meant by number, modulo how many
//! there are.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use supersession_testkit::{FaultTiming, Verb};

pub(super) type Document = Map<String, Value>;

pub(super) const USERS: [&str; 2] = ["alice", "bob"];

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) operation: Operation,
    /// The store fails at one of the verbs that the operation may use.
    pub(super) fault: Option<(usize, FaultTiming)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Data,
    Payload,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Of session data only.
    Overwrite(Document),
    Merge(Document),
    /// Adds one to the member `n`.
    Increment,
}

/// Which moment to wait for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Grace(usize),
    Session(usize),
    Access(usize),
}

/// What another engine over the same database may do to a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meddling {
    /// Exchanges the current token for one that we cannot derive.
    Forward,
    /// Exchanges the previous token once more.
    Sibling,
    /// Hands out the current token without adopting it.
    Unadopt,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(usize, Document, Document),
    /// The token that is so many generations older than the newest one known.
    Refresh(usize, usize),
    /// An access token, counted from the newest; whether the database is asked.
    Verify(usize, bool),
    Change(usize, Place, Change),
    SetClaim(usize, u8),
    RemoveClaim(usize),
    Revoke(usize),
    RevokeOthers(usize),
    RevokeAll(usize),
    ChangeMetadata(usize, Change),
    ClearMetadata(usize),
    Wait(u64),
    /// That many milliseconds after the one before the moment.
    WaitUntil(Until, u64),
    Meddle(usize, Meddling),
    CleanUp,
}

impl Operation {
    /// The verbs of the store that it may use.
    pub(super) fn verbs(&self) -> &'static [Verb] {
        match self {
            Self::Create(..) => &[Verb::InsertSession],
            Self::Refresh(..) => &[Verb::Session, Verb::Rotate, Verb::DeleteSessions],
            Self::Verify(..) => &[Verb::Session],
            Self::Change(..) => &[Verb::Session, Verb::WriteDocument],
            Self::SetClaim(..) | Self::RemoveClaim(_) => &[Verb::WriteDocument],
            Self::Revoke(_) => &[Verb::DeleteSessions],
            Self::RevokeOthers(_) | Self::RevokeAll(_) => &[Verb::DeleteUserSessions],
            Self::ChangeMetadata(..) => &[Verb::UserMetadata, Verb::WriteUserMetadata],
            Self::ClearMetadata(_) => &[Verb::DeleteUserMetadata],
            Self::Wait(_) | Self::WaitUntil(..) | Self::Meddle(..) | Self::CleanUp => &[],
        }
    }
}

/// Whether a verb changes what is stored.
pub(super) fn writes(verb: Verb) -> bool {
    !matches!(verb, Verb::Session | Verb::UserMetadata)
}

fn document() -> impl Strategy<Value = Document> {
    let value = select(vec![json!(1), json!("x"), json!({"deep": null}), json!([])]);
    let member = (select(vec!["a", "b", "c"]), value);
    proptest::collection::vec(member, 0..3).prop_map(|members| {
        members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

fn patch() -> impl Strategy<Value = Document> {
    (
        document(),
        proptest::option::of(select(vec!["a", "b", "n", "role"])),
    )
        .prop_map(|(mut patch, removed)| {
            if let Some(key) = removed {
                patch.insert(key.to_owned(), Value::Null);
            }
            patch
        })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        patch().prop_map(Change::Merge),
        Just(Change::Increment),
        document().prop_map(Change::Overwrite),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let until = prop_oneof![
        (0..4_usize).prop_map(Until::Grace),
        (0..4_usize).prop_map(Until::Session),
        (0..4_usize).prop_map(Until::Access),
    ];
    let meddling = select(vec![
        Meddling::Forward,
        Meddling::Sibling,
        Meddling::Unadopt,
    ]);
    let place = select(vec![Place::Data, Place::Payload]);
    prop_oneof![
        4 => (0..2_usize, document(), document())
            .prop_map(|(user, data, payload)| Operation::Create(user, data, payload)),
        10 => (0..4_usize, select(vec![0_usize, 0, 0, 1, 1, 2]))
            .prop_map(|(session, back)| Operation::Refresh(session, back)),
        6 => (0..8_usize, prop::bool::weighted(0.7))
            .prop_map(|(token, database)| Operation::Verify(token, database)),
        5 => (0..4_usize, place, change())
            .prop_map(|(session, place, change)| Operation::Change(session, place, change)),
        1 => (0..4_usize, any::<u8>()).prop_map(|(session, value)| Operation::SetClaim(session, value)),
        1 => (0..4_usize).prop_map(Operation::RemoveClaim),
        1 => (0..4_usize).prop_map(Operation::Revoke),
        1 => (0..4_usize).prop_map(Operation::RevokeOthers),
        1 => (0..2_usize).prop_map(Operation::RevokeAll),
        2 => (0..2_usize, change()).prop_map(|(user, change)| Operation::ChangeMetadata(user, change)),
        1 => (0..2_usize).prop_map(Operation::ClearMetadata),
        3 => select(vec![1_u64, 999, 10_000, 200_000]).prop_map(Operation::Wait),
        5 => (until, 0..3_u64).prop_map(|(until, offset)| Operation::WaitUntil(until, offset)),
        2 => (0..4_usize, meddling).prop_map(|(session, how)| Operation::Meddle(session, how)),
        1 => Just(Operation::CleanUp),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let moment = select(vec![FaultTiming::Before, FaultTiming::After]);
    let fault = proptest::option::weighted(0.15, (0..3_usize, moment));
    (operation(), fault).prop_map(|(operation, fault)| Step { operation, fault })
}

/// A sign-in that goes well.
pub(super) fn first() -> Step {
    Step {
        operation: Operation::Create(0, Document::new(), Document::new()),
        fault: None,
    }
}
