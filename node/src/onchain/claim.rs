//! Transactions for outputs of a closed channel: made when they can be in the next block, and made again with a higher fee as their
//! deadline comes nearer (`onchain_control.c:create_onchain_tx`, `consider_onchain_rebroadcast`).

use super::names::TxKind;
use super::tracked::{Means, Proposal, TrackedOutput};
use crate::chain::broadcast::Broadcast;
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{ScriptBuf, Transaction, Txid};
use leyden_bolt::transaction::Side;

/// Our own money comes back within two weeks of the close, or at least within as many blocks from now on.
const SWEEP_BLOCKS: u32 = 2016;
const LONGEST_SWEEP: u32 = 300;
const SHORTEST_SWEEP: u32 = 12;

/// Why nothing was sent for an output.
pub(super) enum NotSent {
    /// It is worth less than the fee.
    NotWorthwhile,
    /// The wallet has nothing that could pay the fee, or the fee is too high now: to be tried again.
    Later,
}

/// How a transaction is to be made.
pub(super) struct Target {
    pub(super) feerate_per_kw: u32,
    /// Where what is left goes.
    pub(super) destination: ScriptBuf,
    /// The one that was sent before.
    pub(super) replaces: Option<Txid>,
}

impl State {
    /// Sends what can be in the next block.
    pub(super) fn send_due_claims(&mut self, dbid: u64) {
        let height = self.topology.height();
        let Some(tracker) = self.onchain.get(&dbid) else { return };
        for place in tracker.due(height) {
            let made = self.claim_transaction(dbid, place, None);
            let Some(tracker) = self.onchain.get_mut(&dbid) else { return };
            match made {
                Some(Ok(tx)) => {
                    tracker.sent(place, tx.compute_txid());
                    let text = format!("Broadcast for onchaind tx {}", serialize_hex(&tx));
                    self.log_of_channel(dbid, LogLevel::Debug, &text);
                    self.broadcast(tx, Broadcast::Onchain(dbid));
                }
                Some(Err(NotSent::NotWorthwhile)) => tracker.not_worthwhile(place),
                Some(Err(NotSent::Later)) | None => {}
            }
        }
    }

    /// What is to be sent in the place of a transaction that is in no block yet: the same for a higher fee.
    pub(crate) fn raise_claim(&mut self, dbid: u64, before: &Transaction) -> Option<Transaction> {
        let txid = before.compute_txid();
        let place = self.onchain.get(&dbid)?.sent_for(txid)?;
        let Some(Ok(tx)) = self.claim_transaction(dbid, place, Some(txid)) else { return None };
        let [old_fee, fee] = [before, &tx].map(|tx| self.claim_fee_sat(dbid, place, tx));
        if fee <= old_fee {
            return None;
        }
        let tracker = self.onchain.get_mut(&dbid)?;
        tracker.sent(place, tx.compute_txid());
        let output = tracker.output(place);
        let second_stage =
            matches!(&output.proposal, Some(one) if matches!(one.means, Means::SecondStage { .. }));
        let what = if second_stage { "HTLC" } else { "onchain" };
        let text = format!(
            "RBF {what} txid {txid} (fee {old_fee}sat) with txid {} (fee {fee}sat)",
            tx.compute_txid()
        );
        self.log_of_channel(dbid, LogLevel::Info, &text);
        Some(tx)
    }

    fn claim_transaction(
        &mut self,
        dbid: u64,
        place: usize,
        replaces: Option<Txid>,
    ) -> Option<Result<Transaction, NotSent>> {
        let destination = self.wallet_address(self.channels.get(dbid)?.final_key_index).script_pubkey();
        let tracker = self.onchain.get(&dbid)?;
        let (case, output) = (tracker.case(), tracker.output(place));
        let Proposal { kind, means, .. } = output.proposal.clone()?;
        let our_delay = u32::from(case.terms.config(Side::Local).to_self_delay);
        let deadline = self.claim_deadline(kind, output, tracker.closing_height(), our_delay);
        let feerate_per_kw = self.feerate_for_target(deadline);
        match means {
            Means::Ignore => None,
            Means::Claim(claim) => {
                let spent = (output.outpoint, output.sat);
                let tx = case.keys.claim(&case.terms, &claim, spent, &destination, feerate_per_kw);
                Some(tx.ok_or(NotSent::NotWorthwhile))
            }
            Means::SecondStage { transaction, signature, preimage } => {
                let keys = case.keys.clone();
                let funded = if case.terms.channel_type.anchors {
                    let target = Target { feerate_per_kw, destination, replaces };
                    self.fund_second_stage(dbid, &transaction, preimage.is_some(), &target)
                } else {
                    Ok(transaction.transaction().clone())
                };
                Some(funded.map(|tx| transaction.complete(&keys, tx, &signature, preimage)))
            }
        }
    }

    /// The block that should have it, at the latest.
    fn claim_deadline(&self, kind: TxKind, output: &TrackedOutput, closed_at: u32, our_delay: u32) -> u32 {
        let height = self.topology.height();
        match kind {
            TxKind::OurPenaltyTx => closed_at + our_delay,
            TxKind::OurDelayedReturnToWallet => {
                (closed_at + SWEEP_BLOCKS).clamp(height + SHORTEST_SWEEP, height + LONGEST_SWEEP)
            }
            TxKind::TheirHtlcFulfillToUs | TxKind::OurHtlcSuccessTx => output.expiry().saturating_sub(1),
            _ => output.expiry(),
        }
    }

    fn claim_fee_sat(&self, dbid: u64, place: usize, tx: &Transaction) -> u64 {
        let claimed = self.onchain.get(&dbid).map(|tracker| tracker.output(place));
        let spent = tx.input.iter().map(|input| match claimed {
            Some(output) if output.outpoint == input.previous_output => output.sat,
            _ => self.wallet_output(input.previous_output).map_or(0, |output| output.value_sat),
        });
        let paid: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        spent.sum::<u64>().saturating_sub(paid)
    }

    pub(super) fn log_of_channel(&mut self, dbid: u64, level: LogLevel, text: &str) {
        let Some(source) = self.channels.get(dbid).map(crate::channel::LocalChannel::log_source) else {
            return;
        };
        self.log(level, &source, text);
    }
}
