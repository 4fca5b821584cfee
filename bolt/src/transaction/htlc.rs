//! HTLC transactions: the second stage of an HTLC on the commitment of the node that owns it. HTLC-timeout takes back what it
//! offered, HTLC-success takes what it was offered; both pay to it after a delay.

use super::commitment::{Commitment, HtlcOutput, ldk_htlc};
use super::signature::{digest, sign};
use crate::channel_keys::ChannelKeys;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{Message, PublicKey};
use bitcoin::sighash::EcdsaSighashType;
use bitcoin::{Amount, ScriptBuf, Transaction};
use lightning::ln::chan_utils::{build_htlc_input_witness, build_htlc_transaction, get_htlc_redeemscript};
use lightning::types::features::ChannelTypeFeatures;
use lightning::types::payment::PaymentPreimage;

/// One HTLC transaction, not signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HtlcTransaction {
    output: HtlcOutput,
    per_commitment_point: PublicKey,
    transaction: Transaction,
    script: ScriptBuf,
    kind: ChannelTypeFeatures,
}

impl HtlcTransaction {
    /// The transaction of one of the HTLC outputs of a commitment.
    pub(super) fn new(commitment: &Commitment, output: HtlcOutput) -> Self {
        let (terms, spec, keys) = (commitment.terms(), commitment.spec(), commitment.keys());
        let kind = terms.ldk_type();
        let htlc = ldk_htlc(&output.htlc, spec.side, Some(output.vout));
        let transaction = build_htlc_transaction(
            &commitment.txid(),
            spec.feerate_per_kw,
            terms.delay_of(spec.side),
            &htlc,
            &kind,
            &keys.broadcaster_delayed_payment_key,
            &keys.revocation_key,
        );
        let script = get_htlc_redeemscript(&htlc, &kind, keys);
        Self { output, per_commitment_point: spec.per_commitment_point, transaction, script, kind }
    }

    /// The HTLC and its output.
    pub fn output(&self) -> &HtlcOutput {
        &self.output
    }

    /// The transaction without a witness. With anchors it pays no fee: whoever broadcasts it adds inputs
    /// and outputs behind the first of each.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The witness script of the HTLC output.
    pub fn script(&self) -> &ScriptBuf {
        &self.script
    }

    /// Puts the witness of the first input into `transaction`, which is this one, perhaps with more inputs and outputs.
    ///
    /// `signature` is the peer's, from `commitment_signed`; a `preimage` makes it HTLC-success.
    pub fn complete(
        &self,
        keys: &ChannelKeys,
        mut transaction: Transaction,
        signature: &Signature,
        preimage: Option<[u8; 32]>,
    ) -> Transaction {
        let message = digest(&transaction, 0, &self.script, self.amount(), EcdsaSighashType::All);
        let ours = sign(&message, &keys.htlc_key(&self.per_commitment_point));
        let preimage = preimage.map(PaymentPreimage);
        transaction.input[0].witness =
            build_htlc_input_witness(&ours, signature, &preimage, &self.script, &self.kind);
        transaction
    }

    /// What the other side of the commitment signs: with anchors it lets others add inputs and outputs.
    pub(super) fn digest_of_peer(&self) -> Message {
        let sighash_type = if self.kind.supports_anchors_zero_fee_htlc_tx() {
            EcdsaSighashType::SinglePlusAnyoneCanPay
        } else {
            EcdsaSighashType::All
        };
        digest(&self.transaction, 0, &self.script, self.amount(), sighash_type)
    }

    fn amount(&self) -> Amount {
        Amount::from_sat(self.output.htlc.amount_msat / 1000)
    }
}
