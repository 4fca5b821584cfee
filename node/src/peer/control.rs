//! The commands about peers: `connect`, `disconnect`, `listpeers`, `ping`
//! (`lightningd/connect_control.c`, `peer_control.c`, `ping.c`).

use super::{Peer, PeerState};
use crate::command::params::{Params, Shape};
use crate::input::ConnectionId;
use crate::jsonrpc::RpcRequest;
use crate::output::Output;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::Message;
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};
use std::net::{IpAddr, SocketAddr};

/// `connect` knows no address (`CONNECT_NO_KNOWN_ADDRESS`).
const NO_KNOWN_ADDRESS: i64 = 400;

impl State {
    /// `connect id [host] [port]`; `id` may be `id@host:port`.
    pub(crate) fn command_connect(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("id"), Shape::optional("host"), Shape::optional("port")];
        let params = Params::parse(request, &shape, false)?;
        let (id, host, port) = connect_target(&params)?;
        if let Some(found) = self.peers.of(&id, PeerState::Dialling) {
            let peer = self.peers.get_mut(found).expect("the connection was just found");
            if peer.state == PeerState::Connected {
                let result = connect_result(peer);
                self.reply(&request.client, &result);
            } else {
                peer.connects.push(request.client.clone());
            }
            return Ok(());
        }
        let address = match host {
            Some(host) => resolve(&host, port.unwrap_or(9735))?,
            None => *self.peers.known_addresses.get(&id).ok_or_else(|| {
                RpcError::new(NO_KNOWN_ADDRESS, "Unable to connect, no address known for peer")
            })?,
        };
        let connection = self.peers.dial_id();
        let mut peer = Peer::new(id, address, false, PeerState::Dialling);
        peer.connects.push(request.client.clone());
        self.peers.open.insert(connection, peer);
        self.out.push(Output::Dial(connection, id, address));
        Ok(())
    }

    /// `disconnect id [force]`. Without channels `force` makes no difference.
    pub(crate) fn command_disconnect(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("id"), Shape::optional("force")];
        let params = Params::parse(request, &shape, false)?;
        let id = params.node_id("id")?;
        params.optional_bool("force")?;
        let Some(connection) = self.peers.of(&id, PeerState::AwaitingInit) else {
            return Err(RpcError::new(code::INVALID_PARAMS, format!("Unknown peer '{id}'")));
        };
        self.out.push(Output::ClosePeer(connection));
        self.forget_peer(connection);
        self.reply(&request.client, &json!({}));
        Ok(())
    }

    /// `listpeers [id] [level]`.
    pub(crate) fn command_listpeers(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::optional("id"), Shape::optional("level")];
        let wanted = Params::parse(request, &shape, false)?.optional_node_id("id")?;
        let listed = |(_, peer): &(_, &Peer)| {
            peer.state >= PeerState::InHook && wanted.is_none_or(|wanted| peer.id == wanted)
        };
        let peers: Vec<Value> = self.peers.iter().filter(listed).map(|(_, peer)| peer_entry(peer)).collect();
        self.reply(&request.client, &json!({ "peers": peers }));
        Ok(())
    }

    /// `ping id [len] [pongbytes]`.
    pub(crate) fn command_ping(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("id"), Shape::optional("len"), Shape::optional("pongbytes")];
        let params = Params::parse(request, &shape, false)?;
        let id = params.node_id("id")?;
        let length = params.optional_number("len")?.unwrap_or(128);
        let pong_bytes = params.optional_number("pongbytes")?.unwrap_or(128);
        let invalid = |text: String| RpcError::new(code::INVALID_PARAMS, text);
        let length = usize::try_from(length).ok().filter(|length| *length <= 65535 - 6);
        let length =
            length.ok_or_else(|| invalid(format!("{} would result in oversize ping", params.text("len"))))?;
        let num_pong_bytes =
            u16::try_from(pong_bytes).map_err(|_| invalid(format!("pongbytes {pong_bytes} > 65535")))?;
        let Some(connection) = self.peers.of(&id, PeerState::InHook) else {
            return Err(RpcError::new(code::LIGHTNINGD, "Peer not connected"));
        };
        self.send_message(connection, &Message::Ping { num_pong_bytes, ignored: vec![0; length] });
        if Message::pong(num_pong_bytes).is_none() {
            // So many bytes mean that no pong is wanted (BOLT 1).
            self.reply(&request.client, &json!({ "totlen": 0 }));
        } else if let Some(peer) = self.peers.get_mut(connection) {
            peer.pings.push_back(request.client.clone());
        }
        Ok(())
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

