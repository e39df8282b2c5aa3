use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::clock::UnixMillis;
use crate::ids::{TenantId, UserId};
use crate::json::JsonObject;

const NOW: UnixMillis = UnixMillis::new(1_000_000);

fn primitive<T>(value: Option<T>) -> PrimitiveClaim<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Clone + Send + Sync + 'static,
{
    PrimitiveClaim::new("key", move |_| {
        let value = value.clone();
        async move { Ok::<_, Infallible>(value) }
    })
}

fn array() -> PrimitiveArrayClaim<Value> {
    PrimitiveArrayClaim::new("key", |_| async { Ok::<_, Infallible>(None) })
}

fn boolean() -> BooleanClaim {
    BooleanClaim::new("key", |_| async { Ok::<_, Infallible>(None) })
}

/// Returns a payload whose claim has this value, fetched ten seconds ago.
fn holding(value: &Value) -> JsonObject {
    payload(&json!({"other": 1, "key": {"v": value, "t": NOW.get() - 10_000}}))
}

fn payload(value: &Value) -> JsonObject {
    JsonObject::from_serialize(value).unwrap()
}

/// Returns the reason of the failure, or `None` if the check passes.
fn verdict(check: &ClaimCheck, payload: &JsonObject) -> Option<Value> {
    match check.validate(payload, NOW) {
        Verdict::Valid => None,
        Verdict::Invalid(reason) => Some(reason.unwrap()),
    }
}

/// Checks all verdicts: for a missing value, a value that is too old, wrong values and right
/// values.
#[track_caller]
fn table(check: &ClaimCheck, names: [&str; 2], expected: &Value, wrong: &[Value], right: &[Value]) {
    let [when_missing, when_wrong] = names;
    for missing in [
        json!({}),
        json!({"key": null}),
        json!({"key": 1}),
        json!({"key": {"t": 1}}),
        json!({"key": []}),
    ] {
        let missing = payload(&missing);
        let reason = json!({"message": "value does not exist", when_missing: expected});
        assert_eq!(verdict(check, &missing), Some(reason), "{missing}");
        assert!(check.should_refetch(&missing, NOW), "{missing}");
    }
    let too_strict = check.clone().max_age(Duration::from_secs(9));
    let as_old = check.clone().max_age(Duration::from_secs(10));
    for value in wrong {
        let reason = json!({"message": "wrong value", when_wrong: expected, "actualValue": value});
        assert_eq!(
            verdict(check, &holding(value)).as_ref(),
            Some(&reason),
            "{value}"
        );
        assert_eq!(verdict(&as_old, &holding(value)), Some(reason), "{value}");
    }
    for value in right {
        assert_eq!(verdict(check, &holding(value)), None, "{value}");
        assert_eq!(verdict(&as_old, &holding(value)), None, "{value}");
    }
    for value in wrong.iter().chain(right) {
        let reason = json!({"message": "expired", "ageInSeconds": 10.0, "maxAgeInSeconds": 9});
        assert_eq!(
            verdict(&too_strict, &holding(value)),
            Some(reason),
            "{value}"
        );
        assert!(too_strict.should_refetch(&holding(value), NOW), "{value}");
        assert!(!as_old.should_refetch(&holding(value), NOW), "{value}");
        assert!(!check.should_refetch(&holding(value), NOW), "{value}");
    }
}

#[test]
fn has_value() {
    let names = ["expectedValue", "expectedValue"];
    table(
        &primitive(Some("a".to_owned())).has_value("a".to_owned()),
        names,
        &json!("a"),
        &[
            json!("b"),
            json!(""),
            json!("A"),
            json!(null),
            json!(1),
            json!(["a"]),
        ],
        &[json!("a")],
    );
    table(
        &primitive(Some(1)).has_value(1),
        names,
        &json!(1),
        &[json!(2), json!("1"), json!(true), json!(1.5), json!(null)],
        &[json!(1), json!(1.0)],
    );
    table(
        &primitive(Some(Value::Null)).has_value(Value::Null),
        names,
        &json!(null),
        &[json!(0), json!(false), json!("")],
        &[json!(null)],
    );
}

#[test]
fn is_true_and_is_false() {
    let names = ["expectedValue", "expectedValue"];
    let not = |right: bool| {
        [
            json!(!right),
            json!(null),
            json!(1),
            json!(0),
            json!("true"),
        ]
    };
    table(
        &boolean().is_true(),
        names,
        &json!(true),
        &not(true),
        &[json!(true)],
    );
    table(
        &boolean().is_false(),
        names,
        &json!(false),
        &not(false),
        &[json!(false)],
    );
}

