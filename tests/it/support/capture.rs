//! Every event and span of every test goes through here, and must not hold a token.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

static CAPTURED: Mutex<String> = Mutex::new(String::new());
static ISSUED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static INSTALLED: Once = Once::new();

/// Starts capturing, for the whole process. Tests that run in this binary share it.
pub(crate) fn install() {
    INSTALLED.call_once(|| tracing_subscriber::registry().with(Capture).init());
}

/// Everything that was told so far, by any test.
pub(crate) fn captured() -> String {
    CAPTURED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Takes note of a token that some answer gave. From now on no event may hold it, and none may have.
pub(crate) fn issued(token: &str) {
    if !token.is_empty() {
        let mut issued = ISSUED.lock().unwrap_or_else(PoisonError::into_inner);
        issued.push(token.to_owned());
        drop(issued);
        let captured = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
        if captured.contains(token) {
            give_up("an event that came before its token");
        }
    }
}

/// How many tokens were noted so far, by any test.
pub(crate) fn issued_count() -> usize {
    ISSUED.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// The first thing in `text` that looks like an access or a refresh token.
pub(crate) fn token_in(text: &str) -> Option<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-+/=".contains(c)))
        .find(|word| {
            let mut parts = word.split('.');
            let (first, second, third) = (parts.next(), parts.next(), parts.next());
            let is_jwt = first.is_some_and(|header| header.contains("eyJ"))
                && second.is_some_and(|payload| payload.starts_with("eyJ"));
            let is_refresh_token = second.is_some_and(|nonce| nonce.len() == 64)
                && third.is_some_and(|kind| kind.starts_with('V'))
                && first.is_some_and(|sealed| sealed.len() > 40);
            is_jwt || is_refresh_token
        })
}

struct Capture;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn check(text: &str, tokens: &[String]) {
    if token_in(text).is_some() || tokens.iter().any(|token| text.contains(token.as_str())) {
        give_up(text);
    }
}

/// Ends the process: a panic might be swallowed by the thread that logs.
#[expect(
    clippy::print_stderr,
    reason = "the process is about to abort; this says why"
)]
fn give_up(text: &str) -> ! {
    eprintln!("A TOKEN WAS LOGGED: {text}");
    std::process::abort();
}

fn take(text: &str) {
    // The text is kept before it is checked, and a token is kept before the texts are, so whichever
    // comes second finds the other.
    let mut captured = CAPTURED.lock().unwrap_or_else(PoisonError::into_inner);
    captured.push_str(text);
    captured.push('\n');
    drop(captured);
    check(text, &ISSUED.lock().unwrap_or_else(PoisonError::into_inner));
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(format!(
            "{} {}",
            event.metadata().target(),
            event.metadata().name()
        ));
        event.record(&mut text);
        take(&text.0);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut text = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut text);
        take(&text.0);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        take(&text.0);
    }
}
