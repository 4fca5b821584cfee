//! `withdraw`: coins to somebody's address (`plugins/txprepare.c`).

use super::param;
use super::prepare::{Preparation, TXPREPARE};
use super::select::Value;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::{Amount, ScriptBuf, TxOut};
use leyden_protocol::message::RpcError;

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
