//! `sendonion` (`lightningd/pay.c:json_sendonion`).

use super::send::{FirstHop, Part, htlc_onion};
use super::sendpay::Common;
use super::store::{NewPayment, Route};
use crate::command::Command;
use crate::command::amount::parse_msat;
use crate::command::params::{Params, Shape, invalid, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::message::channel::ONION_PACKET_LENGTH;
use leyden_bolt::onion::{FailureCode, OnionPacket, OnionSecret};
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use std::str::FromStr;

/// `sendonion onion first_hop payment_hash [label] [shared_secrets] [partid] [bolt11] [amount_msat] [destination] [localinvreqid]
/// [groupid] [description] [total_amount_msat]`.
pub(crate) struct Sendonion {
    onion: Box<[u8; ONION_PACKET_LENGTH]>,
    first: FirstHop,
    secrets: Vec<OnionSecret>,
    amount_msat: u64,
    total_msat: u64,
    destination: Option<PublicKey>,
    common: Common,
}

impl Command for Sendonion {
    const NAME: &'static str = "sendonion";
    const TAKES: &'static [Shape] = &[
        Shape::required("onion"),
        Shape::required("first_hop"),
        Shape::required("payment_hash"),
        Shape::optional("label"),
        Shape::optional("shared_secrets"),
        Shape::optional("partid"),
        Shape::optional("bolt11"),
        Shape::optional("amount_msat"),
        Shape::optional("destination"),
        Shape::optional("localinvreqid"),
        Shape::optional("groupid"),
        Shape::optional("description"),
        Shape::optional("total_amount_msat"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let first = first_hop(params.required_raw("first_hop")?)?;
        let secrets = secrets(params)?;
        let common = Common::parse(params)?;
        let amount_msat = params.optional_msat("amount_msat")?.unwrap_or(0);
        let destination = params.optional_node_id("destination")?;
        let total_msat = params.optional_msat("total_amount_msat")?.unwrap_or(0);
        let onion = onion(params.optional_hex("onion").unwrap_or_default())?;
        Ok(Self { onion, first, secrets, amount_msat, total_msat, destination, common })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let payment = NewPayment {
            destination: self.destination,
            amount_msat: self.amount_msat,
            amount_sent_msat: self.first.amount_msat,
            total_msat: self.total_msat,
            route: Route { secrets: self.secrets, ..Route::default() },
            ..self.common.payment(node)
        };
        node.answer_sent(request, Part { first: self.first, payment, onion: self.onion })
    }
}

/// A packet that an HTLC can carry, or the code with which the next node would refuse it.
fn onion(bytes: Vec<u8>) -> Result<Box<[u8; ONION_PACKET_LENGTH]>, RpcError> {
    let refuse = |FailureCode(code)| {
        invalid(format!("Could not parse the onion. Parsing failed with failcode={code}"))
    };
    if bytes.first().is_some_and(|version| *version != 0) {
        return Err(refuse(FailureCode::INVALID_ONION_VERSION));
    }
    let has_key = bytes.get(1..34).is_some_and(|key| PublicKey::from_slice(key).is_ok());
    htlc_onion(&OnionPacket::from(bytes))
        .filter(|_| has_key)
        .ok_or_else(|| refuse(FailureCode::INVALID_ONION_KEY))
}

/// Of node and channel, one is enough (`param_route_hop`).
fn first_hop(hop: &str) -> Result<FirstHop, RpcError> {
    let wrong = |what: &str, token: &str| wrong_token("first_hop", what, token);
    let (id, channel) = (json::member(hop, "id"), json::member(hop, "channel"));
    let id = id.ok_or_else(|| match channel {
        None => invalid("Either 'id' or 'channel' is required for a route_hop"),
        // lightningd takes it, and finds no peer without id.
        Some(_) => invalid("'id' is required: a first hop is found by its node"),
    })?;
    let member = |name| json::member(hop, name).ok_or_else(|| invalid(format!("'{name}' is required")));
    let (amount, delay) = (member("amount_msat")?, member("delay")?);
    let channel = channel.map(|channel| {
        let parsed = ShortChannelId::from_str(json::content(channel));
        parsed.map_err(|_| wrong("should be a short_channel_id", channel))
    });
    let positive = json::content(delay).parse().ok().filter(|delay| *delay > 0);
    Ok(FirstHop {
        node: json::content(id).parse().map_err(|_| wrong("should be a node_id", id))?,
        channel: channel.transpose()?.unwrap_or(ShortChannelId::from_u64(0)),
        amount_msat: parse_msat(json::content(amount))
            .ok_or_else(|| wrong("should be a valid amount_msat", amount))?,
        delay: positive.ok_or_else(|| wrong("should be a positive, non-zero, number", delay))?,
    })
}

fn secrets(params: &Params) -> Result<Vec<OnionSecret>, RpcError> {
    let Some(raw) = params.raw("shared_secrets") else { return Ok(Vec::new()) };
    let elements = json::elements(raw);
    let elements = elements.ok_or_else(|| params.wrong("shared_secrets", "should be an array of secrets"))?;
    let secret = |(place, element): (usize, &str)| {
        let (mut secret, text) = ([0; 32], json::content(element));
        hex::decode_to_slice(text, &mut secret).map(|()| OnionSecret(secret)).map_err(|_| {
            invalid(format!("'shared_secrets[{place}]' should be a 32 byte hex value, not '{text}'"))
        })
    };
    elements.into_iter().enumerate().map(secret).collect()
}
