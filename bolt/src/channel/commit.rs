//! `commitment_signed`, in both directions.

use super::htlc::{Htlc, Removal};
use super::record::Record;
use super::state::{HtlcState, Step};
use super::{Channel, ChannelError, ChannelOutput, warning};
use crate::message::channel::{CommitmentSigned, RevokeAndAck};
use crate::tlv::TlvStream;
use crate::transaction::{Commitment, CommitmentSignatures, Side};
use bitcoin::Transaction;
use bitcoin::secp256k1::PublicKey;

/// What a [`Step`] did.
#[derive(Debug)]
pub(super) struct Stepped {
    /// Whether anything moved.
    pub(super) changed: bool,
    /// What the owner of the channel has to hear.
    pub(super) outputs: Vec<ChannelOutput>,
}

impl Record {
    /// Moves HTLCs and fee rates on; HTLCs that are gone change the balance and leave.
    pub(super) fn step(&mut self, step: Step) -> Stepped {
        let mut stepped = Stepped { changed: self.fees.step(step), outputs: Vec::new() };
        for htlc in self.htlcs.values_mut() {
            if let Some(state) = htlc.state.after(step) {
                htlc.state = state;
                stepped.changed = true;
                stepped.outputs.extend(event(htlc));
            }
        }
        for htlc in self.htlcs.values().filter(|htlc| htlc.state.is_dead()) {
            match (htlc.owner, htlc.paid_to()) {
                (Side::Local, Side::Remote) => self.our_msat -= htlc.amount_msat,
                (Side::Remote, Side::Local) => self.our_msat += htlc.amount_msat,
                _ => {}
            }
        }
        self.htlcs.retain(|_, htlc| !htlc.state.is_dead());
        stepped
    }

    /// Whether a `commitment_signed` of ours would change the peer's commitment.
    pub(super) fn is_pending_for_peer(&self) -> bool {
        self.fees.is_pending(Side::Remote)
            || self.htlcs.values().any(|htlc| htlc.state.is_pending(Side::Remote))
    }
}

/// What an HTLC that has just come to its state means to others.
fn event(htlc: &Htlc) -> Option<ChannelOutput> {
    let (id, removal) = (htlc.id, htlc.removal.clone());
    match (htlc.state, removal) {
        (HtlcState::RcvdAddAckRevocation, _) => Some(ChannelOutput::HtlcCommitted { id }),
        (HtlcState::RcvdRemoveCommit, Some(Removal::Fulfill(preimage))) => {
            Some(ChannelOutput::HtlcFulfilled { id, preimage })
        }
        (HtlcState::RcvdRemoveCommit, Some(removal)) => Some(ChannelOutput::HtlcFailed { id, removal }),
        (HtlcState::RcvdRemoveAckRevocation, Some(removal)) => {
            Some(ChannelOutput::HtlcRemoved { id, removal })
        }
        (HtlcState::SentRemoveAckRevocation, Some(removal)) => {
            Some(ChannelOutput::HtlcForgotten { id, removal })
        }
        _ => None,
    }
}

impl Channel {
    /// Signs the peer's next commitment, if anything is to be committed and no revocation is awaited; and says what had to wait
    /// for that: a change of the fee rate before, `shutdown` after.
    pub fn commit(&mut self) {
        if self.is_connected() && self.closing.is_none() && !self.record.awaits_revocation() {
            if self.is_channel_ready(Side::Remote) && !self.is_all_said() {
                self.send_commitment_signed();
            }
            self.send_shutdown();
        }
        self.check_shutdown_complete();
    }

    /// After `shutdown`, nothing is said when no HTLC is left (BOLT 2).
    fn is_all_said(&self) -> bool {
        self.shutdown_sent && self.record.htlcs.is_empty()
    }

    fn send_commitment_signed(&mut self) {
        // A peer may not be prepared for a change of the fee rate as the very first commitment (`channeld.c:handle_feerates`).
        let is_first = self.record.next_commitment_number == [1, 1];
        if !is_first || self.may_begin_with_fee || self.record.is_pending_for_peer() {
            self.send_update_fee();
        }
        if !self.record.is_pending_for_peer() {
            return;
        }
        self.record.step(Step::SendCommit);
        let number = self.next_commitment_number(Side::Remote);
        let commitment = self.remote_commitment(number);
        if let Some(base) = commitment.penalty_base() {
            self.record.penalty_bases.insert(number, base);
        }
        self.record.next_commitment_number[Side::Remote as usize] += 1;
        self.record.last_was_revoke = false;
        self.sign(&commitment);
    }

