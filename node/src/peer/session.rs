//! A connection's life: transport, `init`, the `peer_connected` hook, messages, end
//! (`connectd/connectd.c`, `lightningd/peer_control.c`).

use super::connectd::TransportKeys;
use super::control::{address_json, connect_result};
use super::{Peer, PeerState};
use crate::event::LogLevel;
use crate::input::{ConnectionId, PeerInput};
use crate::output::Output;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ChannelId;
use leyden_bolt::gossip::Address;
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::onion::OnionMessage;
use leyden_bolt::{Init, Message};
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Map, json};
use std::net::{IpAddr, SocketAddr};

/// No address worked (`CONNECT_ALL_ADDRESSES_FAILED`).
const ALL_ADDRESSES_FAILED: i64 = 401;
/// The peer went away before it was connected (`CONNECT_DISCONNECTED_DURING`).
const DISCONNECTED_DURING: i64 = 402;

impl State {
    /// Keys for one listener or one dial.
    pub(crate) fn transport_keys(&mut self) -> TransportKeys {
        TransportKeys { node: self.node_key, seed: self.entropy.draw() }
    }

    /// Something happened on a connection.
    pub(crate) fn peer_input(&mut self, connection: ConnectionId, input: PeerInput) {
        match input {
            PeerInput::Connected { id, address, incoming } => {
                self.transport_up(connection, id, address, incoming);
            }
            PeerInput::Failed(why) => self.dial_failed(connection, &why),
            PeerInput::Message(bytes) => match Message::decode(&bytes) {
                Ok(message) => self.peer_message(connection, message),
                Err(error) => self.warn_and_close(connection, &error.to_string()),
            },
            PeerInput::Closed => {
                self.out.push(Output::ClosePeer(connection));
                self.forget_peer(connection);
            }
        }
    }

    fn transport_up(&mut self, connection: ConnectionId, id: PublicKey, address: SocketAddr, incoming: bool) {
        if incoming {
            self.peers.open.insert(connection, Peer::new(id, address, true, PeerState::AwaitingInit));
        }
        // Without an entry the dial was given up meanwhile.
        let Some(peer) = self.peers.get_mut(connection) else {
            return self.out.push(Output::ClosePeer(connection));
        };
        peer.state = PeerState::AwaitingInit;
        let way = if incoming { "IN" } else { "OUT" };
        self.log(LogLevel::Debug, &format!("{id}-connectd"), &format!("Connect {way}"));
        let features = &self.peer_features;
        let mut init = Init::new(features.global_init.clone(), features.init.clone(), &[ChainHash::REGTEST]);
        if incoming {
            init = init.with_remote_addr(Address::Ip(address).encode());
        }
        self.send_message(connection, &Message::Init(init));
    }

    /// Sends a message to a peer.
    pub(crate) fn send_message(&mut self, connection: ConnectionId, message: &Message) {
        self.out.push(Output::ToPeer(connection, message.encode()));
    }

    fn dial_failed(&mut self, connection: ConnectionId, why: &str) {
        self.out.push(Output::ClosePeer(connection));
        let Some(peer) = self.peers.open.remove(&connection) else { return };
        let text = format!("All addresses failed: {why}");
        let source = format!("{}-connectd", peer.id);
        self.log(LogLevel::Debug, &source, &format!("Failed connected out: {text}"));
        let error = RpcError::new(ALL_ADDRESSES_FAILED, text);
        for client in peer.connects {
            self.reply_error(&client, &error);
        }
        self.schedule_reconnect(&peer.id);
    }

    fn peer_message(&mut self, connection: ConnectionId, message: Message) {
        let Some(peer) = self.peers.get_mut(connection) else { return };
        match (peer.state, message) {
            (PeerState::AwaitingInit, Message::Init(init)) => self.peer_init(connection, &init),
            (PeerState::AwaitingInit, other) => {
                let text = format!("Expected init, got message {}", other.msg_type());
                self.warn_and_close(connection, &text);
            }
            // In CLN these belong to connectd, which no hook keeps waiting.
            (_, Message::Ping { num_pong_bytes, .. }) => {
                if let Some(pong) = Message::pong(num_pong_bytes) {
                    self.send_message(connection, &pong);
                }
            }
            (_, Message::Pong { ignored }) => self.pong_received(connection, ignored.len()),
            (_, Message::Unknown { msg_type: OnionMessage::TYPE, payload }) => {
                self.onion_message(connection, &payload);
            }
            (_, Message::Unknown { msg_type, payload }) if is_gossip(msg_type) => {
                self.gossip_message(connection, msg_type, &payload);
            }
            (PeerState::Connected, message) if !peer.in_custommsg => self.dispatch(connection, message),
            (_, message) => peer.gate.push_back(message),
        }
    }

