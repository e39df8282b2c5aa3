//! The result of creating a store for a test.

use supersession::Store;

/// The result of creating a fresh store: a pair of the store and its guard, or an `Option` of the
/// pair. `None` means that the service behind the store is not installed, and that this was
/// reported.
#[doc(hidden)]
pub trait Fresh {
    type Store: Store;
    type Guard;
    fn into_parts(self) -> Option<(Self::Store, Self::Guard)>;
}

impl<S: Store, G> Fresh for (S, G) {
    type Store = S;
    type Guard = G;
    fn into_parts(self) -> Option<(S, G)> {
        Some(self)
    }
}

impl<S: Store, G> Fresh for Option<(S, G)> {
    type Store = S;
    type Guard = G;
    fn into_parts(self) -> Self {
        self
    }
}
