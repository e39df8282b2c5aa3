//! Hand-written histories: each rule, a history that violates it, and a similar one that does not.

use std::time::Duration;

use supersession::UnixMillis;

use super::{Answer, Call, Document, Operation, Place, Rule, Terms, TokenId, judge};

fn operation(start: u64, end: u64, call: Call, answer: Answer) -> Operation {
    Operation {
        node: 0,
        start,
        end,
        asked: UnixMillis::default(),
        answered: UnixMillis::default(),
        call,
        answer,
    }
}

fn s() -> String {
    "s".to_owned()
}

fn data() -> Place {
    Place::SessionData(s())
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
    operation(start, end, Call::Merge(data(), "m".to_owned()), answer)
}

fn increment(start: u64, end: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Increment(data()), answer)
}

fn read(start: u64, end: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Read(data()), answer)
}

fn refresh(start: u64, end: u64, from: u64, answer: Answer) -> Operation {
    operation(start, end, Call::Refresh(s(), token(from)), answer)
}

fn refreshed(to: u64) -> Answer {
    Answer::Refreshed(token(to), Document::default())
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
    let report = judge(&operations, Terms::default());
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.judged, operations.len());
}

#[track_caller]
fn breaks(rule: Rule, operations: &[Operation]) {
    let report = judge(&[&[created()], operations].concat(), Terms::default());
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
    // The operations overlap.
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
    // Concurrent increments that return the same number.
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
    // A revocation with an unknown outcome may take effect late, but then it is final.
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
        refresh(2, 3, 0, refreshed(1)),
        refresh(4, 5, 1, refreshed(2)),
        replay,
        read(8, 9, Answer::Gone),
    ];
    keeps(&replayed);
}

