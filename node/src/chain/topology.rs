//! The known part of the chain (`lightningd/chaintopology.c`).

use super::backend::{ChainReply, ChainRequest};
use crate::event::LogLevel;
use crate::input::{Step, Timer};
use crate::output::Output;
use crate::state::{Phase, State};
use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use serde_json::json;
use std::collections::BTreeMap;

/// The blocks that a node has seen, from the first one of this run to the tip.
#[derive(Default)]
pub(crate) struct Topology {
    blocks: BTreeMap<u32, BlockHash>,
    /// The request that is under way.
    asked: Option<ChainRequest>,
    /// A new block was announced while a request was under way: it may have been too early.
    poked: bool,
    /// `balance_snapshot` has been sent.
    snapshot_sent: bool,
}

impl Topology {
    /// The height of the tip; 0 before anything is known.
    pub(crate) fn height(&self) -> u32 {
        self.blocks.keys().next_back().copied().unwrap_or(0)
    }

    fn tip(&self) -> Option<(u32, BlockHash)> {
        self.blocks.iter().next_back().map(|(height, hash)| (*height, *hash))
    }
}

impl State {
    /// The database is open: find out where the chain is.
    pub(crate) fn setup_topology(&mut self) {
        self.phase = Phase::Topology;
        // v26.06.6 resets a flag here, in a transaction of its own.
        self.db().set_intvar("fixup_block_scan", 0);
        self.ask_chain(ChainRequest::GetChainInfo);
    }

    fn ask_chain(&mut self, request: ChainRequest) {
        self.topology.asked = Some(request);
        self.out.push(Output::AskChain(request));
    }

    /// Asks for the next block, unless an answer is under way.
    pub(crate) fn poll_chain(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        if self.topology.asked.is_some() {
            self.topology.poked = true;
            return;
        }
        self.ask_chain(ChainRequest::GetBlock(self.topology.height() + 1));
    }

    /// The Bitcoin backend answered.
    pub(crate) fn chain_reply(&mut self, request: ChainRequest, reply: Result<ChainReply, String>) {
        self.topology.asked = None;
        match (request, reply) {
            (_, Err(why)) if self.phase >= Phase::Running => {
                // bcli keeps trying as well; a test that stops bitcoind must not lose its node.
                self.log_main(LogLevel::Unusual, &why);
                self.set_poll_timer();
            }
            (_, Err(why)) => self.fatal(&why),
            (_, Ok(ChainReply::Info { chain, blockcount, .. })) => self.chain_info(&chain, blockcount),
            (ChainRequest::GetBlock(height), Ok(ChainReply::Block(block))) => self.block(height, block),
            (ChainRequest::GetChainInfo, Ok(ChainReply::Block(_))) => {}
        }
    }

    fn chain_info(&mut self, chain: &str, blockcount: u32) {
        if chain != "regtest" {
            let text = format!(
                "Wrong network! Our Bitcoin backend is running on '{chain}', but we expect 'regtest'."
            );
            return self.fatal(&text);
        }
        let known = self.db().intvar("last_processed_block").and_then(|height| u32::try_from(height).ok());
        let from = known.map_or(blockcount, |height| height.min(blockcount));
        self.ask_chain(ChainRequest::GetBlock(from.saturating_sub(self.config.rescan)));
    }

    fn block(&mut self, height: u32, block: Option<Header>) {
        match (self.phase, block) {
            (Phase::Topology, Some(block)) => self.first_block(height, &block),
            (Phase::Topology, None) => {
                self.fatal(&format!("bitcoind has no block {height}, which is to be the first"));
            }
            (Phase::Running, Some(block)) => self.next_block(height, &block),
            (Phase::Running, None) if std::mem::take(&mut self.topology.poked) => self.poll_chain(),
            (Phase::Running, None) => self.updates_complete(),
            _ => {}
        }
    }

    fn first_block(&mut self, height: u32, block: &Header) {
        let hash = block.block_hash();
        self.log_main(LogLevel::Debug, &format!("Adding block {height}: {hash}"));
        self.topology.blocks.insert(height, hash);
        self.db().set_intvar("last_processed_block", i64::from(height));
        self.db().exec("DELETE FROM blocks WHERE height > ?", &[&height]);
        self.out.push(Output::Again(Step::InitPlugins));
    }

    fn next_block(&mut self, height: u32, block: &Header) {
        let Some((tip, tip_hash)) = self.topology.tip() else { return };
        if block.prev_blockhash != tip_hash {
            self.remove_tip(tip, tip_hash);
            return self.poll_chain();
        }
        let hash = block.block_hash();
        self.log_main(LogLevel::Debug, &format!("Adding block {height}: {hash}"));
        self.topology.blocks.insert(height, hash);
        // CLN stores the bytes in the order of the wire, as `bitcoin` holds them.
        let (stored, previous) = (hash.to_byte_array(), block.prev_blockhash.to_byte_array());
        let insert = "INSERT INTO blocks (height, hash, prev_hash) VALUES (?, ?, ?);";
        self.db().exec(insert, &[&height, &stored, &previous]);
        self.out.push(Output::Again(Step::TipRecorded));
    }

    /// The new tip has a transaction of its own, behind that of the block.
    pub(crate) fn tip_recorded(&mut self) {
        let Some((height, hash)) = self.topology.tip() else { return };
        self.db().set_intvar("last_processed_block", i64::from(height));
        self.notify("block_added", json!({ "hash": hash.to_string(), "height": height }));
        self.poll_chain();
    }

    /// There is no further block for now.
    fn updates_complete(&mut self) {
        // Not if the first block of this run is still the only one: then nothing has been caught up with.
        if self.topology.blocks.len() > 1 && !self.topology.snapshot_sent {
            self.topology.snapshot_sent = true;
            self.send_account_balance_snapshot();
        }
        self.set_poll_timer();
    }

    fn remove_tip(&mut self, height: u32, hash: BlockHash) {
        self.topology.blocks.remove(&height);
        if self.topology.blocks.is_empty() {
            return self.fatal(&format!("Initial block {height} ({hash}) reorganized out!"));
        }
        self.log_main(LogLevel::Debug, &format!("Removing stale block {height}: {hash}"));
        self.db().exec("DELETE FROM blocks WHERE hash = ?", &[&hash.to_byte_array()]);
    }

    fn set_poll_timer(&mut self) {
        self.out.push(Output::SetTimer(Timer::PollChain, self.config.bitcoind.poll));
    }
}
