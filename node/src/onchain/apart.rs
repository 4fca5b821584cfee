//! Taking the closing transaction apart: what each of its outputs is, and what is to be done about it
//! (`onchaind.c:handle_our_unilateral`, `handle_their_unilateral`, `handle_their_cheat`).

use super::case::End;
use super::effect::Effect;
use super::names::{OutputKind, TxKind};
use super::tracked::{Means, TrackedOutput};
use super::tracker::Tracker;
use crate::coin_mvts::movement::Tag;
use crate::event::LogLevel;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, Transaction};
use leyden_bolt::channel::HtlcState;
use leyden_bolt::transaction::{Claim, CommitmentHtlc, CommitmentOutput, Side, commitment_outputs};
use std::collections::BTreeMap;

impl Tracker {
    /// Begins to follow all outputs.
    pub(super) fn take_apart(&mut self, tx: &Transaction) {
        match self.end.clone() {
            End::Mutual => {}
            End::Ours => self.take_ours_apart(tx),
            End::Theirs(_) | End::Revoked(_) => self.take_theirs_apart(tx),
            End::Unknown => self.take_unknown_apart(tx),
        }
    }

    fn take_ours_apart(&mut self, tx: &Transaction) {
        let kinds = self.case.commitment.outputs();
        let second = self.case.commitment.htlc_transactions();
        let stages = second.into_iter().zip(self.case.htlc_signatures.clone());
        let mut stages: BTreeMap<u32, _> = stages.map(|stage| (stage.0.output().vout, stage)).collect();
        let point = self.case.commitment.spec().per_commitment_point;
        let mut used = Vec::new();
        for (vout, kind) in (0..).zip(kinds) {
            let place = match kind {
                CommitmentOutput::DelayedToOwner => self.add(tx, vout, OutputKind::DelayedOutputToUs),
                CommitmentOutput::ToOther => self.add(tx, vout, OutputKind::OutputToThem),
                CommitmentOutput::Anchor(side) => self.add(tx, vout, anchor(side)),
                CommitmentOutput::Htlc(htlc) => self.add_htlc(tx, vout, htlc, &mut used),
                CommitmentOutput::Unknown => continue,
            };
            match kind {
                CommitmentOutput::DelayedToOwner => self.propose_return(place, &point),
                CommitmentOutput::Htlc(htlc) => {
                    self.outputs[place].second_stage = stages.remove(&vout);
                    self.resolve_htlc_of_ours(place, &htlc);
                }
                _ => self.leave_to_others(place),
            }
        }
        self.note_missing(&used);
    }

    /// What we get of our own transactions, after the delay.
    pub(super) fn propose_return(&mut self, place: usize, point: &PublicKey) {
        let delay = u32::from(self.case.terms.delay_of(Side::Local));
        let claim = Claim::Delayed { per_commitment_point: *point };
        let block = self.outputs[place].height + delay;
        self.propose(place, TxKind::OurDelayedReturnToWallet, Means::Claim(claim), block);
    }

    /// An HTLC on our commitment: ours is timed out with the transaction that the peer has signed, the peer's is taken if
    /// we know how.
    fn resolve_htlc_of_ours(&mut self, place: usize, htlc: &CommitmentHtlc) {
        if htlc.offered_by == Side::Local {
            let Some((transaction, signature)) = self.outputs[place].second_stage.clone() else { return };
            let means = Means::SecondStage { transaction, signature, preimage: None };
            self.propose(place, TxKind::OurHtlcTimeoutTx, means, htlc.cltv_expiry + 1);
        } else {
            self.propose_to_ignore(place, TxKind::TheirHtlcTimeoutToThem, htlc.cltv_expiry);
        }
    }

