//! Messages that only plugins understand (`lightningd/connect_control.c`), and those that lightningd would, but not this node.

use super::PeerState;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::jsonrpc::RpcRequest;
use crate::output::Output;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use leyden_bolt::{ChannelId, Message};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};

/// Two types that name no channel at the beginning of their payload.
const PROTOCOL_BATCH_ELEMENT: u16 = 0;
const OPEN_CHANNEL2: u16 = 64;

/// What stands before the channel in `open_channel2`.
const CHAIN_HASH_LENGTH: usize = 32;

impl State {
    /// A message of a type that the node does not know.
    pub(crate) fn unknown_message(&mut self, connection: ConnectionId, msg_type: u16, payload: &[u8]) {
        let message = hex::encode([&msg_type.to_be_bytes(), payload].concat());
        if let Some(name) = self.profile.internal_message(msg_type) {
            return self.refuse_message(connection, msg_type, name, payload, &message);
        }
        let understood =
            self.plugins.iter().any(|(_, plugin)| plugin.manifest.custommessages.contains(&msg_type));
        if !Message::may_be_ignored(msg_type) && !understood {
            return self.warn_and_close(connection, &format!("Invalid unknown even msg {message}"));
        }
        let Some(peer) = self.peers.get_mut(connection) else { return };
        peer.in_custommsg = true;
        let id = peer.id.to_string();
        self.notify("custommsg", json!({ "peer_id": id, "payload": message }));
        let members = self.profile.custommsg_payload(self.config.allow_deprecated_apis, &id, &message);
        let payload: Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let payload = Value::from(payload).to_string();
        let subject = Subject::Custommsg(connection);
        self.call_hook("custommsg", FilterKey::MessageType(msg_type), payload, None, subject);
    }

    /// A message that lightningd keeps from plugins. What this node makes nothing of it refuses as lightningd does where no channel
    /// is meant that it knows (`connectd/multiplex.c`, `peer_control.c:handle_peer_spoke`).
    fn refuse_message(
        &mut self,
        connection: ConnectionId,
        msg_type: u16,
        name: &str,
        payload: &[u8],
        message: &str,
    ) {
        let is_open = msg_type == OPEN_CHANNEL2;
        let id = payload.get(if is_open { CHAIN_HASH_LENGTH } else { 0 }..).and_then(<[u8]>::first_chunk);
        let Some(id) = id.filter(|_| msg_type != PROTOCOL_BATCH_ELEMENT) else {
            return self.warn_and_close(connection, &format!("Unexpected message {name}: {message}"));
        };
        let channel_id = ChannelId(*id);
        let Some(peer) = self.peers.get(connection).map(|peer| peer.id) else { return };
        let known = self.channels.of_peer(&peer).any(|channel| channel.channel_id() == channel_id);
        let text = match (known, is_open) {
            (true, _) => format!("Peer sent unknown message {msg_type} ({name})"),
            (false, true) => "Didn't negotiate OPT_DUAL_FUND: cannot use open_channel2".to_owned(),
            (false, false) => format!("Unknown channel for {name}"),
        };
        let data = text.into_bytes();
        let answer = match known {
            true => Message::Warning { channel_id, data },
            false => Message::Error { channel_id, data },
        };
        self.send_message(connection, &answer);
        self.out.push(Output::ClosePeer(connection));
        self.forget_peer(connection);
    }

    /// A plugin's answer to `custommsg`.
    pub(crate) fn custommsg_answer(&mut self, result: &str, response: &str) -> Verdict {
        let continues = json::member(result, "result") == Some(r#""continue""#);
        if continues || !self.profile.custommsg_must_continue() {
            return Verdict::Next;
        }
        self.fatal(&format!("Plugin returned an invalid response to the custommsg hook: {response}"));
        Verdict::Stop
    }

    /// Every plugin has seen the message.
    pub(crate) fn custommsg_final(&mut self, connection: ConnectionId) {
        let Some(peer) = self.peers.get_mut(connection) else { return };
        peer.in_custommsg = false;
        self.open_gate(connection);
    }
}

/// `sendcustommsg node_id msg`.
pub(crate) struct Sendcustommsg {
    connection: ConnectionId,
    message: Vec<u8>,
}

impl Command for Sendcustommsg {
    const NAME: &'static str = "sendcustommsg";
    const TAKES: &'static [Shape] = &[Shape::required("node_id"), Shape::required("msg")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let id = params.node_id("node_id")?;
        let message = params.optional_hex("msg").unwrap_or_default();
        let refuse = |text: String| RpcError::new(code::INVALID_REQUEST, text);
        if let Some((msg_type, name)) =
            msg_type(&message).and_then(|number| Some((number, node.profile.internal_message(number)?)))
        {
            return Err(refuse(format!(
                "Cannot send messages of type {msg_type} ({name}). It is not possible to send messages that \
                 have a type managed internally since that might cause issues with the internal state tracking."
            )));
        }
        let connection = node.peers.of(&id, PeerState::InHook);
        let connection = connection.ok_or_else(|| refuse(format!("No such peer: {id}")))?;
        Ok(Self { connection, message })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        if let Some(even) = msg_type(&self.message).filter(|number| !Message::may_be_ignored(*number)) {
            let id = &request.client.id;
            let text = format!("sendcustommsg id={id} sending a custom even message ({even})");
            // Once is enough to make an operator look.
            let first = !std::mem::replace(&mut node.peers.even_custommsg_sent, true);
            node.log_main(if first { LogLevel::Info } else { LogLevel::Debug }, &text);
        }
        node.out.push(Output::ToPeer(self.connection, self.message));
        node.reply(&request.client, &json!({ "status": "Message sent to connectd for delivery" }));
        Ok(())
    }
}

fn msg_type(message: &[u8]) -> Option<u16> {
    message.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}
