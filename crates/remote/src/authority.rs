//! The seam of core, answered by calls.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use supersession::authority::{
    Authority, CheckOutcome, Confirmed, IssuedSession, JwtRequest, NewSession, Presented,
    RefreshOutcome, RefreshRequest, ReissueOutcome, Selection, SessionInformation, Use,
    VerifyingKey,
};
use supersession::store::{DocumentWrite, Endings, KeyKind, SessionDocument, WriteOutcome};
use supersession::{
    AntiCsrfToken, Fault, FaultKind, JsonObject, JwkSet, ReuseClass, SessionHandle, TenantId,
    UnixMillis, UserId, wire,
};

use crate::RemoteCore;
use crate::calls::{Call, Core, Failure, Repeat};
use crate::http_client::Answer;
use crate::shapes::{
    Handles, Information, Jwt, Outcome, Refused, Regenerated, Revoked, Tokens, Verified, outcome,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Create<'a> {
    user_id: &'a str,
    enable_anti_csrf: bool,
    #[serde(rename = "userDataInJWT")]
    payload: &'a JsonObject,
    user_data_in_database: &'a JsonObject,
    use_dynamic_signing_key: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refresh<'a> {
    refresh_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    anti_csrf_token: Option<&'a str>,
    enable_anti_csrf: bool,
    use_dynamic_signing_key: bool,
}

/// Anti-CSRF has been checked already.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verify<'a> {
    access_token: &'a str,
    do_anti_csrf_check: bool,
    enable_anti_csrf: bool,
    check_database: bool,
}

/// Without a payload: the stored one counts, which somebody may have changed again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Regenerate<'a> {
    access_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemoveHandles<'a> {
    session_handles: &'a [SessionHandle],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemoveUser<'a> {
    user_id: &'a str,
    revoke_across_all_tenants: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignJwt<'a> {
    algorithm: &'static str,
    jwks_domain: &'a str,
    payload: &'a JsonObject,
    validity: u64,
    use_static_signing_key: bool,
}

const UNAUTHORISED: &str = "UNAUTHORISED";
const TRY_REFRESH_TOKEN: &str = "TRY_REFRESH_TOKEN";
const TOKEN_THEFT_DETECTED: &str = "TOKEN_THEFT_DETECTED";
const REMOVE: &str = "/recipe/session/remove";

fn is_default(tenant: &TenantId) -> bool {
    tenant.as_str() == wire::DEFAULT_TENANT_ID
}

fn garbage() -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        "the core's answer has an unknown status. Fix: check that it is a SuperTokens-compatible core",
    )
}

/// The operator's text. What the core says may quote what it was sent, so only known texts pass.
fn reason(refused: &Refused) -> &'static str {
    const KNOWN: [&str; 4] = [
        "Session missing in db or has expired",
        "Anti CSRF token missing, or not matching",
        "refresh token reuse detected",
        wire::MESSAGE_PROTECTED_FIELD,
    ];
    let known = KNOWN
        .into_iter()
        .find(|known| refused.message.contains(known));
    known.unwrap_or("the core does not accept the refresh token")
}

impl Core {
    async fn create(&self, new: &NewSession) -> Result<IssuedSession, Fault> {
        let body = Create {
            user_id: &new.user_id,
            enable_anti_csrf: new.anti_csrf,
            payload: &new.payload,
            user_data_in_database: &new.session_data,
            use_dynamic_signing_key: new.key_kind == KeyKind::Dynamic,
        };
        let call = Call::post("/recipe/session", &body, Repeat::Unsafe)?
            .tenant((!is_default(&new.tenant_id)).then(|| new.tenant_id.clone()));
        let read = |answer: &Answer| match outcome::<Tokens>(answer)? {
            Outcome::Ok(tokens) => tokens.issued(),
            Outcome::Other(_) => None,
        };
        Ok(self.ask(&call, read).await?)
    }

