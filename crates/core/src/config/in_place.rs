//! Refresh in place.

/// The steps by which an installation changes to refreshing in place
/// ([`SessionsBuilder::refresh_in_place`](crate::SessionsBuilder::refresh_in_place)).
///
/// The refresh token's cookie must reach every page, so its path becomes `/`, and its name gets the
/// suffix `-root`. The steps sign no user out. Move one step at a time, in either direction, and
/// deploy each step on all nodes before the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefreshInPlace {
    /// Only the refresh route receives the refresh token, as the reference does.
    #[default]
    Off,
    /// As [`Self::Off`], but the cookie of [`Self::On`] is read too.
    Accept,
    /// Guards and extractors refresh. The cookie has the path `/`; the one of [`Self::Off`] is still
    /// read at the refresh route, and cleared there. A new installation can start with this step.
    On,
}
