//! Operations on sessions and JWTs: the calls that each needs, and the interpretation of the
//! responses.

use std::time::Duration;

use supersession::authority::{
    CheckOutcome, CreateOutcome, JwtOutcome, JwtRequest, LiveSession, NewSession, RefreshOutcome,
    RefreshRequest, ReissueOutcome, SessionInformation, SessionSelection,
};
use supersession::store::KeyKind;
use supersession::{
    AntiCsrfToken, Fault, FaultKind, ReuseClass, SessionHandle, TenantId, TokenTheft, wire,
};

use crate::call::{Call, Retry};
use crate::call_error::CallError;
use crate::client::Client;
use crate::http_client::Response;
use crate::requests::{Create, Refresh, Regenerate, RemoveHandles, RemoveUser, SignJwt, Verify};
use crate::responses::{
    Handles, Information, Jwt, NotOk, Outcome, Regenerated, Revoked, Tokens, VerifyResponse,
    read_outcome,
};

const UNAUTHORISED: &str = "UNAUTHORISED";
const TRY_REFRESH_TOKEN: &str = "TRY_REFRESH_TOKEN";
const TOKEN_THEFT_DETECTED: &str = "TOKEN_THEFT_DETECTED";
const REMOVE_PATH: &str = "/recipe/session/remove";

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn is_default(tenant: &TenantId) -> bool {
    tenant.as_str() == wire::DEFAULT_TENANT_ID
}

fn unexpected_response() -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        "the response of the core is unexpected. Fix: check that it is a SuperTokens-compatible core",
    )
}

/// Returns the message for the operator. The core's message may quote the request, so only known
/// messages are used.
fn reason(not_ok: &NotOk) -> &'static str {
    const KNOWN_MESSAGES: [&str; 4] = [
        "Session missing in db or has expired",
        "Anti CSRF token missing, or not matching",
        "refresh token reuse detected",
        wire::MESSAGE_PROTECTED_FIELD,
    ];
    let known = KNOWN_MESSAGES
        .into_iter()
        .find(|known| not_ok.message.contains(known));
    known.unwrap_or("the core does not accept the refresh token")
}

impl Client {
    /// Checks that a core is ready. SuperTokens' core reads from its database for `/hello`.
    /// `supersession-server` has `/readyz`, which checks that a write can succeed.
    pub(crate) async fn check_ready(&self) -> Result<(), Fault> {
        let endpoint = if self.has_documents().await? {
            "/readyz"
        } else {
            "/hello"
        };
        Ok(self.call(&Call::public(endpoint), |_| Some(())).await?)
    }

    pub(crate) async fn create(&self, new: &NewSession) -> Result<CreateOutcome, Fault> {
        let body = Create {
            user_id: &new.user_id,
            enable_anti_csrf: new.anti_csrf,
            payload: &new.payload,
            user_data_in_database: &new.session_data,
            use_dynamic_signing_key: new.key_kind == KeyKind::Dynamic,
            access_token_validity: new.access_token_validity.map(millis),
        };
        let call = Call::post("/recipe/session", &body, Retry::Unsafe)?
            .tenant((!is_default(&new.tenant_id)).then(|| new.tenant_id.clone()));
        let read = |response: &Response| match read_outcome::<Tokens>(response)? {
            Outcome::Ok(tokens) => tokens.issued(),
            Outcome::Other(_) => None,
        };
        let issued = self.call(&call, read).await?;
        Ok(CreateOutcome::Created(Box::new(issued)))
    }

    pub(crate) async fn refresh(&self, request: &RefreshRequest) -> Result<RefreshOutcome, Fault> {
        let body = Refresh {
            refresh_token: request.token.expose(),
            anti_csrf_token: request.anti_csrf.as_ref().map(AntiCsrfToken::expose),
            enable_anti_csrf: request.use_anti_csrf,
            use_dynamic_signing_key: request.key_kind.map(|kind| kind == KeyKind::Dynamic),
            access_token_validity: request.access_token_validity.map(millis),
        };
        // Not repeated once it may have arrived: a core of an unknown kind may treat that as theft.
        let call = Call::post("/recipe/session/refresh", &body, Retry::Unsafe)?;
        let read = |response: &Response| match read_outcome::<Tokens>(response)? {
            Outcome::Ok(tokens) => {
                let issued = tokens.issued()?;
                Some((RefreshOutcome::Refreshed(Box::new(issued)), true))
            }
            Outcome::Other(not_ok) => match not_ok.status.as_str() {
                UNAUTHORISED => Some((RefreshOutcome::Unauthorised(reason(&not_ok)), true)),
                TOKEN_THEFT_DETECTED => {
                    // Only cores that revoke the session themselves return the class of the reuse.
                    let is_revoked = not_ok.reuse.is_some();
                    Some((reused(not_ok)?, is_revoked))
                }
                _ => None,
            },
        };
        // A refresh token of a deleted tenant has no session.
        let (outcome, is_revoked) = match self.call(&call, read).await {
            Err(CallError::UnknownTenant) => {
                let gone = "the tenant of the refresh token does not exist";
                (RefreshOutcome::Unauthorised(gone), true)
            }
            outcome => outcome?,
        };
        if let RefreshOutcome::Reused { theft, .. } = &outcome
            && !is_revoked
        {
            // This core leaves the revocation to its clients. If several clients detect the same
            // theft, only the one that revokes the session reports it.
            let revoked = self.revoke(std::slice::from_ref(&theft.handle)).await?;
            if revoked.is_empty() {
                let gone = "the session of the stolen token is already revoked";
                return Ok(RefreshOutcome::Unauthorised(gone));
            }
        }
        Ok(outcome)
    }