    fn take_theirs_apart(&mut self, tx: &Transaction) {
        let Some(point) = self.end.point() else { return };
        let htlcs: Vec<CommitmentHtlc> = self.case.htlcs.iter().map(|known| known.htlc).collect();
        let kinds = commitment_outputs(&self.case.terms, Side::Remote, &point, tx, &htlcs);
        let mut used = Vec::new();
        for (vout, kind) in (0..).zip(kinds) {
            match kind {
                CommitmentOutput::ToOther => {
                    let place = self.add(tx, vout, OutputKind::OutputToUs);
                    self.ignore(place);
                    self.give_to_wallet(place, tx);
                }
                CommitmentOutput::DelayedToOwner => self.take_their_balance(tx, vout),
                CommitmentOutput::Anchor(side) => {
                    let place = self.add(tx, vout, anchor(side));
                    self.leave_to_others(place);
                }
                CommitmentOutput::Htlc(htlc) => {
                    let place = self.add_htlc(tx, vout, htlc, &mut used);
                    self.resolve_htlc_of_theirs(place, &htlc, &point);
                }
                CommitmentOutput::Unknown => {
                    self.record_external(outpoint(tx, vout), tx, Tag::Penalty);
                    self.broken(format!("Could not find resolution for output {vout}"));
                }
            }
        }
        self.note_missing(&used);
    }

    fn take_their_balance(&mut self, tx: &Transaction, vout: u32) {
        if let End::Revoked(per_commitment_secret) = self.end {
            let place = self.add(tx, vout, OutputKind::DelayedCheatOutputToThem);
            self.propose_penalty(place, Claim::Revoked { per_commitment_secret });
        } else {
            let place = self.add(tx, vout, OutputKind::DelayedOutputToThem);
            self.leave_to_others(place);
        }
    }

    /// An HTLC on the peer's commitment: what we may take of it needs no signature of the peer.
    fn resolve_htlc_of_theirs(&mut self, place: usize, htlc: &CommitmentHtlc, point: &PublicKey) {
        if let End::Revoked(per_commitment_secret) = self.end {
            return self.propose_penalty(place, Claim::RevokedHtlc { per_commitment_secret, htlc: *htlc });
        }
        if htlc.offered_by == Side::Local {
            let claim = Claim::HtlcTimedOut { per_commitment_point: *point, htlc: *htlc };
            self.propose(place, TxKind::OurHtlcTimeoutToUs, Means::Claim(claim), htlc.cltv_expiry + 1);
        } else {
            self.propose_to_ignore(place, TxKind::TheirHtlcTimeoutToThem, htlc.cltv_expiry);
        }
    }

    /// Takes an output of a peer that cheated, at once.
    pub(super) fn propose_penalty(&mut self, place: usize, claim: Claim) {
        let block = self.outputs[place].height + 1;
        self.propose(place, TxKind::OurPenaltyTx, Means::Claim(claim), block);
    }

    /// A commitment from the peer's future, or made with other software's terms: our own balance is found by its script.
    fn take_unknown_apart(&mut self, tx: &Transaction) {
        // No point is needed to find what the peer's commitment pays to us.
        let point = self.case.remote_points[1];
        let kinds = commitment_outputs(&self.case.terms, Side::Remote, &point, tx, &[]);
        let mut ours = None;
        for (vout, kind) in (0..).zip(kinds) {
            if kind == CommitmentOutput::ToOther && ours.is_none() {
                let place = self.add(tx, vout, OutputKind::OutputToUs);
                self.ignore(place);
                self.give_to_wallet(place, tx);
                ours = Some(vout);
            } else {
                self.record_external(outpoint(tx, vout), tx, Tag::Penalty);
            }
        }
        let text = self.headline();
        self.broken(text.to_owned());
        let ids = self.waiting_htlcs().map(|(id, _)| id).collect::<Vec<_>>();
        for id in ids {
            self.effects.push(Effect::Failed { id });
        }
    }

