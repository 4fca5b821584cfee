//! `withdraw` and `multiwithdraw`: coins to somebody's address (`plugins/txprepare.c`, `plugins/spender`).

use super::fund::FundRequest;
use super::param::{self, BadAddress, parse_address, parse_sat_or_all};
use super::prepare::{Preparation, TXPREPARE};
use super::select::Value;
use super::send::SentBy;
use super::weight::DUST_SAT;
use crate::chain::feerates::Purpose;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::{Amount, ScriptBuf, TxOut};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};

/// Outputs, and the place of the one that takes all the rest.
pub(super) type Outputs = (Vec<TxOut>, Option<usize>);

pub(super) fn output(script_pubkey: ScriptBuf, value: Value) -> TxOut {
    let value = match value {
        Value::Sat(sat) => Amount::from_sat(sat),
        Value::All => Amount::ZERO,
    };
    TxOut { value, script_pubkey }
}

/// `withdraw destination satoshi [feerate] [minconf] [utxos]`.
pub(crate) struct Withdraw(Preparation);

impl Command for Withdraw {
    const NAME: &'static str = "withdraw";
    const TAKES: &'static [Shape] = &[
        Shape::required("destination"),
        Shape::required("satoshi"),
        Shape::optional("feerate"),
        Shape::optional("minconf"),
        Shape::optional("utxos"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let script = param::optional_address(params, "destination")?.unwrap_or_default();
        let value = param::sat_or_all(params, "satoshi")?;
        let outputs = (vec![output(script, value)], (value == Value::All).then_some(0));
        Preparation::new(params, node, outputs).map(|prepared| Self(prepared.for_others()))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(TXPREPARE, request);
        node.prepare(call, self.0, State::send_prepared);
        Ok(())
    }
}

/// `multiwithdraw outputs [feerate] [minconf] [utxos]`.
pub(crate) struct Multiwithdraw(FundRequest);

impl Command for Multiwithdraw {
    const NAME: &'static str = "multiwithdraw";
    const TAKES: &'static [Shape] = &[
        Shape::required("outputs"),
        Shape::optional("feerate"),
        Shape::optional("minconf"),
        Shape::optional("utxos"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let (outputs, all) = outputs(params)?;
        let is_dust = |(place, output): &(usize, &TxOut)| {
            Some(*place) != all && output.value < Amount::from_sat(DUST_SAT)
        };
        if let Some((_, output)) = outputs.iter().enumerate().find(is_dust) {
            let text = format!("Output {}sat would be dust.", output.value.to_sat());
            return Err(RpcError::new(code::FUND_OUTPUT_IS_DUST, text));
        }
        let feerate = node.feerate_param(params, "feerate")?;
        request(params, node, (outputs, all), feerate).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let psbt = node.fund(self.0)?;
        node.sign_and_send(request.client.clone(), psbt, SentBy::Multiwithdraw)
    }
}

/// A request to the wallet, with the other parameters that such commands take.
fn request(
    params: &Params,
    node: &State,
    (outputs, all): Outputs,
    feerate: Option<u32>,
) -> Result<FundRequest, RpcError> {
    Ok(FundRequest {
        outputs,
        all,
        feerate_per_kw: match feerate {
            Some(feerate) => feerate,
            None => node.feerate_for(Purpose::Opening)?,
        },
        minconf: params.optional_integer("minconf")?.unwrap_or(1),
        utxos: param::optional_outpoints(params, "utxos")?,
        keep_emergency_funds: false,
    })
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