    pub(crate) async fn verify(
        &self,
        token: &str,
        check_database: bool,
    ) -> Result<CheckOutcome, Fault> {
        let body = Verify {
            access_token: token,
            do_anti_csrf_check: false,
            enable_anti_csrf: false,
            check_database,
        };
        let call = Call::post("/recipe/session/verify", &body, Retry::Safe)?;
        let verified = match self.call(&call, read_outcome::<VerifyResponse>).await {
            // The tenant of the token was deleted, together with its sessions.
            Err(CallError::UnknownTenant) => return Ok(CheckOutcome::Gone),
            Err(error) => return Err(error.into()),
            Ok(Outcome::Ok(verified)) => verified,
            Ok(Outcome::Other(not_ok)) => {
                return match not_ok.status.as_str() {
                    UNAUTHORISED if not_ok.message.contains("rotated-out") => {
                        Ok(CheckOutcome::RotatedOut)
                    }
                    UNAUTHORISED => Ok(CheckOutcome::Gone),
                    TRY_REFRESH_TOKEN => Ok(CheckOutcome::TryRefreshToken(
                        "the core does not accept the access token any more",
                    )),
                    _ => Err(unexpected_response()),
                };
            }
        };
        let mut live = LiveSession::default();
        if let Some(token) = verified.access_token {
            live.replacement = Some(token.access().ok_or_else(unexpected_response)?);
        } else if verified.payload_update_available {
            match self.regenerate(token).await? {
                ReissueOutcome::Issued(issued) => live.replacement = Some(*issued),
                ReissueOutcome::Expired => {}
                ReissueOutcome::Gone => return Ok(CheckOutcome::Gone),
            }
        }
        Ok(CheckOutcome::Live(Box::new(live)))
    }

    pub(crate) async fn regenerate(&self, token: &str) -> Result<ReissueOutcome, Fault> {
        let body = Regenerate {
            access_token: token,
        };
        let call = Call::post("/recipe/session/regenerate", &body, Retry::Safe)?;
        match self.call(&call, read_outcome::<Regenerated>).await {
            Err(CallError::UnknownTenant) => Ok(ReissueOutcome::Gone),
            Err(error) => Err(error.into()),
            Ok(Outcome::Ok(regenerated)) => match regenerated.access_token {
                None => Ok(ReissueOutcome::Expired),
                Some(token) => {
                    let issued = token.access().ok_or_else(unexpected_response)?;
                    Ok(ReissueOutcome::Issued(Box::new(issued)))
                }
            },
            Ok(Outcome::Other(not_ok)) if not_ok.status == UNAUTHORISED => Ok(ReissueOutcome::Gone),
            Ok(Outcome::Other(_)) => Err(unexpected_response()),
        }
    }

