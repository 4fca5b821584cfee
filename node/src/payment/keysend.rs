//! `xkeysend` and `keysend`: payments without invoice, whose preimage goes along (`plugins/xpay/xpay.c:json_xkeysend`,
//! `plugins/keysend.c`).

use super::pay::max_fee;
use super::plan::goal::Goal;
use super::plan::{Limits, Style};
use super::xpay::{MAX_DELAY, RETRY_FOR, RISKFACTOR, XPAY, layers, usual_fee};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::jsonrpc::internal::BundledCall;
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::invoice::RouteHop;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use std::str::FromStr;

/// The record with the preimage (bLIP 3).
const PREIMAGE_TYPE: u64 = 5_482_373_484;

/// A payment without invoice, before its preimage is drawn.
struct Keysend {
    destination: PublicKey,
    amount_msat: u64,
    final_cltv: u32,
    label: Option<String>,
    extra_tlvs: Vec<(u64, Vec<u8>)>,
    hints: Vec<Vec<RouteHop>>,
    limits: Limits,
}

impl Keysend {
    fn start(self, node: &mut State, call: BundledCall, style: Style) -> Result<(), RpcError> {
        let preimage = node.entropy.draw();
        let mut extra_tlvs = self.extra_tlvs;
        extra_tlvs.push((PREIMAGE_TYPE, preimage.to_vec()));
        let goal = Goal {
            destination: self.destination,
            payment_hash: sha256::Hash::hash(&preimage).to_byte_array(),
            invoice: None,
            amount_msat: self.amount_msat,
            total_msat: self.amount_msat,
            final_cltv: self.final_cltv,
            payment_secret: None,
            payment_metadata: None,
            extra_tlvs,
            hints: self.hints,
            label: self.label,
            description: None,
        };
        node.start_plan(call, goal, self.limits, style)
    }
}

fn destination(params: &Params, node: &State) -> Result<PublicKey, RpcError> {
    let destination = params.node_id("destination")?;
    if destination == node.node_id {
        return Err(invalid("We are the destination. Keysend cannot be used to send funds to yourself"));
    }
    Ok(destination)
}

fn extra_tlvs(params: &Params) -> Result<Vec<(u64, Vec<u8>)>, RpcError> {
    let Some(raw) = params.raw("extratlvs") else { return Ok(Vec::new()) };
    let members = json::members(raw).ok_or_else(|| params.wrong("extratlvs", "should be an object"))?;
    let read = |(kind, value): &(std::borrow::Cow<'_, str>, &str)| {
        let wrong = |what, token: &str| wrong_token("extratlvs", what, token);
        let number = kind.parse().map_err(|_| wrong("\"extratlvs\" should have numeric types", kind))?;
        let value =
            hex::decode(json::content(value)).map_err(|_| wrong("\"extratlvs\" should be hex", value))?;
        Ok((number, value))
    };
    members.iter().map(read).collect()
}

/// `xkeysend destination amount_msat [label] [maxfee] [layers] [retry_for] [maxdelay] [extratlvs]`.
pub(crate) struct Xkeysend(Keysend);

impl Command for Xkeysend {
    const NAME: &'static str = "xkeysend";
    const TAKES: &'static [Shape] = &[
        Shape::required("destination"),
        Shape::required("amount_msat"),
        Shape::optional("label"),
        Shape::optional("maxfee"),
        Shape::optional("layers"),
        Shape::optional("retry_for"),
        Shape::optional("maxdelay"),
        Shape::optional("extratlvs"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let destination = destination(params, node)?;
        let amount_msat = params.msat("amount_msat")?;
        layers(params)?;
        let limits = Limits {
            max_fee_msat: params.optional_msat("maxfee")?.unwrap_or_else(|| usual_fee(amount_msat)),
            max_delay: params.optional_integer("maxdelay")?.unwrap_or(MAX_DELAY),
            retry_for: params.optional_integer("retry_for")?.unwrap_or(RETRY_FOR).into(),
            max_parts: Some(1),
            riskfactor: RISKFACTOR,
            exclude: Vec::new(),
        };
        let (label, extra_tlvs) = (params.optional_label("label")?, extra_tlvs(params)?);
        let keysend = Keysend {
            destination,
            amount_msat,
            final_cltv: 22,
            label,
            extra_tlvs,
            hints: Vec::new(),
            limits,
        };
        Ok(Self(keysend))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(XPAY, request);
        self.0.start(node, call, Style::Xpay)
    }
}

/// `keysend destination amount_msat [label] [maxfeepercent] [retry_for] [maxdelay] [exemptfee] [extratlvs] [routehints] [maxfee]`.
pub(crate) struct KeysendOfBefore(Keysend);

impl Command for KeysendOfBefore {
    const NAME: &'static str = "keysend";
    const DEPRECATED: Option<(&'static str, &'static str)> = Some(("v26.06", "v27.03"));
    const TAKES: &'static [Shape] = &[
        Shape::required("destination"),
        Shape::required("amount_msat"),
        Shape::optional("label"),
        Shape::optional("maxfeepercent"),
        Shape::optional("retry_for"),
        Shape::optional("maxdelay"),
        Shape::optional("exemptfee"),
        Shape::optional("extratlvs"),
        Shape::optional("routehints"),
        Shape::optional("maxfee"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let destination = destination(params, node)?;
        let amount_msat = params.msat("amount_msat")?;
        let limits = Limits {
            max_fee_msat: max_fee(params, amount_msat)?,
            max_delay: params.optional_integer("maxdelay")?.unwrap_or(MAX_DELAY),
            retry_for: params.optional_integer("retry_for")?.unwrap_or(RETRY_FOR).into(),
            max_parts: Some(1),
            riskfactor: RISKFACTOR,
            exclude: Vec::new(),
        };
        let (label, extra_tlvs) = (params.optional_string("label"), extra_tlvs(params)?);
        let hints = hints(params)?;
        Ok(Self(Keysend { destination, amount_msat, final_cltv: 42, label, extra_tlvs, hints, limits }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(Self::NAME, request);
        self.0.start(node, call, Style::Pay)
    }
}

/// `routehints`: an array of arrays of hops.
fn hints(params: &Params) -> Result<Vec<Vec<RouteHop>>, RpcError> {
    let Some(raw) = params.raw("routehints") else { return Ok(Vec::new()) };
    let wrong = |what: &str, token: &str| wrong_token("routehints", what, token);
    let hints = json::elements(raw).ok_or_else(|| wrong("must be an array", raw))?;
    let hops = |hint: &&str| {
        let hops = json::elements(hint).ok_or_else(|| wrong("must be an array", hint))?;
        hops.into_iter().map(|hop| hint_hop(hop).ok_or_else(|| wrong("should be a hop", hop))).collect()
    };
    hints.iter().map(hops).collect()
}

fn hint_hop(hop: &str) -> Option<RouteHop> {
    let member = |names: [&str; 2]| names.iter().find_map(|name| json::member(hop, name)).map(json::content);
    Some(RouteHop {
        pubkey: member(["id", "pubkey"])?.parse().ok()?,
        short_channel_id: ShortChannelId::from_str(member(["scid", "short_channel_id"])?).ok()?,
        fee_base_msat: member(["feebase", "fee_base_msat"])?.parse().ok()?,
        fee_proportional_millionths: member(["feeprop", "fee_proportional_millionths"])?.parse().ok()?,
        cltv_expiry_delta: member(["expirydelta", "cltv_expiry_delta"])?.parse().ok()?,
    })
}
