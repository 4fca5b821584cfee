//! Several routes that carry a payment together (BOLT 4, `basic_mpp`), in the simplest form that is sound: as much as any
//! route carries goes the cheapest way, what is left the cheapest way that remains.

use super::graph::Graph;
use super::route::{Hop, Map, NoRoute, RouteRequest};
use std::collections::BTreeMap;

impl Graph {
    /// At most `max_parts` routes whose last hops add up to the amount, and that use no channel beyond what it holds.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn routes(&self, request: &RouteRequest, max_parts: usize) -> Result<Vec<Vec<Hop>>, NoRoute> {
        let map = Map::of(self, &request.local);
        let mut split = Split { map: &map, request, used_msat: BTreeMap::new() };
        let mut routes = Vec::new();
        let mut left_msat = request.amount_msat;
        while left_msat > 0 {
            if routes.len() == max_parts {
                return Err(NoRoute::NotFound);
            }
            let (hops, carried_msat) = split.most(left_msat)?;
            split.reserve(&hops);
            left_msat -= carried_msat;
            routes.push(hops);
        }
        Ok(routes)
    }
}

struct Split<'a> {
    map: &'a Map,
    request: &'a RouteRequest,
    /// What earlier parts take of each channel in each direction.
    used_msat: BTreeMap<(usize, u8), u64>,
}

impl Split<'_> {
    /// A route for as much of `wanted_msat` as can be, and how much that is.
    fn most(&self, wanted_msat: u64) -> Result<(Vec<Hop>, u64), NoRoute> {
        let error = match self.route(wanted_msat) {
            Ok(hops) => return Ok((hops, wanted_msat)),
            Err(error) => error,
        };
        let (mut found, mut fits_msat, mut fails_msat) = (None, 0, wanted_msat);
        while fails_msat - fits_msat > 1 {
            let middle_msat = fits_msat + (fails_msat - fits_msat) / 2;
            match self.route(middle_msat) {
                Ok(hops) => (found, fits_msat) = (Some((hops, middle_msat)), middle_msat),
                Err(_) => fails_msat = middle_msat,
            }
        }
        found.ok_or(error)
    }

    fn route(&self, amount_msat: u64) -> Result<Vec<Hop>, NoRoute> {
        let request = RouteRequest { amount_msat, ..self.request.clone() };
        self.map.route(&request, &|channel, direction, amount_msat| {
            let used_msat = self.used_msat.get(&(channel, direction)).copied().unwrap_or_default();
            let half = self.map.channels[channel].half(direction);
            half.is_some_and(|half| used_msat.saturating_add(amount_msat) <= half.liquidity_msat)
        })
    }

    fn reserve(&mut self, hops: &[Hop]) {
        for hop in hops {
            let channel = self.map.channel_place(hop.channel).expect("the route is of this map");
            *self.used_msat.entry((channel, hop.direction)).or_default() += hop.amount_msat;
        }
    }
}
