//! Onion messages: handed on to the next peer, or shown to plugins (`connectd/onion_message.c`, `lightningd/onion_message.c`).

use super::PeerState;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::jsonrpc::RpcRequest;
use crate::output::Output;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use leyden_bolt::ChannelId;
use leyden_bolt::features::bit;
use leyden_bolt::onion::blinding::FirstNode;
use leyden_bolt::onion::message::{Arrived, NextNode};
use leyden_bolt::onion::{BlindedPath, MessagePayload, OnionMessage};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};

/// One message costs a peer this much of what it has saved up (`connectd.h:ONION_MSG_MSEC`).
const COST: Duration = Duration::from_millis(250);
/// No peer can save more (`ONION_MSG_TOKENS_MAX`).
const SAVED_AT_MOST: Duration = Duration::from_secs(1);
/// A longer packet does not fit into a message with its type, a key and its length.
const LONGEST_PACKET: usize = 65535 - 2 - 33 - 2;

/// How many onion messages a peer may send: time is what it pays with.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// What was left after its last message, and when that came. Before, it has all that can be saved.
    left: Option<(Duration, SystemTime)>,
    warned: bool,
}

impl Allowance {
    /// Pays for one message; false if the peer cannot.
    fn pay(&mut self, now: SystemTime) -> bool {
        let saved = self.left.map_or(SAVED_AT_MOST, |(left, then)| {
            SAVED_AT_MOST.min(left + now.duration_since(then).unwrap_or_default())
        });
        let left = saved.checked_sub(COST);
        self.left = Some((left.unwrap_or(saved), now));
        left.is_some()
    }
}

/// A message that went nowhere.
struct Lost {
    /// What `injectonionmessage` answers.
    why: String,
    /// What would have gone to whom, if that could be read.
    onwards: Option<(NextNode, Vec<u8>)>,
}

impl State {
    /// An `onion_message` of a peer. In CLN it belongs to connectd, which no hook keeps waiting.
    pub(crate) fn onion_message(&mut self, connection: ConnectionId, payload: &[u8]) {
        if !self.has_onion_messages() {
            return;
        }
        let now = (self.clock)();
        let Some(peer) = self.peers.get_mut(connection) else { return };
        let source = peer.id;
        if !peer.onion_messages.pay(now) {
            if !std::mem::replace(&mut peer.onion_messages.warned, true) {
                let text = format!("Ratelimited onion_message: exceeded one per {}msec", COST.as_millis());
                self.send_warning(connection, ChannelId::ALL, &text);
            }
            return;
        }
        let Ok(message) = OnionMessage::decode(payload) else {
            return self.send_warning(connection, ChannelId::ALL, "Bad onion_message");
        };
        if let Err(Lost { onwards, .. }) = self.take_onion_message(&message) {
            let mut fields = Map::new();
            fields.insert("source".to_owned(), source.to_string().into());
            fields.insert("incoming".to_owned(), hex::encode(message.packet.as_bytes()).into());
            fields.insert("path_key".to_owned(), message.path_key.to_string().into());
            if let Some((next, onwards)) = onwards {
                fields.insert("outgoing".to_owned(), hex::encode(onwards).into());
                let name = match next {
                    NextNode::Id(_) => "next_node_id",
                    NextNode::Channel(_) => "next_short_channel_id_dir",
                };
                fields.insert(name.to_owned(), next.to_string().into());
            }
            self.notify("onionmessage_forward_fail", fields.into());
        }
    }

    fn has_onion_messages(&self) -> bool {
        self.peer_features.node.offers(bit::ONION_MESSAGES)
    }

    fn take_onion_message(&mut self, message: &OnionMessage) -> Result<(), Lost> {
        match message.peel(&self.node_key) {
            Ok(Arrived::Here { path_id, payload }) => {
                self.ask_about_onion_message(path_id.as_deref(), &payload);
                Ok(())
            }
            Ok(Arrived::Forward { next, message }) => self.forward_onion_message(next, message.encode()),
            Err(error) => Err(Lost { why: error.to_string(), onwards: None }),
        }
    }

