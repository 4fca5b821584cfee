//! `fundpsbt` and `utxopsbt`: PSBTs with inputs of the wallet that pay for something (`wallet/reservation.c`).

use super::output::WalletOutput;
use super::reservation::RESERVATION;
use super::select::{Need, Selection};
use super::{param, psbt};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::OutPoint;
use bitcoin::absolute::LockTime;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// What the two commands have in common.
struct Call {
    selection: Selection,
    feerate_per_kw: u32,
    reserve: u32,
    locktime: Option<LockTime>,
}

/// What is wanted; without `minconf`.
fn need(params: &Params, node: &State) -> Result<Need, RpcError> {
    let integer = |name: &str| params.optional_integer(name);
    let weight = integer("startweight")?.ok_or_else(|| invalid("missing required parameter: startweight"))?;
    let feerate = node.feerate_param(params, "feerate")?;
    Ok(Need {
        value: param::sat_or_all(params, "satoshi")?,
        feerate_per_kw: feerate.ok_or_else(|| invalid("missing required parameter: feerate"))?,
        weight: weight.into(),
        minconf: integer("minconf")?.unwrap_or(1),
        min_witness_weight: integer("min_witness_weight")?.unwrap_or(0).into(),
        excess_as_change: params.optional_bool("excess_as_change")?.unwrap_or(false),
        keep_emergency_funds: params.optional_bool("opening_anchor_channel")?.unwrap_or(false),
    })
}

impl Call {
    fn new(params: &Params, need: &Need, selection: Selection) -> Result<Self, RpcError> {
        let locktime = params.optional_integer("locktime")?;
        Ok(Self {
            selection,
            feerate_per_kw: need.feerate_per_kw,
            reserve: params.optional_integer("reserve")?.unwrap_or(RESERVATION),
            locktime: locktime.map(LockTime::from_consensus),
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { selection, feerate_per_kw, reserve, locktime } = self;
        let mut psbt = psbt::empty(locktime.unwrap_or_else(|| node.default_locktime()));
        let change = node.pay(&mut psbt, &selection)?;
        let weight = selection.weight + if change.is_some() { node.change().weight() } else { 0 };
        let mut result = json!({
            "psbt": psbt.to_string(),
            "feerate_per_kw": feerate_per_kw,
            "estimated_final_weight": weight,
            "excess_msat": node.amount(selection.excess_sat * 1000),
        });
        if let Some(change) = change {
            result["change_outnum"] = change.into();
        }
        if reserve > 0 {
            let reservations = selection.outputs.iter().map(|output| node.reserve(output, reserve));
            result["reservations"] = reservations.collect();
        }
        node.reply(&request.client, &result);
        Ok(())
    }
}

/// `fundpsbt satoshi feerate startweight …`.
pub(crate) struct Fundpsbt(Call);

impl Command for Fundpsbt {
    const NAME: &'static str = "fundpsbt";
    const TAKES: &'static [Shape] = &[
        Shape::required("satoshi"),
        Shape::required("feerate"),
        Shape::required("startweight"),
        Shape::optional("minconf"),
        Shape::optional("reserve"),
        Shape::optional("locktime"),
        Shape::optional("min_witness_weight"),
        Shape::optional("excess_as_change"),
        Shape::optional("nonwrapped"),
        Shape::optional("opening_anchor_channel"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let need = need(params, node)?;
        // No output of this wallet is wrapped.
        params.optional_bool("nonwrapped")?;
        let selection = node.select_outputs(&need)?;
        Call::new(params, &need, selection).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        self.0.run(node, request)
    }
}

/// `utxopsbt satoshi feerate startweight utxos …`.
pub(crate) struct Utxopsbt(Call);

impl Command for Utxopsbt {
    const NAME: &'static str = "utxopsbt";
    const TAKES: &'static [Shape] = &[
        Shape::required("satoshi"),
        Shape::required("feerate"),
        Shape::required("startweight"),
        Shape::required("utxos"),
        Shape::optional("reserve"),
        Shape::optional("reservedok"),
        Shape::optional("locktime"),
        Shape::optional("min_witness_weight"),
        Shape::optional("excess_as_change"),
        Shape::optional("opening_anchor_channel"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let need = need(params, node)?;
        let outputs = utxos(params, node)?;
        let reserved_ok = params.optional_bool("reservedok")?.unwrap_or(false);
        let selection = node.select_these(&need, outputs, reserved_ok)?;
        Call::new(params, &need, selection).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        self.0.run(node, request)
    }
}

/// The outputs that are to be spent.
fn utxos(params: &Params, node: &State) -> Result<Vec<WalletOutput>, RpcError> {
    let raw = params.required_raw("utxos")?;
    let elements = json::elements(raw).unwrap_or_default();
    if elements.is_empty() {
        let raw = json::content(raw);
        return Err(invalid(format!("Please specify an array of 'txid:output_index', not \"{raw}\"")));
    }
    let parse = |token: &&str| -> Result<OutPoint, RpcError> {
        let text = json::content(token);
        let (txid, vout) = text.split_once(':').ok_or_else(|| {
            invalid(format!(
                "Could not decode the outpoint from \"{text}\" The utxos should be specified as \
                 'txid:output_index'."
            ))
        })?;
        let wrong = |what: &str, text: &str| invalid(format!("Could not get a {what} out of \"{text}\""));
        Ok(OutPoint {
            txid: txid.parse().map_err(|_| wrong("txid", txid))?,
            vout: vout.parse().map_err(|_| wrong("vout", vout))?,
        })
    };
    let outpoints: Vec<OutPoint> = elements.iter().map(parse).collect::<Result<_, _>>()?;
    node.unspent_outputs(&outpoints)
}
