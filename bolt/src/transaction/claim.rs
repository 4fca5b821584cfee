//! Transactions with which we bring one output of a commitment home, without the help of the peer: sweeps, HTLCs on the
//! peer's commitment, and penalties.

use super::commitment::{CommitmentHtlc, ldk_htlc};
use super::output::delayed_script;
use super::signature::{digest, sign};
use super::terms::{Side, Terms};
use crate::channel_keys::ChannelKeys;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, CompressedPublicKey, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid,
    Witness, ecdsa,
};
use lightning::ln::chan_utils::{
    derive_private_key, derive_private_revocation_key, get_htlc_redeemscript, get_keyed_anchor_redeemscript,
    get_to_countersigner_keyed_anchor_redeemscript,
};

/// What lightningd counts for a signature with its sighash byte.
const SIGNATURE_WEIGHT: u64 = 73;

/// lightningd's `FEERATE_FLOOR`: what cannot pay more is tried at it.
const FEERATE_FLOOR_PER_KW: u32 = 253;

/// What an anchor is worth (BOLT 3 "`to_local_anchor` and `to_remote_anchor` Output").
pub const ANCHOR_SAT: u64 = 330;

/// Which output it is, and by what right it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Our balance on our commitment, or what our HTLC transaction paid, after the delay that the peer wanted.
    Delayed {
        /// Of our commitment.
        per_commitment_point: PublicKey,
    },
    /// Our balance on the peer's commitment.
    ToUs,
    /// An HTLC on the peer's commitment that the peer offered.
    HtlcFulfilled {
        /// Of the peer's commitment.
        per_commitment_point: PublicKey,
        /// The HTLC.
        htlc: CommitmentHtlc,
        /// What its hash asks for.
        preimage: [u8; 32],
    },
    /// An HTLC on the peer's commitment that we offered, after its expiry.
    HtlcTimedOut {
        /// Of the peer's commitment.
        per_commitment_point: PublicKey,
        /// The HTLC.
        htlc: CommitmentHtlc,
    },
    /// The peer's balance on its revoked commitment, or what its HTLC transaction paid.
    Revoked {
        /// What the peer revealed.
        per_commitment_secret: SecretKey,
    },
    /// An HTLC on the peer's revoked commitment.
    RevokedHtlc {
        /// What the peer revealed.
        per_commitment_secret: SecretKey,
        /// The HTLC.
        htlc: CommitmentHtlc,
    },
}

/// What is kept of each commitment of the peer, to punish it; a row of lightningd's `penalty_bases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PenaltyBase {
    /// Counted up from 0.
    pub commitment_number: u64,
    /// Of the commitment.
    pub txid: Txid,
    /// Where the peer's balance is.
    pub outnum: u32,
    /// How much it is.
    pub amount_sat: u64,
}

impl PenaltyBase {
    /// Whether there is too little in it for a transaction of ours.
    pub fn is_dust(&self, terms: &Terms) -> bool {
        self.amount_sat <= terms.config(Side::Local).dust_limit_satoshis
    }
}

/// How a claim is signed and what stands beside the signature.
struct Spend {
    script: ScriptBuf,
    /// The output is P2WPKH of this key instead of P2WSH.
    key_hash: bool,
    key: SecretKey,
    /// Between the signature and the script.
    element: Option<Vec<u8>>,
    sequence: Sequence,
    lock_time: LockTime,
}

