//! What other parts of the node are told of channels. Each of these moves to its owner's module when that is there.

use crate::state::State;
use leyden_bolt::channel::Removal;

/// For the switch.
impl State {
    /// An incoming HTLC is irrevocably committed.
    pub(super) fn htlc_committed(&mut self, _dbid: u64, _id: u64) {}

    /// One of ours is paid.
    pub(super) fn htlc_fulfilled(&mut self, _dbid: u64, _id: u64, _preimage: [u8; 32]) {}

    /// One of ours is gone for good.
    pub(super) fn htlc_removed(&mut self, _dbid: u64, _id: u64, _removal: Removal) {}

    /// One of ours never got into a commitment.
    pub(super) fn htlc_dropped(&mut self, _dbid: u64, _id: u64) {}

    /// An incoming one was paid, and is gone for good.
    pub(super) fn htlc_received(&mut self, _dbid: u64, _id: u64) {}

    /// One of ours has come to its end on the chain: the peer took it, or it is back.
    pub(crate) fn htlc_resolved_onchain(&mut self, _dbid: u64, _id: u64, _preimage: Option<[u8; 32]>) {}
}
