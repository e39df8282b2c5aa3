//! [`SeenTokens`] compiled against a lock of the `shuttle` scheduler, which tries every
//! interleaving of the threads. The cache inside uses its own locks, so each call into it counts as
//! one step.

#[path = "seen.rs"]
#[expect(
    clippy::duplicate_mod,
    reason = "on other primitives, which is the point"
)]
mod seen;

use shuttle::scheduler::DfsScheduler;
use shuttle::sync;
use shuttle::sync::Arc;
use shuttle::{Config, Runner, thread};

use self::seen::SeenTokens;
use super::VerifiedToken;
use super::tests::{token, verified};

/// Runs all steps concurrently, in every order. `judge` checks the final state.
fn in_every_order(
    steps: &[fn(&SeenTokens, &[VerifiedToken; 2])],
    judge: impl Fn(&SeenTokens, &[VerifiedToken; 2]) + Send + Sync + 'static,
) -> usize {
    let tokens = [token(100, ""), token(101, "")].map(|token| verified(&token, 0));
    let steps = steps.to_vec();
    let test = move || {
        let seen = Arc::new(SeenTokens::new(1_000_000));
        let threads: Vec<_> = steps
            .iter()
            .map(|step| {
                let (seen, tokens, step) = (Arc::clone(&seen), tokens.clone(), *step);
                thread::spawn(move || step(&seen, &tokens))
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        judge(&seen, &tokens);
    };
    let scheduler = DfsScheduler::new(None, false);
    Runner::new(scheduler, Config::default()).run(test)
}

#[test]
fn in_no_schedule_has_a_session_two_tokens_or_one_that_its_end_does_not_find() {
    let orders = in_every_order(
        &[
            |seen, tokens| seen.keep(&tokens[0]),
            |seen, tokens| seen.keep(&tokens[1]),
        ],
        |seen, tokens| {
            assert_eq!(seen.lengths(), (1, 1));
            let is_seen = |token: &&VerifiedToken| seen.get(token.token().as_bytes()).is_some();
            assert_eq!(tokens.iter().filter(is_seen).count(), 1);
            seen.forget(&"h".into());
            assert_eq!(seen.lengths(), (0, 0));
        },
    );
    assert!(orders > 1, "{orders}");
}

#[test]
fn in_no_schedule_does_an_end_leave_half_a_session() {
    let orders = in_every_order(
        &[
            |seen, tokens| seen.keep(&tokens[0]),
            |seen, tokens| seen.keep(&tokens[1]),
            |seen, _| seen.forget(&"h".into()),
        ],
        |seen, _| {
            let (tokens, sessions) = seen.lengths();
            assert_eq!(tokens, sessions);
            assert!(tokens <= 1, "{tokens}");
        },
    );
    assert!(orders > 1, "{orders}");
}
