//! The core driver interface (CDI): its versions, and the negotiation of a common one.

use serde::Deserialize;

/// A supported version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CdiVersion {
    pub(crate) name: &'static str,
    /// If set, a refresh rotates the session by itself, without a confirmation (core specification,
    /// 0.2).
    pub(crate) rotates: bool,
}

const fn legacy(name: &'static str) -> CdiVersion {
    CdiVersion {
        name,
        rotates: false,
    }
}

/// All supported versions, newest first.
const SUPPORTED: [CdiVersion; 10] = [
    CdiVersion {
        name: "5.6",
        rotates: true,
    },
    legacy("5.5"),
    legacy("5.4"),
    legacy("5.3"),
    legacy("5.2"),
    legacy("5.1"),
    legacy("5.0"),
    legacy("4.0"),
    legacy("3.1"),
    legacy("3.0"),
];

/// The versions that a core lists at `/apiversion`.
#[derive(Deserialize)]
pub(crate) struct Versions {
    versions: Vec<String>,
}

impl Versions {
    /// Returns the newest version that both sides support.
    pub(crate) fn common(&self) -> Option<CdiVersion> {
        SUPPORTED
            .into_iter()
            .find(|version| self.versions.iter().any(|offered| offered == version.name))
    }

    /// Formats the offered versions for an error message. Only version numbers are included, and
    /// only a few.
    pub(crate) fn offered(&self) -> String {
        let is_version = |text: &&String| {
            text.len() <= 8
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        let offered: Vec<_> = self
            .versions
            .iter()
            .filter(is_version)
            .take(40)
            .cloned()
            .collect();
        if offered.is_empty() {
            "none".to_owned()
        } else {
            offered.join(", ")
        }
    }
}

/// The negotiated capabilities of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) cdi: CdiVersion,
    /// If set, the host supports conditional and merging writes.
    pub(crate) documents: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_selected() {
        let common = |versions: &[&str]| {
            let versions = versions.iter().map(|&text| text.to_owned()).collect();
            Versions { versions }
                .common()
                .map(|cdi| (cdi.name, cdi.rotates))
        };
        assert_eq!(common(&["3.0", "5.6", "5.4"]), Some(("5.6", true)));
        assert_eq!(common(&["2.21", "5.4", "99.0"]), Some(("5.4", false)));
        assert_eq!(common(&["2.21", "99.0"]), None);
        assert_eq!(common(&[]), None);
    }
}
