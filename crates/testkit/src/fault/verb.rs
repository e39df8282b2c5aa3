//! The methods of the store contract, as values.

macro_rules! verbs {
    ($($verb:ident = $name:literal,)*) => {
        /// A method of the [`Store`](supersession::Store) trait.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb {
            $(#[doc = concat!("`", $name, "`")] $verb,)*
        }

        impl Verb {
            /// All methods.
            pub const ALL: &[Self] = &[$(Self::$verb,)*];

            /// Returns the method of this name. Both ways to read a session count as
            /// [`Verb::Session`].
            pub(super) fn named(name: &str) -> Option<Self> {
                match name {
                    "session_status" => Some(Self::Session),
                    $($name => Some(Self::$verb),)*
                    _ => None,
                }
            }

            /// Returns the name of the method.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$verb => $name,)*
                }
            }
        }
    };
}

verbs! {
    CheckReady = "check_ready",
    InsertSession = "insert_session",
    Session = "session",
    Rotate = "rotate",
    WriteDocument = "write_document",
    DeleteSessions = "delete_sessions",
    DeleteUserSessions = "delete_user_sessions",
    UserSessions = "user_sessions",
    UserSessionHandles = "user_session_handles",
    RecordUses = "record_uses",
    SetDeviceLabel = "set_device_label",
    RevocationFeed = "revocation_feed",
    DeleteExpiredSessions = "delete_expired_sessions",
    UserMetadata = "user_metadata",
    WriteUserMetadata = "write_user_metadata",
    DeleteUserMetadata = "delete_user_metadata",
    SigningKeys = "signing_keys",
    AddDynamicKey = "add_dynamic_key",
    AddStaticKey = "add_static_key",
    DeleteDynamicKeys = "delete_dynamic_keys",
    RefreshTokenKey = "refresh_token_key",
}
