//! Type-length-value streams (BOLT 1), kept raw and read strictly.

use crate::integer::{IntegerError, read_bigsize, write_bigsize};
use bitcoin::hex::DisplayHex;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// A valid stream: each type at most once, in ascending order, values uninterpreted.
///
/// Encoding gives back the bytes that were decoded.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TlvStream {
    records: BTreeMap<u64, Vec<u8>>,
}

/// Why bytes are not a valid stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlvError {
    /// A type is cut off or not minimal.
    #[error("TLV type: {0}")]
    Type(IntegerError),
    /// A length is cut off or not minimal.
    #[error("length of TLV type {kind}: {error}")]
    Length {
        /// The type of the record.
        kind: u64,
        /// What is wrong with its length.
        error: IntegerError,
    },
    /// The stream ends inside a value.
    #[error("TLV type {kind}: expected a value of {expected} bytes, only {got} are left")]
    Value {
        /// The type of the record.
        kind: u64,
        /// Its length.
        expected: u64,
        /// How many bytes are left.
        got: usize,
    },
    /// A type that is not greater than the one before it.
    #[error("expected a TLV type above {previous}, got {kind}")]
    Order {
        /// The type before.
        previous: u64,
        /// The type that came.
        kind: u64,
    },
    /// An even type that the reader does not know.
    #[error("expected no even TLV type but {known:?}, got {kind}")]
    UnknownEven {
        /// The types that the reader knows.
        known: Vec<u64>,
        /// The type that came.
        kind: u64,
    },
}

impl TlvStream {
    /// A stream without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a stream that fills `bytes`, unknown types of either parity included; see
    /// [`check_known`](Self::check_known) for "it's ok to be odd".
    ///
    /// # Errors
    ///
    /// If anything is cut off, a type or length is not minimal, or types do not ascend.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, TlvError> {
        let mut records = BTreeMap::new();
        let mut previous = None;
        while !bytes.is_empty() {
            let (kind, value) = read_record(&mut bytes)?;
            if let Some(previous) = previous.filter(|previous| kind <= *previous) {
                return Err(TlvError::Order { previous, kind });
            }
            previous = Some(kind);
            records.insert(kind, value);
        }
        Ok(Self { records })
    }

    /// The stream as it goes over the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, value) in &self.records {
            write_bigsize(*kind, &mut out);
            write_bigsize(value.len() as u64, &mut out);
            out.extend_from_slice(value);
        }
        out
    }

    /// Refuses even types that are not in `known`; odd ones may always be ignored.
    ///
    /// # Errors
    ///
    /// [`TlvError::UnknownEven`] for the first of them.
    pub fn check_known(&self, known: &[u64]) -> Result<(), TlvError> {
        match self.records.keys().find(|kind| *kind % 2 == 0 && !known.contains(kind)) {
            Some(&kind) => Err(TlvError::UnknownEven { known: known.to_vec(), kind }),
            None => Ok(()),
        }
    }

    /// The value of a type.
    pub fn get(&self, kind: u64) -> Option<&[u8]> {
        self.records.get(&kind).map(Vec::as_slice)
    }

    /// Sets the value of a type.
    pub fn set(&mut self, kind: u64, value: impl Into<Vec<u8>>) {
        self.records.insert(kind, value.into());
    }

    /// Types and values in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.records.iter().map(|(kind, value)| (*kind, value.as_slice()))
    }
}

impl fmt::Debug for TlvStream {
    /// Values in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(kind, value)| (kind, value.to_lower_hex_string()))).finish()
    }
}

fn read_record(bytes: &mut &[u8]) -> Result<(u64, Vec<u8>), TlvError> {
    let kind = read_bigsize(bytes).map_err(TlvError::Type)?;
    let length = read_bigsize(bytes).map_err(|error| TlvError::Length { kind, error })?;
    let cut = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let Some((value, rest)) = cut else {
        return Err(TlvError::Value { kind, expected: length, got: bytes.len() });
    };
    *bytes = rest;
    Ok((kind, value.to_vec()))
}
