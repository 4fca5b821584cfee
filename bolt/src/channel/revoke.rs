//! `revoke_and_ack` of the peer, and what its revoked commitments are worth to us.

use super::state::Step;
use super::{Channel, ChannelError, ChannelOutput, error, warning};
use crate::message::channel::RevokeAndAck;
use crate::transaction::PenaltyBase;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use bitcoin::{Script, Transaction};

impl Channel {
    pub(super) fn receive_revoke_and_ack(&mut self, message: &RevokeAndAck) -> Result<(), ChannelError> {
        if !self.record.awaits_revocation() {
            return warning("Unexpected revoke_and_ack");
        }
        let commitment_number = self.record.revocations_received();
        let hex = message.per_commitment_secret.to_lower_hex_string();
        let Ok(secret) = SecretKey::from_slice(&message.per_commitment_secret) else {
            return error(format!("Bad privkey {hex}"));
        };
        let point = self.record.old_remote_per_commit;
        if secret.public_key(&Secp256k1::signing_only()) != point {
            return error(format!("Wrong privkey {hex} for {commitment_number} {point}"));
        }
        if let Err(bad) = self.record.shachain.insert(commitment_number, message.per_commitment_secret) {
            return error(format!("Bad privkey {hex}: {bad}"));
        }
        self.record.old_remote_per_commit = self.record.remote_per_commit;
        self.record.remote_per_commit = message.next_per_commitment_point;
        let penalty_base = self.record.penalty_bases.remove(&commitment_number);
        self.outputs.push(ChannelOutput::Revoked { commitment_number, penalty_base });
        let stepped = self.record.step(Step::ReceiveRevoke);
        self.outputs.extend(stepped.outputs);
        Ok(())
    }

    /// The transaction that takes the peer's balance if it puts a revoked commitment on the chain; `base` came with
    /// [`ChannelOutput::Revoked`]. `None` if that balance is not worth it ([`PenaltyBase::is_dust`]).
    pub fn penalty(
        &self,
        base: &PenaltyBase,
        feerate_per_kw: u32,
        destination: &Script,
    ) -> Option<Transaction> {
        let secret = self.record.shachain.get(base.commitment_number)?;
        let secret = SecretKey::from_slice(&secret).expect("it was a key when it came");
        self.keys.penalty(&self.terms, base, secret, destination, feerate_per_kw)
    }
}
