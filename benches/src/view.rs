//! A request view over a slice of headers.

use supersession::http::RequestView;

/// A `GET` request for a page.
pub(crate) struct View<'a>(pub(crate) &'a [(&'a str, &'a [u8])]);

impl RequestView for View<'_> {
    fn method(&self) -> &'static str {
        "GET"
    }

    fn path(&self) -> &'static str {
        "/orders"
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0 {
            each(name, value);
        }
    }
}

/// Polls a future that must complete immediately.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("verifying in memory has something to wait for"),
    }
}
