//! Finding routes for a plan.

use super::super::code;
use super::Plan;
use crate::state::State;
use leyden_bolt::gossip::{Hop, LocalHalf, NoRoute, ROUTING_MAX_HOPS, RouteRequest};
use leyden_protocol::message::RpcError;

/// The most parts that a payment is split into.
const MOST_PARTS: usize = 100;

impl State {
    /// Routes that carry so much together, within the plan's limits.
    ///
    /// # Errors
    /// In askrene's words.
    pub(super) fn plan_routes(&self, number: u64, amount_msat: u64) -> Result<Vec<Vec<Hop>>, RpcError> {
        let plan = &self.plans.plans[&number];
        let mut local = self.local_halves(true);
        let source_msat: u64 = local
            .iter()
            .filter(|half| half.source == self.node_id && half.enabled)
            .map(|half| half.capacity_msat)
            .sum();
        let sources = local.iter().filter(|half| half.source == self.node_id && half.enabled).count();
        local.extend(plan.hinted(self));
        local.extend(plan.learnt.iter().cloned());
        let request = RouteRequest {
            source: self.node_id,
            destination: plan.goal.destination,
            amount_msat,
            riskfactor: plan.limits.riskfactor,
            final_cltv: plan.goal.final_cltv,
            max_hops: ROUTING_MAX_HOPS,
            exclude: plan.excluded.clone(),
            local,
        };
        let graph = &self.gossip.graph;
        let most = plan.limits.max_parts.map(|most| most.saturating_sub(plan.parts.len()));
        let routes = match graph.routes(&request, most.unwrap_or(MOST_PARTS)) {
            // A way in more parts than were wanted is better than none.
            Err(_) if most.is_some() => graph.routes(&request, MOST_PARTS),
            routes => routes,
        };
        let routes = routes.map_err(|why| no_route(&why, amount_msat, source_msat, sources))?;
        plan.check_limits(&routes, amount_msat)?;
        Ok(routes)
    }
}

impl Plan {
    /// The private channels that the invoice names. They are taken to be large enough; those of this node it knows better.
    pub(super) fn hinted(&self, node: &State) -> Vec<LocalHalf> {
        let capacity_msat =
            (self.goal.amount_msat.saturating_add(self.limits.max_fee_msat)).saturating_mul(100);
        let mut halves = Vec::new();
        for hint in &self.goal.hints {
            let ends = hint.iter().skip(1).map(|hop| hop.pubkey).chain([self.goal.destination]);
            for (hop, destination) in hint.iter().zip(ends) {
                if hop.pubkey == node.node_id || hop.pubkey == destination {
                    continue;
                }
                halves.push(LocalHalf {
                    short_channel_id: hop.short_channel_id,
                    source: hop.pubkey,
                    destination,
                    capacity_msat,
                    enabled: true,
                    htlc_minimum_msat: 0,
                    htlc_maximum_msat: capacity_msat,
                    fee_base_msat: hop.fee_base_msat,
                    fee_proportional_millionths: hop.fee_proportional_millionths,
                    cltv_expiry_delta: hop.cltv_expiry_delta,
                });
            }
        }
        halves
    }

    fn check_limits(&self, routes: &[Vec<Hop>], amount_msat: u64) -> Result<(), RpcError> {
        let firsts = || routes.iter().filter_map(|hops| hops.first());
        let refuse = |text| Err(RpcError::new(code::ROUTE_TOO_EXPENSIVE, text));
        if firsts().any(|hop| hop.delay > self.limits.max_delay) {
            return refuse("Could not find route without excessive delays");
        }
        let fee_msat = firsts().map(|hop| hop.amount_msat).sum::<u64>().saturating_sub(amount_msat);
        let earlier = self.parts.values().map(|part| part.sent_msat().saturating_sub(part.amount_msat));
        if fee_msat.saturating_add(earlier.sum()) > self.limits.max_fee_msat {
            return refuse("Could not find route without excessive cost");
        }
        Ok(())
    }
}

fn no_route(why: &NoRoute, amount_msat: u64, source_msat: u64, sources: usize) -> RpcError {
    let text = match why {
        NoRoute::UnknownSource(node) => format!("Unknown source node {node}"),
        NoRoute::UnknownDestination(node) => format!("Unknown destination node {node}"),
        NoRoute::NotFound | NoRoute::TooLong(_) => {
            let lack = if source_msat < amount_msat {
                format!(" Total source capacity is only {source_msat}msat (in {sources} channels).")
            } else {
                String::new()
            };
            format!("We could not find a usable set of paths.{lack}")
        }
    };
    RpcError::new(code::ROUTE_NOT_FOUND, text)
}
