//! The operations of a history, grouped by session.

use super::record::Operation;

/// The operations that concern one session.
#[derive(Default)]
pub(super) struct Story<'a> {
    pub(super) handle: &'a str,
    /// The creation, if it was answered.
    pub(super) creation: Option<&'a Operation>,
    /// The operations that name the session.
    pub(super) own: Vec<&'a Operation>,
    /// The operations on all sessions of its user.
    pub(super) of_user: &'a [&'a Operation],
}
