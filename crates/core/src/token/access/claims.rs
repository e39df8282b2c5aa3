//! The claims of an access token.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::clock::UnixSeconds;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::JsonObject;
use crate::secret::{AntiCsrfToken, RefreshHash1};

/// The claims of an access token that the system defines, without the application's own payload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessClaims {
    /// The session's user.
    pub user_id: UserId,
    /// The user's login method.
    pub recipe_user_id: UserId,
    /// The session's tenant.
    pub tenant_id: TenantId,
    /// The session handle.
    pub handle: SessionHandle,
    /// Hash of the refresh token that was minted together with this access token.
    pub refresh_hash1: RefreshHash1,
    /// Hash of the refresh token that was exchanged for this access token. Only a core in LEGACY
    /// mode sets it, until the client has confirmed the refresh (core 3.2, case A).
    pub parent_refresh_hash1: Option<RefreshHash1>,
    /// The session's anti-CSRF token.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// Time at which the token was minted.
    pub issued_at: UnixSeconds,
    /// Time at which the token expires.
    pub expires_at: UnixSeconds,
}

/// A token and its claims in one allocation, which is wiped on drop. The cache of verified tokens
/// holds many of these, so an identifier becomes a separate value only on first access, and the
/// payload is decoded on each access.
pub(crate) struct CompactClaims {
    /// The token, followed by the text of its claims.
    text: Zeroizing<String>,
    ids: Ids,
    token: Span,
    user_id: Span,
    recipe_user_id: Span,
    tenant_id: Span,
    handle: Span,
    refresh_hash1: Span,
    parent_refresh_hash1: Option<Span>,
    anti_csrf: Option<Span>,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
}

/// Identifiers that have been accessed so far.
#[derive(Default)]
struct Ids {
    user: OnceLock<UserId>,
    recipe_user: OnceLock<UserId>,
    tenant: OnceLock<TenantId>,
    handle: OnceLock<SessionHandle>,
}

/// The input of [`CompactClaims::new`].
pub(super) struct Parts<'a> {
    pub(super) token: &'a str,
    pub(super) user_id: &'a str,
    pub(super) recipe_user_id: &'a str,
    pub(super) tenant_id: &'a str,
    pub(super) handle: &'a str,
    pub(super) refresh_hash1: &'a str,
    pub(super) parent_refresh_hash1: Option<&'a str>,
    pub(super) anti_csrf: Option<&'a str>,
    pub(super) issued_at: UnixSeconds,
    pub(super) expires_at: UnixSeconds,
}

/// A range of bytes in [`CompactClaims::text`].
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl CompactClaims {
    pub(super) fn new(parts: &Parts<'_>) -> Self {
        let optional = |text: Option<&str>| text.map_or(0, str::len);
        let has_recipe_user = parts.recipe_user_id != parts.user_id;
        let mut text = Collected(String::with_capacity(
            parts.token.len()
                + parts.user_id.len()
                + optional(has_recipe_user.then_some(parts.recipe_user_id))
                + parts.tenant_id.len()
                + parts.handle.len()
                + parts.refresh_hash1.len()
                + optional(parts.parent_refresh_hash1)
                + optional(parts.anti_csrf),
        ));
        let token = text.add(parts.token);
        let user_id = text.add(parts.user_id);
        let recipe_user_id = if has_recipe_user {
            text.add(parts.recipe_user_id)
        } else {
            user_id
        };
        Self {
            token,
            user_id,
            recipe_user_id,
            tenant_id: text.add(parts.tenant_id),
            handle: text.add(parts.handle),
            refresh_hash1: text.add(parts.refresh_hash1),
            parent_refresh_hash1: parts.parent_refresh_hash1.map(|hash| text.add(hash)),
            anti_csrf: parts.anti_csrf.map(|token| text.add(token)),
            issued_at: parts.issued_at,
            expires_at: parts.expires_at,
            ids: Ids::default(),
            text: text.0.into(),
        }
    }

    fn get(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        // Invariant: every span was created when its text was appended.
        self.text.get(range).unwrap_or_default()
    }

    /// Returns the token itself.
    pub(crate) fn token(&self) -> &str {
        self.get(self.token)
    }

    pub(crate) fn handle(&self) -> &SessionHandle {
        let handle = &self.ids.handle;
        handle.get_or_init(|| self.handle_text().into())
    }

    pub(crate) fn handle_text(&self) -> &str {
        self.get(self.handle)
    }

    pub(crate) fn user_id(&self) -> &UserId {
        let user = &self.ids.user;
        user.get_or_init(|| self.get(self.user_id).into())
    }

    pub(crate) fn recipe_user_id(&self) -> &UserId {
        let recipe_user = &self.ids.recipe_user;
        recipe_user.get_or_init(|| {
            let text = self.get(self.recipe_user_id);
            if text == self.get(self.user_id) {
                self.user_id().clone()
            } else {
                text.into()
            }
        })
    }

    pub(crate) fn tenant_id(&self) -> &TenantId {
        let tenant = &self.ids.tenant;
        tenant.get_or_init(|| TenantId::from_stored(self.get(self.tenant_id)))
    }

    pub(crate) fn anti_csrf(&self) -> Option<&str> {
        Some(self.get(self.anti_csrf?))
    }

    pub(crate) fn has_parent(&self) -> bool {
        self.parent_refresh_hash1.is_some()
    }

    pub(crate) fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// Returns the approximate size in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }

    /// Decodes and returns the whole payload, including the system's claims.
    pub(crate) fn payload(&self) -> JsonObject {
        let segment = self.token().split('.').nth(1).unwrap_or_default();
        let decoded = URL_SAFE_NO_PAD.decode(segment).unwrap_or_default();
        // Invariant: the parser has checked that the payload is an object.
        JsonObject::from_checked(&String::from_utf8(decoded).unwrap_or_default())
    }

    pub(crate) fn to_claims(&self) -> AccessClaims {
        AccessClaims {
            user_id: self.user_id().clone(),
            recipe_user_id: self.recipe_user_id().clone(),
            tenant_id: self.tenant_id().clone(),
            handle: self.handle().clone(),
            refresh_hash1: RefreshHash1::from_hex(self.get(self.refresh_hash1)),
            parent_refresh_hash1: self
                .parent_refresh_hash1
                .map(|hash| RefreshHash1::from_hex(self.get(hash))),
            anti_csrf: self.anti_csrf().map(AntiCsrfToken::new),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}

impl std::fmt::Debug for CompactClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactClaims")
            .field("handle", &self.handle_text())
            .finish_non_exhaustive()
    }
}

struct Collected(String);

impl Collected {
    fn add(&mut self, text: &str) -> Span {
        // A token is part of a request head, so its length is far below 4 GiB.
        let at = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let start = at(&self.0);
        self.0.push_str(text);
        Span {
            start,
            end: at(&self.0),
        }
    }
}