    fn forward_onion_message(&mut self, next: NextNode, message: Vec<u8>) -> Result<(), Lost> {
        let id = match next {
            NextNode::Id(id) => id,
            NextNode::Channel(scid) => match self.channels.by_scid(scid) {
                Some(channel) => channel.peer,
                None => {
                    let why = format!("onion msg: unknown next scid {scid}");
                    return Err(Lost { why, onwards: Some((next, message)) });
                }
            },
        };
        let Some(connection) = self.peers.of(&id, PeerState::InHook) else {
            let why = format!("onion msg: unknown next peer {next}");
            return Err(Lost { why, onwards: Some((next, message)) });
        };
        self.out.push(Output::ToPeer(connection, message));
        Ok(())
    }

    /// A message for this node: plugins are asked, for nobody else understands it. The hook depends on whether it came over a path of
    /// this node's own.
    fn ask_about_onion_message(&mut self, path_id: Option<&[u8]>, message: &MessagePayload) {
        let secret = path_id.filter(|id| id.len() == 32);
        let told = |said: bool, text| if said { text } else { "" };
        let with_secret = told(secret.is_some(), " with pathsecret");
        let with_path = told(message.reply_path.is_some(), " reply_path");
        self.log_main(LogLevel::Debug, &format!("Got onionmsg{with_secret}{with_path}"));
        let hook = if secret.is_some() { "onion_message_recv_secret" } else { "onion_message_recv" };
        let payload = json!({ "onion_message": fields(secret, message) }).to_string();
        self.call_hook(hook, FilterKey::None, payload, None, Subject::OnionMessage);
    }

    /// A plugin's answer to either hook: who does not continue has taken care of it.
    pub(crate) fn onion_message_answer(result: &str) -> Verdict {
        match json::member(result, "result") {
            Some(r#""continue""#) => Verdict::Next,
            _ => Verdict::Stop,
        }
    }
}

/// What plugins are told of a message.
fn fields(secret: Option<&[u8]>, message: &MessagePayload) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(secret) = secret {
        add("pathsecret", hex::encode(secret).into());
    }
    if let Some(path) = &message.reply_path {
        add("reply_blindedpath", path_json(path).into());
    }
    let blobs = [
        ("invoice_request", &message.invoice_request),
        ("invoice", &message.invoice),
        ("invoice_error", &message.invoice_error),
    ];
    for (name, blob) in blobs {
        if let Some(blob) = blob {
            add(name, hex::encode(blob).into());
        }
    }
    let unknown = message.others.iter();
    let unknown = unknown.map(|(number, value)| json!({ "number": number, "value": hex::encode(value) }));
    add("unknown_fields", unknown.collect());
    fields
}

/// As `json_add_blindedpath` writes it.
fn path_json(path: &BlindedPath) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match path.first_node {
        FirstNode::Id(id) => drop(add("first_node_id", id.to_string().into())),
        FirstNode::Channel { short_channel_id, direction } => {
            add("first_scid", short_channel_id.to_string().into());
            add("first_scid_dir", direction.into());
        }
    }
    add("first_path_key", path.first_path_key.to_string().into());
    let hops = path.hops.iter().map(|hop| {
        let encrypted = hex::encode(&hop.encrypted_recipient_data);
        json!({ "blinded_node_id": hop.blinded_node_id.to_string(), "encrypted_recipient_data": encrypted })
    });
    add("hops", hops.collect());
    fields
}

/// `injectonionmessage path_key message`.
pub(crate) struct Injectonionmessage(OnionMessage);

impl Command for Injectonionmessage {
    const NAME: &'static str = "injectonionmessage";
    const TAKES: &'static [Shape] = &[Shape::required("path_key"), Shape::required("message")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let path_key = params.pubkey("path_key")?;
        let packet = params.optional_hex("message").unwrap_or_default();
        if !node.has_onion_messages() {
            return Err(RpcError::new(code::LIGHTNINGD, "experimental-onion-messages not enabled"));
        }
        if packet.len() > LONGEST_PACKET {
            return Err(invalid("onion message too long".to_owned()));
        }
        Ok(Self(OnionMessage { path_key, packet: packet.into() }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let taken = node.take_onion_message(&self.0);
        taken.map_err(|Lost { why, .. }| RpcError::new(code::LIGHTNINGD, why))?;
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}
