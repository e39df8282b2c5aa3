//! Names of all keys, fields and channels. The crate documentation describes the layout.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use supersession::store::SessionKey;
use supersession::{AppId, SessionHandle, TenantId, UserId};

use crate::fault::Fault;

/// Escapes the characters that separate parts of a name or form a hash tag, so that no part
/// contains them.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The last bucket. Sessions are distributed over the buckets from 0 to this one, each with its own
/// hash tag. Part of the layout.
pub(crate) const LAST_BUCKET: u8 = u8::MAX;

/// Creates names under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace {
    prefix: Arc<str>,
}

/// The two keys of a session, which share a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionKeys {
    pub(crate) session: String,
    pub(crate) expiry: String,
}

/// Entry of a session in the indexes. The mark is unique for each session ever inserted, so an
/// entry never refers to a later session of the same handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: SessionKey,
    pub(crate) user: UserId,
}

/// Generator of marks.
pub(crate) struct Marks {
    store: u64,
    next: AtomicU64,
}

impl Keyspace {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// Returns the key of the layout's version.
    pub(crate) fn layout(&self) -> String {
        format!("{}:layout", self.prefix)
    }

    pub(crate) fn session(&self, key: &SessionKey) -> SessionKeys {
        let path = path(key);
        let bucket = bucket(&path);
        SessionKeys {
            session: format!("{}:session:{{{bucket}}}:{path}", self.prefix),
            expiry: self.expiry(bucket),
        }
    }

    /// Returns the sorted set of all sessions of a bucket by their expiry.
    pub(crate) fn expiry(&self, bucket: u8) -> String {
        format!("{}:expiry:{{{bucket}}}", self.prefix)
    }

    /// Returns the sorted set of a user's sessions by their time of creation.
    pub(crate) fn user(&self, app: &AppId, user: &UserId) -> String {
        format!("{}:user:{{{}:{}}}", self.prefix, escape(app), escape(user))
    }

    pub(crate) fn metadata(&self, app: &AppId, user: &UserId) -> String {
        format!(
            "{}:metadata:{{{}:{}}}",
            self.prefix,
            escape(app),
            escape(user)
        )
    }

    pub(crate) fn signing_keys(&self, app: &AppId) -> String {
        format!("{}:keys:{{{}}}", self.prefix, escape(app))
    }

    pub(crate) fn refresh_token_key(&self, app: &AppId) -> String {
        format!("{}:refresh-token-key:{{{}}}", self.prefix, escape(app))
    }

    /// Returns the key that a readiness check writes.
    pub(crate) fn ready(&self, bucket: u8) -> String {
        format!("{}:ready:{{{bucket}}}", self.prefix)
    }

    /// Returns the hash of all tenants of all apps.
    pub(crate) fn tenants(&self) -> String {
        format!("{}:tenants", self.prefix)
    }

    /// Returns the pattern, for `KEYS` and `SCAN`, of the metadata of all users of an app.
    pub(crate) fn all_metadata(&self, app: &AppId) -> String {
        let mut pattern = String::new();
        // The prefix may contain any character that the operator chose; the app's name is already
        // escaped.
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        format!("{pattern}:metadata:{{{}:*", escape(app))
    }

    /// Returns the channel of the revocation feed.
    pub(crate) fn revocation_channel(&self) -> String {
        format!("{}:endings", self.prefix)
    }

    /// Returns the channel of a feed's heartbeats.
    pub(crate) fn heartbeat(&self, mark: &str) -> String {
        format!("{}:endings:{mark}", self.prefix)
    }
}

/// Returns the field of a tenant in the hash of all tenants.
pub(crate) fn tenant_field(app: &AppId, tenant: &TenantId) -> String {
    format!("{}{}", app_fields(app), escape(tenant))
}

/// Returns the prefix of the fields of all tenants of an app.
pub(crate) fn app_fields(app: &AppId) -> String {
    format!("{}:", escape(app))
}

/// Parses the app and the tenant from a field in the hash of all tenants.
pub(crate) fn parse_tenant_field(field: &str) -> Option<(AppId, TenantId)> {
    let (app, tenant) = field.split_once(':')?;
    Some((
        AppId::from_stored(&unescape(app)?),
        TenantId::from_stored(&unescape(tenant)?),
    ))
}

