//! HTLC transactions of channels with anchors pay no fee by themselves: the wallet adds an input and takes change
//! (`onchain_control.c:consider_onchain_htlc_tx_rebroadcast`).

use super::claim::NotSent;
use crate::event::LogLevel;
use crate::state::State;
use crate::wallet::psbt::add_output;
use crate::wallet::reservation::RESERVATION;
use crate::wallet::select::{Need, Value};
use crate::wallet::sign::finalize;
use bitcoin::{Amount, Psbt, Script, Transaction, TxOut, Witness};
use leyden_bolt::transaction::HtlcTransaction;

/// Weights of the whole HTLC transaction, with anchors (BOLT 3 "Expected Weight of HTLC-timeout and HTLC-success Transactions").
const TIMEOUT_WEIGHT: u64 = 666;
const SUCCESS_WEIGHT: u64 = 706;

impl State {
    /// The HTLC transaction with inputs of the wallet, which are signed, and change to `destination`. Its first input, which
    /// spends the HTLC, is not signed.
    pub(super) fn fund_second_stage(
        &mut self,
        dbid: u64,
        htlc: &HtlcTransaction,
        has_preimage: bool,
        feerate_per_kw: u32,
        destination: &Script,
    ) -> Result<Transaction, NotSent> {
        let weight = if has_preimage { SUCCESS_WEIGHT } else { TIMEOUT_WEIGHT };
        let need = Need {
            value: Value::Sat(0),
            feerate_per_kw,
            weight,
            minconf: 1,
            min_witness_weight: 0,
            excess_as_change: true,
            keep_emergency_funds: false,
        };
        let Ok(selection) = self.select_outputs(&need) else {
            self.log_of_channel(dbid, LogLevel::Unusual, "We want to bump HTLC fee, but no funds!");
            return Err(NotSent::NoFunds);
        };
        let sat = htlc.output().htlc.amount_msat / 1000;
        let paid: u64 = selection.outputs.iter().map(|output| output.value_sat).sum();
        let fee = paid - selection.change_sat.unwrap_or(0);
        if fee > sat {
            let text = format!("Not spending {fee}sat in fees to get an HTLC worth {sat}sat!");
            self.log_of_channel(dbid, LogLevel::Unusual, &text);
            return Err(NotSent::NotWorthwhile);
        }
        let mut psbt = Psbt::from_unsigned_tx(htlc.transaction().clone())
            .expect("an HTLC transaction has no signatures yet");
        psbt.inputs[0].witness_utxo =
            Some(TxOut { value: Amount::from_sat(sat), script_pubkey: htlc.script().to_p2wsh() });
        psbt.inputs[0].final_script_witness = Some(Witness::new());
        for output in &selection.outputs {
            self.add_wallet_input(&mut psbt, output);
            self.reserve(output, RESERVATION);
        }
        if let Some(change) = selection.change_sat {
            add_output(&mut psbt, destination.into(), change);
        }
        self.sign_wallet_inputs(&mut psbt);
        Ok(finalize(&mut psbt).expect("the wallet signs all of its inputs"))
    }
}
