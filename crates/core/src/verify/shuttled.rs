//! [`TokenCache`] compiled against a lock of the `shuttle` scheduler, which tries every
//! interleaving of the threads. The cache inside uses its own locks, so each call into it counts as
//! one step.

#[path = "cache.rs"]
#[expect(
    clippy::duplicate_mod,
    reason = "on other primitives, which is the point"
)]
mod cache;

use shuttle::scheduler::DfsScheduler;
use shuttle::sync;
use shuttle::sync::Arc;
use shuttle::{Config, Runner, thread};

use self::cache::TokenCache;
use super::VerifiedToken;
use super::tests::{token, verified};

/// Runs all steps concurrently, in every order. `judge` checks the final state.
fn in_every_order(
    steps: &[fn(&TokenCache, &[VerifiedToken; 2])],
    judge: impl Fn(&TokenCache, &[VerifiedToken; 2]) + Send + Sync + 'static,
) -> usize {
    let tokens = [token(100, ""), token(101, "")].map(|token| verified(&token, 0));
    let steps = steps.to_vec();
    let test = move || {
        let cache = Arc::new(TokenCache::new(1_000_000));
        let threads: Vec<_> = steps
            .iter()
            .map(|step| {
                let (cache, tokens, step) = (Arc::clone(&cache), tokens.clone(), *step);
                thread::spawn(move || step(&cache, &tokens))
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        judge(&cache, &tokens);
    };
    let scheduler = DfsScheduler::new(None, false);
    Runner::new(scheduler, Config::default()).run(test)
}

#[test]
fn in_no_schedule_has_a_session_two_cached_tokens_or_one_that_outlives_it() {
    let orders = in_every_order(
        &[
            |cache, tokens| cache.insert(&tokens[0]),
            |cache, tokens| cache.insert(&tokens[1]),
        ],
        |cache, tokens| {
            assert_eq!(cache.lengths(), (1, 1));
            let is_cached = |token: &&VerifiedToken| cache.get(token.token().as_bytes()).is_some();
            assert_eq!(tokens.iter().filter(is_cached).count(), 1);
            cache.remove(&"h".into());
            assert_eq!(cache.lengths(), (0, 0));
        },
    );
    assert!(orders > 1, "{orders}");
}

#[test]
fn in_no_schedule_does_a_revocation_leave_half_a_session() {
    let orders = in_every_order(
        &[
            |cache, tokens| cache.insert(&tokens[0]),
            |cache, tokens| cache.insert(&tokens[1]),
            |cache, _| cache.remove(&"h".into()),
        ],
        |cache, _| {
            let (tokens, sessions) = cache.lengths();
            assert_eq!(tokens, sessions);
            assert!(tokens <= 1, "{tokens}");
        },
    );
    assert!(orders > 1, "{orders}");
}
