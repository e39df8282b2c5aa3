//! Exchanges as readable text that is the same in every run.
//!
//! The content of each token is written once. All other occurrences are replaced by a short label.
//! The token's length and a checksum verify the bytes that the label replaces.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use supersession::wire::SET_COOKIE_HEADER;

use super::wire::{TokenKind, WireRequest, WireResponse};

/// The start of every part of a transcript, after an empty line.
pub(super) const PART: &str = "\n=== ";

/// Headers of the server below the adapter, or of the framework's router.
const IGNORED: [&str; 5] = [
    "date",
    "content-length",
    "transfer-encoding",
    "connection",
    "allow",
];

/// The text of a response between the layer's name and the instructions for adding the layer.
const MISSING_LAYER: &str = " is missing from this route. Fix: ";

/// A transcript that is being recorded.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    text: String,
    labels: Vec<Label>,
    names: Vec<String>,
    /// Texts that differ between adapters, and their labels.
    replacements: Vec<(String, &'static str)>,
}

#[derive(Debug)]
struct Label {
    kind: TokenKind,
    token: String,
    name: String,
}

impl Transcript {
    pub(super) fn into_text(self) -> String {
        self.text.trim_start().to_owned()
    }

    /// Replaces `text` in bodies by `label`.
    pub(super) fn replace(&mut self, text: String, label: &'static str) {
        self.replacements.push((text, label));
    }

    /// Records an event other than an exchange.
    pub(super) fn note(&mut self, what: &str) {
        self.text.push_str(&format!("{PART}({what})\n"));
    }

    /// Records an exchange. Failures refer to the name, so names must be unique.
    #[track_caller]
    pub(super) fn exchange(&mut self, name: &str, request: &WireRequest, response: &WireResponse) {
        assert!(
            !self.names.iter().any(|known| known == name),
            "`{name}` is there twice"
        );
        self.names.push(name.to_owned());
        let request = self.request(request);
        let new = self.learn(response);
        let to_head = request.starts_with("> HEAD ");
        assert!(
            to_head || response.has_honest_length(),
            "`{name}`: the content length is not that of the body: {response:?}"
        );
        let response = self.response(response, to_head);
        let said: String = new.iter().map(|label| self.said_by(label, &new)).collect();
        self.text
            .push_str(&format!("{PART}{name}\n{request}{response}{said}"));
    }

    fn request(&self, request: &WireRequest) -> String {
        let mut text = format!("> {} {}\n", request.method, request.path);
        for (name, value) in &request.headers {
            text.push_str(&format!("> {name}: {}\n", self.labelled(value)));
        }
        text + &self.body('>', &request.body)
    }

    fn response(&self, response: &WireResponse, to_head: bool) -> String {
        let mut text = format!("< {}\n", response.status);
        let mut headers: Vec<_> = response
            .headers
            .iter()
            .filter(|(name, _)| !IGNORED.contains(&name.as_str()))
            .map(|(name, value)| (name, self.labelled(value)))
            .collect();
        // The order of different headers has no meaning, and neither has the order of different
        // cookies.
        headers.sort_by(|(a, a_value), (b, b_value)| {
            let values = if *a == SET_COOKIE_HEADER {
                a_value.cmp(b_value)
            } else {
                std::cmp::Ordering::Equal
            };
            a.cmp(b).then(values)
        });
        for (name, value) in headers {
            text.push_str(format!("< {name}: {value}").trim_end());
            text.push('\n');
        }
        // Servers send no body in response to HEAD, whatever the application returned.
        if to_head {
            text
        } else {
            text + &self.body('<', &response.body)
        }
    }

    fn body(&self, sign: char, body: &[u8]) -> String {
        if body.is_empty() {
            return String::new();
        }
        let mut body = self.labelled(&String::from_utf8_lossy(body));
        for (text, label) in &self.replacements {
            body = body.replace(text, label);
        }
        // The instructions for adding the layer differ between adapters. All must contain the error
        // itself.
        if let Some((before, _)) = body.split_once(MISSING_LAYER) {
            body = format!("{before}{MISSING_LAYER}<how>\"}}");
        }
        format!("{sign}\n{sign} {body}\n")
    }

    /// Labels the tokens of a response, and returns the positions of the new ones.
    fn learn(&mut self, response: &WireResponse) -> Vec<usize> {
        let mut given: Vec<_> = response
            .headers
            .iter()
            .filter_map(|(name, value)| TokenKind::of_header(name, value))
            .collect();
        given.sort_by_key(|(kind, _)| *kind as u8);
        let mut new = Vec::new();
        for (kind, token) in given {
            if self.labels.iter().any(|label| label.token == token) {
                continue;
            }
            let number = self
                .labels
                .iter()
                .filter(|label| label.kind == kind)
                .count()
                + 1;
            let name = format!("<{}#{number}>", kind.name());
            new.push(self.labels.len());
            self.labels.push(Label {
                kind,
                token: token.to_owned(),
                name,
            });
        }
        new
    }

