//! The per-commitment secrets (BOLT 3 "Per-commitment Secret Requirements" and "Efficient Per-commitment Secret Storage"):
//! ours out of a seed, the peer's in at most 49 rows, as lightningd's tables `shachains` and `shachain_known` have them.

use bitcoin::hashes::{Hash, sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// The index of commitment 0; indexes count down.
const FIRST_INDEX: u64 = (1 << 48) - 1;

/// The rows of a full store: one per trailing zero of an index, and one for index 0.
const SEED_POSITION: u32 = 48;

/// A row of `shachain_known`: all secrets whose index continues `index` behind its last set bit follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownSecret {
    /// `pos`: trailing zeros of the index.
    pub pos: u32,
    /// `idx`: 2^48 - 1 less the number of the commitment.
    pub index: u64,
    /// `hash`: the secret.
    pub secret: [u8; 32],
}

/// The secrets that the peer revealed, in the order of the commitments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shachain {
    /// By `pos`.
    known: BTreeMap<u32, KnownSecret>,
}

/// A secret that does not fit to those before it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSecret {
    /// Not the next one.
    #[error("expected the secret of commitment {expected}, got that of commitment {got}")]
    Order {
        /// The number whose turn it is.
        expected: u64,
        /// The one that came.
        got: u64,
    },
    /// It does not give those before it.
    #[error(
        "expected a secret from which those of earlier commitments follow, that of commitment {number} does not give them"
    )]
    Unrelated {
        /// The commitment's number.
        number: u64,
    },
}

impl Shachain {
    /// Puts rows of `shachain_known` together again.
    pub fn from_rows(rows: impl IntoIterator<Item = KnownSecret>) -> Self {
        Self { known: rows.into_iter().map(|row| (row.pos, row)).collect() }
    }

    /// All rows, by `pos`. `shachains.num_valid` is their number.
    pub fn rows(&self) -> impl Iterator<Item = &KnownSecret> {
        self.known.values()
    }

    /// `shachains.min_index`: the least index seen, 2^48 before the first.
    pub fn min_index(&self) -> u64 {
        self.known.values().map(|row| row.index).min().unwrap_or(FIRST_INDEX + 1)
    }

    /// How many commitments are revoked: the number of the one whose secret comes next.
    pub fn next_number(&self) -> u64 {
        FIRST_INDEX + 1 - self.min_index()
    }

    /// Adds the secret of commitment `number`, and gives the row that is new or changed.
    ///
    /// # Errors
    ///
    /// If it is not the next one, or was not made as BOLT 3 says.
    pub fn insert(&mut self, number: u64, secret: [u8; 32]) -> Result<KnownSecret, BadSecret> {
        let expected = self.next_number();
        if number != expected {
            return Err(BadSecret::Order { expected, got: number });
        }
        let index = FIRST_INDEX - number;
        let row = KnownSecret { pos: position(index), index, secret };
        let mut earlier = self.known.range(..row.pos);
        if earlier.any(|(_, known)| derive(&secret, row.pos, known.index) != known.secret) {
            return Err(BadSecret::Unrelated { number });
        }
        self.known.insert(row.pos, row);
        Ok(row)
    }

    /// The secret of commitment `number`, if the peer revealed it.
    pub fn get(&self, number: u64) -> Option<[u8; 32]> {
        let index = FIRST_INDEX.checked_sub(number)?;
        let follows = |row: &&KnownSecret| index >> row.pos == row.index >> row.pos;
        let row = self.known.values().find(follows)?;
        Some(derive(&row.secret, row.pos, index))
    }
}

/// The secret of our own commitment `number`. Panics from number 2^48 on.
pub(crate) fn secret_of_seed(seed: &[u8; 32], number: u64) -> [u8; 32] {
    let index = FIRST_INDEX.checked_sub(number).expect("a channel has fewer than 2^48 commitments");
    derive(seed, SEED_POSITION, index)
}

fn position(index: u64) -> u32 {
    index.trailing_zeros().min(SEED_POSITION)
}

/// The secret of `index` from one whose index has the same bits from `bits` upwards, and none below.
fn derive(secret: &[u8; 32], bits: u32, index: u64) -> [u8; 32] {
    let mut secret = *secret;
    for bit in (0..bits).rev().filter(|bit| index >> bit & 1 == 1) {
        secret[bit as usize / 8] ^= 1 << (bit % 8);
        secret = sha256::Hash::hash(&secret).to_byte_array();
    }
    secret
}
