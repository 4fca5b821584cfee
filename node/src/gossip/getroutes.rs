//! `getroutes` (`plugins/askrene/askrene.c:json_getroutes`): several routes that carry a payment together. Of askrene's
//! layers there are those that it makes itself.

use super::getroute::{ROUTE_NOT_FOUND, no_route};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid, missing, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::jsonrpc::internal::BundledCall;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::gossip::{Hop, NoRoute, ROUTING_MAX_HOPS, RouteRequest};
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// The bundled plugin that finds routes.
const ASKRENE: &str = "cln-askrene";

/// The longest that an HTLC may take (BOLT 4, `max_htlc_cltv`).
const MAX_HTLC_CLTV: u32 = 2016;

/// How many routes there may be, if nothing is said.
const DEFAULT_PARTS: u32 = 100;

/// A parameter that cannot be (`PAY_USER_ERROR`).
const USER_ERROR: i64 = 213;
/// The routes take too long, or cost too much (`PAY_ROUTE_TOO_EXPENSIVE`).
const ROUTE_TOO_EXPENSIVE: i64 = 206;

/// What locked money costs askrene: as much as `getroute`'s usual risk factor.
const RISKFACTOR: f64 = 10.0;

/// `getroutes source destination amount_msat layers maxfee_msat final_cltv [maxdelay] [maxparts]`.
pub(crate) struct Getroutes {
    /// Without what is known of our own channels.
    request: RouteRequest,
    layers: Layers,
    max_fee_msat: u64,
    max_delay: u32,
    max_parts: u32,
}

/// What is known beside gossip.
#[derive(Clone, Copy, Default)]
struct Layers {
    /// `auto.localchans`: our own channels, as they are.
    local: bool,
    /// `auto.sourcefree`: the source takes nothing for its own channels.
    source_free: bool,
    /// `auto.no_mpp_support`: one route has to do.
    no_mpp: bool,
}

impl Command for Getroutes {
    const NAME: &'static str = "getroutes";
    const TAKES: &'static [Shape] = &[
        Shape::required("source"),
        Shape::required("destination"),
        Shape::required("amount_msat"),
        Shape::required("layers"),
        Shape::required("maxfee_msat"),
        Shape::required("final_cltv"),
        Shape::optional("maxdelay"),
        Shape::optional("maxparts"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let (source, destination) = (params.node_id("source")?, params.node_id("destination")?);
        let amount_msat = params.msat("amount_msat")?;
        let layers = layers(params.required_raw("layers")?)?;
        let max_fee_msat = params.msat("maxfee_msat")?;
        let final_cltv = params.optional_u32("final_cltv")?.ok_or_else(|| missing("final_cltv"))?;
        let max_delay = params.optional_u32("maxdelay")?.unwrap_or(MAX_HTLC_CLTV);
        let max_parts = params.optional_u32("maxparts")?.unwrap_or(DEFAULT_PARTS);
        if amount_msat == 0 {
            return Err(invalid("amount must be non-zero"));
        }
        if max_parts == 0 {
            return Err(invalid("maxparts must be non-zero"));
        }
        if max_delay > MAX_HTLC_CLTV {
            return Err(RpcError::new(USER_ERROR, format!("maximum delay allowed is {MAX_HTLC_CLTV}")));
        }
        let request = RouteRequest {
            source,
            destination,
            amount_msat,
            riskfactor: RISKFACTOR,
            final_cltv,
            max_hops: ROUTING_MAX_HOPS,
            exclude: Vec::new(),
            local: Vec::new(),
        };
        Ok(Self { request, layers, max_fee_msat, max_delay, max_parts })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(ASKRENE, request);
        if !self.layers.local {
            return self.answer(node, &call);
        }
        node.call_first_of_late(call, "listpeerchannels", &json!({}), |node, call| self.answer(node, call))
    }
}

impl Getroutes {
    fn answer(mut self, node: &mut State, call: &BundledCall) -> Result<(), RpcError> {
        if self.layers.local {
            self.request.local = node.local_halves(self.layers.source_free);
        }
        let parts = if self.layers.no_mpp { 1 } else { self.max_parts as usize };
        let routes = node.gossip.graph.routes(&self.request, parts).map_err(|why| self.no_route(&why))?;
        let routes: Vec<Vec<Step>> = routes.iter().map(|hops| node.steps(&self, hops)).collect();
        self.check_limits(&routes)?;
        let routes: Vec<(f64, Value)> = routes.iter().map(|steps| node.route(&self, steps)).collect();
        let probability: f64 = routes.iter().map(|(probability, _)| probability).product();
        let routes: Vec<Value> = routes.into_iter().map(|(_, route)| route).collect();
        let result = json!({ "probability_ppm": millionths(probability), "routes": routes });
        node.reply(&call.client, &result);
        Ok(())
    }

