//! Schema and prefix of the tables, and statements that contain them.

use std::fmt::Write as _;

/// Maximum length of a prefix. It leaves room for PostgreSQL's 63 bytes in every constraint's name.
const MAX_PREFIX: usize = 16;
const MAX_SCHEMA: usize = 63;

/// Schema and prefix of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    schema: String,
    /// Includes the underscore. Empty if the tables have no prefix.
    prefix: String,
}

impl Names {
    /// Creates the names. As in SuperTokens' configuration, `prefix` does not include the
    /// underscore that follows it.
    pub(crate) fn new(schema: &str, prefix: &str) -> Self {
        let underscore = if prefix.is_empty() { "" } else { "_" };
        Self {
            schema: schema.to_owned(),
            prefix: format!("{prefix}{underscore}"),
        }
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns the statement with `@name` replaced by the qualified name of that table, and `%name`
    /// by a name with the prefix only, for constraints and indexes.
    pub(crate) fn statement(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some(at) = rest.find(['@', '%']) {
            text.push_str(&rest[..at]);
            let name = &rest[at + 1..];
            let end = name
                .find(|c: char| !c.is_ascii_lowercase() && c != '_')
                .unwrap_or(name.len());
            if rest[at..].starts_with('@') {
                let _ = write!(text, "\"{}\".", self.schema);
            }
            let _ = write!(text, "\"{}{}\"", self.prefix, &name[..end]);
            rest = &name[end..];
        }
        text.push_str(rest);
        text
    }

    /// Returns the channel of these tables' revocation notifications. Channels belong to a
    /// database, and their names are as short as those of tables, so the name contains a digest of
    /// schema and prefix.
    pub(crate) fn channel(&self) -> String {
        format!("supersession_endings_{:016x}", self.digest())
    }

    /// Returns the advisory lock that a node holds while it migrates these tables.
    pub(crate) fn migration_lock(&self) -> i64 {
        (self.digest() ^ 0x5375_7065_7273_6573).cast_signed()
    }

    /// FNV-1a: the same in every build of every version.
    fn digest(&self) -> u64 {
        let bytes = self.schema.bytes().chain([b'.']).chain(self.prefix.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |digest: u64, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// Returns `true` if `name` is a valid schema name: letters, digits, `_` and `-`, at most 63 of
/// them.
pub(crate) fn is_schema(name: &str) -> bool {
    (1..=MAX_SCHEMA).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Returns `true` if `name` is a valid prefix: lower-case letters, digits and `_`, a letter first,
/// at most 16. SuperTokens does not quote the names of its tables, so PostgreSQL folds them to
/// lower case.
pub(crate) fn is_prefix(name: &str) -> bool {
    name.len() <= MAX_PREFIX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_the_tables_of_their_schema() {
        let template = "CREATE TABLE @apps (CONSTRAINT %apps_pkey PRIMARY KEY (app_id))";
        assert_eq!(
            Names::new("auth", "").statement(template),
            r#"CREATE TABLE "auth"."apps" (CONSTRAINT "apps_pkey" PRIMARY KEY (app_id))"#
        );
        assert_eq!(
            Names::new("Auth-2", "st").statement(template),
            r#"CREATE TABLE "Auth-2"."st_apps" (CONSTRAINT "st_apps_pkey" PRIMARY KEY (app_id))"#
        );
    }

    #[test]
    fn names_that_could_end_the_quotes_are_refused() {
        for name in ["", "a\"b", "a.b", "a b", "a;", "\u{fc}", &"a".repeat(64)] {
            assert!(!is_schema(name), "{name}");
        }
        for name in ["", "A", "1a", "_a", "a-b", "a\"", &"a".repeat(17)] {
            assert!(!is_prefix(name), "{name}");
        }
        assert!(is_schema("Auth-2_x") && is_prefix("st_2"));
    }

    #[test]
    fn each_place_has_a_channel_and_a_lock_of_its_own() {
        let places = [("a", ""), ("a", "b"), ("b", "a"), ("ab", "")];
        let channels = places.map(|(schema, prefix)| Names::new(schema, prefix).channel());
        let locks = places.map(|(schema, prefix)| Names::new(schema, prefix).migration_lock());
        for a in 0..places.len() {
            assert!(channels[a].len() <= 63);
            for b in 0..a {
                assert!(channels[a] != channels[b] && locks[a] != locks[b]);
            }
        }
        // Nodes of different versions must use the same channel.
        assert_eq!(
            Names::new("public", "").channel(),
            "supersession_endings_e2890e411c18258a"
        );
    }
}
