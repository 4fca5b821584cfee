//! What the node tells of itself (`lightningd/channel_gossip.c:channel_gossip_node_announce`).

use crate::output::Output;
use crate::peer::PeerState;
use crate::state::State;
use crate::world::unix_seconds;
use leyden_bolt::gossip::{Address, no_signature, node_alias};
use leyden_bolt::message::Excess;
use leyden_bolt::message::gossip::NodeAnnouncement;

impl State {
    /// Tells everybody of this node, if it has an announced channel and something new to say.
    pub(super) fn announce_node(&mut self) {
        if !self.has_announced_channel() {
            return;
        }
        let known = self.gossip.graph.node(&self.node_id).and_then(|node| node.announcement.as_ref());
        let now = unix_seconds((self.clock)());
        let timestamp = known.map_or(now, |known| now.max(u64::from(known.timestamp) + 1));
        let announcement = NodeAnnouncement {
            signature: no_signature(),
            features: self.features.node.clone(),
            timestamp: u32::try_from(timestamp).unwrap_or(u32::MAX),
            node_id: self.node_id,
            rgb_color: self.rgb(),
            alias: node_alias(&self.alias()),
            addresses: self.announced_addresses().into_iter().flat_map(|address| address.encode()).collect(),
            excess: Excess::default(),
        };
        if known.is_some_and(|known| known.says_the_same(&announcement)) {
            return;
        }
        let announcement = announcement.signed(&self.node_key, &self.gossip.secp);
        self.gossip.graph.take_node(announcement.clone());
        self.keep_node(None, &announcement);
        self.send_to_all(&announcement.encode());
    }

    /// Where peers are told to find this node.
    pub(crate) fn announced_addresses(&self) -> Vec<Address> {
        let is_wanted = self.config.announces_addr;
        let address = self.binding.filter(|address| is_wanted && self.tells_where_we_are(address));
        address.map(Address::Ip).into_iter().collect()
    }

    /// Sends something of our own to every peer, whatever it has asked for.
    pub(super) fn send_to_all(&mut self, message: &[u8]) {
        let peers: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.state == PeerState::Connected)
            .map(|(connection, _)| connection)
            .collect();
        for connection in peers {
            self.out.push(Output::ToPeer(connection, message.to_vec()));
        }
    }
}
