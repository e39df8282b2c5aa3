//! From an access token to a session: the part of verification that is the same with and without a
//! request (session specification, 5.3, steps 5 to 12).

use serde_json::json;

use crate::authority::{CheckOutcome, IssuedAccess, SessionInformation};
use crate::claims::ClaimFailure;
use crate::error::SessionError;
use crate::json::JsonObject;
use crate::request::{Strictness, VerifyOptions};
use crate::secret::{AccessToken, AntiCsrfToken};
use crate::session::{Attachment, Session, SessionParts};
use crate::sessions::Sessions;
use crate::token::access::{self, AccessClaims};
use crate::verify::verify;

/// What remains of the anti-CSRF check once the token is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AntiCsrfCheck<'a> {
    /// Nothing: it passed, or is not due.
    Passed,
    /// The token's own value must equal what was sent.
    Token(Option<&'a AntiCsrfToken>),
}

/// The id under which a session that is too old is reported.
const SESSION_AGE: &str = "session-age";

/// Verifies, checks what the options demand, and makes the session. A new access token stays in the
/// handle; delivering it is the caller's, after everything else went well.
pub(crate) async fn session(
    sessions: &Sessions,
    token: &AccessToken,
    anti_csrf: AntiCsrfCheck<'_>,
    attachment: Option<Attachment>,
    options: &VerifyOptions,
) -> Result<Option<(Session, Strictness)>, SessionError> {
    let parsed = match access::parse(token.expose()) {
        Ok(parsed) => parsed,
        Err(_) if options.is_optional() => return Ok(None),
        Err(foreign) => {
            return Err(SessionError::unauthorised_keeping_tokens(
                foreign.to_string(),
            ));
        }
    };
    let now = sessions.now();
    let key = match sessions.authority().known_key(&parsed.kid, now) {
        Some(key) => Some(key),
        None => sessions.authority().find_key(&parsed.kid, now).await?,
    };
    let claims = verify(parsed, key.as_deref(), sessions.config().key_kind, now)
        .map_err(|refusal| SessionError::try_refresh(refusal.to_string()))?
        .into_claims();
    check_anti_csrf(&claims, anti_csrf)?;
    let parts = SessionParts {
        access: IssuedAccess {
            token: token.clone(),
            claims,
        },
        refresh: None,
        anti_csrf: None,
        updated: false,
        attachment,
    };
    let session = Session::new(sessions.clone(), parts);
    let demanded = options.demanded_strictness(sessions.config());
    let strictness = check_live(&session, demanded, options).await?;
    session
        .check_claims(&options.validators(sessions.config(), &session))
        .await?;
    Ok(Some((session, strictness)))
}

pub(crate) fn check_anti_csrf(
    claims: &AccessClaims,
    check: AntiCsrfCheck<'_>,
) -> Result<(), SessionError> {
    let AntiCsrfCheck::Token(sent) = check else {
        return Ok(());
    };
    match (&claims.anti_csrf, sent) {
        (Some(own), Some(sent)) if own.ct_eq(sent.expose()) => Ok(()),
        (None, _) => Err(SessionError::try_refresh(
            "the access token has no anti-CSRF token; a refresh makes one",
        )),
        (Some(_), _) => Err(SessionError::try_refresh("anti-csrf check failed")),
    }
}

/// Makes sure that the session is live, at least as sure as demanded, and tells how sure it is.
pub(crate) async fn check_live(
    session: &Session,
    demanded: Strictness,
    options: &VerifyOptions,
) -> Result<Strictness, SessionError> {
    let confirmed = &session.sessions().watch().confirmed;
    match demanded {
        Strictness::TokenOnly => return Ok(Strictness::TokenOnly),
        Strictness::Feed if confirmed.holds(session.handle()) => return Ok(Strictness::Feed),
        Strictness::Feed | Strictness::Database => {}
    }
    let ticket = confirmed.ticket();
    check_database(session, options).await?;
    confirmed.confirm(session.handle(), ticket);
    Ok(Strictness::Database)
}

/// The session must be live, and the token on its current or previous branch. If the stored payload
/// has changed since the token was minted, the session gets a new token with the stored one.
async fn check_database(session: &Session, options: &VerifyOptions) -> Result<(), SessionError> {
    let sessions = session.sessions();
    let claims = session.live().claims();
    let stored = match sessions.authority().check(&claims, sessions.now()).await? {
        CheckOutcome::Live(stored) => stored,
        CheckOutcome::Gone => {
            return Err(SessionError::unauthorised(
                "Either the session has ended or has been blacklisted",
            ));
        }
        // The session lives on a newer branch, whose tokens the client may have by now: they must
        // not be cleared.
        CheckOutcome::RotatedOut => {
            return Err(SessionError::unauthorised_keeping_tokens(
                "rotated-out token branch; refresh required",
            ));
        }
    };
    check_age(session, &stored, options)?;
    let current: JsonObject = access::custom_payload(&stored.custom_claims_in_access_token_payload);
    if !current.same_json(&access::custom_payload(&claims.payload)) {
        session.reissue(&current).await?;
    }
    Ok(())
}

fn check_age(
    session: &Session,
    stored: &SessionInformation,
    options: &VerifyOptions,
) -> Result<(), SessionError> {
    let Some(limit) = options.session_age_limit() else {
        return Ok(());
    };
    let age = session.sessions().now().since(stored.time_created);
    if age <= limit {
        return Ok(());
    }
    let reason = json!({
        "message": "expired", "ageInSeconds": age.as_secs_f64(), "maxAgeInSeconds": limit.as_secs(),
    });
    Err(SessionError::InvalidClaims(vec![ClaimFailure::new(
        SESSION_AGE,
        reason,
    )]))
}
