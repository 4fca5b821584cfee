//! The known part of the chain (`lightningd/chaintopology.c`).

use super::answer::{ChainInfo, Estimates};
use super::bitcoind::Question;
use super::sync::Sync;
use super::waitblockheight::Waiter;
use crate::event::LogLevel;
use crate::input::{Step, Timer};
use crate::output::Output;
use crate::state::{Phase, State};
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How soon to look again whether a bitcoind that has lost blocks has them back.
const LOST_BLOCKS_PACE: Duration = Duration::from_secs(5);

/// For how many blocks a spent output is remembered (`wallet.c:UTXO_PRUNE_DEPTH`).
const OUTPUTS_KEPT: i64 = 144;

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TxLocation {
    /// Of its block.
    pub(crate) height: u32,
    /// Its place within the block.
    pub(crate) index: u32,
}

/// The blocks that a node has seen, from the first one of this run to the tip.
#[derive(Default)]
pub(crate) struct Topology {
    blocks: BTreeMap<u32, BlockHash>,
    /// The tip when the backend last had no further block.
    settled_tip: Option<BlockHash>,
    survey: Survey,
    pub(crate) sync: Sync,
    /// Methods whose answer is under way.
    asked: BTreeSet<&'static str>,
    /// A new block was announced while a request was under way: it may have been too early.
    poked: bool,
    /// `balance_snapshot` has been sent.
    snapshot_sent: bool,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) next_waiter: u64,
}

/// What is found out before the first block is fetched.
#[derive(Default)]
struct Survey {
    /// The height to start from, if the database tells it or the user.
    from: Option<u32>,
    info: Option<ChainInfo>,
    estimates: Option<Estimates>,
    /// The backend has lost blocks that the node knew.
    lost_blocks: bool,
}

impl Topology {
    /// The height of the tip; 0 before anything is known.
    pub(crate) fn height(&self) -> u32 {
        self.tip().map_or(0, |(height, _)| height)
    }

    /// The height of the first block of this run; 0 before anything is known.
    pub(crate) fn first_height(&self) -> u32 {
        self.blocks.first_key_value().map_or(0, |(height, _)| *height)
    }

    fn tip(&self) -> Option<(u32, BlockHash)> {
        self.blocks.iter().next_back().map(|(height, hash)| (*height, *hash))
    }
}

impl State {
    /// The database is open: find out where the chain is.
    pub(crate) fn setup_topology(&mut self) {
        self.phase = Phase::Topology;
        self.init_backends();
    }

    /// The backends are there: ask for everything that is to be known before the first block.
    pub(crate) fn survey_chain(&mut self) {
        self.topology.survey.from = match (self.config.rescan, self.highest_block()) {
            (rescan, _) if rescan < 0 => Some(rescan.unsigned_abs()),
            (rescan, Some(known)) => Some(known.saturating_sub(rescan.unsigned_abs())),
            (_, None) => None,
        };
        // A note for an old mistake, in a transaction of its own.
        if self.profile.notes_block_scan() && self.db().intvar("fixup_block_scan").is_none() {
            self.db().set_intvar("fixup_block_scan", 0);
        }
        self.ask_chain_info(self.topology.survey.from.unwrap_or(0));
        self.poll_fees();
    }

    /// The highest block in the database; the first block of a run is not stored.
    fn highest_block(&mut self) -> Option<u32> {
        let heights = self.db().rows("SELECT MAX(height) FROM blocks;", &[], |row| row.get(0));
        heights.into_iter().next().flatten()
    }

    pub(crate) fn ask_chain_info(&mut self, last_height: u32) {
        let last_height = self.profile.tells_backend_of_height().then_some(last_height);
        self.ask_once(Question::ChainInfo { last_height });
    }

    /// Asks, unless an answer of the same method is under way.
    pub(crate) fn ask_once(&mut self, question: Question) -> bool {
        let first = self.topology.asked.insert(question.method());
        if first {
            self.ask_chain(question);
        }
        first
    }

    /// Something may have changed: look now and not at the next poll.
    pub(crate) fn poke_chain(&mut self) {
        if self.topology.survey.lost_blocks {
            return self.look_for_lost_blocks();
        }
        if self.phase != Phase::Running {
            return;
        }
        self.poll_sync();
        self.poll_fees();
        self.poll_chain();
    }

    /// Asks for the next block, unless an answer is under way.
    pub(crate) fn poll_chain(&mut self) {
        let next = Question::Block(self.topology.height() + 1);
        if self.phase == Phase::Running && !self.ask_once(next) {
            self.topology.poked = true;
        }
    }

