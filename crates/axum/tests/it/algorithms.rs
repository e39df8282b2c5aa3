//! The same answers with access tokens of other algorithms.

use supersession_axum::core::SigningAlgorithm;
use supersession_testkit::adapter::SignedBy;

use crate::driver::Axum;

mod es256 {
    use super::*;

    supersession_testkit::adapter_conformance!(SignedBy(SigningAlgorithm::Es256, Axum));
}

mod eddsa {
    use super::*;

    supersession_testkit::adapter_conformance!(SignedBy(SigningAlgorithm::EdDsa, Axum));
}
