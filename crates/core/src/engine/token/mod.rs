//! Access tokens as backend SDKs and their core read and write them: all versions, and with the
//! texts that SDKs know (core specification, 1.3, 1.4 and 2). Requests of browsers never come here;
//! those are read by [`crate::token::access`].

mod read;
mod write;

pub(super) use read::{ParsedToken, parse};
pub(super) use write::{assemble, signing_input};

/// The first segment of a token of version 1, which is recognised to the letter.
const V1_HEADER: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIxIn0=";
/// The same of version 2.
const V2_HEADER: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIyIn0=";
