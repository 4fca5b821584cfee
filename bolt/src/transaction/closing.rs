//! The closing transaction, which both sides sign (BOLT 3 "Legacy Closing Transaction", of `closing_signed`).

use super::signature::{BadSignature, verify_funding_input};
use super::terms::{Side, Terms};
use crate::channel_keys::ChannelKeys;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{Amount, Script, ScriptBuf, Transaction};
use lightning::ln::chan_utils::build_closing_transaction;

/// A closing transaction, not signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingTransaction {
    terms: Terms,
    transaction: Transaction,
}

impl ClosingTransaction {
    /// Pays the balances (by [`Side`], in msat, rounded down) to the two scripts; the opener pays the fee. What is below our
    /// dust limit is left out. `None` if the opener cannot pay the fee or nothing is left.
    pub fn new(terms: &Terms, balances_msat: [u64; 2], scripts: [&Script; 2], fee_sat: u64) -> Option<Self> {
        let amounts = amounts_sat(terms, balances_msat, fee_sat)?;
        Self::paying(terms, Side::Local, amounts, scripts)
    }

    /// The one that the peer signed: [`Self::new`]; the same with what is dust to the peer left out, instead of what is dust to us; or
    /// without the peer's output, which it may leave out.
    ///
    /// # Errors
    ///
    /// If its signature is of none of them. `None` if there is no such transaction at all.
    pub fn signed_by_peer(
        terms: &Terms,
        balances_msat: [u64; 2],
        scripts: [&Script; 2],
        fee_sat: u64,
        signature: &Signature,
    ) -> Option<Result<Self, BadSignature>> {
        let [ours, theirs] = amounts_sat(terms, balances_msat, fee_sat)?;
        let variants = [(Side::Local, theirs), (Side::Remote, theirs), (Side::Local, 0)];
        let variants = variants
            .into_iter()
            .filter_map(|(dust, theirs)| Self::paying(terms, dust, [ours, theirs], scripts));
        let checked = variants.map(|closing| closing.verify(signature).map(|()| closing));
        checked.reduce(|first, second| first.or_else(|error| second.map_err(|_| error)))
    }

    /// Leaves out what is dust to `signer`.
    fn paying(terms: &Terms, signer: Side, amounts_sat: [u64; 2], scripts: [&Script; 2]) -> Option<Self> {
        let dust = terms.config(signer).dust_limit_satoshis;
        let [ours, theirs] =
            amounts_sat.map(|amount| Amount::from_sat(if amount < dust { 0 } else { amount }));
        let [our_script, their_script] = scripts.map(ScriptBuf::from);
        let transaction = build_closing_transaction(ours, theirs, our_script, their_script, terms.funding);
        (!transaction.output.is_empty()).then_some(Self { terms: *terms, transaction })
    }

    /// The transaction without a witness.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Its weight with both signatures at their longest, from which lightningd's closingd guesses a fee.
    pub fn weight(&self) -> u64 {
        const SEGWIT_MARKER: u64 = 2;
        const WITNESS_OF_TWO: u64 = 1 + 1 + 2 * (1 + 73) + 1 + 71;
        self.transaction.weight().to_wu() + SEGWIT_MARKER + WITNESS_OF_TWO
    }

    fn verify(&self, signature: &Signature) -> Result<(), BadSignature> {
        verify_funding_input(&self.terms, &self.transaction, signature)
    }
}

/// What each side gets, by [`Side`], or `None` if the opener cannot pay the fee.
fn amounts_sat(terms: &Terms, balances_msat: [u64; 2], fee_sat: u64) -> Option<[u64; 2]> {
    let mut amounts = balances_msat.map(|balance| balance / 1000);
    let opener = &mut amounts[terms.opener as usize];
    *opener = opener.checked_sub(fee_sat)?;
    Some(amounts)
}

impl ChannelKeys {
    /// Our signature, for `closing_signed`.
    pub fn sign_closing(&self, closing: &ClosingTransaction) -> Signature {
        self.sign_funding_input(&closing.terms, &closing.transaction)
    }

    /// The closing transaction with both signatures; the peer's was verified.
    pub fn fully_signed_closing(&self, closing: &ClosingTransaction, signature: &Signature) -> Transaction {
        self.with_funding_witness(&closing.terms, closing.transaction.clone(), signature)
    }
}
