use std::net::IpAddr;

use supersession::store::{Device, SessionUse};

use crate::store::fixtures::*;

fn device() -> Device {
    let mut device = Device::default();
    device.user_agent = Some("Browser/1.0 (\"odd\"; \u{fc})".to_owned());
    device.ip = Some(IpAddr::from([192, 0, 2, 7]));
    device.label = Some("the old laptop".to_owned());
    device.last_seen_at = Some(NOW);
    device
}

fn used(handle: &str, millis: u64) -> SessionUse {
    SessionUse::new(key(handle), at(millis))
}

async fn device_of(store: &SharedStore, handle: &str) -> Device {
    let found = store.session(&key(handle), NOW).await.unwrap();
    found.unwrap().device
}

pub async fn a_device_reads_back(store: SharedStore) {
    let mut session = session("h");
    session.device = device();
    insert(&store, &session).await;
    let listed = store.user_sessions(&sessions_of("user"), NOW).await;
    assert_eq!(listed.unwrap(), [session]);
    assert_eq!(device_of(&store, "h").await, device());
}

pub async fn the_newest_use_counts(store: SharedStore) {
    insert(&store, &session("h1")).await;
    insert(&store, &session("h2_t1")).await;
    let elsewhere: IpAddr = "2001:db8::1".parse().unwrap();
    let uses = [
        {
            let mut used = used("h1", 10);
            used.user_agent = Some("first".to_owned());
            used.ip = Some(elsewhere);
            used
        },
        used("h2_t1", 5),
        {
            let mut used = used("h1", 20);
            used.user_agent = Some("second".to_owned());
            used
        },
        {
            let mut used = used("h1", 15);
            used.user_agent = Some("late".to_owned());
            used
        },
    ];
    store.record_uses(&uses, NOW).await.unwrap();
    let mut expected = Device::default();
    expected.user_agent = Some("second".to_owned());
    expected.ip = Some(elsewhere);
    expected.last_seen_at = Some(at(20));
    assert_eq!(device_of(&store, "h1").await, expected);
    store.record_uses(&[used("h1", 20)], NOW).await.unwrap();
    assert_eq!(device_of(&store, "h1").await, expected);
    let mut expected = Device::default();
    expected.last_seen_at = Some(at(5));
    assert_eq!(device_of(&store, "h2_t1").await, expected);
}

pub async fn a_use_makes_and_revives_no_session(store: SharedStore) {
    insert(&store, &session("over")).await;
    let uses = [used("absent", 1), used("over", 1)];
    store.record_uses(&uses, END).await.unwrap();
    store.record_uses(&[], NOW).await.unwrap();
    assert_eq!(device_of(&store, "over").await, Device::default());
    assert_eq!(store.session(&key("absent"), NOW).await.unwrap(), None);
}

pub async fn a_label_can_be_set_and_removed(store: SharedStore) {
    let mut session = session("h");
    session.device = device();
    insert(&store, &session).await;
    for label in [Some("\u{1f4bb} work"), None] {
        let found = store.set_device_label(&key("h"), label, NOW).await;
        assert!(found.unwrap());
        let mut expected = device();
        expected.label = label.map(str::to_owned);
        assert_eq!(device_of(&store, "h").await, expected);
    }
    let absent = store.set_device_label(&key("absent"), None, NOW).await;
    assert!(!absent.unwrap());
    let over = store.set_device_label(&key("h"), Some("x"), END).await;
    assert!(!over.unwrap());
    assert_eq!(device_of(&store, "h").await.label, None);
}

pub async fn other_writes_leave_the_device_alone(store: SharedStore) {
    let mut session = session("h");
    session.device = device();
    insert(&store, &session).await;
    let write = merge(r#"{"more":1}"#);
    let data = supersession::store::SessionDocument::SessionData;
    store
        .write_document(&key("h"), data, &write, NOW)
        .await
        .unwrap();
    let next = supersession::store::Rotation::new(
        rotated("first", "second", at(1)),
        END,
        session.key_kind,
    );
    store
        .rotate(&key("h"), &session.lineage, &session.payload, &next, NOW)
        .await
        .unwrap();
    assert_eq!(device_of(&store, "h").await, device());
}