fn peer_entry(peer: &Peer) -> Value {
    let mut entry = Map::new();
    entry.insert("id".to_owned(), peer.id.to_string().into());
    entry.insert("connected".to_owned(), true.into());
    entry.insert("num_channels".to_owned(), 0.into());
    entry.insert("netaddr".to_owned(), json!([peer.address.to_string()]));
    if let Some(address) = peer.remote_addr {
        entry.insert("remote_addr".to_owned(), address.to_string().into());
    }
    entry.insert("features".to_owned(), peer.features.to_string().into());
    entry.into()
}

/// Whom to connect to: `id`, or `id@host`, or `id@host:port`, with the other two parameters.
fn connect_target(params: &Params) -> Result<(PublicKey, Option<String>, Option<u16>), RpcError> {
    let text = params.string("id")?;
    let (mut host, port) = (params.optional_string("host")?, params.optional_number("port")?);
    let bad_port =
        || RpcError::new(code::INVALID_PARAMS, format!("Port {} is not a port", params.text("port")));
    let mut port = port.map(|port| u16::try_from(port).map_err(|_| bad_port())).transpose()?;
    let Some((id, place)) = text.split_once('@') else { return Ok((params.node_id("id")?, host, port)) };
    if host.is_some() {
        let why = "Can't specify host as both xxx@yyy and separate argument";
        return Err(RpcError::new(code::INVALID_PARAMS, why));
    }
    match place.rsplit_once(':') {
        Some((name, number)) => {
            host = Some(name.to_owned());
            port = Some(number.parse().map_err(|_| bad_port())?);
        }
        None => host = Some(place.to_owned()),
    }
    let id = id.parse().map_err(|_| params.wrong("id", "should be a node id"))?;
    Ok((id, host, port))
}

/// Only numeric addresses and `localhost`: a test's node asks no name server.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, RpcError> {
    let name = if host == "localhost" { "127.0.0.1" } else { host };
    let ip = name.trim_start_matches('[').trim_end_matches(']').parse();
    ip.map(|ip| SocketAddr::new(ip, port)).map_err(|_| {
        let text =
            format!("host: should be a numeric address or localhost: invalid token '{}'", json::quoted(host));
        RpcError::new(code::INVALID_PARAMS, text)
    })
}

/// BOLT 7's address descriptor: type 1 is IPv4, type 2 is IPv6.
pub(crate) fn address_descriptor(address: SocketAddr) -> Vec<u8> {
    let mut descriptor = match address.ip() {
        IpAddr::V4(ip) => [&[1], &ip.octets()[..]].concat(),
        IpAddr::V6(ip) => [&[2], &ip.octets()[..]].concat(),
    };
    descriptor.extend(address.port().to_be_bytes());
    descriptor
}

/// The other way round; `None` for other kinds of address.
pub(crate) fn address_of_descriptor(descriptor: &[u8]) -> Option<SocketAddr> {
    let (ip, port): (IpAddr, [u8; 2]) = match descriptor {
        [1, rest @ ..] => (<[u8; 4]>::try_from(rest.get(..4)?).ok()?.into(), rest.get(4..)?.try_into().ok()?),
        [2, rest @ ..] => {
            (<[u8; 16]>::try_from(rest.get(..16)?).ok()?.into(), rest.get(16..)?.try_into().ok()?)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_name_the_same_address_both_ways() {
        for text in ["127.0.0.1:9735", "[::1]:19846"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(address_of_descriptor(&address_descriptor(address)), Some(address));
        }
        assert_eq!(address_of_descriptor(&[1, 127, 0]), None);
    }
}
