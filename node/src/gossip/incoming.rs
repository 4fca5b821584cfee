//! Over which channels this node can be paid: `listincoming` (`plugins/topology.c:json_listincoming`).

use super::getroute::TOPOLOGY;
use crate::channel::{LocalChannel, PeerPolicy};
use crate::command::Command;
use crate::command::params::Params;
use crate::jsonrpc::RpcRequest;
use crate::peer::PeerState;
use crate::state::State;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::{LocalHalf, eleven_bits_down, eleven_bits_up};
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// A channel of our own, as those see it who pay over it.
struct Incoming {
    /// Its number in the database.
    dbid: u64,
    /// What its peer asks for; the greatest HTLC is one that it could pay now.
    policy: PeerPolicy,
    /// What others could bring to its peer at most.
    capacity_msat: u64,
    /// Whether everybody knows it.
    is_public: bool,
}

/// `listincoming`.
pub(crate) struct Listincoming;

impl Command for Listincoming {
    const NAME: &'static str = "listincoming";

    fn parse(_: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(TOPOLOGY, request);
        node.call_first_of_late(call, "listpeerchannels", &json!({}), |node, call| {
            let incoming = node.incoming();
            let entries: Vec<Value> =
                incoming.iter().filter_map(|incoming| node.incoming_entry(incoming)).collect();
            node.reply(&call.client, &json!({ "incoming": entries }));
            Ok(())
        })
    }
}

impl State {
    /// The channels of which the peer has said what it asks for: those that everybody knows come first.
    fn incoming(&self) -> Vec<Incoming> {
        let local = self.local_halves(false);
        let place = |channel: &&LocalChannel| {
            let known = |scid: ShortChannelId| {
                self.gossip
                    .graph
                    .channels_of(&self.node_id)
                    .position(|other| other.short_channel_id() == scid)
            };
            channel.scid.and_then(known).unwrap_or(usize::MAX)
        };
        let mut channels: Vec<&LocalChannel> = self.channels.iter().collect();
        channels.sort_by_key(place);
        channels.into_iter().filter_map(|channel| self.incoming_over(channel, &local)).collect()
    }

    fn incoming_over(&self, channel: &LocalChannel, local: &[LocalHalf]) -> Option<Incoming> {
        let mut policy = channel.peer_policy?;
        policy.policy.htlc_maximum_msat = policy.policy.htlc_maximum_msat.min(channel.bolt.receivable_msat());
        let scid = channel.scid_or_alias();
        Some(Incoming {
            dbid: channel.dbid,
            policy,
            capacity_msat: self.gossip.graph.capacity_into(&channel.peer, scid, local),
            is_public: self.gossip.graph.channel(scid).is_some(),
        })
    }

    fn incoming_entry(&self, incoming: &Incoming) -> Option<Value> {
        let channel = self.channels.get(incoming.dbid)?;
        let PeerPolicy { policy, cltv_expiry_delta } = incoming.policy;
        let is_connected = self.peers.of(&channel.peer, PeerState::Connected).is_some();
        let mut entry = json!({
            "id": channel.peer.to_string(),
            "short_channel_id": channel.scid_or_alias().to_string(),
            "fee_base_msat": self.amount(policy.fee_base_msat.into()),
            "htlc_min_msat": self.amount(eleven_bits_down(policy.htlc_minimum_msat)),
            "htlc_max_msat": self.amount(eleven_bits_up(policy.htlc_maximum_msat)),
            "fee_proportional_millionths": policy.fee_proportional_millionths,
            "cltv_expiry_delta": cltv_expiry_delta,
            "incoming_capacity_msat": self.amount(incoming.capacity_msat),
            "public": incoming.is_public,
        });
        let peer = self.gossip.graph.node(&channel.peer);
        if let Some(announcement) = peer.and_then(|peer| peer.announcement.as_ref()) {
            entry["peer_features"] = announcement.features.to_string().into();
        }
        entry["enabled"] = (is_connected && channel.state.can_add_htlc()).into();
        Some(entry)
    }
}
