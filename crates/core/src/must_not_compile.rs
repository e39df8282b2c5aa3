//! Code that the compiler must reject. Each case has a twin that compiles and differs only in the
//! tested point, so that a case cannot pass because of an unrelated error.

/// A token has no `Display`.
///
/// ```
/// let token = supersession::AccessToken::new("secret");
/// assert!(!format!("{token:?}").contains("secret"));
/// ```
/// ```compile_fail,E0277
/// let token = supersession::AccessToken::new("secret");
/// assert!(!format!("{token}").contains("secret"));
/// ```
/// ```compile_fail,E0277
/// let token = supersession::RefreshToken::new("secret");
/// assert!(!format!("{token}").contains("secret"));
/// ```
struct Printed;

/// A token has no `Serialize`.
///
/// ```
/// let token = supersession::AccessToken::new("secret");
/// let text = serde_json::to_string(token.expose());
/// ```
/// ```compile_fail,E0277
/// let token = supersession::AccessToken::new("secret");
/// let text = serde_json::to_string(&token);
/// ```
struct Serialized;

/// Tokens cannot be compared with `==`, which stops at the first difference.
///
/// ```
/// let (one, other) = (supersession::AntiCsrfToken::new("a"), supersession::AntiCsrfToken::new("a"));
/// assert!(one.ct_eq(other.expose()));
/// ```
/// ```compile_fail,E0369
/// let (one, other) = (supersession::AntiCsrfToken::new("a"), supersession::AntiCsrfToken::new("a"));
/// assert!(one == other);
/// ```
struct Compared;

/// A session cannot be created outside of this crate.
///
/// ```
/// fn user_of(session: &supersession::Session) -> String {
///     let supersession::Session { .. } = session;
///     session.user_id().to_string()
/// }
/// ```
/// ```compile_fail,E0451
/// fn forge(session: &supersession::Session) -> supersession::Session {
///     let supersession::Session { inner, .. } = session;
///     supersession::Session { inner: inner.clone() }
/// }
/// ```
struct Forged;

/// A store must implement every operation.
///
/// ```compile_fail,E0046
/// struct Forgetful;
///
/// #[async_trait::async_trait]
/// impl supersession::Store for Forgetful {}
/// ```
struct Forgetful;