#[test]
fn includes() {
    let names = ["expectedToInclude", "expectedToInclude"];
    table(
        &array().includes("a"),
        names,
        &json!("a"),
        &[
            json!([]),
            json!(["b", "A"]),
            json!([["a"]]),
            json!("a"),
            json!(null),
        ],
        &[json!(["a"]), json!(["b", "a", "a"])],
    );
    table(
        &array().includes(1),
        names,
        &json!(1),
        &[json!(["1"]), json!([true])],
        &[json!([0, 1.0])],
    );
}

#[test]
fn excludes() {
    table(
        &array().excludes("a"),
        ["expectedToNotInclude", "expectedToNotInclude"],
        &json!("a"),
        &[json!(["a"]), json!(["b", "a"])],
        &[json!([]), json!(["b"]), json!(["A"])],
    );
}

#[test]
fn includes_all() {
    let names = ["expectedToInclude", "expectedToInclude"];
    table(
        &array().includes_all(["a", "b"]),
        names,
        &json!(["a", "b"]),
        &[json!([]), json!(["a"]), json!(["b", "c"])],
        &[json!(["b", "a"]), json!(["c", "b", "a"])],
    );
    let nothing: [&str; 0] = [];
    table(
        &array().includes_all(nothing),
        names,
        &json!([]),
        &[],
        &[json!([]), json!(["a"])],
    );
}

#[test]
fn includes_any() {
    // The reference reports the expectation under a different name if the value is missing.
    let names = ["expectedToNotInclude", "expectedToIncludeAtLeastOneOf"];
    table(
        &array().includes_any(["a", "b"]),
        names,
        &json!(["a", "b"]),
        &[json!([]), json!(["c"])],
        &[json!(["a"]), json!(["c", "b"]), json!(["a", "b"])],
    );
    let nothing: [&str; 0] = [];
    table(
        &array().includes_any(nothing),
        names,
        &json!([]),
        &[json!([]), json!(["a"])],
        &[],
    );
}

#[test]
fn excludes_all() {
    let names = ["expectedToNotInclude", "expectedToNotInclude"];
    table(
        &array().excludes_all(["a", "b"]),
        names,
        &json!(["a", "b"]),
        &[json!(["a"]), json!(["c", "b"]), json!(["a", "b"])],
        &[json!([]), json!(["c"])],
    );
    let nothing: [&str; 0] = [];
    table(
        &array().excludes_all(nothing),
        names,
        &json!([]),
        &[],
        &[json!([]), json!(["a"])],
    );
}

#[test]
fn the_age_is_reported_in_milliseconds_and_the_limit_as_configured() {
    let expired = |limit, expected: Value| {
        let reason = verdict(&boolean().is_true().max_age(limit), &holding(&json!(true))).unwrap();
        assert_eq!(reason["maxAgeInSeconds"], expected);
    };
    expired(Duration::from_secs(9), json!(9));
    expired(Duration::from_millis(9_999), json!(9.999));
    expired(Duration::ZERO, json!(0));
    let earlier = payload(&json!({"key": {"v": true, "t": NOW.get() - 1}}));
    let reason = json!({"message": "expired", "ageInSeconds": 0.001, "maxAgeInSeconds": 0});
    assert_eq!(
        verdict(&boolean().is_true().max_age(Duration::ZERO), &earlier),
        Some(reason)
    );
    let now = payload(&json!({"key": {"v": true, "t": NOW}}));
    assert_eq!(
        verdict(&boolean().is_true().max_age(Duration::ZERO), &now),
        None
    );
    // A value from the future, written by a clock that is ahead, is never too old.
    let later = payload(&json!({"key": {"v": true, "t": NOW.get() + 60_000}}));
    assert_eq!(
        verdict(&boolean().is_true().max_age(Duration::ZERO), &later),
        None
    );
}

