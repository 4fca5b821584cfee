//! What other parts of the node are told of channels. Each of these moves to its owner's module when that is there.

use crate::state::State;
use bitcoin::Transaction;
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
}

/// For what follows channels on the chain.
impl State {
    /// The funding output is spent.
    pub(super) fn funding_spent(&mut self, _dbid: u64, _tx: &Transaction, _height: u32) {}

    /// Channels that are closed on the chain are loaded: what comes of them is followed again.
    pub(super) fn load_onchain(&mut self) {}

    /// The preimage of an incoming HTLC of a channel on the chain is known.
    pub(super) fn onchain_preimage(&mut self, _dbid: u64, _id: u64, _preimage: [u8; 32]) {}

    /// What is being done about it.
    pub(super) fn onchain_status(&self, _dbid: u64) -> Vec<String> {
        Vec::new()
    }
}
