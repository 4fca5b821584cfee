//! The graph: channels and nodes, with the messages that made them known.

use crate::message::gossip::{ChannelAnnouncement, ChannelUpdate, NodeAnnouncement};
use crate::short_channel_id::ShortChannelId;
use bitcoin::secp256k1::PublicKey;
use std::collections::BTreeMap;

/// Every announced channel, and the nodes at their ends.
///
/// A node is known as long as it has a channel (BOLT 7). Everything is listed in the order in which CLN lists it.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    channels: Slots<Channel>,
    nodes: Slots<Node>,
    by_scid: BTreeMap<ShortChannelId, usize>,
    by_id: BTreeMap<PublicKey, usize>,
}

/// An announced channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What made it known.
    pub announcement: ChannelAnnouncement,
    /// What its funding output holds.
    pub capacity_sat: u64,
    /// The latest of each direction: 0 is from `node_id_1` to `node_id_2`.
    pub updates: [Option<ChannelUpdate>; 2],
    /// Its funding output is spent: the height from which on nobody is to know it.
    pub dies_at: Option<u32>,
}

/// A node with an announced channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: PublicKey,
    /// What it says of itself, if it has.
    pub announcement: Option<NodeAnnouncement>,
    channels: Vec<usize>,
}

impl Channel {
    /// Its name.
    #[must_use]
    pub fn short_channel_id(&self) -> ShortChannelId {
        self.announcement.short_channel_id
    }

    /// The node that forwards in a direction.
    #[must_use]
    pub fn source(&self, direction: u8) -> &PublicKey {
        if direction == 0 { &self.announcement.node_id_1 } else { &self.announcement.node_id_2 }
    }

    /// The node that is forwarded to in a direction.
    #[must_use]
    pub fn destination(&self, direction: u8) -> &PublicKey {
        self.source(1 - direction)
    }

    /// The direction in which `node` forwards, which has to be one of the two.
    #[must_use]
    pub fn direction_from(&self, node: &PublicKey) -> u8 {
        u8::from(self.announcement.node_id_1 != *node)
    }

    /// Whether `node` is one of the two.
    #[must_use]
    pub fn is_of(&self, node: &PublicKey) -> bool {
        self.announcement.node_id_1 == *node || self.announcement.node_id_2 == *node
    }

    /// The timestamp under which it is sent, that of its oldest update: 0 without one.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.updates.iter().flatten().map(|update| update.timestamp).min().unwrap_or_default()
    }
}

impl Graph {
    /// A graph without channels.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The channel of this name.
    #[must_use]
    pub fn channel(&self, scid: ShortChannelId) -> Option<&Channel> {
        self.channels.taken.get(self.by_scid.get(&scid)?)
    }

    /// The node of this id.
    #[must_use]
    pub fn node(&self, id: &PublicKey) -> Option<&Node> {
        self.nodes.taken.get(self.by_id.get(id)?)
    }

    /// Every channel.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.taken.values()
    }

    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.taken.values()
    }

    /// The channels of a node, in the order in which they became known.
    pub fn channels_of(&self, node: &PublicKey) -> impl Iterator<Item = &Channel> {
        let places = self.node(node).map(|node| node.channels.as_slice()).unwrap_or_default();
        places.iter().map(|place| &self.channels.taken[place])
    }

    /// The channels funded in blocks from `first` on, `number` of them, by name.
    pub fn channels_in_blocks(&self, first: u32, number: u32) -> impl Iterator<Item = &Channel> {
        let end = u64::from(first) + u64::from(number);
        let of_place = |(_, place): (_, &usize)| &self.channels.taken[place];
        let first = ShortChannelId::from_u64(u64::from(first) << 40);
        self.by_scid.range(first..).take_while(move |(scid, _)| u64::from(scid.block()) < end).map(of_place)
    }

    /// Adds a channel whose announcement and funding output were checked. False if it is known already.
    pub fn add_channel(&mut self, announcement: ChannelAnnouncement, capacity_sat: u64) -> bool {
        let scid = announcement.short_channel_id;
        if self.by_scid.contains_key(&scid) {
            return false;
        }
        let ends = [announcement.node_id_1, announcement.node_id_2].map(|id| self.node_place(id));
        let channel = Channel { announcement, capacity_sat, updates: [None, None], dies_at: None };
        let place = self.channels.put(channel);
        self.by_scid.insert(scid, place);
        for end in ends {
            self.nodes.get_mut(end).channels.push(place);
        }
        true
    }

    /// Forgets a channel, and nodes of which it was the last.
    pub fn remove_channel(&mut self, scid: ShortChannelId) -> Option<Channel> {
        let place = self.by_scid.remove(&scid)?;
        let channel = self.channels.take(place);
        for id in [channel.announcement.node_id_1, channel.announcement.node_id_2] {
            let Some(&end) = self.by_id.get(&id) else { continue };
            let channels = &mut self.nodes.get_mut(end).channels;
            channels.retain(|other| *other != place);
            if channels.is_empty() {
                self.nodes.take(end);
                self.by_id.remove(&id);
            }
        }
        Some(channel)
    }

    pub(super) fn channel_mut(&mut self, scid: ShortChannelId) -> Option<&mut Channel> {
        self.channels.taken.get_mut(self.by_scid.get(&scid)?)
    }

    pub(super) fn node_mut(&mut self, id: &PublicKey) -> Option<&mut Node> {
        self.nodes.taken.get_mut(self.by_id.get(id)?)
    }

    fn node_place(&mut self, id: PublicKey) -> usize {
        *self
            .by_id
            .entry(id)
            .or_insert_with(|| self.nodes.put(Node { id, announcement: None, channels: Vec::new() }))
    }
}

/// Things by number. The number that was let go of last is given away first, so that the order is that of CLN's arrays.
#[derive(Debug, Clone)]
struct Slots<T> {
    taken: BTreeMap<usize, T>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { taken: BTreeMap::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    fn put(&mut self, thing: T) -> usize {
        let number = self.free.pop().unwrap_or(self.taken.len());
        self.taken.insert(number, thing);
        number
    }

    fn get_mut(&mut self, number: usize) -> &mut T {
        self.taken.get_mut(&number).expect("the number was given away")
    }

    fn take(&mut self, number: usize) -> T {
        self.free.push(number);
        self.taken.remove(&number).expect("the number was given away")
    }
}