    /// The built-in backend did not reach bitcoind.
    pub(crate) fn ask_again_later(&mut self, question: &Question) {
        self.topology.asked.remove(question.method());
        let timer = match question {
            Question::Block(_) => Timer::PollChain,
            Question::Estimates => Timer::PollFees,
            _ => Timer::PollSync,
        };
        self.out.push(Output::SetTimer(timer, self.config.bitcoind_poll));
    }

    /// Where the chain is: `getchaininfo` was answered.
    pub(crate) fn chain_info(&mut self, info: ChainInfo) {
        self.topology.asked.remove("getchaininfo");
        if self.phase > Phase::Topology {
            return self.sync_polled(&info);
        }
        if self.topology.survey.lost_blocks {
            return self.await_lost_blocks(&info);
        }
        self.topology.survey.info = Some(info);
        self.conclude_survey();
    }

    /// Fees were estimated.
    pub(crate) fn fees_estimated(&mut self, estimates: &Estimates) {
        self.topology.asked.remove("estimatefees");
        if self.phase > Phase::Topology {
            self.update_fees(estimates);
            self.out.push(Output::SetTimer(Timer::PollFees, self.config.bitcoind_poll));
            return;
        }
        self.topology.survey.estimates = Some(estimates.clone());
        self.conclude_survey();
    }

    /// Both answers of the survey may be there (`chaintopology.c:setup_topology`).
    fn conclude_survey(&mut self) {
        let Survey { from, info, estimates, lost_blocks } = &self.topology.survey;
        let (from, lost_blocks) = (*from, *lost_blocks);
        let (Some(info), Some(estimates)) = (info.clone(), estimates.clone()) else { return };
        if lost_blocks {
            return self.fetch_first_block(&info, &estimates);
        }
        if info.chain != "regtest" {
            let chain = &info.chain;
            return self.fatal(&format!(
                "Wrong network! Our Bitcoin backend is running on '{chain}', but we expect 'regtest'."
            ));
        }
        if let Some(from) = from.filter(|from| info.blockcount < *from) {
            let text = format!("bitcoind has gone backwards from {from} to {} blocks", info.blockcount);
            if info.headercount < from || !self.profile.waits_for_lost_blocks() {
                return self.fatal(&format!("{text}!"));
            }
            self.log_main(LogLevel::Broken, &format!("{text}, waiting..."));
            self.topology.survey.lost_blocks = true;
            return self.ask_chain_info(from);
        }
        self.fetch_first_block(&info, &estimates);
    }

    /// Looks until bitcoind has its blocks back, and then for the fees, which may be old by now.
    fn await_lost_blocks(&mut self, info: &ChainInfo) {
        let from = self.topology.survey.from.unwrap_or(0);
        if info.blockcount < from {
            let text = format!("bitcoind now at {} of {from} blocks, waiting...", info.blockcount);
            self.log_main(LogLevel::Debug, &text);
            self.out.push(Output::SetTimer(Timer::AwaitBlocks, LOST_BLOCKS_PACE));
        } else {
            self.topology.survey.estimates = None;
            self.poll_fees();
        }
    }

    /// Looks again for lost blocks.
    pub(crate) fn look_for_lost_blocks(&mut self) {
        let from = self.topology.survey.from.unwrap_or(0);
        self.ask_chain_info(from);
    }

    fn fetch_first_block(&mut self, info: &ChainInfo, estimates: &Estimates) {
        self.first_sync(info);
        self.update_fees(estimates);
        let from = self.topology.survey.from;
        let rescan = self.config.rescan.unsigned_abs();
        let from = from.unwrap_or(info.blockcount.saturating_sub(rescan));
        self.topology.survey = Survey::default();
        self.ask_once(Question::Block(from));
    }

    /// `getrawblockbyheight` was answered.
    pub(crate) fn block(&mut self, question: &Question, block: Option<&Block>) {
        self.topology.asked.remove("getrawblockbyheight");
        let Question::Block(height) = *question else { return };
        match (self.phase, block) {
            (Phase::Topology, Some(block)) => self.first_block(height, block),
            (Phase::Topology, None) => {
                self.fatal(&format!("bitcoind has no block {height}, which is to be the first"));
            }
            (Phase::Running, Some(block)) => self.next_block(height, block),
            (Phase::Running, None) if std::mem::take(&mut self.topology.poked) => self.poll_chain(),
            (Phase::Running, None) => self.updates_complete(),
            _ => {}
        }
    }

