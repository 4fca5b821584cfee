//! What other parts of the node are told of channels. Each of these moves to its owner's module when that is there.

use crate::state::State;
use bitcoin::Transaction;
use leyden_bolt::channel::Removal;
use leyden_bolt::message::channel::AnnouncementSignatures;

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

/// For gossip.
impl State {
    /// A channel can be used, and has a name.
    pub(super) fn own_channel_usable(&mut self, _dbid: u64) {}

    /// Its funding is six blocks deep.
    pub(super) fn own_channel_deep(&mut self, _dbid: u64) {}

    /// The peer's half of the signatures of its announcement.
    pub(super) fn announcement_signatures(&mut self, _dbid: u64, _signatures: &AnnouncementSignatures) {}

    /// Its policy is another one, or its peer is gone or back.
    pub(super) fn own_channel_changed(&mut self, _dbid: u64) {}

    /// It is closed.
    pub(super) fn own_channel_gone(&mut self, _dbid: u64) {}
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
