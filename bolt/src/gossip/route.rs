//! The cheapest route, as lightningd's `getroute` finds it (`common/route.c`, `common/dijkstra.c`): the same route for the
//! same graph, where several cost the same as well.

mod heap;
mod map;

pub use map::{LocalHalf, eleven_bits_down, eleven_bits_up};

use super::graph::Graph;
use crate::short_channel_id::ShortChannelId;
use bitcoin::secp256k1::PublicKey;
use heap::Heap;
pub(super) use map::{Half, Map};
use thiserror::Error;

/// The longest route (BOLT 4).
pub const ROUTING_MAX_HOPS: usize = 20;

/// What a route is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteRequest {
    /// Where it begins.
    pub source: PublicKey,
    /// Where it ends.
    pub destination: PublicKey,
    /// What is to arrive.
    pub amount_msat: u64,
    /// What money that is locked costs: per cent per year.
    pub riskfactor: f64,
    /// The delay of the last hop, in blocks.
    pub final_cltv: u32,
    /// The most hops that it may have.
    pub max_hops: usize,
    /// What is not to be used.
    pub exclude: Vec<Exclusion>,
    /// What the asking node knows of its own channels.
    pub local: Vec<LocalHalf>,
}

/// Something that a route is not to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// A channel in one direction.
    Channel(ShortChannelId, u8),
    /// A node.
    Node(PublicKey),
}

/// A step of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The node to which it leads.
    pub id: PublicKey,
    /// The channel.
    pub channel: ShortChannelId,
    /// The direction in the channel: 0 if it comes from the node with the lesser id.
    pub direction: u8,
    /// What is sent through the channel.
    pub amount_msat: u64,
    /// In how many blocks the HTLC in the channel runs out.
    pub delay: u32,
    /// What the channel's funding output holds.
    pub capacity_msat: u64,
}

/// Why there is no route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoRoute {
    /// Nothing is known of the node at which it is to begin.
    #[error("{0}: unknown source node_id (no public channels?)")]
    UnknownSource(PublicKey),
    /// Nothing is known of the node at which it is to end.
    #[error("{0}: unknown destination node_id (no public channels?)")]
    UnknownDestination(PublicKey),
    /// No channels lead there that would carry the amount.
    #[error("Could not find a route")]
    NotFound,
    /// The shortest route has so many hops.
    #[error("Shortest route was {0}")]
    TooLong(usize),
}

/// What is best: the first that differs decides.
#[derive(Clone, Copy)]
enum Order {
    CostThenLength,
    LengthThenCost,
}

impl Graph {
    /// The cheapest route; if that has too many hops, the shortest.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn route(&self, request: &RouteRequest) -> Result<Vec<Hop>, NoRoute> {
        Map::of(self, &request.local).route(request, &|_, _, _| true)
    }

    /// What others could bring to a node at most, over all of its channels but one, in msat.
    #[must_use]
    pub fn capacity_into(&self, node: &PublicKey, except: ShortChannelId, local: &[LocalHalf]) -> u64 {
        let map = Map::of(self, local);
        map.place(node).map_or(0, |place| map.capacity_into(place, except))
    }

    /// What the node that forwards through a hop takes for it, in msat and in blocks. Of the first hop of a route nobody
    /// pays it.
    #[must_use]
    pub fn toll(&self, hop: &Hop, local: &[LocalHalf]) -> Option<(u64, u32)> {
        let map = Map::of(self, local);
        let half = map.channels[map.channel_place(hop.channel)?].half(hop.direction)?;
        Some((half.fee_msat(hop.amount_msat)?, half.delay.into()))
    }
}

impl Map {
    /// The same, over channels of which `is_usable` says that they carry an amount in a direction.
    pub(super) fn route(
        &self,
        request: &RouteRequest,
        is_usable: &dyn Fn(usize, u8, u64) -> bool,
    ) -> Result<Vec<Hop>, NoRoute> {
        let source = self.place(&request.source).ok_or(NoRoute::UnknownSource(request.source))?;
        let destination =
            self.place(&request.destination).ok_or(NoRoute::UnknownDestination(request.destination))?;
        let search = |order| Search::run(self, request, destination, order, is_usable).hops(source);
        let cheapest = search(Order::CostThenLength).ok_or(NoRoute::NotFound)?;
        if cheapest.len() <= request.max_hops {
            return Ok(cheapest);
        }
        let shortest = search(Order::LengthThenCost).ok_or(NoRoute::NotFound)?;
        if shortest.len() <= request.max_hops { Ok(shortest) } else { Err(NoRoute::TooLong(shortest.len())) }
    }
}

/// Blocks in a year, for the price of delay.
const BLOCKS_PER_YEAR: f64 = 52_596.0;

