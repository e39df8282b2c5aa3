//! Probable problems of an installation, as the [doctor](crate::doctor) reports them.

use std::fmt;

use serde::Serialize;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Works, but not for all clients, or less safely than possible.
    Warning,
    /// Sessions do not work for browsers.
    Error,
}

/// A probable problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The subject: a method of [`SessionsBuilder`](crate::SessionsBuilder), or a part of the
    /// environment such as `cors`, `proxy` or `clock`.
    pub subject: &'static str,
    /// The problem.
    pub problem: String,
    /// The fix.
    pub fix: String,
}

impl Finding {
    pub(crate) fn error(
        subject: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            subject,
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    pub(crate) fn warning(
        subject: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(subject, problem, fix)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            problem,
            fix,
            ..
        } = self;
        write!(f, "{subject}: {problem}. Fix: {fix}")
    }
}
