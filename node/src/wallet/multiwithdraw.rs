//! `multiwithdraw`: coins to several addresses. Each step is a command, which plugins see (`plugins/spender/multiwithdraw.c`).

use super::fund::{answered_excess_sat, rest};
use super::param::{self, BadAddress, parse_address, parse_sat_or_all};
use super::psbt;
use super::select::Value;
use super::txprepare::Txprepare;
use super::weight::{self, DUST_SAT};
use super::withdraw::{Outputs, output};
use crate::channel::open::multifund::SPENDERP;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::jsonrpc::internal::{BundledCall, given, text};
use crate::state::State;
use bitcoin::{Amount, Psbt, TxOut};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

/// `multiwithdraw outputs [feerate] [minconf] [utxos]`.
pub(crate) struct Multiwithdraw {
    outputs: Vec<TxOut>,
    all: Option<usize>,
    /// The command that finds inputs, and its parameters.
    funding: (&'static str, serde_json::Value),
}

impl Command for Multiwithdraw {
    const NAME: &'static str = "multiwithdraw";
    const TAKES: &'static [Shape] = Txprepare::TAKES;

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let (outputs, all) = outputs(params)?;
        let is_dust = |(place, output): &(usize, &TxOut)| {
            Some(*place) != all && output.value < Amount::from_sat(DUST_SAT)
        };
        if let Some((_, output)) = outputs.iter().enumerate().find(is_dust) {
            let text = format!("Output {}sat would be dust.", output.value.to_sat());
            return Err(RpcError::new(code::FUND_OUTPUT_IS_DUST, text));
        }
        node.feerate_param(params, "feerate")?;
        param::optional_outpoints(params, "utxos")?;
        let minconf = params.optional_integer("minconf")?.unwrap_or(1);
        let (method, mut funding) = match given(params, "utxos") {
            Some(utxos) => ("utxopsbt", json!({ "reservedok": false, "utxos": utxos })),
            None => ("fundpsbt", json!({ "minconf": minconf })),
        };
        let scripts: u64 = outputs.iter().map(|output| weight::output(&output.script_pubkey)).sum();
        let total: u64 = outputs.iter().map(|output| output.value.to_sat()).sum();
        funding["satoshi"] = if all.is_some() { "all".into() } else { format!("{total}sat").into() };
        funding["feerate"] = params.optional_string("feerate").unwrap_or_else(|| "normal".to_owned()).into();
        funding["startweight"] = (weight::core(1, outputs.len() as u64) + scripts).into();
        Ok(Self { outputs, all, funding: (method, funding) })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(SPENDERP, request);
        let (method, params) = self.funding.clone();
        node.call_internally(&call.clone(), method, &params, move |node, funded| {
            match funded.and_then(|funded| Ok((psbt::answered(&funded, "psbt")?, funded))) {
                Ok((psbt, funded)) => node.withdraw_funded(call, self, psbt, &funded),
                Err(error) => node.reply_error(&call.client, &error),
            }
        });
        Ok(())
    }
}

impl State {
    fn withdraw_funded(
        &mut self,
        call: BundledCall,
        mut withdrawal: Multiwithdraw,
        mut psbt: Psbt,
        funded: &serde_json::Value,
    ) {
        let change_sat = match self.settle_excess(&mut withdrawal, funded) {
            Ok(change_sat) => change_sat,
            Err(error) => return self.give_up_prepared(call, &psbt, error),
        };
        for output in withdrawal.outputs {
            psbt::add_output(&mut psbt, output.script_pubkey, output.value.to_sat());
            if let Some(output) = psbt.outputs.last_mut() {
                psbt::mark_external(output);
            }
        }
        let Some(change_sat) = change_sat else { return self.sign_withdrawal(call, &psbt) };
        let kind = self.change().name();
        let params = json!({ "addresstype": kind });
        self.call_internally(&call.clone(), "newaddr", &params, move |node, answer| {
            let script = answer.and_then(|answer| {
                let address = text(&answer, kind)?;
                let unreadable =
                    |_| RpcError::new(code::LIGHTNINGD, format!("Unparsable {kind}: '{answer}'"));
                parse_address(address).map_err(unreadable)
            });
            match script {
                Ok(script) => {
                    psbt::add_output(&mut psbt, script, change_sat);
                    node.sign_withdrawal(call, &psbt);
                }
                Err(error) => node.give_up_prepared(call, &psbt, error),
            }
        });
    }

    /// Gives what is beyond the needs to the output of `all`, or says how much of it is worth an output of change.
    fn settle_excess(
        &self,
        withdrawal: &mut Multiwithdraw,
        funded: &serde_json::Value,
    ) -> Result<Option<u64>, RpcError> {
        let excess_sat = answered_excess_sat(funded)?;
        if let Some(place) = withdrawal.all {
            let others_sat = withdrawal.outputs.iter().map(|output| output.value.to_sat()).sum();
            withdrawal.outputs[place].value = rest(excess_sat, others_sat)?;
            return Ok(None);
        }
        let unreadable =
            || RpcError::new(code::LIGHTNINGD, format!("Unexpected result from fundpsbt: {funded}"));
        let number = |name: &str| funded[name].as_u64().ok_or_else(unreadable);
        let feerate = u32::try_from(number("feerate_per_kw")?).map_err(|_| unreadable())?;
        Ok(self.change().left_of(excess_sat, feerate, number("estimated_final_weight")?))
    }

    fn sign_withdrawal(&mut self, call: BundledCall, prepared: &Psbt) {
        let prepared = prepared.clone();
        let params = json!({ "psbt": prepared.to_string() });
        self.call_internally(&call.clone(), "signpsbt", &params, move |node, signed| {
            match signed.and_then(|signed| psbt::answered(&signed, "signed_psbt")) {
                Ok(signed) => node.send_withdrawal(call, signed),
                Err(error) => node.give_up_prepared(call, &prepared, error),
            }
        });
    }

    fn send_withdrawal(&mut self, call: BundledCall, signed: Psbt) {
        let params = json!({ "psbt": signed.to_string() });
        self.call_internally(&call.clone(), "sendpsbt", &params, move |node, sent| match sent {
            Ok(sent) => node.reply(&call.client, &sent),
            Err(error) => node.give_up_prepared(call, &signed, error),
        });
    }
}

fn outputs(params: &Params) -> Result<Outputs, RpcError> {
    let raw = params.required_raw("outputs")?;
    let wrong = || {
        invalid(format!(
            "'outputs' should be a non-empty array of '{{\"address\": amount}}' objects, got {raw}"
        ))
    };
    let elements = json::elements(raw).filter(|elements| !elements.is_empty()).ok_or_else(wrong)?;
    let mut outputs = Vec::new();
    let mut all = None;
    for (place, element) in elements.into_iter().enumerate() {
        let members = json::members(element).ok_or_else(wrong)?;
        let [(address, amount)] = members.as_slice() else { return Err(wrong()) };
        let script = parse_address(address).map_err(|bad| match bad {
            BadAddress::Unreadable => {
                invalid(format!("'outputs' address could not be parsed: {}", json::quoted(address)))
            }
            BadAddress::OtherNetwork => {
                invalid(format!("'outputs' address is not on network regtest: {}", json::quoted(address)))
            }
        })?;
        let value = parse_sat_or_all(json::content(amount))
            .ok_or_else(|| invalid(format!("'outputs' amount could not be parsed: {amount}")))?;
        if value == Value::All && all.replace(place).is_some() {
            return Err(invalid("'outputs' cannot have more than one amount as \"all\""));
        }
        outputs.push(output(script, value));
    }
    Ok((outputs, all))
}
