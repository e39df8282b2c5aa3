//! Keeps responses that carry tokens out of shared caches.
//!
//! A shared cache may store a response with `Set-Cookie` unless `Cache-Control` forbids it (RFC
//! 9111, section 3 and 7.3), and could then serve one user's session to others.
//!
//! | the application's `Cache-Control` | sent |
//! | --- | --- |
//! | none | `no-store` |
//! | has `no-store`, or `private` without field names | unchanged |
//! | the same with `public` or `s-maxage` | `no-store` |
//! | anything else, such as `public`, `max-age=60`, `no-cache` or `immutable` | `no-store` |
//!
//! Header fields for one kind of cache take precedence over `Cache-Control` there. They are removed
//! unless they forbid storing too. `Expires` is removed where `Cache-Control` is replaced. `Vary`
//! and `Pragma` are kept: they neither allow nor forbid shared caches to store.

use crate::http::{ResponseHead, values_of};
use crate::wire;

const NO_STORE: &str = "no-store";

/// Fields to which caches and proxies give precedence over `Cache-Control` (RFC 9213 and vendor
/// extensions).
const TARGETED: [&str; 8] = [
    "cdn-cache-control",
    "cloudflare-cdn-cache-control",
    "vercel-cdn-cache-control",
    "netlify-cdn-cache-control",
    "akamai-cache-control",
    "surrogate-control",
    "edge-control",
    "x-accel-expires",
];

/// Must be called for every response that sets or clears tokens.
pub(super) fn keep_out_of_shared_caches(head: &mut dyn ResponseHead) {
    if !forbids_sharing(&values_of(head, wire::CACHE_CONTROL_HEADER)) {
        head.remove_header(wire::CACHE_CONTROL_HEADER);
        head.remove_header("expires");
        head.append_header(wire::CACHE_CONTROL_HEADER, NO_STORE, false);
    }
    for name in TARGETED {
        let values = values_of(head, name);
        if !values.is_empty() && !forbids_sharing(&values) {
            head.remove_header(name);
        }
    }
}

fn forbids_sharing(values: &[String]) -> bool {
    let directives = || values.iter().flat_map(|value| directives(value));
    let has = |wanted: &str| directives().any(|directive| directive.eq_ignore_ascii_case(wanted));
    let allows_sharing = directives().any(|directive| {
        let (name, _) = directive.split_once('=').unwrap_or((directive, ""));
        ["public", "s-maxage"]
            .iter()
            .any(|allowing| name.trim_end().eq_ignore_ascii_case(allowing))
    });
    (has(NO_STORE) || has("private")) && !allows_sharing
}

/// Returns the directives of a field, with their arguments. A comma inside quotes does not end a
/// directive.
fn directives(value: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    value
        .split(move |letter| {
            is_quoted ^= letter == '"';
            letter == ',' && !is_quoted
        })
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Head(Vec<(String, String)>);

    impl ResponseHead for Head {
        fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
            for (_, value) in self.0.iter().filter(|(own, _)| own == name) {
                each(value.as_bytes());
            }
        }

        fn remove_header(&mut self, name: &str) {
            self.0.retain(|(own, _)| own != name);
        }

        fn append_header(&mut self, name: &str, value: &str, _sensitive: bool) {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    #[track_caller]
    fn sent(before: &[(&str, &str)], after: &[(&str, &str)]) {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect()
        };
        let mut head = Head(owned(before));
        keep_out_of_shared_caches(&mut head);
        assert_eq!(head.0, owned(after), "{before:?}");
    }

    #[test]
    fn directives_that_allow_shared_caches_are_replaced() {
        const NAME: &str = "cache-control";
        let no_store = &[(NAME, "no-store")][..];
        sent(&[], no_store);
        for value in [
            "public",
            "Public, max-age=60",
            "max-age=60",
            "immutable",
            "no-cache",
            "s-maxage=5",
            "private, s-maxage=5",
            "private, public",
            "no-store, S-MaxAge = 5",
            "private=\"set-cookie, private\"",
            "",
        ] {
            sent(&[(NAME, value)], no_store);
        }
        sent(&[(NAME, "private"), (NAME, "public")], no_store);
        sent(&[("expires", "0"), (NAME, "public")], no_store);
        for value in [
            "private",
            "PRIVATE, max-age=0, immutable",
            "no-cache, no-store, max-age=0, must-revalidate",
            "no-cache=\"public, x\", private",
        ] {
            let kept = &[(NAME, value), ("expires", "0"), ("vary", "origin")][..];
            sent(kept, kept);
        }
    }

    #[test]
    fn fields_for_one_kind_of_cache_do_not_allow_it_either() {
        for name in TARGETED {
            let private = ("cache-control", "private");
            sent(&[private, (name, "max-age=60")], &[private]);
            sent(
                &[private, (name, "no-store")],
                &[private, (name, "no-store")],
            );
        }
    }
}
