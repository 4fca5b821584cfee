//! Whether an announced channel is on the chain (`lightningd/gossip_control.c:get_txout`, `bitcoind.c:bitcoind_getfilteredblock`).
//!
//! Outputs of blocks that the node has followed are in the table `utxoset`. An older block is fetched, each of its outputs
//! that may be a channel is asked for, and those that are unspent go into the table as well.

use crate::chain::bitcoind::Question;
use crate::chain::topology::TxLocation;
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, TxOut};
use leyden_bolt::ShortChannelId;
use std::collections::VecDeque;

/// The outputs that have to be looked for in older blocks.
#[derive(Default)]
pub(super) struct Lookups {
    wanted: VecDeque<ShortChannelId>,
    /// The block that is being gone through, once it is there.
    block: Option<OldBlock>,
}

/// A block from before this node's time.
struct OldBlock {
    height: u32,
    hash: BlockHash,
    previous: BlockHash,
    unasked: VecDeque<Output>,
    unspent: Vec<Output>,
}

/// An output that may be a channel, and the place of its transaction in the block.
struct Output {
    outpoint: OutPoint,
    transaction: u32,
    output: TxOut,
}

impl State {
    /// Looks for the output in which a channel is to be funded; the answer goes to [`State::funding_output_found`].
    pub(super) fn find_funding_output(&mut self, scid: ShortChannelId) {
        if let Some(output) = self.stored_output(scid) {
            self.funding_output_found(scid, Some(output));
        } else if self.has_stored_block(scid.block()) {
            self.funding_output_found(scid, None);
        } else {
            self.gossip.lookups.wanted.push_back(scid);
            if self.gossip.lookups.wanted.len() == 1 {
                self.ask_chain(Question::OldBlock(scid.block()));
            }
        }
    }

    fn stored_output(&self, scid: ShortChannelId) -> Option<(u64, ScriptBuf)> {
        let query = "SELECT satoshis, scriptpubkey FROM utxoset WHERE blockheight = ? AND txindex = ? AND \
                     outnum = ? AND spendheight IS NULL";
        let place: [&dyn rusqlite::ToSql; 3] = [&scid.block(), &scid.transaction(), &scid.output()];
        let output = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, ScriptBuf::from_bytes(row.get(1)?)));
        self.stored().rows(query, &place, output).pop()
    }

    fn has_stored_block(&self, height: u32) -> bool {
        !self.stored().rows("SELECT 1 FROM blocks WHERE height = ?", &[&height], |_| Ok(())).is_empty()
    }

    /// The block that was asked for, if there is one.
    pub(crate) fn old_block(&mut self, height: u32, block: Option<&Block>) {
        let Some(block) = block else { return self.conclude_lookup(height, &[]) };
        let unasked = (0..).zip(&block.txdata).flat_map(|(transaction, tx)| {
            let txid = tx.compute_txid();
            let outputs = (0..).zip(&tx.output).filter(|(_, output)| output.script_pubkey.is_p2wsh());
            outputs.map(move |(vout, output)| {
                let outpoint = OutPoint { txid, vout };
                Output { outpoint, transaction, output: output.clone() }
            })
        });
        self.gossip.lookups.block = Some(OldBlock {
            height,
            hash: block.block_hash(),
            previous: block.header.prev_blockhash,
            unasked: unasked.collect(),
            unspent: Vec::new(),
        });
        self.ask_next_output();
    }

    fn ask_next_output(&mut self) {
        let Some(block) = &self.gossip.lookups.block else { return };
        match block.unasked.front().map(|output| output.outpoint) {
            Some(OutPoint { txid, vout }) => {
                self.ask_chain(Question::Output { txid: txid.to_string(), vout });
            }
            None => self.old_block_is_through(),
        }
    }

    /// Whether the output that was asked for is unspent.
    pub(crate) fn output_looked_up(&mut self, is_unspent: bool) {
        let Some(block) = &mut self.gossip.lookups.block else { return };
        let output = block.unasked.pop_front();
        block.unspent.extend(output.filter(|_| is_unspent));
        self.ask_next_output();
    }

    fn old_block_is_through(&mut self) {
        let Some(block) = self.gossip.lookups.block.take() else { return };
        if block.height < self.topology.first_height() && !self.has_stored_block(block.height) {
            let (hash, previous) = (block.hash.to_byte_array(), block.previous.to_byte_array());
            let insert = "INSERT INTO blocks (height, hash, prev_hash) VALUES (?, ?, ?);";
            self.db().exec(insert, &[&block.height, &hash, &previous]);
            for Output { outpoint, transaction, output } in &block.unspent {
                let location = TxLocation { height: block.height, index: *transaction };
                self.store_possible_channel(*outpoint, location, output);
            }
        }
        self.conclude_lookup(block.height, &block.unspent);
    }

    /// Answers everybody who looks for an output of this block, and goes on with the next block.
    fn conclude_lookup(&mut self, height: u32, unspent: &[Output]) {
        let wanted = std::mem::take(&mut self.gossip.lookups.wanted);
        let (here, elsewhere): (VecDeque<_>, VecDeque<_>) =
            wanted.into_iter().partition(|scid| scid.block() == height);
        self.gossip.lookups.wanted = elsewhere;
        if let Some(next) = self.gossip.lookups.wanted.front() {
            self.ask_chain(Question::OldBlock(next.block()));
        }
        for scid in here {
            let is_it = |output: &&Output| {
                (output.transaction, output.outpoint.vout) == (scid.transaction(), scid.output().into())
            };
            let found = unspent.iter().find(is_it).map(|found| &found.output);
            let found = found.map(|output| (output.value.to_sat(), output.script_pubkey.clone()));
            self.funding_output_found(scid, found);
        }
    }

    /// bitcoind was not reached: whoever announces the channels again is listened to again.
    pub(crate) fn lookups_failed(&mut self, why: &str) {
        self.log_main(LogLevel::Unusual, why);
        self.gossip.lookups.block = None;
        for scid in std::mem::take(&mut self.gossip.lookups.wanted) {
            self.gossip.pending.remove(&scid);
        }
    }
}
