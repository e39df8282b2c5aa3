//! Limits of stored values: documents of sessions and users, payloads of tokens and of JWTs.
//!
//! Every input becomes a [`JsonObject`](crate::JsonObject), which checks the limits: values and
//! patches of the application, results of claims, bodies of the core driver interface, and answers
//! of a core. A document that a store already holds is not checked when it is read, so that its
//! session can still be verified, refreshed and revoked.

/// Maximum nesting of a document. `serde_json` parses 127 levels. The difference is left for the
/// JSON that applications wrap around a document.
pub const MAX_JSON_DEPTH: usize = 100;

/// Maximum length of a document, in bytes of its text: 1 MiB.
pub const MAX_DOCUMENT_BYTES: usize = 1_048_576;

/// A text exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Excess {
    #[error("nested deeper than {MAX_JSON_DEPTH} levels")]
    TooDeep,
    #[error("longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
}

/// Checks the text of a document, which is valid JSON.
pub(crate) fn check(text: &str) -> Result<(), Excess> {
    if text.len() > MAX_DOCUMENT_BYTES {
        Err(Excess::TooLarge)
    } else if is_too_deep(text) {
        Err(Excess::TooDeep)
    } else {
        Ok(())
    }
}

/// Returns `true` if valid JSON is nested too deep for a document.
pub(crate) fn is_too_deep(text: &str) -> bool {
    exceeds_depth(text, MAX_JSON_DEPTH)
}

/// Returns `true` if valid JSON is nested too deep for a member of a document.
pub(crate) fn is_member_too_deep(text: &str) -> bool {
    exceeds_depth(text, MAX_JSON_DEPTH - 1)
}

fn exceeds_depth(text: &str, most: usize) -> bool {
    // Fast path for the common case: a text with no more opening brackets than this, nested or not.
    if memchr::memchr2_iter(b'{', b'[', text.as_bytes())
        .nth(most)
        .is_none()
    {
        return false;
    }
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn levels_are_counted_outside_of_texts() {
        assert_eq!(check(&nested(MAX_JSON_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_JSON_DEPTH + 1)), Err(Excess::TooDeep));
        assert_eq!(check(&nested(200_000)), Err(Excess::TooDeep));
        let side_by_side = format!("[{}1]", "[],".repeat(1_000));
        assert_eq!(check(&side_by_side), Ok(()));
        let text = format!(r#"{{"{}":"\"{}\\"}}"#, "[".repeat(200), "{".repeat(200));
        assert_eq!(check(&text), Ok(()));
    }

    #[test]
    fn bytes_are_counted() {
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert_eq!(check(&text(MAX_DOCUMENT_BYTES)), Ok(()));
        assert_eq!(check(&text(MAX_DOCUMENT_BYTES + 1)), Err(Excess::TooLarge));
    }
}
