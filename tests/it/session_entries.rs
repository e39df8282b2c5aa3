//! Typed access to single members of the session data.

use serde_json::json;
use supersession::{FaultKind, Session, SessionError};

use crate::support::App;

async fn session() -> (App, Session) {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    (app, session)
}

#[tokio::test]
async fn a_member_can_be_set_read_and_removed() {
    let (_app, session) = session().await;
    assert_eq!(session.get::<u64>("visits").await.unwrap(), None);
    session.insert("visits", &3).await.unwrap();
    session.insert("theme", "dark").await.unwrap();
    assert_eq!(session.get("visits").await.unwrap(), Some(3));
    session.remove("visits").await.unwrap();
    assert_eq!(session.get::<u64>("visits").await.unwrap(), None);
    let theme: Option<String> = session.get("theme").await.unwrap();
    assert_eq!(theme.as_deref(), Some("dark"));
}

#[tokio::test]
async fn one_of_many_callers_takes_a_member() {
    let (app, session) = session().await;
    assert_eq!(session.take::<String>("notice").await.unwrap(), None);
    session.insert("notice", "saved").await.unwrap();
    session.insert("other", &true).await.unwrap();
    let takers = (0..20).map(|_| {
        let session = session.clone();
        tokio::spawn(async move { session.take::<String>("notice").await.unwrap() })
    });
    let mut taken = Vec::new();
    for taker in takers.collect::<Vec<_>>() {
        taken.extend(taker.await.unwrap());
    }
    assert_eq!(taken, ["saved"]);
    let data = app.sessions.information(session.handle()).await.unwrap();
    let data = data.unwrap().session_data;
    assert_eq!(data.get("other"), Some(json!(true)));
    assert_eq!(data.get("notice"), None);
}

#[tokio::test]
async fn concurrent_modifications_of_a_member_are_not_lost() {
    let (_app, session) = session().await;
    let tasks = (0..20_u64).map(|item| {
        let session = session.clone();
        tokio::spawn(async move {
            let add = |cart: &mut Vec<u64>| {
                cart.push(item);
                cart.len()
            };
            session.modify("cart", add).await.unwrap()
        })
    });
    let mut lengths = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        lengths.push(task.await.unwrap());
    }
    lengths.sort_unstable();
    assert_eq!(lengths, (1..=20).collect::<Vec<_>>());
    let mut cart: Vec<u64> = session.get("cart").await.unwrap().unwrap();
    cart.sort_unstable();
    assert_eq!(cart, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_member_of_another_type_is_a_fault_and_stays() {
    let (_app, session) = session().await;
    session.insert("visits", "many").await.unwrap();
    let errors = [
        session.get::<u64>("visits").await.map(drop).unwrap_err(),
        session.take::<u64>("visits").await.map(drop).unwrap_err(),
        session
            .modify("visits", |visits: &mut u64| *visits += 1)
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, SessionError::Fault(fault) if fault.kind() == FaultKind::Internal),
            "{error}"
        );
    }
    let visits: Option<String> = session.get("visits").await.unwrap();
    assert_eq!(visits.as_deref(), Some("many"));
}
