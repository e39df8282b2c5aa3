//! The strictness of guards.

/// The source that a guard asks whether a session was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Strictness {
    /// No check: an access token stays valid until it expires, even if its session was revoked. Has
    /// no cost.
    TokenOnly,
    /// The node reads each session from the store once and then relies on the store's revocation
    /// feed. A session that was revoked on another node is rejected a moment later. While the feed
    /// is missing or lost, this is equivalent to [`Self::Database`].
    Feed,
    /// The store is read at each request, at the cost of one point read. A revoked session is
    /// rejected at once.
    Database,
}

impl Strictness {
    pub(crate) fn of_check_database(check: bool) -> Self {
        if check {
            Self::Database
        } else {
            Self::TokenOnly
        }
    }
}
