//! What routing sees of the graph: numbered nodes and channels, with what the asking node knows of its own channels.

use crate::gossip::graph::Graph;
use crate::message::gossip::ChannelUpdate;
use crate::short_channel_id::ShortChannelId;
use bitcoin::secp256k1::PublicKey;
use std::collections::BTreeMap;

/// One direction of a channel, as a node knows it better than gossip does, or that gossip does not know at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalHalf {
    /// The channel.
    pub short_channel_id: ShortChannelId,
    /// The node that forwards.
    pub source: PublicKey,
    /// The node that is forwarded to.
    pub destination: PublicKey,
    /// What the funding output holds.
    pub capacity_msat: u64,
    /// Whether it can be used now.
    pub enabled: bool,
    /// The smallest HTLC.
    pub htlc_minimum_msat: u64,
    /// The largest HTLC: as the policy says, or less if less can be spent.
    pub htlc_maximum_msat: u64,
    /// Fee for any HTLC.
    pub fee_base_msat: u32,
    /// Fee per million of what is forwarded.
    pub fee_proportional_millionths: u32,
    /// Blocks that a forward takes.
    pub cltv_expiry_delta: u16,
}

/// Numbered nodes and channels.
pub(in crate::gossip) struct Map {
    pub(super) nodes: Vec<MapNode>,
    pub(in crate::gossip) channels: Vec<MapChannel>,
    places: BTreeMap<PublicKey, usize>,
    by_scid: BTreeMap<ShortChannelId, usize>,
}

pub(super) struct MapNode {
    pub(super) id: PublicKey,
    pub(super) channels: Vec<usize>,
}

/// A channel; direction 0 is from the first end to the second.
pub(in crate::gossip) struct MapChannel {
    pub(in crate::gossip) scid: ShortChannelId,
    pub(super) ends: [usize; 2],
    pub(in crate::gossip) capacity_msat: u64,
    halves: [Option<Half>; 2],
}

/// One direction of a channel, in the precision in which lightningd keeps it.
#[derive(Debug, Clone)]
pub(in crate::gossip) struct Half {
    enabled: bool,
    htlc_minimum_msat: u64,
    htlc_maximum_msat: u64,
    /// What all HTLCs together may be, as far as is known.
    pub(in crate::gossip) liquidity_msat: u64,
    fee_base_msat: u32,
    fee_proportional_millionths: u32,
    pub(super) delay: u16,
}

impl Map {
    /// The graph, and over it what is known better.
    pub(in crate::gossip) fn of(graph: &Graph, local: &[LocalHalf]) -> Self {
        let mut map = Self {
            nodes: Vec::new(),
            channels: Vec::new(),
            places: BTreeMap::new(),
            by_scid: BTreeMap::new(),
        };
        for node in graph.nodes() {
            map.number(node.id);
        }
        for channel in graph.channels() {
            let ends = [*channel.source(0), *channel.source(1)];
            let capacity_msat = channel.capacity_sat * 1_000;
            let number = map.add(channel.short_channel_id(), ends, capacity_msat);
            let half = |update: &Option<ChannelUpdate>| {
                update.as_ref().map(|update| Half::of(update, capacity_msat))
            };
            map.channels[number].halves = channel.updates.each_ref().map(half);
        }
        // A number that was given away again comes early among all channels, and late among those of a node.
        for node in &mut map.nodes {
            let known = graph.channels_of(&node.id).map(|channel| map.by_scid[&channel.short_channel_id()]);
            node.channels = known.collect();
        }
        for half in local {
            map.overlay(half);
        }
        map
    }

    /// The number of a node.
    pub(super) fn place(&self, id: &PublicKey) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The number of a channel.
    pub(in crate::gossip) fn channel_place(&self, scid: ShortChannelId) -> Option<usize> {
        self.by_scid.get(&scid).copied()
    }

    /// What comes to a node at most, over all of its channels but one.
    pub(super) fn capacity_into(&self, node: usize, except: ShortChannelId) -> u64 {
        let others = self.nodes[node].channels.iter().map(|number| &self.channels[*number]);
        let into = |channel: &MapChannel| channel.half(u8::from(channel.ends[0] == node)).cloned();
        let halves = others.filter(|channel| channel.scid != except).filter_map(into);
        halves.filter(|half| half.enabled).map(|half| half.htlc_maximum_msat).sum()
    }

    fn number(&mut self, id: PublicKey) -> usize {
        *self.places.entry(id).or_insert_with(|| {
            self.nodes.push(MapNode { id, channels: Vec::new() });
            self.nodes.len() - 1
        })
    }