/// Dijkstra's algorithm, from the destination backwards, for what has to arrive decides what has to be sent.
struct Search<'a> {
    map: &'a Map,
    request: &'a RouteRequest,
    destination: usize,
    /// What has to arrive at each node that was reached.
    amounts_msat: Vec<u64>,
    scores: Vec<u64>,
    /// Through which channel each node forwards.
    best: Vec<Option<(usize, u8)>>,
}

impl<'a> Search<'a> {
    fn run(
        map: &'a Map,
        request: &'a RouteRequest,
        destination: usize,
        order: Order,
        is_usable: &dyn Fn(usize, u8, u64) -> bool,
    ) -> Self {
        let number = map.nodes.len();
        let mut search = Self {
            map,
            request,
            destination,
            amounts_msat: vec![u64::MAX; number],
            scores: vec![u64::MAX; number],
            best: vec![None; number],
        };
        search.amounts_msat[destination] = request.amount_msat;
        search.scores[destination] = 0;
        let mut heap = Heap::new(number, destination);
        while let Some(node) = heap.first().filter(|node| search.scores[*node] < u64::MAX) {
            for &channel in &map.nodes[node].channels {
                search.look(node, channel, order, is_usable, &mut heap);
            }
            heap.pop(&search.scores);
        }
        search
    }

    /// Looks whether the node at the other end of `channel` is reached better through it.
    fn look(
        &mut self,
        node: usize,
        channel: usize,
        order: Order,
        is_usable: &dyn Fn(usize, u8, u64) -> bool,
        heap: &mut Heap,
    ) {
        let amount_msat = self.amounts_msat[node];
        let ends = self.map.channels[channel].ends;
        let direction = u8::from(ends[0] == node);
        let neighbour = ends[usize::from(direction)];
        let Some(half) = self.map.channels[channel].half(direction) else { return };
        let is_excluded = || self.is_excluded(node, channel, direction);
        if !heap.contains(neighbour) || !half.carries(amount_msat) || is_excluded() {
            return;
        }
        let Some(fee_msat) =
            half.fee_msat(amount_msat).filter(|_| is_usable(channel, direction, amount_msat))
        else {
            return;
        };
        let cost = fee_msat.saturating_add(self.risk_msat(amount_msat, half)).min(u64::from(u32::MAX));
        let score = match order {
            Order::CostThenLength => (cost << 32) + 1,
            Order::LengthThenCost => cost + (1 << 32),
        };
        let score = self.scores[node].checked_add(score).filter(|score| *score < self.scores[neighbour]);
        if let (Some(score), Some(amount_msat)) = (score, amount_msat.checked_add(fee_msat)) {
            self.amounts_msat[neighbour] = amount_msat;
            self.scores[neighbour] = score;
            self.best[neighbour] = Some((channel, direction));
            heap.raise(neighbour, &self.scores);
        }
    }

    fn is_excluded(&self, to: usize, channel: usize, direction: u8) -> bool {
        let (scid, to) = (self.map.channels[channel].scid, self.map.nodes[to].id);
        let (this, there) = (Exclusion::Channel(scid, direction), Exclusion::Node(to));
        self.request.exclude.iter().any(|exclusion| *exclusion == this || *exclusion == there)
    }

    fn risk_msat(&self, amount_msat: u64, half: &Half) -> u64 {
        let share = self.request.riskfactor / 100.0 / BLOCKS_PER_YEAR * f64::from(half.delay);
        // The conversion saturates.
        (amount_msat as f64 * share) as u64
    }

    /// The steps from `source`: amounts and delays add up backwards.
    fn hops(&self, source: usize) -> Option<Vec<Hop>> {
        let mut steps = Vec::new();
        let mut node = source;
        while node != self.destination {
            let (channel, direction) = self.best[node]?;
            steps.push((channel, direction));
            node = self.map.channels[channel].ends[usize::from(1 - direction)];
        }
        let (mut amount_msat, mut delay) = (self.request.amount_msat, self.request.final_cltv);
        let mut hops = Vec::with_capacity(steps.len());
        for (number, direction) in steps.into_iter().rev() {
            let channel = &self.map.channels[number];
            hops.push(Hop {
                id: self.map.nodes[channel.ends[usize::from(1 - direction)]].id,
                channel: channel.scid,
                direction,
                amount_msat,
                delay,
                capacity_msat: channel.capacity_msat,
            });
            let half = channel.half(direction)?;
            amount_msat = half.fee_msat(amount_msat)?.checked_add(amount_msat)?;
            delay += u32::from(half.delay);
        }
        hops.reverse();
        Some(hops)
    }
}
