//! Transactions that the wallet pays for: with inputs chosen and reserved, and with change.

use super::output::{OutputStatus, WalletOutput};
use super::psbt;
use super::reservation::RESERVATION;
use super::select::{Need, Selection, Value, cannot_afford};
use super::weight;
use crate::command::params::invalid;
use crate::state::State;
use bitcoin::{OutPoint, Psbt, TxOut};
use leyden_protocol::message::RpcError;

/// What is to be paid.
#[derive(Debug, Clone)]
pub(crate) struct FundRequest {
    /// In this order. Scripts may be replaced afterwards by others of the same length.
    pub(crate) outputs: Vec<TxOut>,
    /// The place of the output that takes everything that the others and the fee leave; its value is not looked at.
    pub(crate) all: Option<usize>,
    pub(crate) feerate_per_kw: u32,
    /// How many blocks must have confirmed an output that is spent; 1 if nobody says. 0 takes any.
    pub(crate) minconf: u32,
    /// Just these outputs of the wallet pay; `minconf` does not matter then.
    pub(crate) utxos: Option<Vec<OutPoint>>,
    /// A channel with anchors is opened: 25000 sat stay in the wallet for the fees of closing it.
    pub(crate) keep_emergency_funds: bool,
}

impl State {
    /// Chooses outputs of the wallet that pay for the request, and reserves them for [`RESERVATION`] blocks. The
    /// transaction only needs signatures; change, if there is any, is its last output.
    ///
    /// # Errors
    /// Those of `fundpsbt` and `utxopsbt`: 301 if there is not enough, 313 if nothing is left for emergencies,
    /// -32602 about `utxos`.
    pub(crate) fn fund(&mut self, request: FundRequest) -> Result<Psbt, RpcError> {
        let FundRequest { mut outputs, all, utxos, .. } = request;
        let others = || outputs.iter().enumerate().filter(|(place, _)| Some(*place) != all);
        let others_sat: u64 = others().map(|(_, output)| output.value.to_sat()).sum();
        let count = u64::try_from(outputs.len()).expect("a few outputs");
        let scripts: u64 = outputs.iter().map(|output| weight::output(&output.script_pubkey)).sum();
        let need = Need {
            value: if all.is_some() { Value::All } else { Value::Sat(others_sat) },
            feerate_per_kw: request.feerate_per_kw,
            weight: weight::core(1, count) + scripts,
            minconf: request.minconf,
            min_witness_weight: 0,
            excess_as_change: true,
            keep_emergency_funds: request.keep_emergency_funds,
        };
        let selection = match utxos {
            None => self.select_outputs(&need)?,
            Some(utxos) => {
                let outputs = self.unspent_outputs(&utxos)?;
                self.select_these(&need, outputs, false)?
            }
        };
        if let Some(place) = all {
            outputs[place].value = rest(selection.excess_sat, others_sat)?;
        }
        let mut funded = psbt::empty(self.default_locktime());
        for output in outputs {
            psbt::add_output(&mut funded, output.script_pubkey, output.value.to_sat());
        }
        self.pay(&mut funded, &selection)?;
        for output in &selection.outputs {
            self.reserve(output, RESERVATION);
        }
        Ok(funded)
    }

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

/// What the output `all` gets.
pub(super) fn rest(excess_sat: u64, others_sat: u64) -> Result<bitcoin::Amount, RpcError> {
    let rest = excess_sat.checked_sub(others_sat);
    let rest = rest.ok_or_else(|| cannot_afford("Could not afford the other outputs".to_owned()))?;
    if rest < weight::DUST_SAT {
        return Err(cannot_afford(format!("Could not afford 'all' output: only {rest}sat left")));
    }
    Ok(bitcoin::Amount::from_sat(rest))
}