impl Entry {
    pub(crate) fn text(key: &SessionKey, user: &UserId, mark: &str) -> String {
        format!("{}:{}:{mark}", path(key), escape(user))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let mut parts = text.split(':').map(unescape);
        let mut part = || {
            parts
                .next()
                .flatten()
                .ok_or(Fault::Damaged("an index entry"))
        };
        Ok(Self {
            key: SessionKey {
                app: AppId::from_stored(&part()?),
                tenant: TenantId::from_stored(&part()?),
                handle: SessionHandle::from(part()?),
            },
            user: UserId::from(part()?),
        })
    }
}

impl Marks {
    pub(crate) fn new() -> Self {
        // Seeded by the operating system. Marks are not secret.
        Self {
            store: RandomState::new().build_hasher().finish(),
            next: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{number:x}", self.store)
    }
}

fn path(key: &SessionKey) -> String {
    format!(
        "{}:{}:{}",
        escape(&key.app),
        escape(&key.tenant),
        escape(&key.handle)
    )
}

/// FNV-1a: the same in every version and on every machine.
fn bucket(path: &str) -> u8 {
    let hash = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
        .to_le_bytes();
    hash.iter().fold(0, |folded, byte| folded ^ byte)
}

fn escape(part: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(part, ESCAPED)
}

fn unescape(part: &str) -> Option<String> {
    let text = percent_decode_str(part).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(app: &str, tenant: &str, handle: &str) -> SessionKey {
        SessionKey {
            app: AppId::from_stored(app),
            tenant: TenantId::from_stored(tenant),
            handle: SessionHandle::from(handle),
        }
    }

    #[test]
    fn the_layout_is_what_the_documentation_says() {
        let keys = Keyspace::new("supersession");
        let (app, user) = (AppId::default(), UserId::from("alice"));
        let session = keys.session(&key("public", "public", "0b8a"));
        assert_eq!(
            session.session,
            "supersession:session:{155}:public:public:0b8a"
        );
        assert_eq!(session.expiry, "supersession:expiry:{155}");
        assert_eq!(keys.user(&app, &user), "supersession:user:{public:alice}");
        assert_eq!(
            keys.metadata(&app, &user),
            "supersession:metadata:{public:alice}"
        );
        assert_eq!(keys.signing_keys(&app), "supersession:keys:{public}");
        assert_eq!(
            keys.refresh_token_key(&app),
            "supersession:refresh-token-key:{public}"
        );
        assert_eq!(keys.revocation_channel(), "supersession:endings");
        assert_eq!(keys.tenants(), "supersession:tenants");
        assert_eq!(keys.ready(7), "supersession:ready:{7}");
        assert_eq!(
            Keyspace::new("a*[b]").all_metadata(&app),
            r"a\*\[b\]:metadata:{public:*"
        );
        let tenant = TenantId::from_stored("t-1");
        assert_eq!(tenant_field(&app, &tenant), "public:t-1");
        assert_eq!(parse_tenant_field("public:t-1"), Some((app, tenant)));
    }

    #[test]
    fn no_name_can_be_made_to_mean_another() {
        let keys = Keyspace::new("p");
        let name = |app, tenant, handle| keys.session(&key(app, tenant, handle)).session;
        assert_ne!(name("a", "b", "c:d"), name("a", "b:c", "d"));
        assert_ne!(name("a", "b", "%3a"), name("a", "b", ":"));
        for odd in ["}", "{", ":", "%", "\0", "\r\n", "ü", "", "*"] {
            let user = keys.user(&AppId::default(), &UserId::from(odd));
            let tag = user
                .strip_prefix("p:user:{public:")
                .and_then(|rest| rest.strip_suffix('}'))
                .unwrap();
            assert!(
                tag.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'%'),
                "{tag}"
            );
        }
    }

    #[test]
    fn entries_read_back() {
        for odd in ["alice", "", "a:b", "%", "}{", "ü\0"] {
            let entry = Entry {
                key: key("a1", "t1", odd),
                user: UserId::from(odd),
            };
            let text = Entry::text(&entry.key, &entry.user, &Marks::new().next());
            assert_eq!(Entry::parse(&text).unwrap(), entry);
        }
        assert!(Entry::parse("").is_err());
        assert!(Entry::parse("a:b:c").is_err());
        assert!(Entry::parse("a:b:%ff:d").is_err());
    }

    #[test]
    fn sessions_are_spread_over_the_buckets() {
        let mut used: Vec<_> = (0..5_000)
            .map(|n| bucket(&path(&key("public", "public", &format!("session-{n}")))))
            .collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), usize::from(LAST_BUCKET) + 1);
    }
}