    fn dispatch(&mut self, connection: ConnectionId, message: Message) {
        let Some(source) = self.peers.get(connection).map(|peer| format!("{}-connectd", peer.id)) else {
            return;
        };
        match message {
            Message::Unknown { msg_type, payload } => match ChannelMessage::decode(msg_type, &payload) {
                None => self.unknown_message(connection, msg_type, &payload),
                Some(Ok(message)) => self.channel_message(connection, message),
                Some(Err(error)) => self.warn_and_close(connection, &error.to_string()),
            },
            Message::Warning { channel_id, data } => {
                drop(self.log_complaint(&source, "WARNING", channel_id, &data));
            }
            Message::Error { channel_id, data } => {
                let text = self.log_complaint(&source, "ERROR", channel_id, &data);
                self.channel_error_received(connection, channel_id, &text);
            }
            Message::Init(_) | Message::Ping { .. } | Message::Pong { .. } => {}
        }
    }

    /// What the peer says is printed only if it can be (`common/wire_error.c:sanitize_error`).
    fn log_complaint(&mut self, source: &str, kind: &str, channel_id: ChannelId, data: &[u8]) -> String {
        let channel = match channel_id {
            ChannelId::ALL => String::new(),
            one => format!(" channel {one}"),
        };
        let is_printable = data.iter().all(|byte| matches!(byte, 32..=127));
        let words = if is_printable { String::from_utf8_lossy(data).into_owned() } else { hex::encode(data) };
        self.log(LogLevel::Debug, source, &format!("peer_in WIRE_{kind}"));
        let text = format!("{kind}{channel}: {words}");
        self.log(LogLevel::Info, source, &format!("Received WIRE_{kind}: {text}"));
        text
    }

    /// Dispatches what has waited, until something makes it wait again.
    pub(crate) fn open_gate(&mut self, connection: ConnectionId) {
        while let Some(peer) = self.peers.get_mut(connection) {
            if peer.in_custommsg {
                return;
            }
            let Some(message) = peer.gate.pop_front() else { return };
            self.dispatch(connection, message);
        }
    }

    fn peer_init(&mut self, connection: ConnectionId, init: &Init) {
        let features = init.all_features();
        if let Some(networks) = init.networks()
            && !networks.contains(&ChainHash::REGTEST)
        {
            return self.warn_and_close(connection, "No common chain");
        }
        if let Err(error) = features.check(&self.peer_features.init) {
            return self.warn_and_close(connection, &error.to_string());
        }
        let remote_addr = init.remote_addr().and_then(socket_address);
        let remote_addr = remote_addr.filter(|address| self.tells_where_we_are(address));
        let Some(peer) = self.peers.get_mut(connection) else { return };
        peer.features = features;
        peer.remote_addr = remote_addr;
        peer.state = PeerState::InHook;
        let id = peer.id;
        self.replace_older(connection, id);
        self.gossip_with(connection);
        self.ask_peer_connected(connection);
    }

    /// Whether an address says anything about where we are.
    pub(crate) fn tells_where_we_are(&self, address: &SocketAddr) -> bool {
        self.config.allow_localhost || is_public(address)
    }

    /// A peer that connects again means it: the older connection goes (`connectd.c:peer_reconnected`).
    fn replace_older(&mut self, connection: ConnectionId, id: PublicKey) {
        let older: Vec<ConnectionId> = self
            .peers
            .iter()
            .filter(|(other, peer)| *other != connection && peer.id == id && peer.state >= PeerState::InHook)
            .map(|(other, _)| other)
            .collect();
        for other in older {
            self.log(LogLevel::Debug, &format!("{id}-lightningd"), "peer reconnected");
            self.out.push(Output::ClosePeer(other));
            self.forget_peer(other);
        }
    }