    fn first_block(&mut self, height: u32, block: &Block) {
        let hash = block.block_hash();
        self.log_main(LogLevel::Debug, &format!("Adding block {height}: {hash}"));
        self.topology.blocks.insert(height, hash);
        self.topology.settled_tip = Some(hash);
        if !self.profile.first_block_takes_two_transactions() {
            self.db().set_intvar("last_processed_block", i64::from(height));
        }
        self.db().exec("DELETE FROM blocks WHERE height > ?", &[&height]);
        self.out.push(Output::Again(Step::FirstBlock));
    }

    /// The second transaction about the first block.
    pub(crate) fn first_block_recorded(&mut self) {
        if self.profile.first_block_takes_two_transactions() {
            let height = i64::from(self.topology.height());
            self.db().set_intvar("last_processed_block", height);
        }
        if self.profile.forgets_settled_htlcs() {
            let closed = "SELECT id FROM channels WHERE state = 10";
            self.db().exec(&format!("DELETE FROM channel_htlcs WHERE channel_id IN ({closed});"), &[]);
        }
        self.out.push(Output::Again(Step::InitPlugins));
    }

    /// Everything is up: from now on the chain is followed (`chaintopology.c:begin_topology`).
    pub(crate) fn begin_topology(&mut self) {
        self.poke_chain();
    }

    fn next_block(&mut self, height: u32, block: &Block) {
        let Some((tip, tip_hash)) = self.topology.tip() else { return };
        if block.header.prev_blockhash == tip_hash {
            self.add_tip(height, block);
        } else {
            self.remove_tip(tip, tip_hash);
        }
        self.poll_chain();
    }

    fn add_tip(&mut self, height: u32, block: &Block) {
        let hash = block.block_hash();
        self.log_main(LogLevel::Debug, &format!("Adding block {height}: {hash}"));
        self.topology.blocks.insert(height, hash);
        // CLN stores the bytes in the order of the wire, as `bitcoin` holds them.
        let (stored, previous) = (hash.to_byte_array(), block.header.prev_blockhash.to_byte_array());
        let insert = "INSERT INTO blocks (height, hash, prev_hash) VALUES (?, ?, ?);";
        self.db().exec(insert, &[&height, &stored, &previous]);
        self.process_block(height, block);
        if self.profile.prunes_outputs_with_each_block() {
            self.prune_outputs();
        }
        self.notify("block_added", json!({ "hash": hash.to_string(), "height": height }));
    }

    fn remove_tip(&mut self, height: u32, hash: BlockHash) {
        self.log_main(LogLevel::Debug, &format!("Removing stale block {height}: {hash}"));
        self.topology.blocks.remove(&height);
        if self.topology.blocks.is_empty() {
            return self.fatal(&format!("Initial block {height} ({hash}) reorganized out!"));
        }
        let txids = self.txids_at(height);
        self.tell_of_removal(&txids);
        // What refers to the block is undone by the database: confirmations, spends, outputs that anybody has.
        self.db().exec("DELETE FROM blocks WHERE hash = ?", &[&hash.to_byte_array()]);
    }

    /// The backend has no further block (`chaintopology.c:updates_complete`).
    fn updates_complete(&mut self) {
        if let Some((height, hash)) = self.topology.tip()
            && self.topology.settled_tip.replace(hash) != Some(hash)
        {
            self.restore_unspent_outputs();
            self.answer_waiters(height);
            self.check_htlc_deadlines(height);
            self.forget_unfunded_channels(height);
            self.rebroadcast();
            self.gossip_height(height);
            self.db().set_intvar("last_processed_block", i64::from(height));
            if !self.profile.prunes_outputs_with_each_block() {
                self.out.push(Output::Again(Step::PruneOutputs));
            }
            if !std::mem::replace(&mut self.topology.snapshot_sent, true) {
                self.send_account_balance_snapshot();
            }
        }
        self.tell_depths();
        self.topology.sync.blocks_are_loaded();
        self.out.push(Output::SetTimer(Timer::PollChain, self.config.bitcoind_poll));
    }

    /// Forgets outputs that were spent too long ago for a reorganisation to matter.
    pub(crate) fn prune_outputs(&mut self) {
        let last = i64::from(self.topology.height()) - OUTPUTS_KEPT;
        self.db().exec("DELETE FROM utxoset WHERE spendheight < ?", &[&last]);
    }
}