impl ChannelKeys {
    /// Our claim of an output, signed: one input, one output to `destination`. If less than our dust limit would be left
    /// after the fee it pays the lowest fee rate; `None` if the output is not worth that.
    pub fn claim(
        &self,
        terms: &Terms,
        claim: &Claim,
        output: (OutPoint, u64),
        destination: &Script,
        feerate_per_kw: u32,
    ) -> Option<Transaction> {
        let (outpoint, amount_sat) = output;
        let spend = self.spend(terms, claim);
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: spend.lock_time,
            input: vec![TxIn { previous_output: outpoint, sequence: spend.sequence, ..TxIn::default() }],
            output: vec![TxOut { value: Amount::ZERO, script_pubkey: destination.into() }],
        };
        let weight = transaction.weight().to_wu() + 2 + spend.witness_weight();
        // lightningd does not count what stands beside signature and script: at the lowest rate that would not be relayed.
        let counted = weight - spend.element_weight();
        let lowest = u64::from(FEERATE_FLOOR_PER_KW) * weight / 1000;
        let fee = |feerate: u32| (u64::from(feerate) * counted / 1000).max(lowest);
        let dust = terms.config(Side::Local).dust_limit_satoshis;
        let left = amount_sat.checked_sub(fee(feerate_per_kw)).filter(|left| *left >= dust);
        let left = left.or_else(|| amount_sat.checked_sub(fee(FEERATE_FLOOR_PER_KW)))?;
        transaction.output[0].value = Amount::from_sat(left);
        transaction.input[0].witness = spend.witness(&transaction, 0, Amount::from_sat(amount_sat));
        Some(transaction)
    }

    /// What a witness of ours for this claim has behind the signature.
    pub fn claim_elements(&self, terms: &Terms, claim: &Claim) -> Vec<Vec<u8>> {
        let spend = self.spend(terms, claim);
        let script = (!spend.key_hash).then(|| spend.script.to_bytes());
        spend.element.into_iter().chain(script).collect()
    }

    /// The witness for input `input`, which spends our balance on a commitment of the peer, in a transaction of any form. With
    /// anchors the input's sequence has to be 1 or more.
    pub fn to_us_witness(
        &self,
        anchors: bool,
        transaction: &Transaction,
        input: usize,
        amount: Amount,
    ) -> Witness {
        self.spend_to_us(anchors).witness(transaction, input, amount)
    }

    /// The transaction that takes the peer's balance on a revoked commitment: lightningd's `penalty_tx_create`, and what the
    /// hook `commitment_revocation` hands out. `None` if that balance is dust.
    pub fn penalty(
        &self,
        terms: &Terms,
        base: &PenaltyBase,
        per_commitment_secret: SecretKey,
        destination: &Script,
        feerate_per_kw: u32,
    ) -> Option<Transaction> {
        if base.is_dust(terms) {
            return None;
        }
        let outpoint = OutPoint { txid: base.txid, vout: base.outnum };
        let claim = Claim::Revoked { per_commitment_secret };
        self.claim(terms, &claim, (outpoint, base.amount_sat), destination, feerate_per_kw)
    }

    /// The output script of our anchor on either side's commitment.
    pub fn anchor_script(&self) -> ScriptBuf {
        get_keyed_anchor_redeemscript(&self.basepoints().funding_pubkey).to_p2wsh()
    }

    /// The witness for input `input`, which spends our anchor, in a transaction of any form.
    pub fn anchor_witness(&self, transaction: &Transaction, input: usize) -> Witness {
        let script = get_keyed_anchor_redeemscript(&self.basepoints().funding_pubkey);
        Spend::new(script, self.secrets.funding).witness(transaction, input, Amount::from_sat(ANCHOR_SAT))
    }

    fn spend(&self, terms: &Terms, claim: &Claim) -> Spend {
        let secp = Secp256k1::signing_only();
        match claim {
            Claim::Delayed { per_commitment_point } => Spend {
                sequence: Sequence::from_height(terms.delay_of(Side::Local)),
                element: Some(Vec::new()),
                ..Spend::new(
                    delayed_script(terms, Side::Local, per_commitment_point),
                    derive_private_key(&secp, per_commitment_point, &self.secrets.delayed_payment),
                )
            },
            Claim::ToUs => self.spend_to_us(terms.channel_type.anchors),
            Claim::HtlcFulfilled { per_commitment_point, htlc, preimage } => Spend {
                element: Some(preimage.to_vec()),
                ..self.spend_htlc(terms, per_commitment_point, htlc)
            },
            Claim::HtlcTimedOut { per_commitment_point, htlc } => Spend {
                element: Some(Vec::new()),
                lock_time: LockTime::from_consensus(htlc.cltv_expiry),
                sequence: if terms.channel_type.anchors {
                    ONE_BLOCK
                } else {
                    Sequence::ENABLE_LOCKTIME_NO_RBF
                },
                ..self.spend_htlc(terms, per_commitment_point, htlc)
            },
            Claim::Revoked { per_commitment_secret } => Spend {
                element: Some(vec![1]),
                ..Spend::new(
                    delayed_script(terms, Side::Remote, &per_commitment_secret.public_key(&secp)),
                    derive_private_revocation_key(&secp, per_commitment_secret, &self.secrets.revocation),
                )
            },
            Claim::RevokedHtlc { per_commitment_secret, htlc } => {
                let key =
                    derive_private_revocation_key(&secp, per_commitment_secret, &self.secrets.revocation);
                let script = htlc_script(terms, &per_commitment_secret.public_key(&secp), htlc);
                Spend { element: Some(key.public_key(&secp).serialize().to_vec()), ..Spend::new(script, key) }
            }
        }
    }

    fn spend_to_us(&self, anchors: bool) -> Spend {
        let key = self.secrets.payment;
        let payment = self.basepoints().payment;
        if anchors {
            let script = get_to_countersigner_keyed_anchor_redeemscript(&payment);
            Spend { sequence: ONE_BLOCK, ..Spend::new(script, key) }
        } else {
            let script = ScriptBuf::new_p2wpkh(&CompressedPublicKey(payment).wpubkey_hash());
            Spend { key_hash: true, element: Some(payment.serialize().to_vec()), ..Spend::new(script, key) }
        }
    }

    /// An HTLC on the peer's commitment, spent with our HTLC key.
    fn spend_htlc(&self, terms: &Terms, per_commitment_point: &PublicKey, htlc: &CommitmentHtlc) -> Spend {
        let sequence = if terms.channel_type.anchors { ONE_BLOCK } else { Sequence::MAX };
        let script = htlc_script(terms, per_commitment_point, htlc);
        Spend { sequence, ..Spend::new(script, self.htlc_key(per_commitment_point)) }
    }
}

