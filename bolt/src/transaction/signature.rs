//! Signatures of a commitment and of its HTLC transactions: ours made, the peer's verified, both put in.

use super::commitment::Commitment;
use super::terms::{Side, Terms};
use crate::channel_keys::ChannelKeys;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Amount, Script, Transaction, Witness, ecdsa};
use lightning::ln::chan_utils::derive_private_key;
use thiserror::Error;

/// What `commitment_signed` carries (with `funding_created` and `funding_signed`: without HTLCs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentSignatures {
    /// Of the commitment itself.
    pub signature: Signature,
    /// Of the transaction of each HTLC output, in the order of the outputs.
    pub htlc_signatures: Vec<Signature>,
}

/// A signature of the peer that is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSignature {
    /// Of a commitment or closing transaction.
    #[error("Bad commit_sig signature {signature} for tx {transaction}")]
    Transaction {
        /// What came.
        signature: Signature,
        /// What should have been signed, in hex.
        transaction: String,
    },
    /// Not as many as there are HTLC outputs.
    #[error("Expected {expected} htlc sigs, not {got}")]
    Count {
        /// HTLCs with an output.
        expected: usize,
        /// Signatures that came.
        got: usize,
    },
    /// Of an HTLC transaction.
    #[error("Bad commit_sig signature {signature} for htlc {transaction}")]
    Htlc {
        /// What came.
        signature: Signature,
        /// What should have been signed, in hex.
        transaction: String,
    },
}

impl ChannelKeys {
    /// Our signatures of a commitment of the peer.
    pub fn sign_commitment(&self, commitment: &Commitment) -> CommitmentSignatures {
        let htlc_signatures = match &commitment.htlc_transactions()[..] {
            // To derive a key takes as long as to sign.
            [] => Vec::new(),
            htlcs => {
                let key = self.htlc_key(&commitment.spec().per_commitment_point);
                htlcs.iter().map(|htlc| sign(&htlc.digest_of_peer(), &key)).collect()
            }
        };
        let signature = self.sign_funding_input(commitment.terms(), commitment.transaction());
        CommitmentSignatures { signature, htlc_signatures }
    }

    /// Our commitment with both signatures: the unilateral close. `signature` is the peer's, and was verified.
    pub fn fully_signed(&self, commitment: &Commitment, signature: &Signature) -> Transaction {
        self.with_funding_witness(commitment.terms(), commitment.transaction().clone(), signature)
    }

    /// Our signature of a `channel_announcement` with the funding key (`bitcoin_signature` of BOLT 7).
    ///
    /// `signed` is what the four signatures sign: the message from its features on.
    pub fn sign_announcement(&self, signed: &[u8]) -> Signature {
        sign(&Message::from_digest(sha256d::Hash::hash(signed).to_byte_array()), &self.secrets.funding)
    }

    pub(super) fn sign_funding_input(&self, terms: &Terms, transaction: &Transaction) -> Signature {
        sign(&funding_digest(terms, transaction), &self.secrets.funding)
    }

    pub(super) fn with_funding_witness(
        &self,
        terms: &Terms,
        mut transaction: Transaction,
        peers: &Signature,
    ) -> Transaction {
        let ours = self.sign_funding_input(terms, &transaction);
        let mut signatures = [(terms.local.funding_pubkey, ours), (terms.remote.funding_pubkey, *peers)];
        signatures.sort_by_key(|(key, _)| key.serialize());
        let mut witness = Witness::new();
        witness.push([]);
        for (_, signature) in signatures {
            witness.push_ecdsa_signature(&ecdsa::Signature::sighash_all(signature));
        }
        witness.push(terms.funding_script());
        transaction.input[0].witness = witness;
        transaction
    }

    pub(super) fn htlc_key(&self, per_commitment_point: &PublicKey) -> SecretKey {
        derive_private_key(&Secp256k1::signing_only(), per_commitment_point, &self.secrets.htlc)
    }
}

impl Commitment {
    /// Whether the peer signed this commitment of ours, and all of its HTLCs.
    ///
    /// # Errors
    ///
    /// In the words of lightningd's channeld.
    pub fn verify(&self, signatures: &CommitmentSignatures) -> Result<(), BadSignature> {
        verify_funding_input(self.terms(), self.transaction(), &signatures.signature)?;
        let htlcs = self.htlc_transactions();
        let (expected, got) = (htlcs.len(), signatures.htlc_signatures.len());
        if expected != got {
            return Err(BadSignature::Count { expected, got });
        }
        let key = self.keys().countersignatory_htlc_key.to_public_key();
        for (htlc, signature) in htlcs.iter().zip(&signatures.htlc_signatures) {
            if !is_signed(&htlc.digest_of_peer(), signature, &key) {
                let transaction = bitcoin::consensus::encode::serialize_hex(htlc.transaction());
                return Err(BadSignature::Htlc { signature: *signature, transaction });
            }
        }
        Ok(())
    }
}

pub(super) fn verify_funding_input(
    terms: &Terms,
    transaction: &Transaction,
    signature: &Signature,
) -> Result<(), BadSignature> {
    let key = terms.basepoints(Side::Remote).funding_pubkey;
    if is_signed(&funding_digest(terms, transaction), signature, &key) {
        return Ok(());
    }
    let transaction = bitcoin::consensus::encode::serialize_hex(transaction);
    Err(BadSignature::Transaction { signature: *signature, transaction })
}

fn funding_digest(terms: &Terms, transaction: &Transaction) -> Message {
    digest(transaction, 0, &terms.funding_script(), terms.capacity(), EcdsaSighashType::All)
}

/// What is signed of a transaction whose input `input` spends a P2WSH output (BIP 143).
pub(super) fn digest(
    transaction: &Transaction,
    input: usize,
    script: &Script,
    amount: Amount,
    sighash_type: EcdsaSighashType,
) -> Message {
    let hash = SighashCache::new(transaction).p2wsh_signature_hash(input, script, amount, sighash_type);
    Message::from_digest(hash.expect("there is that input").to_byte_array())
}

/// lightningd's `sign_hash`: other nonces until the signature is short.
pub(super) fn sign(message: &Message, key: &SecretKey) -> Signature {
    let secp = Secp256k1::signing_only();
    let with_extra_entropy = |count: u32| {
        let mut entropy = [0; 32];
        entropy[..4].copy_from_slice(&count.to_le_bytes());
        secp.sign_ecdsa_with_noncedata(message, key, &entropy)
    };
    let is_short = |signature: &Signature| signature.serialize_compact()[0] < 0x80;
    (0..).map(with_extra_entropy).find(is_short).expect("every other signature is short")
}

fn is_signed(message: &Message, signature: &Signature, key: &PublicKey) -> bool {
    Secp256k1::verification_only().verify_ecdsa(message, signature, key).is_ok()
}
