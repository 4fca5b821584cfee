//! What is on the chain when the funding output is spent by a commitment: its number, and what its outputs are.

use super::commitment::{CommitmentHtlc, ldk_htlc};
use super::terms::{Side, Terms};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Script, ScriptBuf, Transaction};
use lightning::ln::chan_utils::{
    TxCreationKeys, get_commitment_transaction_number_obscure_factor, get_countersigner_payment_script,
    get_htlc_redeemscript, get_keyed_anchor_redeemscript, get_revokeable_redeemscript,
};

/// What an output of a commitment is. The owner is the side that could broadcast it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitmentOutput {
    /// `to_local`: the owner's balance, after a delay.
    DelayedToOwner,
    /// `to_remote`: the other side's balance.
    ToOther,
    /// The anchor of a side.
    Anchor(Side),
    /// One of the HTLCs.
    Htlc(CommitmentHtlc),
    /// None of those.
    Unknown,
}

/// The number of the commitment that `transaction` is, counted up from 0, if it has the form of one (BOLT 3 "Commitment Transaction").
pub fn commitment_number(terms: &Terms, transaction: &Transaction) -> Option<u64> {
    let [input] = &transaction.input[..] else { return None };
    let (sequence, locktime) = (input.sequence.0, transaction.lock_time.to_consensus_u32());
    if sequence >> 24 != 0x80 || locktime >> 24 != 0x20 {
        return None;
    }
    let obscured = u64::from(sequence & 0xff_ffff) << 24 | u64::from(locktime & 0xff_ffff);
    let from_opener = terms.opener == Side::Local;
    let (ours, theirs) = (&terms.local.payment, &terms.remote.payment);
    Some(obscured ^ get_commitment_transaction_number_obscure_factor(ours, theirs, from_opener))
}

/// What the outputs of `transaction` are, a commitment of `owner` with this point. `htlcs` are those that it may have; of
/// those that look the same, each is found once.
pub fn commitment_outputs(
    terms: &Terms,
    owner: Side,
    per_commitment_point: &PublicKey,
    transaction: &Transaction,
    htlcs: &[CommitmentHtlc],
) -> Vec<CommitmentOutput> {
    outputs_with_keys(terms, owner, &terms.commitment_keys(owner, per_commitment_point), transaction, htlcs)
}

/// The same, for keys that are derived already: that takes longer than everything else about it.
pub(super) fn outputs_with_keys(
    terms: &Terms,
    owner: Side,
    keys: &TxCreationKeys,
    transaction: &Transaction,
    htlcs: &[CommitmentHtlc],
) -> Vec<CommitmentOutput> {
    let kind = terms.ldk_type();
    let delayed = delayed_script_with_keys(terms, owner, keys).to_p2wsh();
    let to_other = get_countersigner_payment_script(&kind, &terms.basepoints(owner.other()).payment);
    let anchors = Side::BOTH
        .map(|side| get_keyed_anchor_redeemscript(&terms.basepoints(side).funding_pubkey).to_p2wsh());
    let mut htlcs: Vec<(ScriptBuf, CommitmentHtlc)> = htlcs
        .iter()
        .map(|htlc| (get_htlc_redeemscript(&ldk_htlc(htlc, owner, None), &kind, keys).to_p2wsh(), *htlc))
        .collect();
    // Offered HTLCs of one payment can look the same; their outputs are in this order (BOLT 3 "Transaction Output Ordering").
    htlcs.sort_by_key(|(_, htlc)| htlc.cltv_expiry);
    let mut classify = |script: &Script, amount_sat: u64| {
        let is_htlc = |(other, htlc): &(ScriptBuf, CommitmentHtlc)| {
            **other == *script && htlc.amount_msat / 1000 == amount_sat
        };
        if *script == *delayed {
            CommitmentOutput::DelayedToOwner
        } else if *script == *to_other {
            CommitmentOutput::ToOther
        } else if let Some(side) = Side::BOTH.into_iter().find(|side| *anchors[*side as usize] == *script) {
            CommitmentOutput::Anchor(side)
        } else if let Some(index) = htlcs.iter().position(is_htlc) {
            CommitmentOutput::Htlc(htlcs.remove(index).1)
        } else {
            CommitmentOutput::Unknown
        }
    };
    transaction.output.iter().map(|output| classify(&output.script_pubkey, output.value.to_sat())).collect()
}

/// The witness script of what `owner` gets after a delay: its balance, and what its HTLC transactions pay.
pub(super) fn delayed_script(terms: &Terms, owner: Side, per_commitment_point: &PublicKey) -> ScriptBuf {
    delayed_script_with_keys(terms, owner, &terms.commitment_keys(owner, per_commitment_point))
}

fn delayed_script_with_keys(terms: &Terms, owner: Side, keys: &TxCreationKeys) -> ScriptBuf {
    get_revokeable_redeemscript(
        &keys.revocation_key,
        terms.delay_of(owner),
        &keys.broadcaster_delayed_payment_key,
    )
}

/// The preimage of an HTLC, if that input of `transaction` shows it.
pub fn preimage_in_witness(
    transaction: &Transaction,
    input: usize,
    htlc: &CommitmentHtlc,
) -> Option<[u8; 32]> {
    let witness = &transaction.input.get(input)?.witness;
    let is_preimage = |element: &[u8; 32]| sha256::Hash::hash(element) == htlc.payment_hash;
    witness.iter().filter_map(|element| element.try_into().ok()).find(is_preimage)
}