    fn remote_commitment(&self, number: u64) -> Commitment {
        self.record.commitment(&self.terms, Side::Remote, number, self.record.remote_per_commit)
    }

    fn sign(&mut self, commitment: &Commitment) {
        let CommitmentSignatures { signature, htlc_signatures } = self.keys.sign_commitment(commitment);
        self.send(CommitmentSigned {
            channel_id: self.channel_id,
            signature,
            htlc_signature: htlc_signatures,
            tlvs: TlvStream::new(),
        });
    }

    /// Says the last `commitment_signed` again.
    pub(super) fn resend_commitment_signed(&mut self) {
        let commitment = self.remote_commitment(self.next_commitment_number(Side::Remote) - 1);
        self.sign(&commitment);
    }

    pub(super) fn receive_commitment_signed(
        &mut self,
        message: CommitmentSigned,
    ) -> Result<(), ChannelError> {
        let number = self.next_commitment_number(Side::Local);
        let mut record = self.record.clone();
        let committed = record.step(Step::ReceiveCommit);
        // LND does this now and then; but twice in a row it could go on for ever.
        if !committed.changed && self.empty_commitment == Some(number - 1) {
            return warning("commit_sig with no changes (again!)");
        }
        let point = self.own_point(number);
        let commitment = record.commitment(&self.terms, Side::Local, number, point);
        record.signatures =
            CommitmentSignatures { signature: message.signature, htlc_signatures: message.htlc_signature };
        if let Err(error) = commitment.verify(&record.signatures) {
            return warning(error.to_string());
        }
        record.next_commitment_number[Side::Local as usize] += 1;
        let revoked = record.step(Step::SendRevoke);
        record.last_was_revoke = true;
        if !committed.changed {
            self.empty_commitment = Some(number);
        }
        self.record = record;
        self.local_commitment = commitment;
        self.outputs.extend(committed.outputs.into_iter().chain(revoked.outputs));
        self.send_revoke_and_ack();
        Ok(())
    }

    /// Revokes our commitment before the last.
    pub(super) fn send_revoke_and_ack(&mut self) {
        let next = self.next_commitment_number(Side::Local);
        let next_per_commitment_point = self.own_point(next);
        self.send(RevokeAndAck {
            channel_id: self.channel_id,
            per_commitment_secret: self.keys.per_commitment_secret(next - 2),
            next_per_commitment_point,
            tlvs: TlvStream::new(),
        });
    }

    /// The point of our commitment `number`. It is asked for twice: to be said, and when the peer has signed.
    fn own_point(&mut self, number: u64) -> PublicKey {
        let point = match self.last_point {
            Some((of, point)) if of == number => point,
            _ => self.keys.per_commitment_point(number),
        };
        self.last_point = Some((number, point));
        point
    }

    /// Our commitment, which is the last that the peer signed.
    pub fn local_commitment(&self) -> &Commitment {
        &self.local_commitment
    }

    /// Our commitment with both signatures: the unilateral close. Of use only as long as it is not revoked.
    pub fn local_commitment_signed(&self) -> Transaction {
        self.keys.fully_signed(&self.local_commitment, &self.record.signatures.signature)
    }

    /// The peer's commitments that are not revoked: one, or two while its `revoke_and_ack` is awaited, the older one first.
    pub fn remote_commitments(&self) -> Vec<Commitment> {
        let next = self.next_commitment_number(Side::Remote);
        let of = |record: &Record, number, point| record.commitment(&self.terms, Side::Remote, number, point);
        if !self.record.awaits_revocation() {
            // Before `channel_ready` there is but the first point.
            return vec![of(&self.record, next - 1, self.record.old_remote_per_commit)];
        }
        let before = self.record.before_last_commit();
        vec![
            of(&before, next - 2, self.record.old_remote_per_commit),
            of(&self.record, next - 1, self.record.remote_per_commit),
        ]
    }
}

impl Record {
    /// As it was before the last [`Step::SendCommit`], as far as the peer's commitment goes.
    fn before_last_commit(&self) -> Self {
        let mut record = self.clone();
        for htlc in record.htlcs.values_mut() {
            htlc.state = htlc.state.before_send_commit().unwrap_or(htlc.state);
        }
        record.fees.undo_commit();
        record
    }
}