    pub(crate) async fn information(
        &self,
        handle: &SessionHandle,
    ) -> Result<Option<SessionInformation>, Fault> {
        let call = Call::get("/recipe/session").query(wire::CDI_SESSION_HANDLE, handle);
        match self.call(&call, read_outcome::<Information>).await {
            Ok(Outcome::Ok(found)) => Ok(Some(found.into())),
            Ok(Outcome::Other(not_ok)) if not_ok.status == UNAUTHORISED => Ok(None),
            Ok(Outcome::Other(_)) => Err(unexpected_response()),
            // An unknown tenant has no sessions.
            Err(CallError::UnknownTenant) if !is_default(&handle.tenant_id()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Revokes sessions and returns the handles of those that this call revoked. Retries are safe:
    /// sessions that an earlier attempt revoked stay revoked, but are missing in the result.
    pub(crate) async fn revoke(
        &self,
        handles: &[SessionHandle],
    ) -> Result<Vec<SessionHandle>, Fault> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        match self.remove(handles).await {
            Err(CallError::UnknownTenant) => {}
            revoked => return Ok(revoked?),
        }
        // One handle of an unknown tenant makes the whole call fail, so handles are revoked one by
        // one.
        let mut revoked = Vec::new();
        for handle in handles {
            match self.remove(std::slice::from_ref(handle)).await {
                Err(CallError::UnknownTenant) => {}
                removed => revoked.extend(removed?),
            }
        }
        Ok(revoked)
    }

    async fn remove(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, CallError> {
        let body = RemoveHandles {
            session_handles: handles,
        };
        let call = Call::post(REMOVE_PATH, &body, Retry::Safe)?;
        let revoked: Revoked = self.call_json(&call).await?;
        Ok(in_order_of(handles, revoked.session_handles_revoked))
    }

    pub(crate) async fn revoke_user(
        &self,
        selection: &SessionSelection,
    ) -> Result<Vec<SessionHandle>, Fault> {
        if selection.except.is_some() {
            let handles = self.unordered_handles(selection).await?;
            return self.revoke(&handles).await;
        }
        let body = RemoveUser {
            user_id: &selection.user_id,
            revoke_across_all_tenants: selection.tenant.is_none(),
        };
        let call = Call::post(REMOVE_PATH, &body, Retry::Safe)?.tenant(selection.tenant.clone());
        let revoked: Revoked = match self.call_json(&call).await {
            Err(CallError::UnknownTenant) => return Ok(Vec::new()),
            revoked => revoked?,
        };
        Ok(revoked
            .session_handles_revoked
            .into_iter()
            .map(SessionHandle::from)
            .collect())
    }

    pub(crate) async fn unordered_handles(
        &self,
        selection: &SessionSelection,
    ) -> Result<Vec<SessionHandle>, Fault> {
        let all = if selection.tenant.is_none() {
            "true"
        } else {
            "false"
        };
        let call = Call::get("/recipe/session/user")
            .tenant(selection.tenant.clone())
            .query("userId", &selection.user_id)
            .query("fetchAcrossAllTenants", all);
        let found: Handles = match self.call_json(&call).await {
            Err(CallError::UnknownTenant) => return Ok(Vec::new()),
            found => found?,
        };
        Ok(found
            .session_handles
            .into_iter()
            .map(SessionHandle::from)
            .filter(|handle| selection.except.as_ref() != Some(handle))
            .collect())
    }

    pub(crate) async fn handles(
        &self,
        selection: &SessionSelection,
    ) -> Result<Vec<SessionHandle>, Fault> {
        let handles = self.unordered_handles(selection).await?;
        // Our own core lists the oldest session first. Other cores list in any order.
        if handles.len() < 2 || self.has_documents().await? {
            return Ok(handles);
        }
        let sessions = self.information_of_all(handles).await?;
        Ok(sessions.into_iter().map(|session| session.handle).collect())
    }

    /// Returns the information of all sessions, oldest first.
    pub(crate) async fn information_of_all(
        &self,
        handles: Vec<SessionHandle>,
    ) -> Result<Vec<SessionInformation>, Fault> {
        let mut sessions = Vec::with_capacity(handles.len());
        for handle in handles {
            sessions.extend(self.information(&handle).await?);
        }
        sessions.sort_by(|a, b| (a.created_at, &a.handle).cmp(&(b.created_at, &b.handle)));
        Ok(sessions)
    }

    pub(crate) async fn create_jwt(&self, request: &JwtRequest) -> Result<JwtOutcome, Fault> {
        let body = SignJwt {
            algorithm: "RS256",
            jwks_domain: &request.issuer,
            payload: &request.payload,
            validity: request.validity.as_secs(),
            use_static_signing_key: request.key_kind == KeyKind::Static,
        };
        let call = Call::post("/recipe/jwt", &body, Retry::Safe)?;
        match self.call(&call, read_outcome::<Jwt>).await? {
            Outcome::Ok(signed) => Ok(JwtOutcome::Signed(signed.jwt)),
            Outcome::Other(_) => Err(Fault::new(
                FaultKind::Misuse,
                "the core does not sign JWTs with RS256. Fix: let it have a static key of RS256",
            )),
        }
    }
}

/// Returns the requested handles that the response contains, in the order of the request.
fn in_order_of(requested: &[SessionHandle], returned: Vec<String>) -> Vec<SessionHandle> {
    let returned: std::collections::HashSet<_> = returned.into_iter().collect();
    let mut seen = std::collections::HashSet::new();
    requested
        .iter()
        .filter(|handle| returned.contains(handle.as_str()))
        .filter(|handle| seen.insert(*handle))
        .cloned()
        .collect()
}

fn reused(not_ok: NotOk) -> Option<RefreshOutcome> {
    let owner = not_ok.session?;
    let classes = [
        ReuseClass::RecentPrev,
        ReuseClass::OrphanedBranch,
        ReuseClass::StaleLineage,
    ];
    let class = classes
        .into_iter()
        .find(|class| not_ok.reuse.as_deref() == Some(class.as_str()));
    // Older cores do not return the class.
    let class = class.unwrap_or(ReuseClass::StaleLineage);
    let mut theft = TokenTheft::new(owner.handle.into(), owner.user_id.into(), class);
    if let Some(recipe_user_id) = owner.recipe_user_id {
        theft.recipe_user_id = recipe_user_id.into();
    }
    Some(RefreshOutcome::Reused {
        theft,
        report_as_theft: true,
    })
}
