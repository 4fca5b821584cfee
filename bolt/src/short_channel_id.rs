//! `short_channel_id`: where on the chain a channel was funded (BOLT 7).

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Block, transaction and output, written `103x1x0`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortChannelId(u64);

/// Text that is not three numbers with `x` between them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a short_channel_id such as 103x1x0, got {got:?}")]
pub struct NotAShortChannelId {
    got: String,
}

impl ShortChannelId {
    /// The channel funded by output `output` of transaction `transaction` of the block at `block`; `None` if a number
    /// does not fit into its 24, 24 and 16 bits.
    #[must_use]
    pub fn new(block: u32, transaction: u32, output: u16) -> Option<Self> {
        let fits = block < 1 << 24 && transaction < 1 << 24;
        fits.then(|| Self(u64::from(block) << 40 | u64::from(transaction) << 16 | u64::from(output)))
    }

    /// The 8 bytes of the wire as a number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The 8 bytes of the wire as a number.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The height of the block.
    #[must_use]
    pub const fn block(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// The place of the transaction in its block.
    #[must_use]
    pub const fn transaction(self) -> u32 {
        (self.0 >> 16 & 0xff_ffff) as u32
    }

    /// The number of the output.
    #[must_use]
    pub const fn output(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for ShortChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}x{}", self.block(), self.transaction(), self.output())
    }
}

impl fmt::Debug for ShortChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ShortChannelId({self})")
    }
}

impl FromStr for ShortChannelId {
    type Err = NotAShortChannelId;

    fn from_str(text: &str) -> Result<Self, NotAShortChannelId> {
        let mut parts = text.split('x');
        let mut next = || parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let (block, transaction, output) = (next(), next(), next());
        let id = match (block, transaction, output, parts.next()) {
            (Some(block), Some(transaction), Some(output), None) => {
                block.parse().ok().zip(transaction.parse().ok()).zip(output.parse().ok())
            }
            _ => None,
        };
        id.and_then(|((block, transaction), output)| Self::new(block, transaction, output))
            .ok_or_else(|| NotAShortChannelId { got: text.to_owned() })
    }
}
