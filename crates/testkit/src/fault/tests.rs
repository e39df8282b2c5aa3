use supersession::store::MemoryStore;

use super::*;
use crate::store::fixtures::{NOW, key, session};

const UNAVAILABLE: PlannedFault = PlannedFault {
    kind: StoreErrorKind::Unavailable,
    verb: None,
    remaining: 1,
    moment: FaultTiming::Before,
};

#[tokio::test]
async fn a_fault_before_the_call_keeps_it_from_the_store() {
    let store = FaultStore::new(MemoryStore::new());
    store.plan(UNAVAILABLE);
    let error = store.insert_session(&session("h")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.operation()),
        (StoreErrorKind::Unavailable, "insert_session")
    );
    assert_eq!(store.inner().session(&key("h"), NOW).await.unwrap(), None);
}

#[tokio::test]
async fn a_fault_after_the_call_loses_the_answer_only() {
    let store = FaultStore::new(MemoryStore::new());
    store.plan(UNAVAILABLE.at(FaultTiming::After));
    store.insert_session(&session("h")).await.unwrap_err();
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_fault_strikes_its_verb_as_often_as_planned() {
    let store = FaultStore::new(MemoryStore::new());
    store.plan(UNAVAILABLE.on(Verb::Session).times(2));
    store.insert_session(&session("h")).await.unwrap();
    assert!(store.session(&key("h"), NOW).await.is_err());
    assert!(store.clone().session(&key("h"), NOW).await.is_err());
    assert!(store.session(&key("h"), NOW).await.is_ok());
    assert_eq!(store.count(Verb::Session), 3);
    assert_eq!(store.calls().len(), 4);
    store.clear_calls();
    assert!(store.calls().is_empty());
}

#[tokio::test]
async fn healing_forgets_the_plans() {
    let store = FaultStore::new(MemoryStore::new());
    store.plan(UNAVAILABLE.times(u32::MAX));
    assert!(store.session(&key("h"), NOW).await.is_err());
    store.heal();
    assert!(store.session(&key("h"), NOW).await.is_ok());
}

#[test]
fn each_verb_has_a_name_of_its_own() {
    let mut names: Vec<_> = Verb::ALL.iter().map(|verb| verb.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Verb::ALL.len());
}