    /// The preimage of an HTLC that the peer offered is known: takes it.
    pub(crate) fn know_preimage(&mut self, id: u64, preimage: [u8; 32]) {
        let point = self.end.point();
        let claimable = |output: &TrackedOutput| {
            let htlc = output.htlc.filter(|htlc| htlc.offered_by == Side::Remote && htlc.id == id)?;
            let open = output.resolved.is_none_or(|resolved| resolved.kind == TxKind::Itself);
            (open && output.kind == OutputKind::TheirHtlc).then_some(htlc)
        };
        let Some((place, htlc)) =
            (0..self.outputs.len()).find_map(|place| Some((place, claimable(&self.outputs[place])?)))
        else {
            return;
        };
        let block = self.outputs[place].height + 1;
        self.outputs[place].resolved = None;
        if let Some((transaction, signature)) = self.outputs[place].second_stage.clone() {
            let means = Means::SecondStage { transaction, signature, preimage: Some(preimage) };
            self.propose(place, TxKind::OurHtlcSuccessTx, means, block);
        } else if let (End::Theirs(_), Some(per_commitment_point)) = (&self.end, point) {
            let claim = Claim::HtlcFulfilled { per_commitment_point, htlc, preimage };
            self.propose(place, TxKind::TheirHtlcFulfillToUs, Means::Claim(claim), block);
        }
    }

    fn add(&mut self, tx: &Transaction, vout: u32, kind: OutputKind) -> usize {
        let outpoint = outpoint(tx, vout);
        let sat = tx.output[vout as usize].value.to_sat();
        self.track(TrackedOutput::new(self.end.kind(), kind, outpoint, sat, self.height))
    }

    fn add_htlc(
        &mut self,
        tx: &Transaction,
        vout: u32,
        htlc: CommitmentHtlc,
        used: &mut Vec<(Side, u64)>,
    ) -> usize {
        let ours = htlc.offered_by == Side::Local;
        let place = self.add(tx, vout, if ours { OutputKind::OurHtlc } else { OutputKind::TheirHtlc });
        self.outputs[place].htlc = Some(htlc);
        used.push((htlc.offered_by, htlc.id));
        place
    }

    /// An output about which we need do nothing.
    fn leave_to_others(&mut self, place: usize) {
        self.ignore(place);
        let tag = match self.outputs[place].kind {
            OutputKind::AnchorToUs | OutputKind::AnchorToThem => Tag::Anchor,
            _ => Tag::ToThem,
        };
        self.record_deposit_to_others(place, tag);
    }

    fn give_to_wallet(&mut self, place: usize, tx: &Transaction) {
        let TrackedOutput { outpoint, sat, height, .. } = self.outputs[place];
        let script = tx.output[outpoint.vout as usize].script_pubkey.clone();
        self.effects.push(Effect::ToWallet { outpoint, sat, script, height });
    }

    fn broken(&mut self, text: String) {
        self.effects.push(Effect::Log(LogLevel::Broken, text));
    }

    /// HTLCs of ours that have no end yet, and whether both sides were committed to them.
    fn waiting_htlcs(&self) -> impl Iterator<Item = (u64, bool)> {
        let waiting = self
            .case
            .htlcs
            .iter()
            .filter(|known| known.htlc.offered_by == Side::Local && !known.state.is_dead());
        waiting.map(|known| {
            let committed =
                known.state >= HtlcState::RcvdAddRevocation && known.state < HtlcState::SentRemoveRevocation;
            (known.htlc.id, committed)
        })
    }

    /// HTLCs of ours without an output fail: at once if every valid commitment has none, later if another one may have.
    fn note_missing(&mut self, used: &[(Side, u64)]) {
        let waiting: Vec<(u64, bool)> =
            self.waiting_htlcs().filter(|(id, _)| !used.contains(&(Side::Local, *id))).collect();
        for (id, at_once) in waiting {
            if at_once {
                self.effects.push(Effect::Failed { id });
            } else {
                self.missing.push(id);
            }
        }
    }
}

fn anchor(side: Side) -> OutputKind {
    match side {
        Side::Local => OutputKind::AnchorToUs,
        Side::Remote => OutputKind::AnchorToThem,
    }
}

pub(super) fn outpoint(tx: &Transaction, vout: u32) -> OutPoint {
    OutPoint { txid: tx.compute_txid(), vout }
}
