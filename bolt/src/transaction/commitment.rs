//! Commitment transactions: balances and HTLCs of one side at one moment, as outputs of the funding output.

use super::claim::PenaltyBase;
use super::htlc::HtlcTransaction;
use super::output::{CommitmentOutput, outputs_with_keys};
use super::terms::{ChannelType, Side, Terms};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{PublicKey, Secp256k1};
use bitcoin::{Transaction, Txid};
use lightning::ln::chan_utils::{
    CommitmentTransaction, HTLCOutputInCommitment, TxCreationKeys, htlc_success_tx_weight,
    htlc_timeout_tx_weight,
};
use lightning::types::payment::PaymentHash;

/// LDK and the transaction itself count commitments down from here.
const FIRST_COUNTED_DOWN: u64 = (1 << 48) - 1;

/// Weights that fees are made of (BOLT 3 "Fee Calculation").
const BASE_WEIGHT: u64 = 724;
const BASE_WEIGHT_WITH_ANCHORS: u64 = 1124;
const WEIGHT_PER_HTLC: u64 = 172;

/// Two anchors of 330 sat, which the opener pays.
const ANCHORS_SAT: u64 = 660;

/// An HTLC that a commitment has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitmentHtlc {
    /// Who pays.
    pub offered_by: Side,
    /// Its number among those that side offered.
    pub id: u64,
    /// How much.
    pub amount_msat: u64,
    /// The block from which on the payer may take it back.
    pub cltv_expiry: u32,
    /// Whose preimage lets the other side take it.
    pub payment_hash: sha256::Hash,
}

/// What a commitment transaction says. The balances are without the HTLCs: all together make the capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentSpec {
    /// Who can put it on the chain.
    pub side: Side,
    /// Counted up from 0.
    pub number: u64,
    /// The point of `side` for this number.
    pub per_commitment_point: PublicKey,
    /// What the opener pays, in sat per 1000 weight units.
    pub feerate_per_kw: u32,
    /// The balance of `side`.
    pub to_local_msat: u64,
    /// The balance of the other side.
    pub to_remote_msat: u64,
    /// All HTLCs in it, those too small for an output among them.
    pub htlcs: Vec<CommitmentHtlc>,
}

/// An HTLC that has an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HtlcOutput {
    /// The HTLC.
    pub htlc: CommitmentHtlc,
    /// The number of its output.
    pub vout: u32,
}

/// A commitment transaction, not signed, with what is needed to sign it and to recognize its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    pub(super) terms: Terms,
    spec: CommitmentSpec,
    built: CommitmentTransaction,
    htlcs: Vec<HtlcOutput>,
}

/// The fee of a commitment with so many HTLC outputs (`num_untrimmed_htlcs`): what the opener pays besides the anchors.
pub fn commitment_fee_sat(channel_type: ChannelType, feerate_per_kw: u32, untrimmed_htlcs: u64) -> u64 {
    let base = if channel_type.anchors { BASE_WEIGHT_WITH_ANCHORS } else { BASE_WEIGHT };
    u64::from(feerate_per_kw) * (base + WEIGHT_PER_HTLC * untrimmed_htlcs) / 1000
}

/// What the two anchors take from the opener.
pub fn anchors_sat(channel_type: ChannelType) -> u64 {
    if channel_type.anchors { ANCHORS_SAT } else { 0 }
}

/// Whether an HTLC has no output in the commitment of `side`: it would be dust after the fee of its own transaction.
pub fn is_trimmed(
    terms: &Terms,
    side: Side,
    feerate_per_kw: u32,
    offered_by: Side,
    amount_msat: u64,
) -> bool {
    let kind = terms.ldk_type();
    let weight = match terms.channel_type.anchors {
        true => 0,
        false if offered_by == side => htlc_timeout_tx_weight(&kind),
        false => htlc_success_tx_weight(&kind),
    };
    let fee = u64::from(feerate_per_kw) * weight / 1000;
    amount_msat / 1000 < terms.config(side).dust_limit_satoshis + fee
}

