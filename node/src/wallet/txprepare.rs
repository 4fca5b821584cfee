//! `txprepare`, `txsend`, `txdiscard`: transactions that are made first and sent later (`plugins/txprepare.c`).

use super::param::{BadAddress, parse_address, parse_sat_or_all};
use super::prepare::{Preparation, TXPREPARE};
use super::select::Value;
use super::withdraw::{Outputs, output};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Psbt, Txid};
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::json;
use std::collections::BTreeMap;

/// Transactions that are prepared, until the node ends.
pub(crate) type Unreleased = BTreeMap<Txid, Psbt>;

/// `txprepare outputs [feerate] [minconf] [utxos]`.
pub(crate) struct Txprepare(Preparation);

impl Command for Txprepare {
    const NAME: &'static str = "txprepare";
    const TAKES: &'static [Shape] = &[
        Shape::required("outputs"),
        Shape::optional("feerate"),
        Shape::optional("minconf"),
        Shape::optional("utxos"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let outputs = outputs(params)?;
        Preparation::new(params, node, outputs).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(TXPREPARE, request);
        node.prepare(call, self.0, |node, call, psbt| {
            let txid = psbt.unsigned_tx.compute_txid();
            let result = json!({
                "unsigned_tx": serialize_hex(&psbt.unsigned_tx),
                "txid": txid.to_string(),
                "psbt": psbt.to_string(),
            });
            node.unreleased.insert(txid, psbt);
            node.reply(&call.client, &result);
        });
        Ok(())
    }
}

fn outputs(params: &Params) -> Result<Outputs, RpcError> {
    let raw = params.required_raw("outputs")?;
    let elements = json::elements(raw).ok_or_else(|| {
        let raw = json::content(raw);
        invalid(format!("Expected an array of outputs in the format '[{{\"txid\":0}}, ...]', got \"{raw}\""))
    })?;
    let mut outputs = Vec::new();
    let mut all = None;
    for (place, element) in elements.into_iter().enumerate() {
        let members = json::members(element).unwrap_or_default();
        let Some((address, amount)) = members.first() else {
            return Err(invalid("The output format must be {destination: amount}"));
        };
        let script = parse_address(address).map_err(|bad| match bad {
            BadAddress::Unreadable => invalid("Could not parse destination address"),
            BadAddress::OtherNetwork => invalid("Destination address is not on network regtest"),
        })?;
        let amount = json::content(amount);
        let value = parse_sat_or_all(amount)
            .ok_or_else(|| invalid(format!("'{amount}' is a invalid satoshi amount")))?;
        if value == Value::All && all.replace(place).is_some() {
            return Err(invalid("Cannot use 'all' in two outputs"));
        }
        outputs.push(output(script, value));
    }
    Ok((outputs, all))
}

/// The id of a transaction that was prepared.
fn unreleased(params: &Params, node: &State) -> Result<Txid, RpcError> {
    let text = params.string("txid")?;
    let txid = text.parse().map_err(|_| params.wrong("txid", "should be a txid"))?;
    if node.unreleased.contains_key(&txid) {
        return Ok(txid);
    }
    Err(invalid(format!("not an unreleased txid '{txid}'")))
}

/// `txsend txid`.
pub(crate) struct Txsend(Txid);

impl Command for Txsend {
    const NAME: &'static str = "txsend";
    const TAKES: &'static [Shape] = &[Shape::required("txid")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        unreleased(params, node).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let psbt = node.unreleased.remove(&self.0).expect("it was found when the parameters were read");
        let call = node.bundled_call(TXPREPARE, request);
        node.send_prepared(call, psbt);
        Ok(())
    }
}

/// `txdiscard txid`.
pub(crate) struct Txdiscard(Txid);

impl Command for Txdiscard {
    const NAME: &'static str = "txdiscard";
    const TAKES: &'static [Shape] = &[Shape::required("txid")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        unreleased(params, node).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let psbt = node.unreleased.remove(&self.0).expect("it was found when the parameters were read");
        let call = node.bundled_call(TXPREPARE, request);
        let result = json!({ "unsigned_tx": serialize_hex(&psbt.unsigned_tx), "txid": self.0.to_string() });
        let psbt = json!({ "psbt": psbt.to_string() });
        let client = call.client.clone();
        node.call_internally(&call, "unreserveinputs", &psbt, move |node, answer| match answer {
            Ok(_) => node.reply(&client, &result),
            Err(error) => node.reply_error(&client, &error),
        });
        Ok(())
    }
}
