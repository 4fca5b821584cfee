//! The weights of the transactions for which fees are told, as lightningd takes them; those of HTLCs are BOLT 3's.

pub(super) const OPENING: u64 = 702;
pub(super) const MUTUAL_CLOSE: u64 = 673;
pub(super) const COMMITMENT: u64 = 598;
pub(super) const ANCHOR_COMMITMENT: u64 = 1112;
pub(super) const HTLC_TIMEOUT: u64 = 663;
pub(super) const HTLC_SUCCESS: u64 = 703;
