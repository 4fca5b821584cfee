//! The node's side of channels that are closed on the chain: it begins to follow one, tells it of blocks, and does what it asks for
//! (`lightningd/onchain_control.c`).

use super::News;
use super::effect::Effect;
use super::tracker::Tracker;
use crate::chain::watch::Watcher;
use crate::channel::channel_state::{Cause, ChannelState};
use crate::coin_mvts::movement::{Account, ChainMove, Movement, Tag};
use crate::event::LogLevel;
use crate::state::State;
use crate::wallet::output::CloseInfo;
use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};

impl State {
    /// The funding output of a channel is spent by a transaction in the block at `height`; after a reorganisation perhaps once more.
    pub(crate) fn funding_spent(&mut self, dbid: u64, tx: &Transaction, height: u32) {
        let txid = tx.compute_txid();
        self.store_funding_spend(dbid, txid, height);
        let known = |tracker: &Tracker| (tracker.closing_txid(), tracker.closing_height()) == (txid, height);
        if self.onchain.get(&dbid).is_some_and(known) {
            return;
        }
        self.spend_is_seen_again(dbid);
        self.unwatch_all(Watcher::Onchain(dbid));
        self.watch_with_outputs(dbid, tx);
        self.onchain.news.push((dbid, News::Closed { tx: tx.clone(), height }));
    }

    /// The block is through: tells closed channels what it has for them.
    pub(crate) fn tell_closed_channels(&mut self) {
        for (dbid, news) in std::mem::take(&mut self.onchain.news) {
            match news {
                News::Closed { tx, height } => {
                    self.record_channel_close(dbid, &tx, height);
                    self.follow_closed_channel(dbid, &tx, height);
                }
                News::Spent { outpoint, tx, input, height } => {
                    self.tell_of_spend(dbid, outpoint, &tx, input, height);
                }
            }
        }
    }

    /// lightningd begins anew with a channel that it had followed before, and says so.
    fn spend_is_seen_again(&mut self, dbid: u64) {
        if self.channels.get(dbid).is_some_and(|channel| channel.state == ChannelState::Onchain) {
            let seen = ChannelState::FundingSpendSeen;
            self.channel_state(dbid, seen, Cause::Unknown, "Onchain funding spend");
        }
    }

    /// Takes up again what was followed when the node stopped (`onchaind_replay_channels`).
    pub(crate) fn load_onchain(&mut self) {
        let closed = |state| matches!(state, ChannelState::FundingSpendSeen | ChannelState::Onchain);
        let dbids: Vec<u64> = self
            .channels
            .iter()
            .filter(|channel| closed(channel.state))
            .map(|channel| channel.dbid)
            .collect();
        for dbid in dbids {
            let Some((tx, height)) = self.funding_spend(dbid) else { continue };
            let Some(channel) = self.channels.get(dbid) else { continue };
            let text = format!("Restarting onchaind ({}): closed in block {height}", channel.state);
            let source = channel.log_source();
            self.log(LogLevel::Info, &source, &text);
            self.spend_is_seen_again(dbid);
            self.watch_with_outputs(dbid, &tx);
            self.follow_closed_channel(dbid, &tx, height);
            self.replay(dbid, height, u32::MAX);
        }
    }

    /// The preimage of an HTLC that the peer offered is known.
    pub(crate) fn onchain_preimage(&mut self, dbid: u64, id: u64, preimage: [u8; 32]) {
        let Some(tracker) = self.onchain.get_mut(&dbid) else { return };
        tracker.know_preimage(id, preimage);
        tracker.tell_status();
        self.carry_out(dbid);
    }

    /// What is being done about a channel on the chain, as `listpeerchannels` has it.
    pub(crate) fn onchain_status(&self, dbid: u64) -> Vec<String> {
        let Some(tracker) = self.onchain.get(&dbid) else { return Vec::new() };
        let lines = [Some(tracker.headline()), tracker.status()].into_iter().flatten();
        lines.map(|line| format!("ONCHAIN:{line}")).collect()
    }

    /// A transaction that comes of a closed channel is as deep as that; 0 if a reorganisation took it out of the chain.
    pub(crate) fn onchain_depth(&mut self, dbid: u64, txid: Txid, depth: u32) {
        if depth == 0 {
            return self.closed_channel_reorganized(dbid, txid);
        }
        let Some(tracker) = self.onchain.get_mut(&dbid) else { return };
        tracker.tx_depth(txid, depth);
        self.carry_out(dbid);
    }

    /// An output that comes of a closed channel is spent.
    pub(crate) fn onchain_output_spent(
        &mut self,
        dbid: u64,
        spent: OutPoint,
        tx: &Transaction,
        input: usize,
        height: u32,
    ) {
        // Its outputs may be spent in this very block.
        self.watch_with_outputs(dbid, tx);
        self.onchain.news.push((dbid, News::Spent { outpoint: spent, tx: tx.clone(), input, height }));
    }

    fn tell_of_spend(&mut self, dbid: u64, spent: OutPoint, tx: &Transaction, input: usize, height: u32) {
        let Some(tracker) = self.onchain.get_mut(&dbid) else { return };
        let matters = tracker.output_spent(spent, tx, input, height);
        // Another of its inputs may matter.
        if !matters && !tx.input.iter().any(|input| tracker.follows(input.previous_output)) {
            self.unwatch_with_outputs(dbid, tx);
        }
        self.carry_out(dbid);
    }