/// With anchors the other side's outputs of a commitment wait for one block.
const ONE_BLOCK: Sequence = Sequence(1);

/// The witness script of an HTLC on the peer's commitment.
fn htlc_script(terms: &Terms, per_commitment_point: &PublicKey, htlc: &CommitmentHtlc) -> ScriptBuf {
    let keys = terms.commitment_keys(Side::Remote, per_commitment_point);
    get_htlc_redeemscript(&ldk_htlc(htlc, Side::Remote, None), &terms.ldk_type(), &keys)
}

impl Spend {
    fn new(script: ScriptBuf, key: SecretKey) -> Self {
        Self {
            script,
            key_hash: false,
            key,
            element: None,
            sequence: Sequence::MAX,
            lock_time: LockTime::ZERO,
        }
    }

    fn witness_weight(&self) -> u64 {
        let length = u64::from(self.element.is_some());
        let script = if self.key_hash { 0 } else { 1 + self.script.len() as u64 };
        1 + 1 + SIGNATURE_WEIGHT + length + self.element_weight() + script
    }

    fn element_weight(&self) -> u64 {
        self.element.as_ref().map_or(0, |element| element.len() as u64)
    }

    fn witness(&self, transaction: &Transaction, input: usize, amount: Amount) -> Witness {
        let sighash_type = EcdsaSighashType::All;
        let message = if self.key_hash {
            let hash = SighashCache::new(transaction).p2wpkh_signature_hash(
                input,
                &self.script,
                amount,
                sighash_type,
            );
            Message::from_digest(hash.expect("the script is P2WPKH").to_byte_array())
        } else {
            digest(transaction, input, &self.script, amount, sighash_type)
        };
        let mut witness = Witness::new();
        witness.push_ecdsa_signature(&ecdsa::Signature::sighash_all(sign(&message, &self.key)));
        if let Some(element) = &self.element {
            witness.push(element);
        }
        if !self.key_hash {
            witness.push(&self.script);
        }
        witness
    }
}