#[test]
fn refresh_tokens_form_a_line() {
    let first = refresh(2, 5, 0, refreshed(1));
    keeps(&[first.clone(), refresh(3, 4, 0, refreshed(1))]);
    breaks(
        Rule::TwoSuccessors,
        &[first.clone(), refresh(3, 4, 0, refreshed(2))],
    );
    let stale = [
        first.clone(),
        refresh(6, 7, 1, refreshed(2)),
        refresh(8, 9, 0, refreshed(1)),
    ];
    breaks(Rule::StaleTokenAccepted, &stale);
    let replay = operation(8, 9, Call::Replay(s(), token(0)), refreshed(1));
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

fn payload() -> Place {
    Place::Payload(s())
}

fn merge_payload(start: u64, end: u64) -> Operation {
    let call = Call::Merge(payload(), "m".to_owned());
    operation(start, end, call, document(0, &["m"]))
}

/// A refresh whose new access token has these members.
fn refresh_with(start: u64, end: u64, members: &[&str]) -> Operation {
    let Answer::Document(payload) = document(0, members) else {
        unreachable!()
    };
    refresh(start, end, 0, Answer::Refreshed(token(1), payload))
}

#[test]
fn a_refreshed_token_has_the_payload_that_is_stored() {
    keeps(&[merge_payload(2, 3), refresh_with(4, 5, &["m"])]);
    // The operations overlap.
    keeps(&[merge_payload(2, 5), refresh_with(4, 6, &[])]);
    // A stale token in place of a fresh one would restore old values.
    let lost = [merge_payload(2, 3), refresh_with(4, 5, &[])];
    breaks(Rule::LostWrite, &lost);
    breaks(Rule::PhantomWrite, &[refresh_with(4, 5, &["m"])]);
    // The session data is a different document.
    let elsewhere = operation(4, 5, Call::Read(data()), document(0, &[]));
    keeps(&[merge_payload(2, 3), elsewhere]);
    let gone = operation(2, 3, Call::Merge(payload(), "m".to_owned()), Answer::Gone);
    breaks(Rule::EndedForNoReason, &[gone]);
}

#[test]
fn metadata_are_the_users_and_outlive_sessions() {
    let alice = || Place::Metadata("alice".to_owned());
    let count = |start, end, n| operation(start, end, Call::Increment(alice()), document(n, &[]));
    let read = |start, end, n| operation(start, end, Call::Read(alice()), document(n, &[]));
    keeps(&[count(2, 3, 1), revoke(4, 5, ended()), read(6, 7, 1)]);
    breaks(Rule::LostUpdate, &[count(2, 3, 1), read(4, 5, 0)]);
    breaks(Rule::LostUpdate, &[count(2, 5, 1), count(3, 4, 1)]);
    breaks(Rule::PhantomWrite, &[count(2, 3, 2)]);
}

const TERMS: Terms = Terms {
    grace: Some(Duration::from_millis(10)),
    validity: Some(Duration::from_millis(100)),
};

/// Returns the same operation at this time of the shared clock.
fn at(asked: u64, answered: u64, operation: Operation) -> Operation {
    Operation {
        asked: UnixMillis::new(asked),
        answered: UnixMillis::new(answered),
        ..operation
    }
}

#[track_caller]
fn comes_to(rules: &[Rule], operations: &[Operation]) {
    let report = judge(&[&[created()], operations].concat(), TERMS);
    assert_eq!(
        report.broken().into_iter().collect::<Vec<_>>(),
        rules,
        "{report}"
    );
}

#[test]
fn a_session_lives_as_long_as_it_should_and_no_longer() {
    let alive = || document(0, &[]);
    // Created at 0 and never refreshed.
    comes_to(&[], &[at(99, 99, read(2, 3, alive()))]);
    comes_to(
        &[Rule::OutlivedItsExpiry],
        &[at(100, 100, read(2, 3, alive()))],
    );
    comes_to(
        &[Rule::OutlivedItsExpiry],
        &[at(100, 100, list(2, 3, &["s"]))],
    );
    comes_to(&[], &[at(100, 100, read(2, 3, Answer::Gone))]);
    comes_to(
        &[Rule::EndedForNoReason],
        &[at(99, 99, read(2, 3, Answer::Gone))],
    );
    comes_to(&[], &[at(100, 100, list(2, 3, &[]))]);
    comes_to(&[Rule::ForgottenInList], &[at(99, 99, list(2, 3, &[]))]);
    // The session expired during the operation.
    comes_to(&[], &[at(99, 101, read(2, 3, alive()))]);
    comes_to(&[], &[at(99, 101, read(2, 3, Answer::Gone))]);
    // The row of an expired session may not have been deleted yet.
    let swept = [
        at(100, 100, read(2, 3, Answer::Gone)),
        at(100, 100, revoke(4, 5, ended())),
    ];
    comes_to(&[], &swept);
    // The session must not be found live again.
    let back = [
        at(99, 101, read(2, 3, Answer::Gone)),
        at(99, 101, read(4, 5, alive())),
    ];
    comes_to(&[Rule::Resurrected], &back);
}

#[test]
fn a_refresh_makes_a_session_live_longer() {
    let refreshed_at_50 = || at(50, 50, refresh(2, 3, 0, refreshed(1)));
    let read = |now, answer| at(now, now, read(4, 5, answer));
    let alive = || document(0, &[]);
    comes_to(&[], &[refreshed_at_50(), read(149, alive())]);
    comes_to(
        &[Rule::OutlivedItsExpiry],
        &[refreshed_at_50(), read(150, alive())],
    );
    comes_to(
        &[Rule::EndedForNoReason],
        &[refreshed_at_50(), read(130, Answer::Gone)],
    );
    // This may have been the second refresh in a grace period of 10, which does not extend the
    // session.
    comes_to(&[], &[refreshed_at_50(), read(145, Answer::Gone)]);
    // A refresh with an unknown outcome may have been executed at any time.
    let unknown = Operation {
        answered: UnixMillis::new(u64::MAX),
        ..refresh(2, 3, 0, Answer::Unknown)
    };
    comes_to(&[], &[unknown.clone(), read(150, alive())]);
    comes_to(&[], &[unknown, read(150, Answer::Gone)]);
}

#[test]
fn a_refresh_that_began_in_time_may_still_prolong() {
    let gone = || at(100, 100, read(4, 5, Answer::Gone));
    let alive = || at(110, 110, read(8, 9, document(0, &[])));
    let refresh = |start| at(99, 100, refresh(start, 7, 0, refreshed(1)));
    comes_to(&[], &[refresh(3), gone(), alive()]);
    // A refresh that began after the end was known.
    let late = [gone(), at(100, 100, refresh(6)), alive()];
    comes_to(&[Rule::Resurrected, Rule::OutlivedItsExpiry], &late);
}

#[test]
fn who_refreshes_after_the_grace_window_may_be_logged_out() {
    let first = || at(0, 0, refresh(2, 3, 0, refreshed(1)));
    let second = |now, answer| at(0, now, refresh(2, 5, 0, answer));
    let gone = || at(11, 11, read(6, 7, Answer::Gone));
    comes_to(&[], &[first(), second(11, Answer::Theft), gone()]);
    comes_to(&[Rule::LoggedOut], &[first(), second(10, Answer::Theft)]);
    // No other operation has used the token.
    comes_to(&[Rule::LoggedOut], &[second(11, Answer::Theft)]);
    comes_to(
        &[Rule::EndedForNoReason],
        &[first(), second(10, refreshed(1)), gone()],
    );
}

#[test]
fn a_guard_knows_what_its_node_knows() {
    let guard = |node, start, end, answer| Operation {
        node,
        ..operation(start, end, Call::Guard(s()), answer)
    };
    let told = |start, end| operation(start, end, Call::Await(s()), Answer::Gone);
    let on_node_1 = |operation| Operation {
        node: 1,
        ..operation
    };
    let revoked = || on_node_1(revoke(2, 3, ended()));
    // Revoked on another node: this node may accept the session until it is notified.
    keeps(&[revoked(), guard(0, 4, 5, Answer::Alive)]);
    keeps(&[revoked(), guard(0, 6, 8, Answer::Alive), told(2, 7)]);
    keeps(&[revoked(), told(2, 5), guard(0, 6, 7, Answer::Gone)]);
    breaks(
        Rule::ServedAfterTold,
        &[revoked(), told(2, 5), guard(0, 6, 7, Answer::Alive)],
    );
    // Revoked on this node: the guard must reject immediately.
    breaks(
        Rule::ServedAfterTold,
        &[revoked(), guard(1, 4, 5, Answer::Alive)],
    );
    // Once the guard has rejected, it must not accept again.
    let wavering = [
        revoked(),
        guard(0, 4, 5, Answer::Gone),
        guard(0, 6, 7, Answer::Alive),
    ];
    breaks(Rule::ServedAfterTold, &wavering);
    let checked = operation(4, 5, Call::Verify(s()), Answer::Gone);
    breaks(
        Rule::ServedAfterTold,
        &[revoked(), checked, guard(0, 6, 7, Answer::Alive)],
    );
    // A guard must not reject without a cause, and a wait must not resolve without an end.
    breaks(Rule::EndedForNoReason, &[guard(0, 2, 3, Answer::Gone)]);
    breaks(Rule::EndedForNoReason, &[told(2, 3)]);
}