    fn ask_peer_connected(&mut self, connection: ConnectionId) {
        let Some(peer) = self.peers.get(connection) else { return };
        let mut fields = Map::new();
        fields.insert("id".to_owned(), peer.id.to_string().into());
        if self.profile.peer_connected_has_direction() {
            fields.insert("direction".to_owned(), peer.direction().into());
        }
        fields.insert("addr".to_owned(), peer.address.to_string().into());
        if let Some(address) = peer.remote_addr.filter(|_| self.profile.peer_connected_has_remote_addr()) {
            fields.insert("remote_addr".to_owned(), address.to_string().into());
        }
        fields.insert("features".to_owned(), peer.features.to_string().into());
        let cause = peer.connects.first().map(|client| client.id.clone());
        let payload = json!({ "peer": fields }).to_string();
        let subject = Subject::PeerConnected(connection);
        self.call_hook("peer_connected", FilterKey::None, payload, cause, subject);
    }

    /// A plugin's answer to `peer_connected`.
    pub(crate) fn peer_connected_answer(
        &mut self,
        connection: ConnectionId,
        result: &str,
        response: &str,
    ) -> Verdict {
        match json::member(result, "result") {
            Some(r#""continue""#) => Verdict::Next,
            Some(r#""disconnect""#) => {
                // The real one prints the bytes of the message to be sent, which are never text.
                self.log_main(LogLevel::Debug, "peer_connected hook rejects and says ''");
                self.reject_peer(connection, json::member(result, "error_message"));
                Verdict::Stop
            }
            _ => {
                self.fatal(&format!(
                    "Plugin returned an invalid response to the peer_connected hook: {response}"
                ));
                Verdict::Stop
            }
        }
    }

    /// A plugin does not want the peer, which may have gone, or come again, meanwhile.
    fn reject_peer(&mut self, connection: ConnectionId, message: Option<&str>) {
        if self.peers.get(connection).is_none() {
            return;
        }
        match message {
            Some(message) => self.warn_and_close(connection, json::content(message)),
            None => {
                self.out.push(Output::ClosePeer(connection));
                self.forget_peer(connection);
            }
        }
    }

    /// Every plugin let the peer in.
    pub(crate) fn peer_connected_final(&mut self, connection: ConnectionId) {
        // It may have gone, or come again, while plugins were asked.
        let Some(peer) = self.peers.get_mut(connection) else { return };
        peer.state = PeerState::Connected;
        let (id, address, direction) = (peer.id, peer.address, peer.direction());
        let clients = std::mem::take(&mut peer.connects);
        let result = connect_result(peer);
        if !peer.incoming {
            self.peers.known_addresses.insert(id, address);
        }
        for client in clients {
            self.reply(&client, &result);
        }
        let fields = if self.profile.connect_is_detailed() {
            json!({ "id": id.to_string(), "direction": direction, "address": address_json(address) })
        } else {
            json!({ "id": id.to_string(), "address": address.ip().to_string() })
        };
        let has_channel = self.channels.of_peer(&id).any(|channel| channel.state.wants_peer());
        if !has_channel || self.profile.connect_is_of_channel_peers() {
            self.notify("connect", fields);
        }
        self.peer_ready(connection);
        self.open_gate(connection);
    }

    /// Tells a peer why it is not wanted, and closes.
    pub(crate) fn warn_and_close(&mut self, connection: ConnectionId, text: &str) {
        let warning = Message::Warning { channel_id: ChannelId::ALL, data: text.as_bytes().to_vec() };
        self.send_message(connection, &warning);
        self.out.push(Output::ClosePeer(connection));
        self.forget_peer(connection);
    }

    /// Settles what a connection that is gone has left open.
    pub(crate) fn forget_peer(&mut self, connection: ConnectionId) {
        let Some(peer) = self.peers.open.remove(&connection) else { return };
        let error = RpcError::new(DISCONNECTED_DURING, "disconnected during connection");
        for client in peer.connects.iter().chain(&peer.pings) {
            self.reply_error(client, &error);
        }
        if peer.state >= PeerState::InHook {
            let id = peer.id;
            self.log(LogLevel::Debug, &format!("{id}-lightningd"), "peer_disconnected");
            self.notify("disconnect", json!({ "id": id.to_string() }));
            self.peer_gone(connection, &id);
        }
    }
}

/// Messages of gossip and about it, but for those that only concern a channel (BOLT 7).
fn is_gossip(msg_type: u16) -> bool {
    matches!(msg_type, 256..=258 | 261..=265)
}

/// The address in a descriptor, if it is one of the internet.
pub(crate) fn socket_address(descriptor: &[u8]) -> Option<SocketAddr> {
    Address::decode_all(descriptor).ok()?.first()?.socket()
}

/// Whether an address says anything about where we are on the internet. lightningd believes no other
/// (`connectd.c:address_routable`).
fn is_public(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local()),
    }
}
