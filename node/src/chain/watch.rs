//! What the rest of the node wants to know of the chain: how deep a transaction is, and who spends an output
//! (`lightningd/watch.c`).
//!
//! Watches are in memory: whoever has some sets them again after a restart. A transaction that is in the database
//! already is told of when the backend has no further block; spends are told of again while old blocks are rescanned.

use super::topology::TxLocation;
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::{OutPoint, Transaction, Txid};
use std::collections::{BTreeMap, BTreeSet};

/// Who watches, and so who is told. Channels are named by their number in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watcher {
    /// A channel, for its funding transaction and its funding output.
    Funding(u64),
    /// A channel that is closed on the chain, for everything that comes of its commitment transaction.
    Onchain(u64),
}

/// Everything that is watched.
#[derive(Default)]
pub(crate) struct Watches {
    /// With the depth that was told last.
    txs: BTreeMap<(Txid, Watcher), Option<u32>>,
    outputs: BTreeSet<(OutPoint, Watcher)>,
}

impl Watches {
    /// Whether anybody wants to know of this transaction.
    pub(crate) fn wants(&self, txid: Txid) -> bool {
        self.txs.keys().any(|(watched, _)| *watched == txid)
    }

    /// Whether anybody wants to know of something that this transaction spends.
    pub(crate) fn wants_spend(&self, tx: &Transaction) -> bool {
        tx.input.iter().any(|input| self.outputs.iter().any(|(watched, _)| *watched == input.previous_output))
    }

    fn of_output(&self, outpoint: OutPoint) -> Vec<Watcher> {
        let of_it = self.outputs.iter().filter(|(watched, _)| *watched == outpoint);
        of_it.map(|(_, watcher)| *watcher).collect()
    }
}

impl State {
    /// Has `watcher` told of the depth of a transaction, as often as it changes, until it is no longer watched.
    pub(crate) fn watch_tx(&mut self, txid: Txid, watcher: Watcher) {
        self.watches.txs.entry((txid, watcher)).or_insert(None);
    }

    /// Has `watcher` told of every transaction in a block that spends an output, until it is no longer watched.
    pub(crate) fn watch_output(&mut self, outpoint: OutPoint, watcher: Watcher) {
        self.watches.outputs.insert((outpoint, watcher));
    }

    /// Ends what [`State::watch_tx`] began.
    pub(crate) fn unwatch_tx(&mut self, txid: Txid, watcher: Watcher) {
        self.watches.txs.remove(&(txid, watcher));
    }

    /// Ends what [`State::watch_output`] began.
    pub(crate) fn unwatch_output(&mut self, outpoint: OutPoint, watcher: Watcher) {
        self.watches.outputs.remove(&(outpoint, watcher));
    }

    /// Ends everything that `watcher` watches.
    pub(crate) fn unwatch_all(&mut self, watcher: Watcher) {
        self.watches.txs.retain(|(_, who), _| *who != watcher);
        self.watches.outputs.retain(|(_, who)| *who != watcher);
    }

    /// The depth of a watched transaction: 1 in the tip, 0 when a reorganisation has taken it out of the chain; then
    /// it has no location. Told once for each depth, when the backend has no further block for now.
    fn tx_depth(&mut self, watcher: Watcher, txid: Txid, depth: u32, location: Option<TxLocation>) {
        match watcher {
            Watcher::Funding(dbid) => self.funding_depth(dbid, depth, location),
            Watcher::Onchain(dbid) => self.onchain_depth(dbid, txid, depth),
        }
    }

    /// A watched output is spent by input `input` of a transaction in the block at `height`.
    fn output_spent(
        &mut self,
        watcher: Watcher,
        outpoint: OutPoint,
        tx: &Transaction,
        input: usize,
        height: u32,
    ) {
        match watcher {
            Watcher::Funding(dbid) => self.funding_output_spent(dbid, tx, height),
            Watcher::Onchain(dbid) => self.onchain_output_spent(dbid, outpoint, tx, input, height),
        }
    }

    /// The chain is at rest: tells of the depths that are new (`watch.c:watch_topology_changed`).
    pub(crate) fn tell_depths(&mut self) {
        let watched: Vec<(Txid, Watcher)> = self.watches.txs.keys().copied().collect();
        for (txid, watcher) in watched {
            if let Some(location) = self.tx_location(txid) {
                let depth = self.topology.height() + 1 - location.height;
                self.tell_depth(txid, watcher, depth, Some(location));
            }
        }
    }

    /// These transactions are out of the chain.
    pub(crate) fn tell_of_removal(&mut self, txids: &[Txid]) {
        let removed = self.watches.txs.keys().filter(|(txid, _)| txids.contains(txid));
        for (txid, watcher) in removed.copied().collect::<Vec<_>>() {
            self.tell_depth(txid, watcher, 0, None);
        }
    }

    fn tell_depth(&mut self, txid: Txid, watcher: Watcher, depth: u32, location: Option<TxLocation>) {
        // What was told before may have ended this watch.
        let Some(told) = self.watches.txs.get_mut(&(txid, watcher)) else { return };
        let before = told.replace(depth);
        let text = match before {
            Some(before) if before == depth => return,
            None => format!("Got first depth change 0->{depth} for {txid}"),
            Some(before) => {
                let reorg = if depth == 0 { " REORG" } else { "" };
                format!("Got depth change {before}->{depth} for {txid}{reorg}")
            }
        };
        self.log_main(LogLevel::Debug, &text);
        self.tx_depth(watcher, txid, depth, location);
    }

    /// Tells of the watched outputs that a transaction spends.
    pub(crate) fn tell_of_spends(&mut self, tx: &Transaction, height: u32) {
        for (index, input) in tx.input.iter().enumerate() {
            for watcher in self.watches.of_output(input.previous_output) {
                let outpoint = input.previous_output;
                let text = format!("Got UTXO spend for {outpoint}: {}", tx.compute_txid());
                self.log_main(LogLevel::Debug, &text);
                self.output_spent(watcher, outpoint, tx, index, height);
            }
        }
    }
}
