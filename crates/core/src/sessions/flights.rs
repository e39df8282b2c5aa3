//! Refreshes in flight: requests of one page that come together share one refresh.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
        let mut flights = self.flights();
        let hash = hash_of(token);
        if let Some(flight) = flights.get(&hash).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(Flight::default());
        flights.insert(hash, Arc::downgrade(&flight));
        flight
    }

    /// Ends the flight of this token for later callers. Those that have joined keep it.
    pub(crate) fn close(&self, token: &RefreshToken) {
        self.flights().remove(&hash_of(token));
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<String, Weak<Flight>>> {
        // Every critical section leaves the map consistent, so a poisoned lock is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash_of(token: &RefreshToken) -> String {
    RefreshHash2::of(token).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_takes_callers_until_it_is_closed() {
        let (flights, token) = (Flights::default(), RefreshToken::new("token"));
        let first = flights.join(&token);
        assert!(Arc::ptr_eq(&first, &flights.join(&token)));
        assert!(!Arc::ptr_eq(
            &first,
            &flights.join(&RefreshToken::new("other"))
        ));
        flights.close(&token);
        assert!(!Arc::ptr_eq(&first, &flights.join(&token)));
    }
}
