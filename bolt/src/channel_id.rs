//! `channel_id`: the name of a channel between its two nodes (BOLT 2).

use bitcoin::OutPoint;
use bitcoin::hashes::Hash;
use bitcoin::hex::{DisplayHex, FromHex, HexToArrayError};
use std::fmt;
use std::str::FromStr;

/// 32 bytes: drawn by the opener at first (`temporary_channel_id`), made of the funding outpoint later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub [u8; 32]);

impl ChannelId {
    /// Speaks of all channels, or of none (BOLT 1).
    pub const ALL: Self = Self([0; 32]);

    /// The id of a channel funded by `funding`: its transaction id with the last two bytes XORed with the output's number.
    #[must_use]
    pub fn of_funding(funding: OutPoint) -> Self {
        let mut id = funding.txid.to_byte_array();
        // A funding output has a number of 16 bits: `funding_output_index`.
        let [.., high, low] = funding.vout.to_be_bytes();
        id[30] ^= high;
        id[31] ^= low;
        Self(id)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hex(), formatter)
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ChannelId({self})")
    }
}

impl FromStr for ChannelId {
    type Err = HexToArrayError;

    fn from_str(text: &str) -> Result<Self, HexToArrayError> {
        FromHex::from_hex(text).map(Self)
    }
}