impl Commitment {
    /// The commitment transaction that `spec` describes (lightningd's `commit_tx`). An opener who cannot pay the whole
    /// fee pays what there is.
    ///
    /// # Panics
    ///
    /// If the number is 2^48 or more, or the funding output's number has more than 16 bits.
    pub fn new(terms: &Terms, spec: CommitmentSpec) -> Self {
        let side = spec.side;
        let mut kept: Vec<Option<CommitmentHtlc>> = spec
            .htlcs
            .iter()
            .filter(|htlc| !is_trimmed(terms, side, spec.feerate_per_kw, htlc.offered_by, htlc.amount_msat))
            .copied()
            .map(Some)
            .collect();
        let [own, others] = balances_sat(terms, &spec, kept.len());
        let parameters = terms.ldk_parameters();
        let directed = match side {
            Side::Local => parameters.as_holder_broadcastable(),
            Side::Remote => parameters.as_counterparty_broadcastable(),
        };
        let built = CommitmentTransaction::new(
            FIRST_COUNTED_DOWN - spec.number,
            &spec.per_commitment_point,
            own,
            others,
            spec.feerate_per_kw,
            kept.iter().flatten().map(|htlc| ldk_htlc(htlc, side, None)).collect(),
            &directed,
            &Secp256k1::new(),
        );
        // LDK sorts the HTLCs and forgets their ids. Those that look the same are the same to everybody.
        let htlcs = built.nondust_htlcs().iter().map(|sorted| {
            let slot = kept.iter_mut().find(|slot| slot.is_some_and(|htlc| is_same(&htlc, side, sorted)));
            let htlc = slot.and_then(Option::take).expect("every HTLC output was asked for");
            HtlcOutput { htlc, vout: sorted.transaction_output_index.expect("it has an output") }
        });
        let htlcs = htlcs.collect();
        Self { terms: *terms, spec, built, htlcs }
    }

    /// What it was made of.
    pub fn spec(&self) -> &CommitmentSpec {
        &self.spec
    }

    /// The channel's terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The transaction, not signed.
    pub fn transaction(&self) -> &Transaction {
        &self.built.trust().built_transaction().transaction
    }

    /// The transaction's id; signatures do not change it.
    pub fn txid(&self) -> Txid {
        self.built.trust().txid()
    }

    /// The HTLCs with an output, in the order of the outputs: that of their signatures in `commitment_signed`.
    pub fn htlcs(&self) -> &[HtlcOutput] {
        &self.htlcs
    }

    /// What miners get, with all that was trimmed.
    pub fn fee_sat(&self) -> u64 {
        let outputs: u64 = self.transaction().output.iter().map(|output| output.value.to_sat()).sum();
        self.terms.capacity_sat - outputs
    }

    /// What each output is, in their order.
    pub fn outputs(&self) -> Vec<CommitmentOutput> {
        let htlcs: Vec<_> = self.htlcs.iter().map(|output| output.htlc).collect();
        outputs_with_keys(&self.terms, self.spec.side, self.keys(), self.transaction(), &htlcs)
    }

    /// Our commitment's transactions that claim or time out its HTLCs, in the order of [`Self::htlcs`].
    pub fn htlc_transactions(&self) -> Vec<HtlcTransaction> {
        self.htlcs.iter().map(|output| HtlcTransaction::new(self, *output)).collect()
    }

    /// Derived when it was made.
    pub(super) fn keys(&self) -> &TxCreationKeys {
        self.built.trust().keys()
    }

    /// What is needed to take the owner's balance once this commitment is revoked; nothing if that balance has no output.
    pub fn penalty_base(&self) -> Option<PenaltyBase> {
        let outputs = self.outputs();
        let vout = outputs.iter().position(|output| *output == CommitmentOutput::DelayedToOwner)?;
        Some(PenaltyBase {
            commitment_number: self.spec.number,
            txid: self.txid(),
            outnum: u32::try_from(vout).expect("outputs are few"),
            amount_sat: self.transaction().output[vout].value.to_sat(),
        })
    }
}

/// The balances of the commitment's owner and of the other side, after the opener paid; dust is 0.
fn balances_sat(terms: &Terms, spec: &CommitmentSpec, untrimmed_htlcs: usize) -> [u64; 2] {
    let fee = commitment_fee_sat(terms.channel_type, spec.feerate_per_kw, untrimmed_htlcs as u64);
    let mut balances = [spec.to_local_msat / 1000, spec.to_remote_msat / 1000];
    let payer = usize::from(terms.opener != spec.side);
    balances[payer] = balances[payer].saturating_sub(fee + anchors_sat(terms.channel_type));
    let dust = terms.config(spec.side).dust_limit_satoshis;
    balances.map(|balance| if balance < dust { 0 } else { balance })
}

/// The HTLC as LDK has it, in the commitment of `side`.
pub(super) fn ldk_htlc(htlc: &CommitmentHtlc, side: Side, vout: Option<u32>) -> HTLCOutputInCommitment {
    HTLCOutputInCommitment {
        offered: htlc.offered_by == side,
        amount_msat: htlc.amount_msat,
        cltv_expiry: htlc.cltv_expiry,
        payment_hash: PaymentHash(htlc.payment_hash.to_byte_array()),
        transaction_output_index: vout,
    }
}

fn is_same(htlc: &CommitmentHtlc, side: Side, sorted: &HTLCOutputInCommitment) -> bool {
    ldk_htlc(htlc, side, sorted.transaction_output_index) == *sorted
}