#[test]
fn a_claims_default_max_age_applies_to_checks_without_one() {
    let limit = Duration::from_secs(9);
    let expired = |check: &ClaimCheck| {
        verdict(check, &holding(&json!(true))).is_some_and(|reason| reason["message"] == "expired")
    };
    assert!(expired(&boolean().default_max_age(limit).is_true()));
    assert!(expired(
        &primitive(Some(true)).default_max_age(limit).has_value(true)
    ));
    assert!(expired(&array().default_max_age(limit).includes(true)));
    assert!(!expired(
        &boolean()
            .default_max_age(limit)
            .is_true()
            .max_age(Duration::from_secs(10))
    ));
    assert!(!expired(&boolean().is_true()));
}

#[test]
fn a_check_is_reported_under_its_claims_key_unless_it_has_an_id() {
    assert_eq!(ClaimValidator::from(boolean().is_true()).id(), "key");
    let named = ClaimValidator::from(boolean().is_true().id("other"));
    assert_eq!(named.id(), "other");
    let failure = named.failure(&JsonObject::empty(), NOW).unwrap();
    assert_eq!(
        serde_json::to_value(&failure).unwrap(),
        json!({"id": "other", "reason": {"message": "value does not exist", "expectedValue": true}})
    );
    let silent = ClaimValidator::from_fn("x", |_| Verdict::Invalid(None));
    let failure = silent.failure(&JsonObject::empty(), NOW).unwrap();
    assert_eq!(serde_json::to_value(&failure).unwrap(), json!({"id": "x"}));
}

fn context(of: &Value) -> ClaimContext {
    ClaimContext {
        user_id: UserId::from("alice"),
        recipe_user_id: UserId::from("alice"),
        tenant_id: TenantId::default(),
        payload: payload(of),
    }
}

#[derive(Debug)]
struct Evaluation {
    update: JsonObject,
    failures: Vec<ClaimFailure>,
}

/// Runs both steps over a payload that has no concurrent writer.
async fn evaluate(
    validators: &[ClaimValidator],
    context: ClaimContext,
    now: UnixMillis,
) -> Result<Evaluation, crate::error::Fault> {
    let before = context.payload.clone();
    let update = refetch(validators, context, now).await?;
    let failures = failures(validators, &before.merged_with(&update), now);
    Ok(Evaluation { update, failures })
}

#[test]
fn claims_are_fetched_before_validation_and_the_update_has_changes_only() {
    pollster::block_on(async {
        let counter = std::sync::Arc::new(AtomicUsize::new(0));
        let fetches = std::sync::Arc::clone(&counter);
        let count = PrimitiveClaim::new("count", move |_| {
            let count = fetches.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Ok::<_, Infallible>(Some(count)) }
        });
        // The second claim sees the value that the first one fetched.
        let copy = PrimitiveClaim::new("copy", |user: ClaimContext| async move {
            Ok::<_, Infallible>(user.payload.get("count").map(|entry| entry["v"].clone()))
        });
        let validators: Vec<ClaimValidator> = vec![
            ClaimValidator::from_fn("first", |payload| {
                if payload.contains_key("copy") {
                    Verdict::Valid
                } else {
                    Verdict::Invalid(None)
                }
            }),
            count.has_value(1).into(),
            copy.has_value(json!(1)).into(),
            count.has_value(2).id("again").into(),
        ];
        let before = json!({"sub": "alice", "mine": null});
        let evaluation = evaluate(&validators, context(&before), NOW).await.unwrap();
        assert_eq!(
            counter.load(Ordering::SeqCst),
            1,
            "a fresh value is not fetched again"
        );
        let update: Value = evaluation.update.deserialize().unwrap();
        assert_eq!(
            update,
            json!({"count": {"v": 1, "t": NOW}, "copy": {"v": 1, "t": NOW}})
        );
        assert_eq!(ClaimFailure::ids(&evaluation.failures), "again");
    });
}

#[test]
fn fetching_nothing_changes_nothing_and_a_failed_fetch_is_a_fault() {
    pollster::block_on(async {
        let validators = [ClaimValidator::from(boolean().is_true())];
        let evaluation = evaluate(&validators, context(&json!({"a": 1})), NOW)
            .await
            .unwrap();
        assert!(evaluation.update.is_empty());
        assert_eq!(evaluation.failures.len(), 1);
        let broken = BooleanClaim::new("key", |_| async { Err::<Option<bool>, _>("down") });
        let validators = [ClaimValidator::from(broken.is_true())];
        let fault = evaluate(&validators, context(&json!({})), NOW)
            .await
            .unwrap_err();
        assert_eq!(fault.report(), "the claim `key` could not be fetched: down");
    });
}
