//! The actix adapter speaks the wire, to the byte: the same transcripts as every other adapter.

use crate::driver::Actix;

supersession_testkit::adapter_conformance!(Actix);
