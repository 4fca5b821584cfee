//! Time and chance, which a node is given and does not take.

use bitcoin::hashes::{Hash, sha256};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}

/// Seconds since 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A stream of secrets, all from one seed: the same seed gives the same node.
#[derive(Debug)]
pub(crate) struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl Entropy {
    /// Secrets from `seed`, or from the system if there is none.
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Self {
        let seed = seed.unwrap_or_else(|| {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).expect("the system has randomness");
            seed
        });
        Self { seed, drawn: 0 }
    }

    /// The next secret.
    pub(crate) fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        sha256::Hash::hash(&[&self.seed[..], &self.drawn.to_be_bytes()].concat()).to_byte_array()
    }
}
