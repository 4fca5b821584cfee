//! Transactions that the wallet pays for: inputs, change, and what an output of `all` gets.

use super::output::{OutputStatus, WalletOutput};
use super::psbt;
use super::reservation::RESERVATION;
use super::select::{Selection, cannot_afford};
use super::weight;
use crate::command::amount::parse_msat;
use crate::command::params::invalid;
use crate::state::State;
use bitcoin::{OutPoint, Psbt};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::Value;

impl State {
    /// Adds what was chosen to a PSBT, and change to a fresh address. Gives the place of the change.
    pub(super) fn pay(&mut self, psbt: &mut Psbt, selection: &Selection) -> Result<Option<usize>, RpcError> {
        for output in &selection.outputs {
            self.add_wallet_input(psbt, output);
        }
        let Some(change_sat) = selection.change_sat else { return Ok(None) };
        let (_, script) = self.wallet_script()?;
        psbt::add_output(psbt, script, change_sat);
        Ok(Some(psbt.outputs.len() - 1))
    }

    /// The outputs of the wallet at these places.
    pub(super) fn unspent_outputs(&self, outpoints: &[OutPoint]) -> Result<Vec<WalletOutput>, RpcError> {
        let find = |outpoint: &OutPoint| match self.wallet_output(*outpoint) {
            None => Err(invalid(format!("Unknown UTXO {outpoint}"))),
            Some(output) if output.status == OutputStatus::Spent => {
                Err(invalid(format!("Already spent UTXO {outpoint}")))
            }
            Some(output) => Ok(output),
        };
        outpoints.iter().map(find).collect()
    }

    /// Gives up the inputs of a transaction that is not sent after all.
    pub(crate) fn unreserve_inputs(&mut self, psbt: &Psbt) {
        for output in self.outputs_spent_by(psbt) {
            if output.status == OutputStatus::Reserved {
                self.unreserve(&output, RESERVATION);
            }
        }
    }
}

/// What `fundpsbt` or `utxopsbt` answered beyond the needs, in sat. Old releases write amounts as texts.
pub(crate) fn answered_excess_sat(funded: &Value) -> Result<u64, RpcError> {
    let excess_msat = parse_msat(json::content(&funded["excess_msat"].to_string()));
    let unreadable = || RpcError::new(code::LIGHTNINGD, format!("Unparsable excess_msat: '{funded}'"));
    excess_msat.map(|msat| msat / 1000).ok_or_else(unreadable)
}

/// What the output `all` gets.
pub(crate) fn rest(excess_sat: u64, others_sat: u64) -> Result<bitcoin::Amount, RpcError> {
    let rest = excess_sat.checked_sub(others_sat);
    let rest = rest.ok_or_else(|| cannot_afford("Could not afford the other outputs".to_owned()))?;
    if rest < weight::DUST_SAT {
        return Err(cannot_afford(format!("Could not afford 'all' output: only {rest}sat left")));
    }
    Ok(bitcoin::Amount::from_sat(rest))
}
