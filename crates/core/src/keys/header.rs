//! The header of the JWTs that a key signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::SigningAlgorithm;
use crate::wire;

/// Encodes the header of a token signed by this key. JWTs that are not session tokens have no
/// `version`.
pub(crate) fn header(kid: &str, algorithm: SigningAlgorithm, version: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        alg: &'a str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
        kid: &'a str,
    }
    let header = Out {
        alg: algorithm.name(),
        typ: wire::JWT_TYP,
        version,
        kid,
    };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default())
}
