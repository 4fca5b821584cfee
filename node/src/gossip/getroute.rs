//! `getroute` (`plugins/topology.c:json_getroute`).

use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::gossip::{Exclusion, Hop, NoRoute, ROUTING_MAX_HOPS, RouteRequest};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

/// No route leads there (`PAY_ROUTE_NOT_FOUND`).
pub(super) const ROUTE_NOT_FOUND: i64 = 205;

/// The bundled plugin that knows the network.
pub(super) const TOPOLOGY: &str = "topology";

/// The delay of the last hop, if none is asked for.
const DEFAULT_CLTV: u32 = 9;

/// `getroute id amount_msat riskfactor [cltv] [fromid] [fuzzpercent] [exclude] [maxhops]`. The fuzz is ignored, as in
/// lightningd.
pub(crate) struct Getroute {
    /// Without what is known of our own channels.
    request: RouteRequest,
}

impl Command for Getroute {
    const NAME: &'static str = "getroute";
    const DEPRECATED: Option<(&'static str, &'static str)> = Some(("v26.06", "v27.03"));
    const TAKES: &'static [Shape] = &[
        Shape::required("id"),
        Shape::required("amount_msat"),
        Shape::required("riskfactor"),
        Shape::optional("cltv"),
        Shape::optional("fromid"),
        Shape::optional("fuzzpercent"),
        Shape::optional("exclude"),
        Shape::optional("maxhops"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let destination = params.node_id("id")?;
        let amount_msat = params.msat("amount_msat")?;
        let riskfactor = params.decimal("riskfactor")?;
        let final_cltv = params.optional_integer("cltv")?.unwrap_or(DEFAULT_CLTV);
        let source = params.optional_node_id("fromid")?.unwrap_or(node.node_id);
        params.optional_decimal("fuzzpercent")?;
        let exclude = params.raw("exclude").map(exclusions).transpose()?.unwrap_or_default();
        let max_hops = params.optional_integer("maxhops")?.map_or(ROUTING_MAX_HOPS, |hops| hops as usize);
        let local = Vec::new();
        let request = RouteRequest {
            source,
            destination,
            amount_msat,
            riskfactor,
            final_cltv,
            max_hops,
            exclude,
            local,
        };
        Ok(Self { request })
    }

    fn run(mut self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(TOPOLOGY, request);
        node.call_first_of_late(call, "listpeerchannels", &json!({}), move |node, call| {
            self.request.local = node.local_halves(true);
            let route = node.gossip.graph.route(&self.request).map_err(|why| no_route(&why))?;
            let hops: Vec<Value> = route.iter().map(|hop| node.hop(hop)).collect();
            node.reply(&call.client, &json!({ "route": hops }));
            Ok(())
        })
    }
}

impl State {
    fn hop(&self, hop: &Hop) -> Value {
        json!({
            "id": hop.id.to_string(),
            "channel": hop.channel.to_string(),
            "direction": hop.direction,
            "amount_msat": self.amount(hop.amount_msat),
            "delay": hop.delay,
            "style": "tlv",
        })
    }
}

/// The error of a command that looked for a route.
pub(crate) fn no_route(why: &NoRoute) -> RpcError {
    let code = match why {
        NoRoute::UnknownSource(_) | NoRoute::UnknownDestination(_) => code::INVALID_PARAMS,
        NoRoute::NotFound | NoRoute::TooLong(_) => ROUTE_NOT_FOUND,
    };
    RpcError::new(code, why.to_string())
}

/// Channels with a direction, such as `103x1x0/1`, and nodes.
pub(crate) fn exclusions(raw: &str) -> Result<Vec<Exclusion>, RpcError> {
    let elements = json::elements(raw).ok_or_else(|| {
        let text = json::content(raw);
        invalid(format!("Exclude array exclude (\"{text}\") is not an array"))
    })?;
    let wrong = |element: &&str| {
        crate::command::params::wrong_token("exclude", "should be short_channel_id_dir or node_id", element)
    };
    elements.iter().map(|element| exclusion(json::content(element)).ok_or_else(|| wrong(element))).collect()
}

fn exclusion(text: &str) -> Option<Exclusion> {
    let channel = || {
        let (scid, direction) = text.split_once('/')?;
        let direction = match direction {
            "0" => 0,
            "1" => 1,
            _ => return None,
        };
        Some(Exclusion::Channel(scid.parse().ok()?, direction))
    };
    channel().or_else(|| text.parse::<PublicKey>().ok().map(Exclusion::Node))
}