    fn no_route(&self, why: &NoRoute) -> RpcError {
        match why {
            // askrene has one code for all of it.
            NoRoute::UnknownSource(node) => {
                RpcError::new(ROUTE_NOT_FOUND, format!("Unknown source node {node}"))
            }
            NoRoute::UnknownDestination(node) => {
                RpcError::new(ROUTE_NOT_FOUND, format!("Unknown destination node {node}"))
            }
            NoRoute::NotFound | NoRoute::TooLong(_) => no_route(why),
        }
    }

    /// Refuses routes that take too long, or together cost too much.
    fn check_limits(&self, routes: &[Vec<Step>]) -> Result<(), RpcError> {
        let firsts = || routes.iter().filter_map(|steps| steps.first());
        let delay = firsts().map(|step| step.cltv_in).max().unwrap_or_default();
        if delay > self.max_delay {
            let text = "Could not find route without excessive delays";
            return Err(RpcError::new(ROUTE_TOO_EXPENSIVE, text));
        }
        let sent_msat: u64 = firsts().map(|step| step.amount_in_msat).sum();
        let fee_msat = sent_msat.saturating_sub(self.request.amount_msat);
        if fee_msat > self.max_fee_msat {
            let text = "Could not find route without excessive cost";
            return Err(RpcError::new(ROUTE_TOO_EXPENSIVE, text));
        }
        Ok(())
    }
}

/// A hop, from the node that forwards to the one that is forwarded to.
struct Step {
    hop: Hop,
    from: PublicKey,
    amount_in_msat: u64,
    cltv_in: u32,
}

impl State {
    /// What goes into each hop is what comes out of the one before; into the first, what the source would be paid.
    fn steps(&self, command: &Getroutes, hops: &[Hop]) -> Vec<Step> {
        let Some(first) = hops.first() else { return Vec::new() };
        let (fee_msat, delay) = self
            .gossip
            .graph
            .toll(first, &command.request.local)
            .filter(|_| !command.layers.source_free)
            .unwrap_or_default();
        let mut steps: Vec<Step> = Vec::with_capacity(hops.len());
        for hop in hops {
            let (from, amount_in_msat, cltv_in) = match steps.last() {
                Some(Step { hop: before, .. }) => (before.id, before.amount_msat, before.delay),
                None => (command.request.source, hop.amount_msat + fee_msat, hop.delay + delay),
            };
            steps.push(Step { hop: hop.clone(), from, amount_in_msat, cltv_in });
        }
        steps
    }

    fn route(&self, command: &Getroutes, steps: &[Step]) -> (f64, Value) {
        let probability = steps.iter().map(|step| self.probability(command, &step.hop)).product();
        let amount_msat = steps.last().map_or(0, |step| step.hop.amount_msat);
        let path: Vec<Value> = steps.iter().map(|step| self.step(step)).collect();
        let route = json!({
            "probability_ppm": millionths(probability),
            "amount_msat": self.amount(amount_msat),
            "final_cltv": command.request.final_cltv,
            "path": path,
        });
        (probability, route)
    }

    /// How likely a channel of which only the capacity is known has this much on the right side.
    fn probability(&self, command: &Getroutes, hop: &Hop) -> f64 {
        let is_known = command.request.local.iter().any(|half| half.short_channel_id == hop.channel);
        if is_known { 1.0 } else { 1.0 - hop.amount_msat as f64 / (hop.capacity_msat + 1) as f64 }
    }

    fn step(&self, step: &Step) -> Value {
        let Step { hop, from, amount_in_msat, cltv_in } = step;
        json!({
            "short_channel_id_dir": format!("{}/{}", hop.channel, hop.direction),
            "node_id_in": from.to_string(),
            "node_id_out": hop.id.to_string(),
            "amount_in_msat": self.amount(*amount_in_msat),
            "amount_out_msat": self.amount(hop.amount_msat),
            "cltv_in": cltv_in,
            "cltv_out": hop.delay,
        })
    }
}

fn millionths(probability: f64) -> u64 {
    (probability * 1_000_000.0) as u64
}

fn layers(raw: &str) -> Result<Layers, RpcError> {
    let elements = json::elements(raw).ok_or_else(|| wrong_token("layers", "should be an array", raw))?;
    let mut layers = Layers::default();
    for element in elements {
        let Some(name) = json::string(element) else {
            return Err(wrong_token("layers", "should be a string", element));
        };
        match name.as_ref() {
            "auto.localchans" => layers.local = true,
            "auto.sourcefree" => layers.source_free = true,
            "auto.no_mpp_support" => layers.no_mpp = true,
            _ => return Err(wrong_token("layers", "unknown layer", element)),
        }
    }
    Ok(layers)
}
