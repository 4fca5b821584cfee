//! Amounts with their unit in the type: `1_000.sat()`, `500.msat()`.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Serialize, Serializer};

/// An amount of bitcoin, to the millisatoshi. In JSON it is a text that every release understands, such as `"1500msat"`.
///
/// ```
/// use leyden::Units;
/// assert_eq!(1_000.sat() + 500.msat(), 1_000_500.msat());
/// assert_eq!((1_000.sat() + 500.msat()).to_string(), "1000500msat");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    msat: u64,
}

impl Amount {
    /// In millisatoshi.
    pub fn to_msat(self) -> u64 {
        self.msat
    }

    /// In satoshi, without what is less than one.
    pub fn to_sat(self) -> u64 {
        self.msat / 1000
    }
}

/// Numbers as [`Amount`]s.
pub trait Units {
    /// So many satoshi.
    fn sat(self) -> Amount;
    /// So many millisatoshi.
    fn msat(self) -> Amount;
}

impl Units for u64 {
    fn sat(self) -> Amount {
        Amount { msat: self * 1000 }
    }

    fn msat(self) -> Amount {
        Amount { msat: self }
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { msat: self.msat + other.msat }
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { msat: self.msat - other.msat }
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}msat", self.msat)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
