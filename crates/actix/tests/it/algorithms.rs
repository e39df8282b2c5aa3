//! The same answers with access tokens of other algorithms.

use supersession_actix::core::SigningAlgorithm;
use supersession_testkit::adapter::SignedBy;

use crate::driver::Actix;

mod es256 {
    use super::*;

    supersession_testkit::adapter_conformance!(SignedBy(SigningAlgorithm::Es256, Actix));
}

mod eddsa {
    use super::*;

    supersession_testkit::adapter_conformance!(SignedBy(SigningAlgorithm::EdDsa, Actix));
}
