//! Creates a session from an access token: the part of verification that is the same with and
//! without a request (session specification, 5.3, steps 5 to 12).

use serde_json::json;

use crate::authority::{CheckOutcome, PresentedToken};
use crate::claims::ClaimFailure;
use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::request::{Strictness, VerifyOptions};
use crate::secret::AntiCsrfToken;
use crate::session::{Access, Session};
use crate::sessions::Sessions;

/// The part of the anti-CSRF check that needs the token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AntiCsrfCheck<'a> {
    /// No check is left: it passed or does not apply.
    Passed,
    /// The token's own value must equal the sent one.
    Token(Option<&'a AntiCsrfToken>),
}

/// The id that reports a session that is too old.
const SESSION_AGE: &str = "session-age";

/// Returns the strictness of the revocation check that is already satisfied, if the options require
/// nothing else and no other component must be asked.
pub(crate) fn settled(
    sessions: &Sessions,
    access: &Access,
    options: &VerifyOptions,
) -> Option<Strictness> {
    let demanded = options.demanded_strictness(sessions.config());
    known_live(sessions, access, demanded).filter(|_| !options.demands_claims(sessions.config()))
}

/// Checks the remaining requirements. A new access token stays in the handle. The caller delivers
/// it after all other steps succeeded.
pub(crate) async fn complete(
    session: &Session,
    options: &VerifyOptions,
) -> Result<Strictness, SessionError> {
    let config = session.sessions().config();
    let demanded = options.demanded_strictness(config);
    let strictness = check_live(session, demanded, options).await?;
    session
        .check_claims(&options.validators(config, session))
        .await?;
    Ok(strictness)
}

pub(crate) fn check_anti_csrf(
    own: Option<&str>,
    check: AntiCsrfCheck<'_>,
) -> Result<(), SessionError> {
    let AntiCsrfCheck::Token(sent) = check else {
        return Ok(());
    };
    match (own, sent) {
        (Some(own), Some(sent)) if sent.ct_eq(own) => Ok(()),
        (None, _) => Err(SessionError::try_refresh(
            "the access token has no anti-CSRF token; a refresh makes one",
        )),
        (Some(_), _) => Err(SessionError::try_refresh("anti-csrf check failed")),
    }
}

/// Returns the strictness to which the session is known to be live, if it meets the required one
/// without asking the store.
fn known_live(sessions: &Sessions, access: &Access, demanded: Strictness) -> Option<Strictness> {
    // A refresh minted the token, and the authority must be notified of its first use.
    if access.has_parent() && sessions.authority().confirms_refreshes() {
        return None;
    }
    match demanded {
        Strictness::TokenOnly => Some(Strictness::TokenOnly),
        Strictness::Feed => {
            let confirmed = &sessions.watch().confirmed;
            confirmed.holds(access.handle()).then_some(Strictness::Feed)
        }
        Strictness::Database => None,
    }
}

/// Checks that the session is live, at least with the required strictness, and returns the
/// strictness that was reached.
pub(crate) async fn check_live(
    session: &Session,
    demanded: Strictness,
    options: &VerifyOptions,
) -> Result<Strictness, SessionError> {
    let known = session.read_access(|access| known_live(session.sessions(), access, demanded));
    if let Some(strictness) = known {
        return Ok(strictness);
    }
    if demanded == Strictness::TokenOnly {
        check(session, false, options).await?;
        return Ok(demanded);
    }
    let confirmed = &session.sessions().watch().confirmed;
    let ticket = confirmed.ticket();
    check(session, true, options).await?;
    confirmed.confirm(session.handle(), ticket);
    Ok(Strictness::Database)
}

/// Asks the authority about the token. With `check_database`, the session must be live and the
/// token on its current or previous branch. If the stored payload has changed since the token was
/// minted, the session gets a new token with the stored one.
async fn check(
    session: &Session,
    check_database: bool,
    options: &VerifyOptions,
) -> Result<(), SessionError> {
    let sessions = session.sessions();
    let access = session.access();
    let claims = access.claims();
    let presented = PresentedToken {
        token: access.token_text(),
        claims,
    };
    let now = sessions.now();
    let checked = sessions
        .authority()
        .check(presented, check_database, now)
        .await?;
    let confirmed = match checked {
        CheckOutcome::Live(confirmed) => *confirmed,
        CheckOutcome::Gone => {
            // The revocation feed may not have reported it yet; guards that rely on the feed must
            // reject it too.
            sessions.notify_gone(session.handle(), now);
            return Err(SessionError::unauthorised(
                "Either the session has ended or has been blacklisted",
            ));
        }
        // The session is on a newer branch, whose tokens the client may already have, so they must
        // not be cleared.
        CheckOutcome::RotatedOut => {
            return Err(SessionError::unauthorised_keeping_tokens(
                "rotated-out token branch; refresh required",
            ));
        }
        CheckOutcome::TryRefreshToken(why) => return Err(SessionError::try_refresh(why)),
    };
    if check_database {
        check_age(session, confirmed.created_at, options).await?;
    }
    if let Some(replacement) = confirmed.replacement {
        session.adopt(replacement);
    }
    if let Some(stored) = confirmed.stored_payload
        && !session.read_access(|access| access.agrees_with(&stored))
    {
        session.reissue(&stored).await?;
    }
    Ok(())
}

async fn check_age(
    session: &Session,
    created_at: Option<UnixMillis>,
    options: &VerifyOptions,
) -> Result<(), SessionError> {
    let Some(limit) = options.session_age_limit() else {
        return Ok(());
    };
    let created_at = match created_at {
        Some(created_at) => created_at,
        None => session.created_at().await?,
    };
    let age = session.sessions().now().since(created_at);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningAlgorithm;
    use crate::store::MemoryStore;

    #[test]
    fn of_a_session_that_the_store_calls_gone_no_token_is_kept() {
        pollster::block_on(async {
            let sessions = Sessions::builder(MemoryStore::new())
                .api_domain("https://api.example.com")
                .website_domain("https://example.com")
                .access_token_signing_algorithm(SigningAlgorithm::Es256)
                .build()
                .await
                .unwrap();
            let session = sessions.create("alice").await.unwrap();
            let token = session.access_token();
            let is_kept = || sessions.seen(token.expose().as_bytes()).is_some();
            let options = VerifyOptions::new().check_database(true);
            let check = || sessions.verify_access_token(&token, None, &options);
            check().await.unwrap();
            assert!(is_kept());
            // Like a revocation on another node, which sends no notification.
            let elsewhere = sessions.authority();
            elsewhere.revoke(&[session.handle().clone()]).await.unwrap();
            assert!(is_kept());
            assert!(matches!(check().await, Err(SessionError::Unauthorised(_))));
            assert!(!is_kept());
        });
    }
}
