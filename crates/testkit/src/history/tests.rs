//! Histories written by hand: each rule, and the nearest history that keeps it.

use super::{Answer, Call, Document, Operation, Rule, TokenId, judge};

fn operation(start: u64, end: u64, call: Call, answer: Answer) -> Operation {
    Operation {
        node: 0,
        start,
        end,
        call,
        answer,
    }
}

fn s() -> String {
    "s".to_owned()
}

fn token(number: u64) -> TokenId {
    TokenId(number)
}

fn created() -> Operation {
    let answer = Answer::Created(s(), token(0));
    operation(0, 1, Call::Create("alice".to_owned()), answer)
}

fn document(counter: u64, members: &[&str]) -> Answer {
    Answer::Document(Document {
        counter,
        members: members.iter().map(|member| (*member).to_owned()).collect(),
    })
}

fn merge(start: u64, end: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Merge(s(), "m".to_owned()), answer)
}

fn increment(start: u64, end: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Increment(s()), answer)
}

fn read(start: u64, end: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Read(s()), answer)
}

fn refresh(start: u64, end: u64, from: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Refresh(s(), token(from)), answer)
}

fn revoke(start: u64, end: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Revoke(s()), answer)
}

fn list(start: u64, end: u64, handles: &[&str]) -> Operation {
    let handles = handles.iter().map(|handle| (*handle).to_owned()).collect();
    let call = Call::List("alice".to_owned());
    operation(start, end, call, Answer::Listed(handles))
}

fn ended() -> Answer {
    Answer::Revoked(vec![s()])
}

#[track_caller]
fn keeps(operations: &[Operation]) {
    let operations = [&[created()], operations].concat();
    let report = judge(&operations);
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.judged, operations.len());
}

#[track_caller]
fn breaks(rule: Rule, operations: &[Operation]) {
    let report = judge(&[&[created()], operations].concat());
    assert_eq!(
        report.broken().into_iter().collect::<Vec<_>>(),
        [rule],
        "{report}"
    );
}

#[test]
fn an_answered_merge_is_there() {
    let merged = || merge(2, 3, document(0, &["m"]));
    breaks(Rule::LostWrite, &[merged(), read(4, 5, document(0, &[]))]);
    // They overlap.
    keeps(&[
        merge(2, 5, document(0, &["m"])),
        read(4, 6, document(0, &[])),
    ]);
    breaks(Rule::LostWrite, &[merge(2, 3, document(0, &[]))]);
    let stale = [
        merged(),
        read(4, 5, document(0, &[])),
        read(6, 7, document(0, &["m"])),
    ];
    breaks(Rule::StaleRead, &stale);
}

#[test]
fn an_unknown_merge_may_be_there_and_then_stays() {
    let unknown = || merge(2, 3, Answer::Unknown);
    keeps(&[unknown(), read(4, 5, document(0, &[]))]);
    let late = [
        unknown(),
        read(4, 5, document(0, &[])),
        read(6, 7, document(0, &["m"])),
    ];
    keeps(&late);
    let back = [
        unknown(),
        read(4, 5, document(0, &["m"])),
        read(6, 7, document(0, &[])),
    ];
    breaks(Rule::LostWrite, &back);
}

#[test]
fn nothing_is_there_that_was_not_asked_for() {
    breaks(Rule::PhantomWrite, &[read(2, 3, document(0, &["m"]))]);
    breaks(Rule::PhantomWrite, &[read(2, 3, document(1, &[]))]);
    let early = [
        read(2, 3, document(0, &["m"])),
        merge(4, 5, document(0, &["m"])),
    ];
    breaks(Rule::PhantomWrite, &early);
    let twice = [
        increment(2, 3, Answer::Unknown),
        read(4, 5, document(2, &[])),
    ];
    breaks(Rule::PhantomWrite, &twice);
}