    async fn refresh(&self, request: &RefreshRequest) -> Result<RefreshOutcome, Fault> {
        let body = Refresh {
            refresh_token: request.token.expose(),
            anti_csrf_token: request.anti_csrf.as_ref().map(AntiCsrfToken::expose),
            enable_anti_csrf: request.use_anti_csrf,
            use_dynamic_signing_key: request.key_kind == KeyKind::Dynamic,
        };
        // A core of an unknown kind takes a second use for theft.
        let call = Call::post("/recipe/session/refresh", &body, Repeat::Unsafe)?;
        let read = |answer: &Answer| match outcome::<Tokens>(answer)? {
            Outcome::Ok(tokens) => {
                let issued = tokens.issued()?;
                Some(RefreshOutcome::Refreshed(Box::new(issued)))
            }
            Outcome::Other(refused) => match refused.status.as_str() {
                UNAUTHORISED => Some(RefreshOutcome::Unauthorised(reason(&refused))),
                TOKEN_THEFT_DETECTED => stolen(refused),
                _ => None,
            },
        };
        // A token of a tenant that is gone has no session.
        let outcome = match self.ask(&call, read).await {
            Err(Failure::UnknownTenant) => {
                RefreshOutcome::Unauthorised("the tenant of the refresh token is gone")
            }
            outcome => outcome?,
        };
        if let RefreshOutcome::Reused { handle, .. } = &outcome {
            // Older cores leave this to whoever hears of it; for others there is nothing left to do.
            self.revoke(std::slice::from_ref(handle)).await?;
        }
        Ok(outcome)
    }

    async fn verify(&self, token: &str, check_database: bool) -> Result<CheckOutcome, Fault> {
        let body = Verify {
            access_token: token,
            do_anti_csrf_check: false,
            enable_anti_csrf: false,
            check_database,
        };
        let call = Call::post("/recipe/session/verify", &body, Repeat::Safe)?;
        let verified = match self.ask(&call, outcome::<Verified>).await {
            // The tenant of the token is gone, and its sessions with it.
            Err(Failure::UnknownTenant) => return Ok(CheckOutcome::Gone),
            Err(failure) => return Err(failure.into()),
            Ok(Outcome::Ok(verified)) => verified,
            Ok(Outcome::Other(refused)) => {
                return match refused.status.as_str() {
                    UNAUTHORISED if refused.message.contains("rotated-out") => {
                        Ok(CheckOutcome::RotatedOut)
                    }
                    UNAUTHORISED => Ok(CheckOutcome::Gone),
                    TRY_REFRESH_TOKEN => Ok(CheckOutcome::TryRefreshToken(
                        "the core does not accept the access token any more",
                    )),
                    _ => Err(garbage()),
                };
            }
        };
        let mut confirmed = Confirmed::default();
        if let Some(token) = verified.access_token {
            confirmed.replacement = Some(token.access().ok_or_else(garbage)?);
        } else if verified.payload_update_available {
            match self.regenerate(token).await? {
                ReissueOutcome::Issued(issued) => confirmed.replacement = Some(*issued),
                ReissueOutcome::Expired => {}
                ReissueOutcome::Gone => return Ok(CheckOutcome::Gone),
            }
        }
        Ok(CheckOutcome::Live(Box::new(confirmed)))
    }

    async fn regenerate(&self, token: &str) -> Result<ReissueOutcome, Fault> {
        let body = Regenerate {
            access_token: token,
        };
        let call = Call::post("/recipe/session/regenerate", &body, Repeat::Safe)?;
        match self.ask(&call, outcome::<Regenerated>).await {
            Err(Failure::UnknownTenant) => Ok(ReissueOutcome::Gone),
            Err(failure) => Err(failure.into()),
            Ok(Outcome::Ok(regenerated)) => match regenerated.access_token {
                None => Ok(ReissueOutcome::Expired),
                Some(token) => {
                    let issued = token.access().ok_or_else(garbage)?;
                    Ok(ReissueOutcome::Issued(Box::new(issued)))
                }
            },
            Ok(Outcome::Other(refused)) if refused.status == UNAUTHORISED => {
                Ok(ReissueOutcome::Gone)
            }
            Ok(Outcome::Other(_)) => Err(garbage()),
        }
    }