    fn follow_closed_channel(&mut self, dbid: u64, tx: &Transaction, height: u32) {
        let Some(case) = self.case_of(dbid) else { return };
        self.onchain.trackers.insert(dbid, Tracker::new(case, tx, height));
        self.carry_out(dbid);
        if self.channels.get(dbid).is_some_and(|channel| channel.state != ChannelState::Onchain) {
            self.channel_state(dbid, ChannelState::Onchain, Cause::Unknown, "Onchain init reply");
        }
        let Some(tracker) = self.onchain.get_mut(&dbid) else { return };
        tracker.begin(tx);
        let headline = format!("billboard perm: {}", tracker.headline());
        self.log_of_onchaind(dbid, LogLevel::Debug, &headline);
        self.carry_out(dbid);
    }

    /// Tells of what is in the blocks from `height` on, before `end`, as far as it was stored.
    fn replay(&mut self, dbid: u64, height: u32, end: u32) {
        for (tx, at) in self.stored_txs_between(height, end) {
            for (index, input) in tx.input.iter().enumerate() {
                let outpoint = input.previous_output;
                if self.onchain.get(&dbid).is_some_and(|tracker| tracker.follows(outpoint)) {
                    self.watch_with_outputs(dbid, &tx);
                    self.tell_of_spend(dbid, outpoint, &tx, index, at);
                }
            }
        }
    }

    /// Something of it is no longer in the chain. What is left is gone through from the beginning; without the closing transaction
    /// there is nothing, until the funding output is spent again.
    fn closed_channel_reorganized(&mut self, dbid: u64, txid: Txid) {
        let Some(tracker) = self.onchain.trackers.remove(&dbid) else { return };
        self.unwatch_all(Watcher::Onchain(dbid));
        if let Some(source) = self.channels.get(dbid).map(crate::channel::LocalChannel::log_source) {
            self.log(LogLevel::Unusual, &source, "Chain reorganization!");
        }
        // The location of what is being removed is still there.
        let removed = self.tx_location(txid).map_or(u32::MAX, |location| location.height);
        let closing = tracker.closing_txid();
        if closing == txid || tracker.closing_height() >= removed {
            return;
        }
        let Some(tx) = self.stored_tx(closing) else { return };
        self.watch_with_outputs(dbid, &tx);
        self.follow_closed_channel(dbid, &tx, tracker.closing_height());
        self.replay(dbid, tracker.closing_height(), removed);
    }

    /// Watches a transaction, and every output of it: it may be spent before we know whether that matters.
    fn watch_with_outputs(&mut self, dbid: u64, tx: &Transaction) {
        let (txid, watcher) = (tx.compute_txid(), Watcher::Onchain(dbid));
        self.watch_tx(txid, watcher);
        for (vout, _) in (0..).zip(&tx.output) {
            self.watch_output(OutPoint { txid, vout }, watcher);
        }
    }

    /// A transaction did not matter.
    fn unwatch_with_outputs(&mut self, dbid: u64, tx: &Transaction) {
        let (txid, watcher) = (tx.compute_txid(), Watcher::Onchain(dbid));
        self.unwatch_tx(txid, watcher);
        for (vout, _) in (0..).zip(&tx.output) {
            self.unwatch_output(OutPoint { txid, vout }, watcher);
        }
    }

    /// Does what a closed channel asks for, and sends what is due.
    fn carry_out(&mut self, dbid: u64) {
        while let Some(tracker) = self.onchain.get_mut(&dbid) {
            let effects = tracker.take_effects();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.carry_out_one(dbid, effect);
            }
        }
        self.send_due_claims(dbid);
    }

    fn carry_out_one(&mut self, dbid: u64, effect: Effect) {
        match effect {
            Effect::Log(level, text) => self.log_of_onchaind(dbid, level, &text),
            Effect::Movement(movement) => self.coin_movement(&movement),
            Effect::Swept { debit, fee_msat } => self.swept_movement(*debit, fee_msat),
            Effect::ToWallet { outpoint, sat, script, height } => {
                self.take_our_balance(dbid, outpoint, sat, &script, height);
            }
            Effect::Fulfilled(preimage) => self.htlcs_fulfilled_onchain(dbid, preimage),
            Effect::Failed { id } => self.htlc_failed_onchain(dbid, id),
            Effect::Abandon(txid) => self.stop_broadcast(txid),
            Effect::Forget => {
                if let Some(source) = self.channels.get(dbid).map(crate::channel::LocalChannel::log_source) {
                    self.log(LogLevel::Info, &source, "onchaind complete, forgetting peer");
                }
                self.onchain.trackers.remove(&dbid);
                self.delete_channel(dbid, false);
            }
        }
    }

    pub(super) fn log_of_onchaind(&mut self, dbid: u64, level: LogLevel, text: &str) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let source = channel.daemon_source("onchaind");
        self.log(level, &source, text);
    }

    /// The peer's commitment has paid us: the wallet can spend that with the channel's key.
    fn take_our_balance(&mut self, dbid: u64, outpoint: OutPoint, sat: u64, script: &ScriptBuf, height: u32) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let (source, peer) = (channel.log_source(), channel.peer);
        let anchors = channel.bolt.terms().channel_type.anchors;
        let account = Account::Channel { dbid, id: channel.channel_id() };
        let close = CloseInfo { dbid, peer, csv: 1, anchors };
        self.log(LogLevel::Debug, &source, &format!("adding utxo to watch {outpoint}, csv {}", close.csv));
        self.take_close_output(outpoint, sat, script, height, &close);
        let deposit = ChainMove::credit(Account::Wallet, Tag::Deposit, outpoint, sat, height);
        self.coin_movement(&Movement::Chain(ChainMove { originating: Some(account), ..deposit }));
    }
}
