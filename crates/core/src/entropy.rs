//! Randomness, and the values generated from it.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// The source of random bytes. Tests inject a seeded source, so that every token is reproducible.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    ///
    /// # Errors
    /// If the source fails. No token is minted from a failed source.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct EntropyError;

/// The operating system's generator, through AWS-LC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        SystemRandom::new().fill(bytes).map_err(|_| EntropyError)
    }
}

impl<E: Entropy + ?Sized> Entropy for Arc<E> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(bytes)
    }
}

/// Generates a version 4 UUID.
pub(crate) fn random_uuid(entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    Ok(uuid::Builder::from_random_bytes(random_bytes(entropy)?).into_uuid())
}

/// Generates `N` random bytes.
pub(crate) fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

/// Generates a number in `[0, 1)` with 53 random bits.
pub(crate) fn random_unit(entropy: &dyn Entropy) -> Result<f64, EntropyError> {
    let bits = u64::from_be_bytes(random_bytes(entropy)?) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let unit = bits as f64 / (1_u64 << 53) as f64;
    Ok(unit)
}
