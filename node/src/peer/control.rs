//! The commands about peers: `connect`, `disconnect`, `listpeers`, `ping`
//! (`lightningd/connect_control.c`, `peer_control.c`, `ping.c`).

use super::{Peer, PeerState};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::jsonrpc::RpcRequest;
use crate::output::Output;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::Message;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// `connect` knows no address (`CONNECT_NO_KNOWN_ADDRESS`).
pub(crate) const NO_KNOWN_ADDRESS: i64 = 400;

/// The port of a peer on regtest if none is said.
const DEFAULT_PORT: u16 = 19846;

/// `connect id [host] [port]`; `id` may be `id@host:port`.
pub(crate) struct Connect {
    id: PublicKey,
    address: Option<SocketAddr>,
}

impl Command for Connect {
    const NAME: &'static str = "connect";
    const TAKES: &'static [Shape] =
        &[Shape::required("id"), Shape::optional("host"), Shape::optional("port")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let (id, host, port) =
            connect_target(params, params.optional_string("host"), optional_port(params)?)?;
        Ok(Self { id, address: address(host, port)? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { id, address } = self;
        if let Some(found) = node.peers.of(&id, PeerState::Dialling) {
            let peer = node.peers.get_mut(found).expect("the connection was just found");
            if peer.state == PeerState::Connected {
                let result = connect_result(peer);
                node.reply(&request.client, &result);
            } else {
                peer.connects.push(request.client.clone());
            }
            return Ok(());
        }
        let address = address
            .or_else(|| node.peers.known_addresses.get(&id).copied())
            .ok_or_else(|| RpcError::new(NO_KNOWN_ADDRESS, "Unable to connect, no address known for peer"))?;
        let connection = node.dial(id, address);
        if let Some(peer) = node.peers.get_mut(connection) {
            peer.connects.push(request.client.clone());
        }
        Ok(())
    }
}

/// `disconnect id [force]`: a peer with channels only by `force`.
pub(crate) struct Disconnect {
    connection: ConnectionId,
}

impl Command for Disconnect {
    const NAME: &'static str = "disconnect";
    const TAKES: &'static [Shape] = &[Shape::required("id"), Shape::optional("force")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let id: PublicKey =
            params.string("id")?.parse().map_err(|_| params.wrong("id", "invalid peer id"))?;
        let force = params.optional_bool("force")?.unwrap_or(false);
        let connection = node.peers.of(&id, PeerState::AwaitingInit);
        let connection = connection.ok_or_else(|| invalid(format!("Unknown peer '{id}'")))?;
        let needed = node.channels.of_peer(&id).find(|channel| channel.state.wants_peer());
        if let Some(channel) = needed.filter(|_| !force) {
            let text = format!("Peer has (at least one) channel in state {}", channel.state);
            return Err(RpcError::new(code::LIGHTNINGD, text));
        }
        Ok(Self { connection })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.out.push(Output::ClosePeer(self.connection));
        node.forget_peer(self.connection);
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

/// `listpeers [id] [level]`.
pub(crate) struct Listpeers {
    id: Option<PublicKey>,
}

impl Command for Listpeers {
    const NAME: &'static str = "listpeers";
    const TAKES: &'static [Shape] = &[Shape::optional("id"), Shape::optional("level")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let id = params.optional_node_id("id")?;
        if params.optional_string("level").is_some_and(|level| level.parse::<LogLevel>().is_err()) {
            return Err(params.wrong("level", "should be 'io', 'debug', 'info', or 'unusual'"));
        }
        Ok(Self { id })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let listed = |(_, peer): &(_, &Peer)| {
            peer.state >= PeerState::InHook && self.id.is_none_or(|wanted| peer.id == wanted)
        };
        let open = node.peers.iter().filter(listed).map(|(_, peer)| node.peer_entry(peer));
        let mut peers: Vec<Value> = open.collect();
        peers.extend(node.absent_peers(self.id).iter().map(|peer| {
            let count = node.channels.of_peer(peer).count();
            let mut entry = json!({ "id": peer.to_string(), "connected": false, "num_channels": count });
            if node.profile.lists_channels_with_peers() {
                entry["channels"] = node.channels_with(peer);
            }
            entry
        }));
        node.reply(&request.client, &json!({ "peers": peers }));
        Ok(())
    }
}

/// `ping id [len] [pongbytes]`.
pub(crate) struct Ping {
    connection: ConnectionId,
    length: u16,
    num_pong_bytes: u16,
}

/// What BOLT 1 leaves of a message for the content of a ping.
const LONGEST_PING: u16 = u16::MAX - 6;

impl Command for Ping {
    const NAME: &'static str = "ping";
    const TAKES: &'static [Shape] =
        &[Shape::required("id"), Shape::optional("len"), Shape::optional("pongbytes")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let id = params.node_id("id")?;
        let length = params.optional_integer("len")?.unwrap_or(128);
        let pong_bytes = params.optional_integer("pongbytes")?.unwrap_or(128);
        let fits = u16::try_from(length).ok().filter(|length| *length <= LONGEST_PING);
        let length = fits.ok_or_else(|| invalid(format!("{length} would result in oversize ping")))?;
        let num_pong_bytes =
            u16::try_from(pong_bytes).map_err(|_| invalid(format!("pongbytes {pong_bytes} > 65535")))?;
        let connection = node.peers.of(&id, PeerState::InHook);
        let connection = connection.ok_or_else(|| RpcError::new(code::LIGHTNINGD, "Peer not connected"))?;
        Ok(Self { connection, length, num_pong_bytes })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { connection, length, num_pong_bytes } = self;
        let ping = Message::Ping { num_pong_bytes, ignored: vec![0; usize::from(length)] };
        node.send_message(connection, &ping);
        if Message::pong(num_pong_bytes).is_none() {
            // So many bytes mean that no pong is wanted (BOLT 1).
            node.reply(&request.client, &json!({ "totlen": 0 }));
        } else if let Some(peer) = node.peers.get_mut(connection) {
            peer.pings.push_back(request.client.clone());
        }
        Ok(())
    }
}

impl State {
    /// Begins to connect to a peer.
    pub(crate) fn dial(&mut self, id: PublicKey, address: SocketAddr) -> ConnectionId {
        let connection = self.peers.dial_id();
        self.peers.open.insert(connection, Peer::new(id, address, false, PeerState::Dialling));
        self.out.push(Output::Dial(connection, id, address));
        connection
    }

    /// Answers the oldest `ping` of a connection.
    pub(crate) fn pong_received(&mut self, connection: ConnectionId, ignored: usize) {
        let client = self.peers.get_mut(connection).and_then(|peer| peer.pings.pop_front());
        if let Some(client) = client {
            // The whole pong: type, length, content.
            self.reply(&client, &json!({ "totlen": ignored + 4 }));
        }
    }
}

/// The answer to `connect`.
pub(crate) fn connect_result(peer: &Peer) -> Value {
    json!({
        "id": peer.id.to_string(),
        "features": peer.features.to_string(),
        "direction": peer.direction(),
        "address": address_json(peer.address),
    })
}

/// An address as lightningd shows it.
pub(crate) fn address_json(address: SocketAddr) -> Value {
    let kind = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    json!({ "type": kind, "address": address.ip().to_string(), "port": address.port() })
}

impl State {
    fn peer_entry(&self, peer: &Peer) -> Value {
        let mut entry = Map::new();
        entry.insert("id".to_owned(), peer.id.to_string().into());
        entry.insert("connected".to_owned(), true.into());
        entry.insert("num_channels".to_owned(), self.channels.of_peer(&peer.id).count().into());
        entry.insert("netaddr".to_owned(), json!([peer.address.to_string()]));
        if let Some(address) = peer.remote_addr {
            entry.insert("remote_addr".to_owned(), address.to_string().into());
        }
        entry.insert("features".to_owned(), peer.features.to_string().into());
        if self.profile.lists_channels_with_peers() {
            entry.insert("channels".to_owned(), self.channels_with(&peer.id));
        }
        entry.into()
    }

    fn channels_with(&self, peer: &PublicKey) -> Value {
        self.channels.of_peer(peer).map(|channel| self.peer_channel_entry(channel)).collect()
    }

    /// Peers with channels that are not connected.
    pub(crate) fn absent_peers(&self, wanted: Option<PublicKey>) -> BTreeSet<PublicKey> {
        let peers = self.channels.iter().map(|channel| channel.peer);
        let is_listed = |peer: &PublicKey| {
            wanted.is_none_or(|wanted| wanted == *peer) && self.peers.of(peer, PeerState::InHook).is_none()
        };
        peers.filter(is_listed).collect()
    }
}

/// Whom to connect to: `id`, or `id@host`, or `id@host:port`, with the other two parameters.
fn connect_target(
    params: &Params,
    host: Option<String>,
    port: Option<u16>,
) -> Result<(PublicKey, Option<String>, Option<u16>), RpcError> {
    let text = params.string("id")?;
    let (id, place) = text.split_once('@').map_or((&*text, None), |(id, place)| (id, Some(place)));
    let id = id.parse().map_err(|_| params.wrong("id", "should be a node id"))?;
    let Some(place) = place else { return Ok((id, host, port)) };
    let (place, place_port) = host_and_port(place).ok_or_else(|| invalid("malformed host @part"))?;
    if host.is_some() {
        return Err(invalid("Can't specify host as both xxx@yyy and separate argument"));
    }
    if place_port.is_some() && port.is_some() {
        return Err(invalid("Can't specify port as both xxx@yyy:port and separate argument"));
    }
    Ok((id, Some(place.to_owned()), place_port.or(port)))
}

fn address(host: Option<String>, port: Option<u16>) -> Result<Option<SocketAddr>, RpcError> {
    match (host, port) {
        (Some(host), port) => resolve(&host, port.unwrap_or(DEFAULT_PORT)).map(Some),
        (None, Some(_)) => Err(invalid("Can't specify port without host")),
        (None, None) => Ok(None),
    }
}

fn optional_port(params: &Params) -> Result<Option<u16>, RpcError> {
    match params.optional_u16("port")? {
        Some(0) => Err(params.wrong("port", "should be non-zero")),
        port => Ok(port),
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; a bare IPv6 address is a host.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    Some((host, port))
}

/// Only numeric addresses and `localhost`: a test's node asks no name server.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, RpcError> {
    let refuse = |why: &str| RpcError::new(code::LIGHTNINGD, format!("Host {host}:{port} {why}"));
    if host.is_empty() {
        return Err(refuse("not a simple type"));
    }
    let not_found = || refuse("not valid: Name or service not known");
    let (name, own_port) = host_and_port(host).ok_or_else(not_found)?;
    let name = if name == "localhost" { "127.0.0.1" } else { name };
    name.parse().map(|ip| SocketAddr::new(ip, own_port.unwrap_or(port))).map_err(|_| not_found())
}
