//! Transactions on their way into a block: sent through the Bitcoin backend, and again with each new block until they
//! are in one (`chaintopology.c:broadcast_tx`, `rebroadcast_txs`).
//!
//! They are kept in memory: whoever needs one sent after a restart sends it again.

use super::bitcoind::Question;
use crate::event::LogLevel;
use crate::state::State;
use crate::wallet::send::Sending;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{OutPoint, Transaction, Txid};
use leyden_protocol::Id;
use std::collections::BTreeMap;

/// Who has a transaction sent, and so who is told what the backend said. Channels are named by their number in the
/// database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broadcast {
    /// A client, by `sendpsbt` and what is made of it.
    Client(Box<Sending>),
    /// A channel that is being opened: its funding transaction.
    Funding(u64),
    /// A channel that both sides close.
    MutualClose(u64),
    /// A channel that is closed by its last commitment transaction.
    Unilateral(u64),
    /// The same: what spends an anchor of it to pay its fee.
    Anchor(u64),
    /// A closed channel: what spends from its commitment transaction.
    Onchain(u64),
}

impl Broadcast {
    /// Whether the backend is told to look away from the fee: what is claimed from a commitment may be small.
    fn allows_high_fees(&self) -> bool {
        matches!(self, Self::Onchain(_) | Self::Anchor(_))
    }

    /// The id of the command that is behind it.
    fn cause(&self) -> Option<&Id> {
        match self {
            Self::Client(sending) => Some(&sending.client.id),
            _ => None,
        }
    }
}

/// One time that a transaction is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    txid: Txid,
    why: Broadcast,
    is_first: bool,
}

/// What was sent, and is in no block as far as is known.
#[derive(Default)]
pub(crate) struct Outgoing(BTreeMap<Txid, (Transaction, Broadcast)>);

impl Outgoing {
    /// Whether this one is the node's own.
    pub(crate) fn has(&self, txid: Txid) -> bool {
        self.0.contains_key(&txid)
    }

    /// Whether one of them spends this output; `except` does not count.
    pub(crate) fn spends(&self, outpoint: OutPoint, except: Option<Txid>) -> bool {
        let others = self.0.iter().filter(|(txid, _)| Some(**txid) != except);
        let mut inputs = others.flat_map(|(_, (tx, _))| &tx.input);
        inputs.any(|input| input.previous_output == outpoint)
    }
}

impl State {
    /// Sends a transaction, and again with each block until it is in one. The first answer comes to
    /// [`State::broadcast_answered`].
    pub(crate) fn broadcast(&mut self, tx: Transaction, why: Broadcast) {
        let txid = tx.compute_txid();
        let cause = why.cause().map(|id| format!(" for {}", id.cause())).unwrap_or_default();
        self.log_main(LogLevel::Debug, &format!("Broadcasting txid {txid}{cause}"));
        if !matches!(why, Broadcast::Client(_)) {
            self.store_tx(&tx, None);
        }
        self.send_transaction(&tx, &why, true);
        self.outgoing.0.insert(txid, (tx, why));
    }

    fn send_transaction(&mut self, tx: &Transaction, why: &Broadcast, is_first: bool) {
        let attempt = Attempt { txid: tx.compute_txid(), why: why.clone(), is_first };
        let question = Question::SendTransaction {
            tx: serialize_hex(tx),
            allow_high_fees: why.allows_high_fees(),
            attempt: Some(attempt),
        };
        self.ask_chain_for(question, why.cause());
    }

    /// What the backend said to the first attempt: `Err` has bitcoind's words. The transaction is sent again in any
    /// case, unless somebody says [`State::stop_broadcast`].
    fn broadcast_answered(&mut self, why: &Broadcast, txid: Txid, answer: Result<(), String>) {
        match why {
            Broadcast::Client(sending) => self.client_broadcast_answered(sending, txid, answer),
            Broadcast::Funding(dbid) => self.funding_sent_again(*dbid, &answer),
            Broadcast::Unilateral(dbid) => self.boost_commitment(*dbid, answer.is_ok()),
            Broadcast::MutualClose(_) | Broadcast::Anchor(_) | Broadcast::Onchain(_) => {}
        }
    }

    /// `sendrawtransaction` was answered.
    pub(crate) fn transaction_sent(&mut self, attempt: &Attempt, answer: Result<(), String>) {
        let Attempt { txid, why, is_first } = attempt;
        if *is_first {
            return self.broadcast_answered(why, *txid, answer);
        }
        if let Err(why) = answer {
            self.log_main(LogLevel::Debug, &format!("Expected error broadcasting tx {txid}: {why}"));
        }
    }

    /// Gives a transaction up.
    pub(crate) fn stop_broadcast(&mut self, txid: Txid) {
        self.outgoing.0.remove(&txid);
    }

    /// There is a new block: sends what still is in none, with another fee if that has to be.
    pub(crate) fn rebroadcast(&mut self) {
        let outgoing: Vec<(Transaction, Broadcast)> = self.outgoing.0.values().cloned().collect();
        for (mut tx, why) in outgoing {
            let txid = tx.compute_txid();
            if self.tx_location(txid).is_some() || !self.outgoing.has(txid) {
                continue;
            }
            let raised = match why {
                Broadcast::Onchain(dbid) => self.raise_claim(dbid, &tx),
                Broadcast::Anchor(_) => self.raise_anchor_spend(&tx),
                _ => None,
            };
            if let Some(raised) = raised {
                tx = raised;
                self.outgoing.0.remove(&txid);
                self.outgoing.0.insert(tx.compute_txid(), (tx.clone(), why.clone()));
                self.store_tx(&tx, None);
            }
            self.send_transaction(&tx, &why, false);
        }
    }

    /// Gives up what spends anchors of a channel.
    pub(crate) fn stop_anchor_spends(&mut self, dbid: u64) {
        self.outgoing.0.retain(|_, (_, why)| *why != Broadcast::Anchor(dbid));
    }
}
