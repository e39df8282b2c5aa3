//! Access tokens, creation and verification: session specification, appendix A.1 to A.3.

mod cookies;
mod creation;
mod database;
mod errors;
mod handlers;
mod location;
mod minting;
mod payload;
mod structure;

use base64::Engine as _;
use serde_json::Value;
use supersession::http::RequestView;
use supersession::{TokenTransferMethod, TransferPurpose};

use crate::support::{Answer, App};

/// A request, for calls that go past the adapter.
struct Request {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    fn post(headers: &[(&'static str, &str)]) -> Self {
        Self {
            method: "POST",
            path: "/",
            headers: headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        }
    }
}

impl RequestView for Request {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        self.path
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.headers {
            each(name, value.as_bytes());
        }
    }
}

/// An application that takes only tokens of this way, and creates sessions as the client asks.
async fn app_allowing(method: TokenTransferMethod) -> App {
    App::with(|builder| {
        builder.token_transfer_method(move |view, purpose| {
            let creating = purpose == TransferPurpose::Creation;
            match view.header("st-auth-mode").as_deref() {
                Some("cookie") if creating => TokenTransferMethod::Cookie,
                Some("header") if creating => TokenTransferMethod::Header,
                _ => method,
            }
        })
    })
    .await
}

/// The lines of all cookies that are set, as they stand.
fn cookie_lines(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("set-cookie").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

/// The names of the headers that the answer has, sorted.
fn header_names(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<_> = answer
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    names
}

fn without(mut payload: Value, names: &[&str]) -> Value {
    for name in names {
        payload.as_object_mut().unwrap().remove(*name);
    }
    payload
}

fn with(mut payload: Value, name: &str, value: Value) -> Value {
    payload[name] = value;
    payload
}

/// What a front token says.
fn front_token(text: &str) -> Value {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