    fn add(&mut self, scid: ShortChannelId, ends: [PublicKey; 2], capacity_msat: u64) -> usize {
        let ends = ends.map(|id| self.number(id));
        let number = self.channels.len();
        self.channels.push(MapChannel { scid, ends, capacity_msat, halves: [None, None] });
        self.by_scid.insert(scid, number);
        for end in ends {
            self.nodes[end].channels.push(number);
        }
        number
    }

    fn overlay(&mut self, local: &LocalHalf) {
        let (scid, is_first) = (local.short_channel_id, local.source < local.destination);
        let ends =
            if is_first { [local.source, local.destination] } else { [local.destination, local.source] };
        let known = self.by_scid.get(&scid).copied();
        let number = known.unwrap_or_else(|| self.add(scid, ends, local.capacity_msat));
        self.channels[number].halves[usize::from(!is_first)] = Some(Half::of_local(local));
    }
}

impl MapChannel {
    pub(in crate::gossip) fn half(&self, direction: u8) -> Option<&Half> {
        self.halves[usize::from(direction)].as_ref()
    }
}

impl Half {
    fn of(update: &ChannelUpdate, liquidity_msat: u64) -> Self {
        Self {
            liquidity_msat,
            enabled: update.is_enabled(),
            htlc_minimum_msat: eleven_bits_down(update.htlc_minimum_msat),
            htlc_maximum_msat: eleven_bits_up(update.htlc_maximum_msat),
            fee_base_msat: update.fee_base_msat,
            fee_proportional_millionths: update.fee_proportional_millionths,
            delay: update.cltv_expiry_delta,
        }
        .in_bounds()
    }

    fn of_local(local: &LocalHalf) -> Self {
        Self {
            liquidity_msat: local.htlc_maximum_msat,
            enabled: local.enabled,
            htlc_minimum_msat: eleven_bits_down(local.htlc_minimum_msat),
            htlc_maximum_msat: eleven_bits_up(local.htlc_maximum_msat),
            fee_base_msat: local.fee_base_msat,
            fee_proportional_millionths: local.fee_proportional_millionths,
            delay: local.cltv_expiry_delta,
        }
        .in_bounds()
    }

    /// lightningd keeps 24 bits of the base fee and 20 of the other, and does not use a channel that wants more.
    fn in_bounds(self) -> Self {
        let fits = self.fee_base_msat < 1 << 24 && self.fee_proportional_millionths < 1 << 20;
        if fits { self } else { Self { enabled: false, htlc_maximum_msat: 0, ..self } }
    }

    /// Whether an HTLC of this amount may go this way. 0 asks whether any may.
    pub(super) fn carries(&self, amount_msat: u64) -> bool {
        let limits = self.htlc_minimum_msat..=self.htlc_maximum_msat;
        self.enabled && (amount_msat == 0 || limits.contains(&amount_msat))
    }

    /// What the node takes for forwarding this amount.
    pub(in crate::gossip) fn fee_msat(&self, amount_msat: u64) -> Option<u64> {
        let share = u128::from(amount_msat) * u128::from(self.fee_proportional_millionths) / 1_000_000;
        u64::try_from(share).ok()?.checked_add(self.fee_base_msat.into())
    }
}

/// How many bits of a limit lightningd keeps (`common/fp16.c`).
const BITS: u32 = 11;

/// The greatest number not above `number` of which only 11 bits are not zero: so precise is what lightningd keeps of the
/// least HTLC.
#[must_use]
pub fn eleven_bits_down(number: u64) -> u64 {
    let excess = (u64::BITS - number.leading_zeros()).saturating_sub(BITS);
    clamp(number >> excess, excess)
}

/// The least number not below `number` of which only 11 bits are not zero: the same of the greatest HTLC.
#[must_use]
pub fn eleven_bits_up(number: u64) -> u64 {
    let down = eleven_bits_down(number);
    if down >= number {
        return down;
    }
    let excess = (u64::BITS - number.leading_zeros()).saturating_sub(BITS);
    // One more may be a twelfth bit; it is a power of two then, and fits.
    clamp((number >> excess) + 1, excess)
}

/// The exponent has five bits.
fn clamp(mantissa: u64, exponent: u32) -> u64 {
    if exponent > 31 || (exponent == 31 && mantissa > 0x7ff) { 0x7ff << 31 } else { mantissa << exponent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_keep_eleven_bits() {
        for (number, down, up) in [
            (0, 0, 0),
            (2_047, 2_047, 2_047),
            (2_049, 2_048, 2_050),
            (4_095, 4_094, 4_096),
            (990_000_000, 989_855_744, 990_380_032),
            (u64::MAX, 0x7ff << 31, 0x7ff << 31),
        ] {
            assert_eq!((eleven_bits_down(number), eleven_bits_up(number)), (down, up), "{number}");
        }
    }
}
