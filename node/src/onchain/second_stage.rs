//! HTLC transactions of channels with anchors pay no fee by themselves: the wallet adds inputs and takes change
//! (`onchain_control.c:consider_onchain_htlc_tx_rebroadcast`).

use super::claim::{NotSent, Target};
use crate::event::LogLevel;
use crate::state::State;
use crate::wallet::boost::Underpaid;
use crate::wallet::psbt::add_output;
use crate::wallet::sign::finalize;
use crate::wallet::weight;
use bitcoin::{Amount, Psbt, Transaction, TxOut, Witness};
use leyden_bolt::transaction::HtlcTransaction;

/// Weights of the whole HTLC transaction, with anchors (BOLT 3 "Expected Weight of HTLC-timeout and HTLC-success Transactions").
const TIMEOUT_WEIGHT: u64 = 666;
const SUCCESS_WEIGHT: u64 = 706;

impl State {
    /// The HTLC transaction with inputs of the wallet, which are signed, and change. Its first input, which spends the HTLC, is not
    /// signed.
    pub(super) fn fund_second_stage(
        &mut self,
        dbid: u64,
        htlc: &HtlcTransaction,
        has_preimage: bool,
        target: &Target,
    ) -> Result<Transaction, NotSent> {
        let feerate_per_kw = target.feerate_per_kw;
        let need = Underpaid {
            feerate_per_kw,
            weight: if has_preimage { SUCCESS_WEIGHT } else { TIMEOUT_WEIGHT },
            fee_sat: 0,
            output_sat: 0,
            replaces: target.replaces,
        };
        let boost = self.boost(&need);
        if boost.outputs.is_empty() {
            self.log_of_channel(dbid, LogLevel::Unusual, "We want to bump HTLC fee, but no funds!");
            return Err(NotSent::Later);
        }
        let excess = boost.value_sat.checked_sub(weight::fee(feerate_per_kw, boost.weight));
        if excess.is_none() {
            let text = "We want to bump HTLC fee more, but ran out of funds!";
            self.log_of_channel(dbid, LogLevel::Unusual, text);
        }
        let change_sat = self.change().left_of(excess.unwrap_or(0), feerate_per_kw, boost.weight);
        let (sat, fee) = (htlc.output().htlc.amount_msat / 1000, boost.value_sat - change_sat.unwrap_or(0));
        if fee > sat {
            let text = format!("Not spending {fee}sat in fees to get an HTLC worth {sat}sat!");
            self.log_of_channel(dbid, LogLevel::Unusual, &text);
            return Err(NotSent::Later);
        }
        let mut psbt = Psbt::from_unsigned_tx(htlc.transaction().clone())
            .expect("an HTLC transaction has no signatures yet");
        psbt.inputs[0].witness_utxo =
            Some(TxOut { value: Amount::from_sat(sat), script_pubkey: htlc.script().to_p2wsh() });
        psbt.inputs[0].final_script_witness = Some(Witness::new());
        for output in &boost.outputs {
            self.add_wallet_input(&mut psbt, output);
        }
        if let Some(change_sat) = change_sat {
            add_output(&mut psbt, target.destination.clone(), change_sat);
        }
        self.sign_wallet_inputs(&mut psbt);
        Ok(finalize(&mut psbt).expect("the wallet signs all of its inputs"))
    }
}
