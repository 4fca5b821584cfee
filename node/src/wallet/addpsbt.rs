//! `addpsbtoutput` and `addpsbtinput`: a wallet joins a PSBT that may be somebody else's (`wallet/reservation.c`).

use super::psbt;
use super::reservation::RESERVATION;
use super::select::{Need, Selection, Value};
use super::{param, weight};
use crate::chain::feerates::Purpose;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::absolute::LockTime;
use bitcoin::{Psbt, ScriptBuf};
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

/// The PSBT to be joined, or the lock time of a new one.
enum Base {
    Given(Box<Psbt>),
    New(Option<LockTime>),
}

impl Base {
    fn parse(params: &Params) -> Result<Self, RpcError> {
        let locktime = params.optional_integer("locktime")?;
        match psbt::optional_param(params, "initialpsbt")? {
            Some(_) if locktime.is_some() => {
                let text = "Can't set locktime of an existing {initialpsbt}";
                Err(RpcError::new(code::FUNDING_PSBT_INVALID, text))
            }
            Some(psbt) => Ok(Self::Given(Box::new(psbt))),
            None => Ok(Self::New(locktime.map(LockTime::from_consensus))),
        }
    }

    fn psbt(self, node: &mut State) -> Psbt {
        match self {
            Self::Given(psbt) => *psbt,
            Self::New(locktime) => psbt::empty(locktime.unwrap_or_else(|| node.default_locktime())),
        }
    }
}

/// `addpsbtoutput satoshi [initialpsbt] [locktime] [destination]`.
pub(crate) struct Addpsbtoutput {
    sat: u64,
    base: Base,
    destination: Option<ScriptBuf>,
}

impl Command for Addpsbtoutput {
    const NAME: &'static str = "addpsbtoutput";
    const TAKES: &'static [Shape] = &[
        Shape::required("satoshi"),
        Shape::optional("initialpsbt"),
        Shape::optional("locktime"),
        Shape::optional("destination"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let sat = param::sat(params, "satoshi")?;
        let base = Base::parse(params)?;
        let destination = param::optional_address(params, "destination")?;
        if sat < weight::DUST_SAT {
            let text = format!("Receive amount is below dust limit ({}sat)", weight::DUST_SAT);
            return Err(RpcError::new(code::FUND_OUTPUT_IS_DUST, text));
        }
        Ok(Self { sat, base, destination })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let script = match self.destination {
            Some(script) => script,
            None => node.wallet_script()?.1,
        };
        let mut psbt = self.base.psbt(node);
        let outnum = psbt.outputs.len();
        psbt::add_output(&mut psbt, script, self.sat);
        let result = json!({
            "psbt": psbt.to_string(),
            "estimated_added_weight": node.change().weight(),
            "outnum": outnum,
        });
        node.reply(&request.client, &result);
        Ok(())
    }
}

/// `addpsbtinput satoshi [initialpsbt] [locktime] [min_feerate] … [reserve]`.
pub(crate) struct Addpsbtinput {
    selection: Selection,
    base: Base,
    reserve: u32,
}

impl Command for Addpsbtinput {
    const NAME: &'static str = "addpsbtinput";
    const TAKES: &'static [Shape] = &[
        Shape::required("satoshi"),
        Shape::optional("initialpsbt"),
        Shape::optional("locktime"),
        Shape::optional("min_feerate"),
        Shape::optional("reserve"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let sat = param::sat(params, "satoshi")?;
        let base = Base::parse(params)?;
        if sat == 0 {
            return Err(RpcError::new(code::FUND_INPUT_IS_ZERO, "Cannot add input value of zero."));
        }
        let min_feerate = match node.feerate_param(params, "min_feerate")? {
            Some(rate) => rate,
            None => node.feerate_for(Purpose::Opening)?,
        };
        // Who joins does not pay for the transaction, but takes nothing that costs more than it is worth.
        let need = Need {
            value: Value::Sat(sat),
            feerate_per_kw: 0,
            weight: 0,
            minconf: 1,
            min_witness_weight: 0,
            excess_as_change: false,
            keep_emergency_funds: false,
        };
        let selection = node.select_worthwhile(&need, min_feerate)?;
        let reserve = params.optional_integer("reserve")?.unwrap_or(RESERVATION);
        Ok(Self { selection, base, reserve })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { selection, base, reserve } = self;
        let mut psbt = base.psbt(node);
        for output in &selection.outputs {
            node.add_wallet_input(&mut psbt, output);
        }
        let mut result = json!({
            "psbt": psbt.to_string(),
            "appended_inputs": selection.outputs.len(),
            "estimated_added_weight": selection.weight,
            "excess_msat": node.amount(selection.excess_sat * 1000),
            "emergency_msat": node.amount(node.missing_emergency_sat(&selection.outputs) * 1000),
        });
        let reservations = selection.outputs.iter().map(|output| node.reserve(output, reserve));
        result["reservations"] = reservations.collect();
        node.reply(&request.client, &result);
        Ok(())
    }
}