    fn labelled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for label in &self.labels {
            text = text.replace(&label.token, &label.name);
        }
        // Remaining parts of a token were changed by the script.
        for label in self
            .labels
            .iter()
            .filter(|label| label.kind == TokenKind::Access)
        {
            if let Some((unsigned, _)) = label.token.rsplit_once('.') {
                text = text.replace(unsigned, &format!("{} but for the signature", label.name));
            }
        }
        text
    }

    /// Formats the complete content of a token.
    fn said_by(&self, position: &usize, new: &[usize]) -> String {
        let Label { kind, token, name } = &self.labels[*position];
        let bytes = format!(
            "  {name} {} bytes, checksum {:016x}\n",
            token.len(),
            checksum(token)
        );
        let said = match kind {
            TokenKind::Refresh | TokenKind::AntiCsrf => String::new(),
            TokenKind::Access => {
                let segment = |at| self.labelled(&segment(token, at));
                format!(
                    "  {name} header  {}\n  {name} payload {}\n",
                    segment(0),
                    segment(1)
                )
            }
            TokenKind::Front => {
                let mut said = decoded(STANDARD.decode(token));
                // Usually the same as in the adjacent access token, so a reference is enough.
                for label in new.iter().map(|at| &self.labels[*at]) {
                    if label.kind == TokenKind::Access {
                        said = said.replace(
                            &segment(&label.token, 1),
                            &format!("{} payload", label.name),
                        );
                    }
                }
                format!("  {name} says    {}\n", self.labelled(&said))
            }
        };
        said + &bytes
    }
}

impl TokenKind {
    fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Front => "front",
            Self::AntiCsrf => "anti-csrf",
        }
    }
}

fn segment(token: &str, at: usize) -> String {
    decoded(URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap_or_default()))
}

fn decoded<E: std::fmt::Display>(bytes: Result<Vec<u8>, E>) -> String {
    match bytes {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(not base64: {error})"),
    }
}

/// FNV-1a. It is sufficient to detect changed bytes.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)], body: &str) -> WireResponse {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        WireResponse {
            status: 200,
            headers: headers.iter().map(own).collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_transcript_does_not_depend_on_the_order_of_headers_and_cookies() {
        let text = |headers: &[(&str, &str)]| {
            let mut transcript = Transcript::default();
            transcript.exchange("one", &WireRequest::get("/"), &answer(headers, "{}"));
            transcript.into_text()
        };
        let one = text(&[
            ("set-cookie", "b=1"),
            ("date", "today"),
            ("set-cookie", "a=1"),
            ("x", "1"),
        ]);
        let other = text(&[("x", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=1")]);
        assert_eq!(one, other);
        assert_eq!(
            one,
            "=== one\n> GET /\n< 200\n< set-cookie: a=1\n< set-cookie: b=1\n< x: 1\n<\n< {}\n"
        );
        assert_ne!(
            one,
            text(&[
                ("x", "1"),
                ("x", "1"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=1")
            ])
        );
    }

    #[test]
    fn a_token_is_said_once_and_labelled_from_then_on() {
        let payload = r#"{"sub":"alice"}"#;
        let access = format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode("{}"),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let front = STANDARD.encode(format!(r#"{{"up":{payload}}}"#));
        let mut transcript = Transcript::default();
        let headers = [
            ("front-token", front.as_str()),
            ("st-access-token", &access),
        ];
        transcript.exchange("one", &WireRequest::get("/"), &answer(&headers, ""));
        transcript.exchange(
            "two",
            &WireRequest::get("/").bearer(&access),
            &answer(&[], ""),
        );
        let text = transcript.into_text();
        assert!(
            text.contains("  <access#1> payload {\"sub\":\"alice\"}\n"),
            "{text}"
        );
        assert!(
            text.contains("  <front#1> says    {\"up\":<access#1> payload}\n"),
            "{text}"
        );
        assert!(
            text.ends_with("> authorization: Bearer <access#1>\n< 200\n"),
            "{text}"
        );
        assert!(!text.contains(&access) && !text.contains(&front), "{text}");
    }

    #[test]
    #[should_panic(expected = "`one` is there twice")]
    fn two_exchanges_of_one_name_are_refused() {
        let mut transcript = Transcript::default();
        for _ in 0..2 {
            transcript.exchange("one", &WireRequest::get("/"), &answer(&[], ""));
        }
    }
}
