//! Typed access to single members of the session data, each in one atomic step.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Session;
use crate::documents::{self, Target};
use crate::error::SessionError;

impl Session {
    /// Returns a member of the session data, or `None` if it is missing.
    ///
    /// # Errors
    /// [`SessionError::Unauthorised`] if the session was revoked or has expired. A
    /// [`Fault`](crate::Fault) if the store fails or the member cannot be deserialized into `T`.
    ///
    /// # Examples
    /// ```
    /// # use supersession::{Session, SessionError};
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Cart {
    ///     items: Vec<u64>,
    /// }
    ///
    /// async fn add(session: &Session, item: u64) -> Result<(), SessionError> {
    ///     // Another request may add an item at the same time: neither is lost.
    ///     session.modify("cart", |cart: &mut Cart| cart.items.push(item)).await?;
    ///     session.insert("notice", "The item is in your cart.").await
    /// }
    ///
    /// async fn page(session: &Session) -> Result<String, SessionError> {
    ///     // Shown once, even if the page is opened twice at the same time.
    ///     let notice: Option<String> = session.take("notice").await?;
    ///     let cart: Cart = session.get("cart").await?.unwrap_or_default();
    ///     Ok(format!("{} {} items", notice.unwrap_or_default(), cart.items.len()))
    /// }
    /// ```
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionError> {
        let mut data: Map<String, Value> = self.session_data().await?;
        let value = data.remove(key).map(T::deserialize).transpose();
        value.map_err(|error| self.wrong_shape(&error))
    }

    /// Sets a member of the session data. A value that serializes to null removes the member.
    ///
    /// # Errors
    /// Those of [`Self::merge_session_data`].
    pub async fn insert<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), SessionError> {
        self.merge_session_data(Member { key, value }).await?;
        Ok(())
    }

    /// Removes a member of the session data.
    ///
    /// # Errors
    /// Those of [`Self::merge_session_data`].
    pub async fn remove(&self, key: &str) -> Result<(), SessionError> {
        self.insert(key, &()).await
    }

    /// Removes a member of the session data and returns it. Of several callers at the same time,
    /// one receives the value. For data that is used once, such as a message for the next page.
    ///
    /// Costs one read if the member is missing.
    ///
    /// # Errors
    /// Those of [`Self::get`], which leave the member in place.
    pub async fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionError> {
        let data: Map<String, Value> = self.session_data().await?;
        if !data.contains_key(key) {
            return Ok(None);
        }
        let taken = self
            .modify_session_data(|data: &mut Map<String, Value>| {
                let value = T::deserialize(data.get(key)?);
                if value.is_ok() {
                    data.remove(key);
                }
                Some(value)
            })
            .await?;
        taken.transpose().map_err(|error| self.wrong_shape(&error))
    }

    /// Modifies a member of the session data with `change`, starting from the default if it is
    /// missing, without lost updates. If the data changed in the meantime, `change` is called again
    /// on the new value. Returns the result of `change`.
    ///
    /// # Errors
    /// Those of [`Self::modify_session_data`].
    pub async fn modify<T, R, F>(&self, key: &str, mut change: F) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R,
    {
        let modified = self.modify_session_data(|data: &mut Map<String, Value>| {
            let mut value = match data.get(key) {
                Some(value) => T::deserialize(value)?,
                None => T::default(),
            };
            let result = change(&mut value);
            data.insert(key.to_owned(), serde_json::to_value(&value)?);
            Ok(result)
        });
        modified.await?.map_err(|error| self.wrong_shape(&error))
    }

    fn wrong_shape(&self, error: &serde_json::Error) -> SessionError {
        documents::shape_fault(&Target::SessionData(self.handle().clone()), error)
    }
}

/// A document with one member.
struct Member<'a, T: ?Sized> {
    key: &'a str,
    value: &'a T,
}

impl<T: Serialize + ?Sized> Serialize for Member<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.key, self.value)])
    }
}
