//! General-purpose caches, as an application could use them in front of its verification.

use std::sync::Arc;

use bench_harness::{Sequence, take_turns};

/// The data that such an application caches for a token.
struct Kept {
    expires_at: u64,
}

/// Returns texts of the size of tokens. No case verifies them.
fn tokens(count: usize) -> Vec<Arc<str>> {
    let mut sequence = Sequence::new(7);
    let letter = |sequence: &mut Sequence| {
        let at = u8::try_from(sequence.below(26)).expect("less than 26");
        char::from(b'a' + at)
    };
    (0..count)
        .map(|_| {
            let text: String = (0..1_212).map(|_| letter(&mut sequence)).collect();
            text.into()
        })
        .collect()
}

/// moka's synchronous cache.
pub(super) fn moka(count: usize) -> anyhow::Result<()> {
    let (presented, kept) = (tokens(count), tokens(count));
    let cache = moka::sync::Cache::new(2 * count as u64);
    for token in &kept {
        cache.insert(Arc::clone(token), Arc::new(Kept { expires_at: 1 }));
    }
    cache.run_pending_tasks();
    look_up(&presented, |token| cache.get(token))
}

/// quick_cache's synchronous cache.
pub(super) fn quick_cache(count: usize) -> anyhow::Result<()> {
    let (presented, kept) = (tokens(count), tokens(count));
    let cache = quick_cache::sync::Cache::<Arc<str>, Arc<Kept>>::new(2 * count);
    for token in &kept {
        cache.insert(Arc::clone(token), Arc::new(Kept { expires_at: 1 }));
    }
    look_up(&presented, |token| cache.get(token))
}

fn look_up(presented: &[Arc<str>], get: impl Fn(&str) -> Option<Arc<Kept>>) -> anyhow::Result<()> {
    let mut in_turn = presented.iter().cycle();
    take_turns(|operations| {
        for token in in_turn
            .by_ref()
            .take(usize::try_from(operations).expect("64 bits"))
        {
            let kept = get(token).expect("it is there");
            std::hint::black_box(kept.expires_at);
        }
    })
}