    pub(crate) async fn information(
        &self,
        handle: &SessionHandle,
    ) -> Result<Option<SessionInformation>, Fault> {
        let call = Call::get("/recipe/session").query(wire::CDI_SESSION_HANDLE, handle);
        match self.ask(&call, outcome::<Information>).await {
            Ok(Outcome::Ok(found)) => Ok(Some(found.into())),
            Ok(Outcome::Other(refused)) if refused.status == UNAUTHORISED => Ok(None),
            Ok(Outcome::Other(_)) => Err(garbage()),
            // A tenant that is not there has no sessions.
            Err(Failure::UnknownTenant) if !is_default(&handle.tenant_id()) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Safe to be sent again: what the first call ended stays so, and is merely not told any more.
    async fn revoke(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Fault> {
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        match self.remove(handles).await {
            Err(Failure::UnknownTenant) => {}
            revoked => return Ok(revoked?),
        }
        // One handle of a tenant that is not there fails them all.
        let mut revoked = Vec::new();
        for handle in handles {
            match self.remove(std::slice::from_ref(handle)).await {
                Err(Failure::UnknownTenant) => {}
                ended => revoked.extend(ended?),
            }
        }
        Ok(revoked)
    }

    async fn remove(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Failure> {
        let body = RemoveHandles {
            session_handles: handles,
        };
        let call = Call::post(REMOVE, &body, Repeat::Safe)?;
        let revoked: Revoked = self.ask_json(&call).await?;
        Ok(in_order_of(handles, revoked.session_handles_revoked))
    }

    async fn revoke_user(&self, selection: &Selection) -> Result<Vec<SessionHandle>, Fault> {
        if selection.except.is_some() {
            let handles = self.unordered_handles(selection).await?;
            return self.revoke(&handles).await;
        }
        let body = RemoveUser {
            user_id: &selection.user_id,
            revoke_across_all_tenants: selection.tenant.is_none(),
        };
        let call = Call::post(REMOVE, &body, Repeat::Safe)?.tenant(selection.tenant.clone());
        let revoked: Revoked = match self.ask_json(&call).await {
            Err(Failure::UnknownTenant) => return Ok(Vec::new()),
            revoked => revoked?,
        };
        Ok(revoked
            .session_handles_revoked
            .into_iter()
            .map(SessionHandle::from)
            .collect())
    }

    async fn unordered_handles(&self, selection: &Selection) -> Result<Vec<SessionHandle>, Fault> {
        let all = if selection.tenant.is_none() {
            "true"
        } else {
            "false"
        };
        let call = Call::get("/recipe/session/user")
            .tenant(selection.tenant.clone())
            .query("userId", &selection.user_id)
            .query("fetchAcrossAllTenants", all);
        let found: Handles = match self.ask_json(&call).await {
            Err(Failure::UnknownTenant) => return Ok(Vec::new()),
            found => found?,
        };
        Ok(found
            .session_handles
            .into_iter()
            .map(SessionHandle::from)
            .filter(|handle| selection.except.as_ref() != Some(handle))
            .collect())
    }

    async fn handles(&self, selection: &Selection) -> Result<Vec<SessionHandle>, Fault> {
        let handles = self.unordered_handles(selection).await?;
        // Our own core lists the oldest first; others list in any order.
        if handles.len() < 2 || self.has_documents().await? {
            return Ok(handles);
        }
        let sessions = self.information_of_all(handles).await?;
        Ok(sessions.into_iter().map(|session| session.handle).collect())
    }

    /// Oldest first.
    async fn information_of_all(
        &self,
        handles: Vec<SessionHandle>,
    ) -> Result<Vec<SessionInformation>, Fault> {
        let mut sessions = Vec::with_capacity(handles.len());
        for handle in handles {
            sessions.extend(self.information(&handle).await?);
        }
        sessions.sort_by(|a, b| (a.time_created, &a.handle).cmp(&(b.time_created, &b.handle)));
        Ok(sessions)
    }

    async fn create_jwt(&self, request: &JwtRequest) -> Result<String, Fault> {
        let body = SignJwt {
            algorithm: "RS256",
            jwks_domain: &request.issuer,
            payload: &request.payload,
            validity: request.validity.as_secs(),
            use_static_signing_key: request.key_kind == KeyKind::Static,
        };
        let call = Call::post("/recipe/jwt", &body, Repeat::Safe)?;
        match self.ask(&call, outcome::<Jwt>).await? {
            Outcome::Ok(signed) => Ok(signed.jwt),
            Outcome::Other(_) => Err(Fault::new(
                FaultKind::Misuse,
                "the core does not sign JWTs with RS256. Fix: let it have a static key of RS256",
            )),
        }
    }
}

/// Of the handles that were asked for, those that were told.
fn in_order_of(asked: &[SessionHandle], told: Vec<String>) -> Vec<SessionHandle> {
    let told: std::collections::HashSet<_> = told.into_iter().collect();
    let mut seen = std::collections::HashSet::new();
    let ended = asked.iter().filter(|handle| told.contains(handle.as_str()));
    ended
        .filter(|handle| seen.insert(*handle))
        .cloned()
        .collect()
}

fn stolen(refused: Refused) -> Option<RefreshOutcome> {
    let owner = refused.session?;
    let classes = [
        ReuseClass::RecentPrev,
        ReuseClass::OrphanedBranch,
        ReuseClass::StaleLineage,
    ];
    let class = classes
        .into_iter()
        .find(|class| refused.reuse.as_deref() == Some(class.as_str()));
    let user_id = UserId::from(owner.user_id);
    Some(RefreshOutcome::Reused {
        handle: owner.handle.into(),
        recipe_user_id: owner
            .recipe_user_id
            .map_or_else(|| user_id.clone(), UserId::from),
        user_id,
        // Older cores do not say.
        class: class.unwrap_or(ReuseClass::StaleLineage),
        report_as_theft: true,
    })
}

#[async_trait]
impl Authority for RemoteCore {
    fn known_key(&self, kid: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.core.known_key(kid, now)
    }

    fn known_by_header(&self, header: &str, now: UnixMillis) -> Option<Arc<VerifyingKey>> {
        self.core.known_by_header(header, now)
    }

    fn key_generation(&self, now: UnixMillis) -> u64 {
        self.core.key_generation(now)
    }

    async fn find_key(
        &self,
        kid: &str,
        now: UnixMillis,
    ) -> Result<Option<Arc<VerifyingKey>>, Fault> {
        let kid = kid.to_owned();
        self.core
            .run(move |core| async move { core.find_key(&kid, now).await })
            .await
    }

    async fn jwks(&self, now: UnixMillis) -> Result<JwkSet, Fault> {
        self.core
            .run(move |core| async move { core.key_set(now).await })
            .await
    }

    async fn newest_key_made_at(&self) -> Result<Option<UnixMillis>, Fault> {
        self.core
            .run(|core| async move { core.newest_key_made_at().await })
            .await
    }

    async fn create_jwt(&self, request: JwtRequest, _: UnixMillis) -> Result<String, Fault> {
        self.core
            .run(|core| async move { core.create_jwt(&request).await })
            .await
    }

    async fn create(&self, new: NewSession, _: UnixMillis) -> Result<IssuedSession, Fault> {
        self.core
            .run(|core| async move { core.create(&new).await })
            .await
    }

    async fn refresh(&self, request: RefreshRequest) -> Result<RefreshOutcome, Fault> {
        self.core
            .run(|core| async move { core.refresh(&request).await })
            .await
    }

    /// Until it is known that all hosts move sessions on at the refresh itself.
    fn confirms_refreshes(&self) -> bool {
        let mut hosts = self.core.hosts.iter();
        hosts.any(|host| host.spoken().is_none_or(|spoken| !spoken.cdi.rotates))
    }

    async fn check(
        &self,
        presented: Presented<'_>,
        check_database: bool,
        _: UnixMillis,
    ) -> Result<CheckOutcome, Fault> {
        let token = supersession::AccessToken::new(presented.token);
        self.core
            .run(move |core| async move { core.verify(token.expose(), check_database).await })
            .await
    }

    async fn reissue(
        &self,
        presented: Presented<'_>,
        _: &JsonObject,
        _: KeyKind,
        _: UnixMillis,
    ) -> Result<ReissueOutcome, Fault> {
        let token = supersession::AccessToken::new(presented.token);
        self.core
            .run(|core| async move { core.regenerate(token.expose()).await })
            .await
    }

    async fn information(
        &self,
        handle: &SessionHandle,
        _: UnixMillis,
    ) -> Result<Option<SessionInformation>, Fault> {
        let handle = handle.clone();
        self.core
            .run(|core| async move { core.information(&handle).await })
            .await
    }

    async fn write_document(
        &self,
        handle: &SessionHandle,
        document: SessionDocument,
        write: DocumentWrite,
        _: UnixMillis,
    ) -> Result<WriteOutcome, Fault> {
        let handle = handle.clone();
        self.core
            .run(move |core| async move { core.write_document(&handle, document, &write).await })
            .await
    }

    /// There is no place for it.
    async fn record_uses(&self, _: &[Use], _: UnixMillis) -> Result<(), Fault> {
        Ok(())
    }

    async fn set_device_label(
        &self,
        _: &SessionHandle,
        _: Option<&str>,
        _: UnixMillis,
    ) -> Result<bool, Fault> {
        Err(Fault::new(
            FaultKind::Misuse,
            "a core keeps no names of devices. Fix: keep them in the session data, or use a store in place of the core",
        ))
    }

    async fn revoke(&self, handles: &[SessionHandle]) -> Result<Vec<SessionHandle>, Fault> {
        let handles = handles.to_vec();
        self.core
            .run(|core| async move { core.revoke(&handles).await })
            .await
    }

    async fn revoke_user(
        &self,
        selection: &Selection,
        _: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault> {
        let selection = selection.clone();
        self.core
            .run(|core| async move { core.revoke_user(&selection).await })
            .await
    }

    async fn handles(
        &self,
        selection: &Selection,
        _: UnixMillis,
    ) -> Result<Vec<SessionHandle>, Fault> {
        let selection = selection.clone();
        self.core
            .run(|core| async move { core.handles(&selection).await })
            .await
    }

    async fn sessions(
        &self,
        selection: &Selection,
        _: UnixMillis,
    ) -> Result<Vec<SessionInformation>, Fault> {
        let selection = selection.clone();
        self.core
            .run(|core| async move {
                let handles = core.unordered_handles(&selection).await?;
                core.information_of_all(handles).await
            })
            .await
    }

    async fn user_metadata(&self, user: &UserId) -> Result<JsonObject, Fault> {
        let user = user.clone();
        self.core
            .run(|core| async move { core.user_metadata(&user).await })
            .await
    }

    async fn write_user_metadata(
        &self,
        user: &UserId,
        write: DocumentWrite,
    ) -> Result<WriteOutcome, Fault> {
        let user = user.clone();
        self.core
            .run(|core| async move { core.write_user_metadata(&user, &write).await })
            .await
    }

    async fn clear_user_metadata(&self, user: &UserId) -> Result<(), Fault> {
        let user = user.clone();
        self.core
            .run(|core| async move { core.clear_user_metadata(&user).await })
            .await
    }

    /// The interface has none: whoever waits for the end of a session asks every few seconds.
    async fn endings(&self) -> Result<Option<Endings>, Fault> {
        Ok(None)
    }

    /// The core's own work.
    async fn delete_expired(&self, _: u32, _: UnixMillis) -> Result<u64, Fault> {
        Ok(0)
    }

    /// The core's own work.
    async fn retire_keys(&self, _: UnixMillis) -> Result<u64, Fault> {
        Ok(0)
    }
}
