//! Somebody spends an output of a closed channel (`onchaind.c:output_spent`).

use super::apart::outpoint;
use super::case::End;
use super::effect::Effect;
use super::names::{OutputKind, TxKind};
use super::tracked::TrackedOutput;
use super::tracker::Tracker;
use crate::coin_mvts::movement::Tag;
use crate::event::LogLevel;
use bitcoin::{OutPoint, Transaction};
use leyden_bolt::transaction::{Claim, preimage_in_witness};

impl Tracker {
    /// Input `input` of a transaction in the block at `height` spends `spent`. Says whether that mattered: its own outputs
    /// are to be watched then.
    pub(crate) fn output_spent(
        &mut self,
        spent: OutPoint,
        tx: &Transaction,
        input: usize,
        height: u32,
    ) -> bool {
        let Some(place) = self.outputs.iter().position(|output| output.outpoint == spent) else {
            self.debug(format!(
                "Notified about tx {} output {} spend, but we don't care",
                spent.txid, spent.vout
            ));
            return false;
        };
        if self.outputs[place].resolved.is_none() && !self.resolved_by_us(place, tx, input, height) {
            self.resolved_by_peer(place, tx, input, height);
        }
        self.tell_status();
        true
    }

    fn resolved_by_us(&mut self, place: usize, tx: &Transaction, input: usize, height: u32) -> bool {
        let output = &self.outputs[place];
        let Some(proposal) = &output.proposal else { return false };
        let kind = proposal.kind;
        if !proposal.means.made(&tx.input[input].witness, &self.case.keys, &self.case.terms) {
            return false;
        }
        let (name, txid) = (output.name(), tx.compute_txid());
        self.outputs[place].resolved = Some(super::tracked::Resolution { txid, depth: 0, kind });
        self.debug(format!("Resolved {name} by our proposal {kind} ({txid})"));
        if matches!(kind, TxKind::OurHtlcTimeoutTx | TxKind::OurHtlcSuccessTx) {
            self.follow_second_stage(kind, tx, input, height);
        }
        self.record_resolved_by_us(place, kind, tx, height);
        true
    }

    /// Our HTLC transaction pays to us after a delay; its output stands where its input does.
    fn follow_second_stage(&mut self, kind: TxKind, tx: &Transaction, input: usize, height: u32) {
        let vout = u32::try_from(input).expect("inputs are few");
        let Some(output) = tx.output.get(input) else { return };
        let sat = output.value.to_sat();
        let delayed = OutputKind::DelayedOutputToUs;
        let place = self.track(TrackedOutput::new(kind, delayed, outpoint(tx, vout), sat, height));
        let point = self.case.commitment.spec().per_commitment_point;
        self.propose_return(place, &point);
    }

    fn resolved_by_peer(&mut self, place: usize, tx: &Transaction, input: usize, height: u32) {
        self.abandon(place);
        let txid = tx.compute_txid();
        let revoked = self.outputs[place].tx_kind == TxKind::TheirRevokedUnilateral;
        match self.outputs[place].kind {
            OutputKind::TheirHtlc if revoked => {
                self.record_stealable(place, Tag::HtlcTimeout, txid, height);
                self.take_second_stage(place, TxKind::TheirHtlcTimeoutToThem, tx, input, height);
            }
            // It is left to the peer as soon as the peer's transaction is deep enough.
            OutputKind::TheirHtlc => {}
            OutputKind::OurHtlc => {
                self.learn_preimage(place, tx, input);
                self.record_fulfilled_by_them(place, txid, height, revoked);
                if revoked {
                    self.take_second_stage(place, TxKind::OurHtlcFulfillToThem, tx, input, height);
                } else {
                    self.ignore(place);
                }
            }
            OutputKind::DelayedCheatOutputToThem => {
                self.resolve_by(place, txid, TxKind::TheirDelayedCheat);
                self.record_deposit_to_others(place, Tag::Stolen);
            }
            _ => {
                let name = self.outputs[place].name();
                self.outputs[place].resolved =
                    Some(super::tracked::Resolution { txid, depth: 0, kind: TxKind::Unknown });
                let text = format!("Unknown spend of {name} by {txid}");
                self.effects.push(Effect::Log(LogLevel::Broken, text));
                self.record_deposit_to_others(place, Tag::Penalized);
            }
        }
    }

    /// The peer takes an HTLC of its revoked commitment by a transaction that is revoked as well: that is taken.
    fn take_second_stage(&mut self, place: usize, kind: TxKind, tx: &Transaction, input: usize, height: u32) {
        let End::Revoked(per_commitment_secret) = self.end else { return };
        self.resolve_by(place, tx.compute_txid(), kind);
        let vout = u32::try_from(input).expect("inputs are few");
        let Some(output) = tx.output.get(input) else { return };
        let sat = output.value.to_sat();
        let cheat = OutputKind::DelayedCheatOutputToThem;
        let place = self.track(TrackedOutput::new(kind, cheat, outpoint(tx, vout), sat, height));
        self.propose_penalty(place, Claim::Revoked { per_commitment_secret });
    }

    fn learn_preimage(&mut self, place: usize, tx: &Transaction, input: usize) {
        let Some(htlc) = self.outputs[place].htlc else { return };
        let name = self.outputs[place].name();
        let Some(preimage) = preimage_in_witness(tx, input, &htlc) else {
            let text = format!(
                "Our cheat attempt failed, they're taking our htlc out ({}sat)",
                self.outputs[place].sat
            );
            return self.effects.push(Effect::Log(LogLevel::Unusual, text));
        };
        self.debug(format!("{name} gave us preimage {}", hex::encode(preimage)));
        self.effects.push(Effect::Fulfilled(preimage));
    }
}
