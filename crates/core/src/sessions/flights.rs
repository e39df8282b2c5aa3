//! Refreshes in flight: requests of one page that come together share one refresh.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::authority::IssuedSession;
use crate::secret::{RefreshHash2, RefreshToken};

/// The place where the first of several requests leaves the tokens for the others. Locked while a
/// refresh runs. Empty if it failed or was aborted: then the next request tries.
pub(crate) type Flight = tokio::sync::Mutex<Option<IssuedSession>>;

/// The refreshes that run, by the hash of their token. Tokens are kept only while a request waits
/// for them.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<String, Weak<Flight>>>);

impl Flights {
    /// Returns the flight of this token, which a first caller creates.
    pub(crate) fn join(&self, token: &RefreshToken) -> Arc<Flight> {
        // Every critical section leaves the map consistent, so a poisoned lock is still sound.
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = RefreshHash2::of(token).as_str().to_owned();
        if let Some(flight) = flights.get(&hash).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(Flight::default());
        flights.insert(hash, Arc::downgrade(&flight));
        flight
    }
}
