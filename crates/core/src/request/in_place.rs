//! Refresh within a request for a page
//! ([`SessionsBuilder::refresh_in_place`](crate::SessionsBuilder::refresh_in_place)).

use super::{RequestSessions, VerifyOptions};
use crate::authority::{IssuedSession, RefreshRequest};
use crate::config::{RefreshInPlace, Strictness};
use crate::error::SessionError;
use crate::secret::RefreshToken;
use crate::session::Session;
use crate::transfer::Presented;
use crate::transport::Transport;

impl RequestSessions {
    /// Returns the refresh token, if this request can be refreshed in place.
    pub(super) fn refresh_token_in_place<'a>(
        &self,
        presented: &'a Presented,
        transport: Option<Transport>,
    ) -> Option<&'a RefreshToken> {
        let is_on = self.config().refresh_in_place == RefreshInPlace::On;
        let token = presented.refresh_token_in_place()?;
        (is_on && transport != Some(Transport::Header)).then_some(token)
    }

    /// Refreshes this request's session and sends the new tokens, even if a later check rejects the
    /// request. Returns `None` if the session is optional and was revoked or has expired; the
    /// client's tokens are cleared then.
    pub(super) async fn refresh_in_place(
        &self,
        token: &RefreshToken,
        options: &VerifyOptions,
    ) -> Result<Option<Session>, SessionError> {
        let response = self.response_link(Transport::Cookie)?;
        match self.share_refresh(token).await {
            Ok(issued) => {
                let same_site = response.site.same_site;
                let session = Session::issued(self.sessions().clone(), issued, Some(response));
                self.check_delivery(&session, same_site)?;
                self.set_current(&session, Strictness::Database);
                session.send_tokens();
                self.note_use(&session);
                Ok(Some(session))
            }
            Err(error @ SessionError::Unauthorised(_)) if options.is_optional() => {
                // Answering clears the tokens and logs the reason.
                let _of_a_guest = self.answer(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Exchanges the refresh token, or takes the tokens of another request that exchanges it at the
    /// same time. Hooks run once.
    async fn share_refresh(&self, token: &RefreshToken) -> Result<IssuedSession, SessionError> {
        let flight = self.sessions().flights().join(token);
        let mut landed = flight.lock().await;
        if let Some(issued) = &*landed {
            return Ok(issued.clone());
        }
        let mut request = RefreshRequest::new(token.clone());
        request.key_kind = Some(self.config().key_kind);
        let longest = self.config().longest_access_token(Transport::Cookie);
        request.longest_access_token = Some(longest);
        let issued = self.sessions().exchange(request).await?;
        *landed = Some(issued.clone());
        // A request that comes later asks the store, which knows of a revocation in between.
        self.sessions().flights().close(token);
        Ok(issued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestView;
    use crate::keys::SigningAlgorithm;
    use crate::sessions::Sessions;
    use crate::store::MemoryStore;
    use crate::wire;

    struct View(String);

    impl RequestView for View {
        fn method(&self) -> &'static str {
            "GET"
        }

        fn path(&self) -> &'static str {
            "/"
        }

        fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
            each(wire::COOKIE_HEADER, self.0.as_bytes());
        }
    }

    #[test]
    fn a_request_takes_the_tokens_of_one_that_refreshes_at_the_same_time() {
        pollster::block_on(async {
            let sessions = Sessions::builder(MemoryStore::new())
                .api_domain("https://example.com")
                .website_domain("https://example.com")
                .access_token_signing_algorithm(SigningAlgorithm::Es256)
                .refresh_in_place(RefreshInPlace::On)
                .build()
                .await
                .unwrap();
            let session = sessions.create("alice").await.unwrap();
            let old = session.tokens_out().refresh.unwrap().0;
            let request = || {
                let request = sessions.for_request("GET", "/");
                let (name, suffix) = (wire::REFRESH_COOKIE, wire::ROOT_COOKIE_SUFFIX);
                request.read(&View(format!("{name}{suffix}={}", old.expose())));
                request
            };
            let flight = sessions.flights().join(&old);
            let issued = sessions.exchange(RefreshRequest::new(old.clone())).await;
            *flight.lock().await = Some(issued.unwrap());
            // Without the flight, the request would find the session revoked.
            sessions.revoke(session.handle()).await.unwrap();
            let shared = request().session().await.unwrap();
            assert_eq!(shared.user_id(), "alice");
            drop(flight);
            assert!(request().session().await.is_err());
        });
    }
}
