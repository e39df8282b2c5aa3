//! The script with access tokens of another algorithm. Everything is the same as with RSA, except
//! for the signatures and the keys.

use std::sync::Arc;

use supersession::{Sessions, SessionsBuilder, SigningAlgorithm, Store};

use super::driver::Driver;
use super::wire::{WireRequest, WireResponse};
use super::world::World;

/// A driver in whose worlds this algorithm signs access tokens. Tokens of the static key are still
/// signed with RSA.
///
/// ECDSA signatures of the same claims differ, so a token that is minted again is a new token. In
/// `transcripts/signed-by-es256`, some token numbers are therefore higher than elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct SignedBy<D>(pub SigningAlgorithm, pub D);

impl<D: Driver> Driver for SignedBy<D> {
    type App = D::App;

    fn is_ready(&self) -> bool {
        self.1.is_ready()
    }

    async fn store(&self) -> Arc<dyn Store> {
        self.1.store().await
    }

    fn algorithm(&self) -> SigningAlgorithm {
        self.0
    }

    async fn sessions(&self, world: World) -> SessionsBuilder {
        self.1.sessions(world).await
    }

    fn layer_name(&self) -> &'static str {
        self.1.layer_name()
    }

    async fn app(&self, sessions: Option<Sessions>) -> D::App {
        self.1.app(sessions).await
    }

    async fn send(&self, app: &D::App, request: WireRequest) -> WireResponse {
        self.1.send(app, request).await
    }
}

/// Returns the folder of the exchanges that differ with this algorithm.
pub(super) fn folder(algorithm: SigningAlgorithm) -> String {
    format!("signed-by-{}", algorithm.name().to_ascii_lowercase())
}

/// Converts a line as if this algorithm had signed the tokens of the rotating key.
pub(super) fn expected(line: &str, algorithm: SigningAlgorithm) -> String {
    let name = |algorithm: SigningAlgorithm| format!(r#""alg":"{}""#, algorithm.name());
    let is_header = line.starts_with("  <access#") && line.contains(r#""kid":"d-"#);
    if is_header {
        line.replace(&name(SigningAlgorithm::Rs256), &name(algorithm))
    } else {
        without_signature(line)
    }
}

/// Removes length and checksum of access tokens, which depend on the signature.
pub(super) fn without_signature(line: &str) -> String {
    match line.split_once(" bytes, checksum ") {
        Some((token, _)) if token.starts_with("  <access#") => {
            let name = token.rsplit_once(' ').map_or(token, |(name, _)| name);
            name.to_owned()
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signature_of_rotating_keys_may_be_another() {
        let line = r#"  <access#1> header  {"alg":"RS256","kid":"d-1"}"#;
        let other = expected(line, SigningAlgorithm::Es256);
        assert_eq!(other, r#"  <access#1> header  {"alg":"ES256","kid":"d-1"}"#);
        assert_eq!(without_signature(&other), other);
        for same in [
            r#"  <access#1> header  {"alg":"RS256","kid":"s-1"}"#,
            r#"< {"alg":"RS256","kid":"d-1"}"#,
            "  <front#1> 8 bytes, checksum 1",
        ] {
            assert_eq!(expected(same, SigningAlgorithm::Es256), same);
            assert_eq!(without_signature(same), same);
        }
        let bytes = "  <access#12> 8 bytes, checksum 1";
        assert_eq!(expected(bytes, SigningAlgorithm::Es256), "  <access#12>");
        assert_eq!(without_signature(bytes), "  <access#12>");
    }
}
