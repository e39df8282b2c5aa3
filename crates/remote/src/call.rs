//! One call of the core: endpoint, tenant, query, body, and if it may be repeated.

use bytes::Bytes;
use http::Method;
use serde::Serialize;
use supersession::{Fault, FaultKind, TenantId};

/// States if a call may be repeated after it may have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Repeating the call has no additional effect.
    Safe,
    /// Repeating the call could create a second session, report a refresh token as stolen, or undo
    /// a concurrent write by another client.
    Unsafe,
}

/// A call. Its body may contain tokens, so it does not implement `Debug`.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) endpoint: &'static str,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) body: Option<Bytes>,
    pub(crate) retry: Retry,
    /// If set, the call is sent without CDI version and API key.
    pub(crate) public: bool,
    query: String,
}

impl Call {
    pub(crate) fn get(endpoint: &'static str) -> Self {
        Self {
            method: Method::GET,
            endpoint,
            tenant: None,
            body: None,
            retry: Retry::Safe,
            public: false,
            query: String::new(),
        }
    }

    /// Creates a call of a public endpoint.
    pub(crate) fn public(endpoint: &'static str) -> Self {
        Self {
            public: true,
            ..Self::get(endpoint)
        }
    }

    pub(crate) fn post<T: Serialize>(
        endpoint: &'static str,
        body: &T,
        retry: Retry,
    ) -> Result<Self, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                "the request to the core cannot be serialized",
            )
            .with_source(error)
        })?;
        Ok(Self {
            method: Method::POST,
            body: Some(body.into()),
            retry,
            ..Self::get(endpoint)
        })
    }

    pub(crate) fn put<T: Serialize>(
        endpoint: &'static str,
        body: &T,
        retry: Retry,
    ) -> Result<Self, Fault> {
        Ok(Self {
            method: Method::PUT,
            ..Self::post(endpoint, body, retry)?
        })
    }

    pub(crate) fn tenant(mut self, tenant: Option<TenantId>) -> Self {
        self.tenant = tenant;
        self
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query = form_urlencoded::Serializer::new(self.query)
            .append_pair(name, value)
            .finish();
        self
    }

    /// Returns the endpoint with its query.
    pub(crate) fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            self.endpoint.to_owned()
        } else {
            format!("{}?{}", self.endpoint, self.query)
        }
    }
}
