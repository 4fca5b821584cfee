//! Transactions for outputs of a closed channel: made when they can be in the next block (`onchain_control.c:create_onchain_tx`).

use super::names::TxKind;
use super::tracked::{Means, Proposal, TrackedOutput};
use crate::chain::broadcast::Broadcast;
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::Transaction;
use bitcoin::consensus::encode::serialize_hex;
use leyden_bolt::transaction::Side;

/// Why nothing was sent for an output.
pub(super) enum NotSent {
    /// It is worth less than the fee.
    NotWorthwhile,
    /// The wallet has nothing that could pay the fee: to be tried again.
    NoFunds,
}

impl State {
    /// Sends what can be in the next block.
    pub(super) fn send_due_claims(&mut self, dbid: u64) {
        let height = self.topology.height();
        let Some(tracker) = self.onchain.get(&dbid) else { return };
        for place in tracker.due(height) {
            let made = self.claim_transaction(dbid, place);
            let Some(tracker) = self.onchain.get_mut(&dbid) else { return };
            match made {
                Some(Ok(tx)) => {
                    tracker.sent(place, tx.compute_txid());
                    let text = format!("Broadcast for onchaind tx {}", serialize_hex(&tx));
                    self.log_of_channel(dbid, LogLevel::Debug, &text);
                    self.broadcast(tx, Broadcast::Onchain(dbid));
                }
                Some(Err(NotSent::NotWorthwhile)) => tracker.not_worthwhile(place),
                Some(Err(NotSent::NoFunds)) | None => {}
            }
        }
    }

    fn claim_transaction(&mut self, dbid: u64, place: usize) -> Option<Result<Transaction, NotSent>> {
        let destination = self.channels.get(dbid)?.close_to.clone();
        let tracker = self.onchain.get(&dbid)?;
        let output = tracker.output(place);
        let Proposal { kind, means, .. } = output.proposal.clone()?;
        // One that was sent before a restart is as good as another.
        if let Some(sent) = self.unconfirmed_spend_of(output.outpoint) {
            return Some(Ok(sent));
        }
        let our_delay = u32::from(tracker.case().terms.config(Side::Local).to_self_delay);
        let feerate = self.claim_feerate(kind, output, tracker.closing_height(), our_delay);
        match means {
            Means::Ignore => None,
            Means::Claim(claim) => {
                let (case, spent) = (tracker.case(), (output.outpoint, output.sat));
                let tx = case.keys.claim(&case.terms, &claim, spent, &destination, feerate);
                Some(tx.ok_or(NotSent::NotWorthwhile))
            }
            Means::SecondStage { transaction, signature, preimage } => {
                let keys = tracker.case().keys.clone();
                let anchors = tracker.case().terms.channel_type.anchors;
                let funded = if anchors {
                    self.fund_second_stage(dbid, &transaction, preimage.is_some(), feerate, &destination)
                } else {
                    Ok(transaction.transaction().clone())
                };
                Some(funded.map(|tx| transaction.complete(&keys, tx, &signature, preimage)))
            }
        }
    }

    /// The rate to be in a block before it is too late (`feerate_for_target`).
    fn claim_feerate(&self, kind: TxKind, output: &TrackedOutput, closed_at: u32, our_delay: u32) -> u32 {
        let deadline = match kind {
            TxKind::OurPenaltyTx => closed_at + our_delay,
            TxKind::OurDelayedReturnToWallet => return self.feerate_floor(),
            TxKind::TheirHtlcFulfillToUs | TxKind::OurHtlcSuccessTx => output.expiry().saturating_sub(1),
            _ => output.expiry(),
        };
        let known = match deadline.checked_sub(self.topology.height()) {
            Some(201..) => None,
            Some(101..) => Some(self.feerate_floor()),
            Some(blocks) => self.feerate_for_deadline(blocks.max(1)),
            None => self.feerate_for_deadline(1),
        };
        known.unwrap_or(0).max(self.feerate_floor())
    }

    pub(super) fn log_of_channel(&mut self, dbid: u64, level: LogLevel, text: &str) {
        let Some(source) = self.channels.get(dbid).map(crate::channel::LocalChannel::log_source) else {
            return;
        };
        self.log(level, &source, text);
    }
}
