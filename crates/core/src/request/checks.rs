//! The checks between a verified token and the session of a handler, with and without a request
//! (session specification, 5.3 steps 8 to 12).

use serde_json::json;

use super::{Strictness, VerifyOptions};
use crate::authority::{CheckOutcome, PresentedToken};
use crate::claims::ClaimFailure;
use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::secret::AntiCsrfToken;
use crate::session::Session;

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

pub(crate) fn anti_csrf(session: &Session, check: AntiCsrfCheck<'_>) -> Result<(), SessionError> {
    let AntiCsrfCheck::Token(sent) = check else {
        return Ok(());
    };
    session.read_access(|access| match (access.anti_csrf(), sent) {
        (Some(own), Some(sent)) if sent.ct_eq(own) => Ok(()),
        (None, _) => Err(SessionError::try_refresh(
            "the access token has no anti-CSRF token; a refresh makes one",
        )),
        (Some(_), _) => Err(SessionError::try_refresh("anti-csrf check failed")),
    })
}

/// Checks the claims that the options require. A refetched claim is stored, and the new access
/// token stays in the session.
pub(crate) async fn claims(session: &Session, options: &VerifyOptions) -> Result<(), SessionError> {
    let validators = options.validators(session.sessions().config(), session);
    session.check_claims(&validators).await
}

/// Checks that the session is live, at least with the required strictness, and returns the
/// strictness that was reached. `checked` is what an earlier guard of this request has reached.
pub(crate) async fn revocation(
    session: &Session,
    checked: Option<Strictness>,
    options: &VerifyOptions,
) -> Result<Strictness, SessionError> {
    let sessions = session.sessions();
    let demanded = options.demanded_strictness(sessions.config());
    if let Some(checked) = checked
        && checked >= demanded
        && options.session_age_limit().is_none()
    {
        return Ok(checked);
    }
    // A refresh minted the token, and the authority must be notified of its first use.
    let confirms_refresh = sessions.authority().confirms_refreshes()
        && session.read_access(crate::session::Access::has_parent);
    let confirmed = &sessions.watch().confirmed;
    match demanded {
        Strictness::TokenOnly if confirms_refresh => {
            ask_authority(session, false, options).await?;
            Ok(Strictness::TokenOnly)
        }
        Strictness::TokenOnly => Ok(Strictness::TokenOnly),
        Strictness::Feed if !confirms_refresh && confirmed.holds(session.handle()) => {
            Ok(Strictness::Feed)
        }
        Strictness::Feed | Strictness::Database => {
            // Drawn before the question: a revocation in between makes the confirmation void.
            let ticket = confirmed.ticket();
            ask_authority(session, true, options).await?;
            confirmed.confirm(session.handle(), ticket);
            Ok(Strictness::Database)
        }
    }
}

/// Asks the authority about the token. With `check_database`, the session must be live and the
/// token on its current or previous branch. If the stored payload has changed since the token was
/// minted, the session gets a new token with the stored one.
async fn ask_authority(
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
        session.replace_access(replacement);
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
    use crate::sessions::Sessions;
    use crate::store::MemoryStore;

    #[test]
    fn no_token_is_cached_of_a_session_that_the_store_does_not_have() {
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
            let is_kept = || sessions.cached_token(token.expose().as_bytes()).is_some();
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
