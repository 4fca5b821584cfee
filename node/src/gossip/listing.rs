//! `listchannels`, `listnodes` and `addgossip` (`plugins/topology.c`, `lightningd/gossip_control.c`).

use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::peer::control::address_json;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::{Address, Channel, Node};
use leyden_bolt::message::GossipMessage;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};

/// `listchannels [short_channel_id] [source] [destination]`.
pub(crate) enum Listchannels {
    All,
    Of(ShortChannelId),
    From(PublicKey),
    To(PublicKey),
}

impl Command for Listchannels {
    const NAME: &'static str = "listchannels";
    const TAKES: &'static [Shape] =
        &[Shape::optional("short_channel_id"), Shape::optional("source"), Shape::optional("destination")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let scid = params.optional_short_channel_id("short_channel_id")?;
        let (source, destination) =
            (params.optional_node_id("source")?, params.optional_node_id("destination")?);
        match (scid, source, destination) {
            (None, None, None) => Ok(Self::All),
            (Some(scid), None, None) => Ok(Self::Of(scid)),
            (None, Some(source), None) => Ok(Self::From(source)),
            (None, None, Some(destination)) => Ok(Self::To(destination)),
            _ => Err(invalid("Can only specify one of `short_channel_id`, `source` or `destination`")),
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let graph = &node.gossip.graph;
        let both = |channel| [(channel, 0), (channel, 1)];
        let halves: Vec<(&Channel, u8)> = match self {
            Self::All => graph.channels().flat_map(both).collect(),
            Self::Of(scid) => graph.channel(scid).into_iter().flat_map(both).collect(),
            Self::From(id) => graph.channels_of(&id).map(|one| (one, one.direction_from(&id))).collect(),
            Self::To(id) => graph.channels_of(&id).map(|one| (one, 1 - one.direction_from(&id))).collect(),
        };
        let entries =
            halves.into_iter().filter_map(|(channel, direction)| node.listed_channel(channel, direction));
        let channels: Vec<Value> = entries.collect();
        node.reply(&request.client, &json!({ "channels": channels }));
        Ok(())
    }
}

/// `listnodes [id]`.
pub(crate) struct Listnodes {
    id: Option<PublicKey>,
}

impl Command for Listnodes {
    const NAME: &'static str = "listnodes";
    const TAKES: &'static [Shape] = &[Shape::optional("id")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { id: params.optional_node_id("id")? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let listed = |one: &&Node| self.id.is_none_or(|id| one.id == id);
        let nodes: Vec<Value> = node.gossip.graph.nodes().filter(listed).map(node_entry).collect();
        node.reply(&request.client, &json!({ "nodes": nodes }));
        Ok(())
    }
}

/// `addgossip message`.
pub(crate) struct Addgossip {
    message: Vec<u8>,
}

impl Command for Addgossip {
    const NAME: &'static str = "addgossip";
    const TAKES: &'static [Shape] = &[Shape::required("message")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        params.required_raw("message")?;
        Ok(Self { message: params.optional_hex("message").unwrap_or_default() })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.gossip_added(&self.message).map_err(|why| RpcError::new(code::LIGHTNINGD, why))?;
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

impl State {
    /// Gossip that does not come from a peer.
    fn gossip_added(&mut self, message: &[u8]) -> Result<(), String> {
        let unexpected = || "unexpected message type".to_owned();
        let (number, payload) = message.split_first_chunk().ok_or_else(unexpected)?;
        match GossipMessage::decode(u16::from_be_bytes(*number), payload) {
            Some(Ok(GossipMessage::ChannelAnnouncement(channel))) => self.channel_announced(None, channel),
            Some(Ok(GossipMessage::ChannelUpdate(update))) => self.channel_updated(None, update),
            Some(Ok(GossipMessage::NodeAnnouncement(node))) => self.node_announced(None, node),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(_)) | None => Err(unexpected()),
        }
    }

    /// A direction of a channel, if anything was said of it.
    fn listed_channel(&self, channel: &Channel, direction: u8) -> Option<Value> {
        let update = channel.updates[usize::from(direction)].as_ref()?;
        Some(json!({
            "source": channel.source(direction).to_string(),
            "destination": channel.destination(direction).to_string(),
            "short_channel_id": channel.short_channel_id().to_string(),
            "direction": direction,
            "public": true,
            "amount_msat": self.amount(channel.capacity_sat * 1_000),
            "message_flags": update.message_flags,
            "channel_flags": update.channel_flags,
            "active": update.is_enabled(),
            "last_update": update.timestamp,
            "base_fee_millisatoshi": update.fee_base_msat,
            "fee_per_millionth": update.fee_proportional_millionths,
            "delay": update.cltv_expiry_delta,
            "htlc_minimum_msat": self.amount(update.htlc_minimum_msat),
            "htlc_maximum_msat": self.amount(update.htlc_maximum_msat),
            "features": channel.announcement.features.to_string(),
        }))
    }
}

fn node_entry(node: &Node) -> Value {
    let mut entry = Map::new();
    entry.insert("nodeid".to_owned(), node.id.to_string().into());
    if let Some(announcement) = &node.announcement {
        // Up to the first zero; what is no UTF-8 is written as lightningd escapes it.
        let name = announcement.alias.split(|byte| *byte == 0).next().unwrap_or_default();
        entry.insert("alias".to_owned(), String::from_utf8_lossy(name).into());
        entry.insert("color".to_owned(), hex::encode(announcement.rgb_color).into());
        entry.insert("last_timestamp".to_owned(), announcement.timestamp.into());
        entry.insert("features".to_owned(), announcement.features.to_string().into());
        let addresses = Address::decode_all(&announcement.addresses).unwrap_or_default();
        let addresses: Vec<Value> = addresses.iter().map(announced_address).collect();
        entry.insert("addresses".to_owned(), addresses.into());
    }
    entry.into()
}

/// An address as lightningd shows it.
pub(crate) fn announced_address(address: &Address) -> Value {
    match address {
        Address::Ip(address) => address_json(*address),
        Address::Onion(name, port) => {
            let kind = if name.len() == 35 { "torv3" } else { "torv2" };
            json!({ "type": kind, "address": format!("{}.onion", base32(name)), "port": port })
        }
        Address::Dns(name, port) => json!({ "type": "dns", "address": name, "port": port }),
    }
}

/// RFC 4648 in lower case; the names of onion services need no filling up.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |index: usize| bytes[index / 8] >> (7 - index % 8) & 1;
    let letter = |at: usize| (at * 5..at * 5 + 5).fold(0, |letter, index| letter << 1 | bit(index));
    (0..bytes.len() * 8 / 5).map(|at| char::from(LETTERS[usize::from(letter(at))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_onion_service_is_named_in_base32() {
        // RFC 4648 has fooba and its code.
        assert_eq!(base32(b"foobafooba"), "mzxw6ytbmzxw6ytb");
    }
}
