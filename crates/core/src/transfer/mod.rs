//! Transport of tokens: reading them from a request, selecting the transport, and writing and
//! clearing them in a response.
//!
//! Plain functions over [`RequestView`](crate::http::RequestView) and [`ResponsePlan`]; no I/O, no
//! store, no clock.

mod caching;
mod effects;
mod origin;
mod page;
mod plan;
mod read;
pub(crate) mod size;

pub(crate) use effects::Effects;
pub(crate) use page::PageRequest;
pub(crate) use plan::ResponsePlan;
pub(crate) use plan::TokensOut;
pub(crate) use read::{Carried, DuplicateCookies, Presented, RequestMethod, SelectedToken};
