//! Verifying, refreshing and regenerating tokens.

use serde::Serialize;
use serde_json::json as value;
use supersession::engine::{
    RefreshOutcome, RefreshRequest, RefreshRules, RegenerateOutcome, RegenerateRequest,
    VerifyOutcome, VerifyRequest,
};
use supersession::{AccessToken, AntiCsrfToken, RefreshToken};

use super::bodies::{Session, Token, Tokens};
use super::public_keys::PublicKeys;
use super::sessions::{access_token_validity, in_range};
use crate::call::Call;
use crate::cdi::KeyChoice;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json, unauthorised};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifyResponse {
    status: &'static str,
    session: Session,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<Token>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_update_available: Option<bool>,
    #[serde(flatten)]
    keys: Option<PublicKeys>,
}

#[derive(Serialize)]
struct TryRefreshToken {
    status: &'static str,
    message: String,
    #[serde(flatten)]
    keys: Option<PublicKeys>,
}

pub(super) async fn verify(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let token = AccessToken::new(input.text("accessToken")?);
    let anti_csrf = input.optional_text("antiCsrfToken")?;
    let (checks, enabled) = (
        input.flag("doAntiCsrfCheck")?,
        input.flag("enableAntiCsrf")?,
    );
    let check_database = if call.cdi.is_before_key_sets() {
        None
    } else {
        Some(input.flag("checkDatabase")?)
    };
    let app = if call.cdi.verifies_on_public_tenant_only() {
        call.app_on_public_tenant().await?
    } else {
        call.app().await?
    };
    let mut request = VerifyRequest::new(token);
    request.anti_csrf = anti_csrf.map(AntiCsrfToken::new);
    request.check_anti_csrf = checks && enabled;
    request.check_database = check_database.unwrap_or(app.config.access_token_blacklisting);
    let engine = call.engine(&app).await?;
    match engine.verify(&request, call.cdi.protocol()).await? {
        VerifyOutcome::Live {
            claims,
            payload,
            replacement,
            payload_update_available,
        } => {
            // A token can outlive its tenant.
            call.app_of(&claims.tenant_id).await?;
            json(&VerifyResponse {
                status: "OK",
                session: Session::new(*claims, payload, call.cdi),
                access_token: replacement.as_deref().map(Token::access),
                payload_update_available,
                keys: PublicKeys::for_response(call, &app).await?,
            })
        }
        VerifyOutcome::Unauthorised(message) => unauthorised(message),
        VerifyOutcome::TryRefreshToken(message) => json(&TryRefreshToken {
            status: "TRY_REFRESH_TOKEN",
            message,
            keys: PublicKeys::for_response(call, &app).await?,
        }),
        VerifyOutcome::ProtectedClaim => Err(ErrorResponse::protected_claim()),
    }
}

pub(super) async fn refresh(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let token = RefreshToken::new(input.text("refreshToken")?);
    let anti_csrf = input.optional_text("antiCsrfToken")?;
    let use_anti_csrf = input.flag("enableAntiCsrf")?;
    let key_kind = match call.cdi.refresh_key_choice() {
        KeyChoice::Ignored => None,
        KeyChoice::Optional => input.optional_key_kind("useDynamicSigningKey")?,
        KeyChoice::Mandatory => Some(input.key_kind("useDynamicSigningKey")?),
    };
    let validity = access_token_validity(call, &input)?;
    let app = call.app().await?;
    // Only the calling SDK knows how it transfers tokens, so their length has no limit here.
    let mut request = RefreshRequest::new(token);
    request.anti_csrf = anti_csrf.map(AntiCsrfToken::new);
    request.use_anti_csrf = use_anti_csrf;
    request.key_kind = key_kind;
    request.access_token_validity = in_range(validity, &app)?;
    let engine = call.engine(&app).await?;
    let metrics = &call.service.metrics;
    match engine.refresh(&request, call.cdi.protocol()).await? {
        RefreshOutcome::Refreshed(issued) => {
            metrics.sessions_refreshed.increment(1);
            tracing::debug!(handle = %issued.access.claims.handle, "session refreshed");
            json(&Tokens::new(*issued, call.cdi, engine)?)
        }
        RefreshOutcome::Unauthorised(message) => unauthorised(message),
        RefreshOutcome::Reused {
            theft,
            report_as_theft,
        } => {
            metrics.refresh_tokens_reused.increment(1);
            let (handle, user_id) = (&*theft.handle, &*theft.user_id);
            // LEGACY rules have no classes of reuse.
            let is_rotation = call.cdi.rules() == RefreshRules::Rotation;
            let class = is_rotation.then(|| theft.class.as_str());
            tracing::warn!(handle, user = user_id, class, "a refresh token was reused");
            let mut answer = if report_as_theft {
                value!({
                    "status": "TOKEN_THEFT_DETECTED",
                    "session": { "handle": handle, "userId": user_id, "recipeUserId": user_id },
                })
            } else {
                value!({ "status": "UNAUTHORISED", "message": "refresh token reuse detected" })
            };
            if let (Some(class), Some(answer)) = (class, answer.as_object_mut()) {
                answer.insert("recentTokenReuseSubtype".to_owned(), class.into());
            }
            json(&answer)
        }
    }
}

pub(super) async fn regenerate(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Regenerated {
        status: &'static str,
        session: Session,
        #[serde(skip_serializing_if = "Option::is_none")]
        access_token: Option<Token>,
    }

    let input = Input::parse(&call.body)?;
    let token = AccessToken::new(input.text("accessToken")?);
    let request = RegenerateRequest::new(token, input.optional_object("userDataInJWT")?);
    let app = call.app().await?;
    let engine = call.engine(&app).await?;
    match engine.regenerate(&request).await? {
        RegenerateOutcome::Regenerated {
            claims,
            payload,
            token,
        } => json(&Regenerated {
            status: "OK",
            session: Session::new(*claims, payload, call.cdi),
            access_token: token.as_deref().map(Token::access),
        }),
        RegenerateOutcome::Unauthorised(message) => unauthorised(&message),
        // The input is invalid, so the status is not 500.
        RegenerateOutcome::Malformed(message) => Err(ErrorResponse::bad_request(message)),
        RegenerateOutcome::ProtectedClaim => Err(ErrorResponse::protected_claim()),
    }
}
