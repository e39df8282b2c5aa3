//! [`Confirmed`] compiled against locks and atomics of the `shuttle` scheduler, which tries every
//! interleaving of the threads, including those inside a call. The cache uses its own locks, so
//! each call into it counts as one step.

#[path = "confirmed.rs"]
#[expect(
    clippy::duplicate_mod,
    reason = "on other primitives, which is the point"
)]
mod confirmed;

use std::hash::Hash;

use shuttle::scheduler::DfsScheduler;
use shuttle::sync;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::{Config, Runner, thread};

use self::confirmed::Confirmed;
use crate::ids::SessionHandle;

/// The cache, with a scheduling point before every call.
struct Cache<K, V> {
    inner: quick_cache::sync::Cache<K, V>,
    steps: AtomicUsize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            inner: quick_cache::sync::Cache::new(capacity),
            steps: AtomicUsize::new(0),
        }
    }

    fn step(&self) -> &quick_cache::sync::Cache<K, V> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }

    fn get(&self, key: &K) -> Option<V> {
        self.step().get(key)
    }

    fn insert(&self, key: K, value: V) {
        self.step().insert(key, value);
    }

    fn remove(&self, key: &K) {
        self.step().remove(key);
    }

    fn clear(&self) {
        self.step().clear();
    }

    fn len(&self) -> usize {
        self.step().len()
    }
}

/// A node with a revocation feed, and a store with one session.
struct Scene {
    confirmed: Confirmed,
    handle: SessionHandle,
    stored: AtomicBool,
}

impl Scene {
    fn new() -> Arc<Self> {
        let confirmed = Confirmed::with_capacity(4);
        confirmed.flows();
        Arc::new(Self {
            confirmed,
            handle: SessionHandle::from("h"),
            stored: AtomicBool::new(true),
        })
    }

    /// Queries the store as a guard does.
    fn ask(&self) {
        if self.confirmed.holds(&self.handle) {
            return;
        }
        let ticket = self.confirmed.ticket();
        if self.stored.load(Ordering::SeqCst) {
            self.confirmed.confirm(&self.handle, ticket);
        }
    }

    fn delete(&self) {
        self.stored.store(false, Ordering::SeqCst);
    }

    #[track_caller]
    fn refuses(&self) {
        assert!(!self.confirmed.holds(&self.handle), "held for live");
    }

    fn also(self: &Arc<Self>, step: impl FnOnce(&Self) + Send + 'static) -> thread::JoinHandle<()> {
        let scene = Arc::clone(self);
        thread::spawn(move || step(&scene))
    }
}

/// Tries every order and returns their number.
fn in_every_order(test: impl Fn() + Send + Sync + 'static) -> usize {
    let scheduler = DfsScheduler::new(None, false);
    Runner::new(scheduler, Config::default()).run(test)
}

#[test]
fn no_schedule_leaves_a_session_confirmed_whose_revocation_was_notified() {
    let orders = in_every_order(|| {
        let scene = Scene::new();
        let asker = scene.also(Scene::ask);
        let ending = scene.also(|scene| {
            scene.delete();
            scene.confirmed.forget(&scene.handle);
            scene.refuses();
        });
        asker.join().unwrap();
        ending.join().unwrap();
        scene.refuses();
    });
    assert!(orders > 20, "{orders}");
}

#[test]
fn no_schedule_leaves_a_session_confirmed_that_was_revoked_without_a_feed() {
    let orders = in_every_order(|| {
        let scene = Scene::new();
        let asker = scene.also(Scene::ask);
        let reader = scene.also(|scene| {
            scene.confirmed.lost();
            // The feed does not report this deletion.
            scene.delete();
            scene.refuses();
            scene.confirmed.flows();
            scene.refuses();
        });
        asker.join().unwrap();
        reader.join().unwrap();
        scene.refuses();
    });
    assert!(orders > 20, "{orders}");
}

#[test]
fn in_some_schedule_an_answer_confirms_a_session() {
    // A cache that never keeps anything would pass the other tests.
    let scene = || {
        let scene = Scene::new();
        scene.ask();
        assert!(scene.confirmed.holds(&scene.handle));
    };
    assert_eq!(in_every_order(scene), 1);
}