#[test]
fn a_counter_is_between_what_was_answered_and_what_was_asked() {
    let counted = [
        increment(2, 3, document(1, &[])),
        increment(4, 5, Answer::Unknown),
    ];
    keeps(&[&counted[..], &[read(6, 7, document(1, &[]))]].concat());
    keeps(&[&counted[..], &[read(6, 7, document(2, &[]))]].concat());
    breaks(
        Rule::LostUpdate,
        &[&counted[..], &[read(6, 7, document(0, &[]))]].concat(),
    );
    // At once, and the same number.
    let same = [
        increment(2, 4, document(1, &[])),
        increment(3, 5, document(1, &[])),
    ];
    breaks(Rule::LostUpdate, &same);
}

#[test]
fn the_dead_stay_dead() {
    let alive = || document(0, &[]);
    breaks(
        Rule::Resurrected,
        &[revoke(2, 3, ended()), read(4, 5, alive())],
    );
    keeps(&[revoke(2, 4, ended()), read(3, 5, alive())]);
    // A revocation of unknown outcome may take its time, but then it is done.
    let unknown = || revoke(2, 3, Answer::Unknown);
    keeps(&[unknown(), read(4, 5, alive()), read(6, 7, Answer::Gone)]);
    let back = [unknown(), read(4, 5, Answer::Gone), read(6, 7, alive())];
    breaks(Rule::Resurrected, &back);
    breaks(
        Rule::Resurrected,
        &[revoke(2, 3, ended()), list(4, 5, &["s"])],
    );
    let all = operation(2, 3, Call::RevokeAll("alice".to_owned()), ended());
    breaks(Rule::Resurrected, &[all, read(4, 5, alive())]);
    let twice = [revoke(2, 4, ended()), revoke(3, 5, ended())];
    breaks(Rule::EndedTwice, &twice);
}

#[test]
fn nobody_is_logged_out_without_cause() {
    breaks(Rule::EndedForNoReason, &[read(2, 3, Answer::Gone)]);
    // The cause came later.
    let later = [read(2, 3, Answer::Gone), revoke(4, 5, Answer::Unknown)];
    breaks(Rule::EndedForNoReason, &later);
    breaks(Rule::LoggedOut, &[refresh(2, 3, 0, Answer::Gone)]);
    breaks(Rule::LoggedOut, &[refresh(2, 3, 0, Answer::Theft)]);
    let replay = operation(6, 7, Call::Replay(s(), token(0)), Answer::Theft);
    let replayed = [
        refresh(2, 3, 0, Answer::Refreshed(token(1))),
        refresh(4, 5, 1, Answer::Refreshed(token(2))),
        replay,
        read(8, 9, Answer::Gone),
    ];
    keeps(&replayed);
}

#[test]
fn refresh_tokens_form_a_line() {
    let first = refresh(2, 5, 0, Answer::Refreshed(token(1)));
    keeps(&[first.clone(), refresh(3, 4, 0, Answer::Refreshed(token(1)))]);
    breaks(
        Rule::TwoSuccessors,
        &[first.clone(), refresh(3, 4, 0, Answer::Refreshed(token(2)))],
    );
    let stale = [
        first.clone(),
        refresh(6, 7, 1, Answer::Refreshed(token(2))),
        refresh(8, 9, 0, Answer::Refreshed(token(1))),
    ];
    breaks(Rule::StaleTokenAccepted, &stale);
    let replay = operation(
        8,
        9,
        Call::Replay(s(), token(0)),
        Answer::Refreshed(token(1)),
    );
    breaks(Rule::StaleTokenAccepted, &[first, replay]);
}

#[test]
fn a_list_has_who_is_there() {
    keeps(&[list(2, 3, &["s"])]);
    breaks(Rule::ForgottenInList, &[list(2, 3, &[])]);
    keeps(&[revoke(2, 3, Answer::Unknown), list(4, 5, &[])]);
    let forgotten = [
        revoke(2, 3, Answer::Unknown),
        list(4, 5, &[]),
        read(6, 7, document(0, &[])),
    ];
    breaks(Rule::ForgottenInList, &forgotten);
    breaks(Rule::PhantomSession, &[list(2, 3, &["s", "other"])]);
    let unknown = operation(2, 3, Call::Create("alice".to_owned()), Answer::Unknown);
    keeps(&[unknown, list(4, 5, &["s", "other"])]);
}
