//! Messages of peers about channels: whom they are for, and what becomes of those that break a rule
//! (`lightningd/peer_control.c:handle_peer_spoke`, `channel.c:channel_errmsg`).

use super::LocalChannel;
use super::channel_state::{Cause, ChannelState};
use super::flush::wire_name;
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::output::Output;
use crate::peer::PeerState;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::channel::ChannelError;
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::transaction::Side;
use leyden_bolt::{ChannelId, Message};

impl State {
    /// A peer sent a message about a channel.
    pub(crate) fn channel_message(&mut self, connection: ConnectionId, message: ChannelMessage) {
        let Some(peer) = self.peers.get(connection).map(|peer| peer.id) else { return };
        if let ChannelMessage::OpenChannel(open) = message {
            return self.open_channel_received(connection, peer, open);
        }
        let id = message.channel_id();
        let channel = self.channels.of_peer(&peer).find(|channel| channel.channel_id() == id);
        match channel.map(|channel| channel.dbid) {
            Some(dbid) => self.message_for(dbid, connection, message),
            None if self.channels.uncommitted.contains_key(&peer) => self.opening_message(&peer, message),
            None => {
                let text = format!("Unknown channel for {}", wire_name(&message));
                self.send_error(connection, id, &text);
            }
        }
    }

    fn message_for(&mut self, dbid: u64, connection: ConnectionId, message: ChannelMessage) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let (state, id) = (channel.state, channel.channel_id());
        let source =
            channel.daemon_source(if state == ChannelState::Sigexchange { "closingd" } else { "channeld" });
        self.log(LogLevel::Debug, &source, &format!("peer_in {}", wire_name(&message)));
        if state == ChannelState::Complete && matches!(message, ChannelMessage::ChannelReestablish(_)) {
            // The peer may not know yet that both have agreed.
            self.take_up(dbid, connection);
        }
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        if channel.connection != Some(connection) {
            let error = channel.error.clone().unwrap_or_else(|| format!("channel in state {state}"));
            return self.send_error(connection, id, &error);
        }
        if let ChannelMessage::AnnouncementSignatures(signatures) = &message {
            self.announcement_signatures(dbid, signatures);
        }
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        match channel.bolt.receive(message) {
            Ok(()) => {}
            Err(error) => self.channel_error(dbid, connection, error),
        }
    }

    /// What a message of the peer, or an attempt of ours, has led to.
    pub(super) fn channel_error(&mut self, dbid: u64, connection: ConnectionId, error: ChannelError) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let (id, source) = (channel.channel_id(), channel.log_source());
        let daemon = channel.owner().unwrap_or("channeld");
        match error {
            ChannelError::Warning(text) => {
                let why = format!("{daemon}: sent WARNING {text}");
                self.log(
                    LogLevel::Info,
                    &source,
                    &format!("Peer transient failure in {}: {why}", channel_name(self, dbid)),
                );
                self.send_warning(connection, id, &text);
                self.out.push(Output::ClosePeer(connection));
                self.forget_peer(connection);
            }
            ChannelError::WarningWithoutDisconnect(text) => self.send_warning(connection, id, &text),
            ChannelError::Error(text) => {
                self.fail_channel(dbid, Cause::Local, &format!("{daemon}: sent ERROR {text}"), Some(&text));
            }
            ChannelError::FallenBehind(text) => {
                if let Some(channel) = self.channels.get_mut(dbid) {
                    channel.lost_state = true;
                }
                self.fail_channel(dbid, Cause::Remote, &text, Some(&text));
            }
        }
    }

    /// A peer sent an `error`: the channel, or all with that peer, have failed.
    pub(crate) fn channel_error_received(&mut self, connection: ConnectionId, id: ChannelId, text: &str) {
        let Some(peer) = self.peers.get(connection).map(|peer| peer.id) else { return };
        self.opening_failed_by_peer(&peer, id, text);
        let meant = |channel: &&LocalChannel| {
            channel.state.wants_peer() && [ChannelId::ALL, channel.channel_id()].contains(&id)
        };
        let dbids: Vec<u64> =
            self.channels.of_peer(&peer).filter(meant).map(|channel| channel.dbid).collect();
        for dbid in dbids {
            let Some(channel) = self.channels.get(dbid) else { continue };
            let daemon = channel.owner().unwrap_or("channeld");
            let why = format!("{daemon}: received {text}");
            if channel.opener() == Side::Remote && channel.state == ChannelState::AwaitingLockin {
                self.forget_failed_channel(dbid, &why);
            } else {
                self.fail_channel(dbid, Cause::Protocol, &why, None);
            }
        }
    }

    /// Tells a peer that a channel has failed.
    pub(super) fn send_error(&mut self, connection: ConnectionId, channel_id: ChannelId, text: &str) {
        self.send_message(connection, &Message::Error { channel_id, data: text.as_bytes().to_vec() });
    }

    /// Tells a peer what is wrong. The connection stays.
    pub(crate) fn send_warning(&mut self, connection: ConnectionId, channel_id: ChannelId, text: &str) {
        self.send_message(connection, &Message::Warning { channel_id, data: text.as_bytes().to_vec() });
    }

    /// Plugins let the peer in: channels are taken up again.
    pub(crate) fn peer_ready(&mut self, connection: ConnectionId) {
        let Some(id) = self.peers.get(connection).map(|peer| peer.id) else { return };
        self.reset_backoff(&id);
        self.store_peer_address(&id);
        for dbid in self.channels.dbids_of(&id) {
            let wants = |channel: &LocalChannel| channel.state.wants_peer() && channel.error.is_none();
            if self.channels.get(dbid).is_some_and(wants) {
                self.take_up(dbid, connection);
            }
        }
    }

    /// Speaks about a channel over a connection.
    fn take_up(&mut self, dbid: u64, connection: ConnectionId) {
        let Some(theirs) = self.peers.get(connection).map(|peer| peer.features.clone()) else { return };
        let ours = &self.peer_features.init;
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        channel.connection = Some(connection);
        channel.reestablished = false;
        channel.bolt.reconnected(ours, &theirs);
    }

    /// A connection with a peer that plugins had let in is gone.
    pub(crate) fn peer_gone(&mut self, connection: ConnectionId, peer: &PublicKey) {
        self.opening_lost_peer(connection, peer);
        for dbid in self.channels.dbids_of(peer) {
            let Some(channel) = self.channels.get_mut(dbid) else { continue };
            // Unless a newer connection has taken its place, also a channel is cut off about which nothing is left to be said.
            channel.reestablished &= channel.connection.is_some_and(|other| other != connection);
            if channel.connection != Some(connection) {
                continue;
            }
            channel.connection = None;
            channel.bolt.disconnected();
            self.own_channel_changed(dbid);
        }
        if self.peers.of(peer, PeerState::Dialling).is_none() {
            self.schedule_reconnect(peer);
        }
    }
}

fn channel_name(state: &State, dbid: u64) -> &'static str {
    state.channels.get(dbid).map_or("", |channel| channel.state.name())
}
