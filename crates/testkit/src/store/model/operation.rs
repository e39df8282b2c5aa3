//! The operations on a store. Names and values come from small sets, so that operations collide.

use proptest::prelude::*;
use proptest::sample::select;

/// Number of apps in a history.
pub(super) const APPS: usize = 2;
/// Handles. The last one belongs to another tenant.
pub(super) const HANDLES: [&str; 4] = ["a", "b", "B", "a_t1"];
pub(super) const USERS: [&str; 2] = ["user", "User"];
pub(super) const DOCUMENTS: [&str; 7] = [
    "{}",
    r#"{"a":1}"#,
    r#"{"a":1.0,"b":{"z":null,"a":[]}}"#,
    r#"{"b":"é\u0000","a":null}"#,
    r#"{"a":null}"#,
    r#"{"c":12345678901234567890123}"#,
    r#"{ "b" : true , "a" : 1 }"#,
];
pub(super) const TOKENS: [&str; 3] = ["first", "second", "third"];
const TEXTS: [&str; 4] = ["", "phone", "Ünï ☎", "a'b\"c\\"];
const ADDRESSES: [&str; 3] = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"];

/// A session, given by the indexes of its app and its handle.
pub(super) type Place = (usize, usize);

/// The value that a conditional write expects.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected<T> {
    /// The stored value.
    Stored,
    /// This value, which may be the stored one.
    This(T),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Selected {
    pub(super) app: usize,
    pub(super) user: &'static str,
    pub(super) tenant: Option<&'static str>,
    pub(super) except: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) place: Place,
    pub(super) at: u64,
    pub(super) user_agent: Option<&'static str>,
    pub(super) ip: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Write {
    Overwrite(&'static str),
    Merge(&'static str),
    Swap(Expected<&'static str>, &'static str),
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Wait(u64),
    Insert {
        place: Place,
        user: &'static str,
        created: u64,
        lives: u64,
        documents: (&'static str, &'static str),
        label: Option<&'static str>,
    },
    Rotate {
        place: Place,
        lineage: Expected<(&'static str, Option<u64>)>,
        payload: Expected<&'static str>,
        next: (&'static str, Option<u64>),
        lives: u64,
        to_static: bool,
    },
    Write {
        place: Place,
        payload: bool,
        write: Write,
    },
    Delete(Vec<Place>),
    DeleteOfUser(Selected),
    List(Selected),
    Use(Vec<Used>),
    Label(Place, Option<&'static str>),
    DeleteExpired(u32),
    WriteMetadata(usize, &'static str, Write),
    DeleteMetadata(usize, &'static str),
    AddDynamicKey {
        app: usize,
        created: u64,
        not_if_since: u64,
    },
    AddStaticKey(usize, u64),
    DeleteDynamicKeys(usize, u64),
    RefreshTokenKey(usize, &'static str),
}

fn place() -> impl Strategy<Value = Place> {
    // Most sessions are in one app, where they collide.
    (prop_oneof![4 => Just(0), 1 => Just(1)], 0..HANDLES.len())
}

fn document() -> impl Strategy<Value = &'static str> {
    select(&DOCUMENTS[..])
}

fn expected<T: Clone + std::fmt::Debug>(
    this: impl Strategy<Value = T>,
) -> impl Strategy<Value = Expected<T>> {
    prop_oneof![3 => Just(Expected::Stored), 1 => this.prop_map(Expected::This)]
}

fn lineage() -> impl Strategy<Value = (&'static str, Option<u64>)> {
    (select(&TOKENS[..]), proptest::option::of(0..3_u64))
}

/// Lifetime of a session. Some are already expired when they are created.
fn life() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 2, 5, 100])
}

fn selected() -> impl Strategy<Value = Selected> {
    let tenant = proptest::option::of(select(vec!["public", "t1"]));
    let except = proptest::option::of(0..HANDLES.len());
    (0..APPS, select(&USERS[..]), tenant, except).prop_map(|(app, user, tenant, except)| Selected {
        app,
        user,
        tenant,
        except,
    })
}

fn used() -> impl Strategy<Value = Used> {
    let text = proptest::option::of(select(&TEXTS[..]));
    let ip = proptest::option::of(select(&ADDRESSES[..]));
    (place(), 0..4_u64, text, ip).prop_map(|(place, at, user_agent, ip)| Used {
        place,
        at,
        user_agent,
        ip,
    })
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        document().prop_map(Write::Overwrite),
        document().prop_map(Write::Merge),
        (expected(document()), document()).prop_map(|(seen, next)| Write::Swap(seen, next)),
    ]
}

fn insert() -> impl Strategy<Value = Operation> {
    let label = proptest::option::of(select(&TEXTS[..]));
    (
        place(),
        select(&USERS[..]),
        0..3_u64,
        life(),
        (document(), document()),
        label,
    )
        .prop_map(
            |(place, user, created, lives, documents, label)| Operation::Insert {
                place,
                user,
                created,
                lives,
                documents,
                label,
            },
        )
}

fn rotate() -> impl Strategy<Value = Operation> {
    (
        place(),
        expected(lineage()),
        expected(document()),
        lineage(),
        life(),
        any::<bool>(),
    )
        .prop_map(
            |(place, lineage, payload, next, lives, to_static)| Operation::Rotate {
                place,
                lineage,
                payload,
                next,
                lives,
                to_static,
            },
        )
}

pub(super) fn any_operation() -> impl Strategy<Value = Operation> {
    let label = proptest::option::of(select(&TEXTS[..]));
    let keys = prop_oneof![
        (0..APPS, 0..4_u64, 0..5_u64).prop_map(|(app, created, not_if_since)| {
            Operation::AddDynamicKey {
                app,
                created,
                not_if_since,
            }
        }),
        (0..APPS, 0..4_u64).prop_map(|(app, created)| Operation::AddStaticKey(app, created)),
        (0..APPS, 0..5_u64).prop_map(|(app, before)| Operation::DeleteDynamicKeys(app, before)),
        (0..APPS, select(&TOKENS[..])).prop_map(|(app, key)| Operation::RefreshTokenKey(app, key)),
    ];
    let metadata = prop_oneof![
        3 => (0..APPS, select(&USERS[..]), write())
            .prop_map(|(app, user, write)| Operation::WriteMetadata(app, user, write)),
        1 => (0..APPS, select(&USERS[..]))
            .prop_map(|(app, user)| Operation::DeleteMetadata(app, user)),
    ];
    prop_oneof![
        2 => select(vec![1_u64, 2, 5, 100]).prop_map(Operation::Wait),
        6 => insert(),
        4 => rotate(),
        4 => (place(), any::<bool>(), write())
            .prop_map(|(place, payload, write)| Operation::Write { place, payload, write }),
        1 => proptest::collection::vec(place(), 0..4).prop_map(Operation::Delete),
        1 => selected().prop_map(Operation::DeleteOfUser),
        2 => selected().prop_map(Operation::List),
        2 => proptest::collection::vec(used(), 0..4).prop_map(Operation::Use),
        1 => (place(), label).prop_map(|(place, label)| Operation::Label(place, label)),
        1 => select(vec![0_u32, 1, 1_000]).prop_map(Operation::DeleteExpired),
        2 => metadata,
        2 => keys,
    ]
}
