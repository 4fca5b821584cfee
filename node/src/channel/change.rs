//! Going from one state to another: the log, the database, and the notification `channel_state_changed`
//! (`lightningd/channel.c:channel_set_state`).

use super::channel_state::{Cause, ChannelState};
use super::{LocalChannel, nanoseconds};
use crate::event::LogLevel;
use crate::state::State;
use leyden_bolt::transaction::Side;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// A change of state that happened, as `listpeerchannels` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateChange {
    pub(crate) at: SystemTime,
    pub(crate) old: ChannelState,
    pub(crate) new: ChannelState,
    pub(crate) cause: Cause,
    pub(crate) message: String,
}

impl State {
    /// Takes a channel to another state, and tells everybody. [`Cause::Unknown`] stands for the cause of the change
    /// before.
    pub(crate) fn channel_state(&mut self, dbid: u64, new: ChannelState, cause: Cause, message: &str) {
        let at = (self.clock)();
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let old = channel.state;
        if new.is_closing() && channel.closer.is_none() {
            channel.closer = match cause {
                Cause::Local | Cause::User => Some(Side::Local),
                Cause::Remote | Cause::Onchain => Some(Side::Remote),
                Cause::Unknown | Cause::Protocol => None,
            };
        }
        if cause != Cause::Unknown {
            channel.cause = cause;
        }
        let (cause, source) = (channel.cause, channel.log_source());
        channel.state = new;
        self.log(LogLevel::Info, &source, &format!("State changed from {old} to {new}"));
        if new == old {
            return;
        }
        let change = StateChange { at, old, new, cause, message: message.to_owned() };
        self.store_state_change(dbid, &change);
        self.notify_of_change(dbid, at, Some(old), new, (cause, Some(message)));
        if let Some(channel) = self.channels.get_mut(dbid) {
            channel.changes.push(change);
        }
    }

    fn store_state_change(&mut self, dbid: u64, change: &StateChange) {
        let insert = "INSERT INTO channel_state_changes (channel_id, timestamp, old_state, new_state, cause, message) \
                      VALUES (?, ?, ?, ?, ?, ?);";
        let (old, new, cause) = (change.old.number(), change.new.number(), change.cause.number());
        self.db().exec(insert, &[&dbid, &nanoseconds(change.at), &old, &new, &cause, &change.message]);
    }

    /// A channel is there that was not there before.
    pub(super) fn notify_of_new_channel(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let (state, cause) = (channel.state, channel.cause);
        if self.profile.notifies_of_new_channel() {
            let now = (self.clock)();
            self.notify_of_change(dbid, now, None, state, (cause, Some("new channel opened")));
        }
    }

    /// A channel is about to be no longer there.
    pub(super) fn notify_of_forgotten_channel(&mut self, dbid: u64) {
        let Some(old) = self.channels.get(dbid).map(|channel| channel.state) else { return };
        if self.profile.notifies_of_forgotten_channel() {
            let now = (self.clock)();
            self.notify_of_change(dbid, now, Some(old), ChannelState::Closed, (Cause::Unknown, None));
        }
    }

    fn notify_of_change(
        &mut self,
        dbid: u64,
        at: SystemTime,
        old: Option<ChannelState>,
        new: ChannelState,
        (cause, message): (Cause, Option<&str>),
    ) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let nulls = self.profile.shows_nulls(self.config.allow_deprecated_apis);
        let mut fields = Map::new();
        let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        add("peer_id", channel.peer.to_string().into());
        add("channel_id", channel.channel_id().to_string().into());
        match channel.scid {
            Some(scid) => add("short_channel_id", scid.to_string().into()),
            None if nulls => add("short_channel_id", Value::Null),
            None => {}
        }
        add("timestamp", humantime::format_rfc3339_millis(at).to_string().into());
        if let Some(old) = old.map(ChannelState::name).or(self.profile.name_of_no_channel_state()) {
            add("old_state", old.into());
        }
        add("new_state", new.name().into());
        add("cause", cause.name().into());
        match message {
            Some(message) => add("message", message.into()),
            None if nulls => add("message", Value::Null),
            None => {}
        }
        self.notify("channel_state_changed", fields.into());
    }

    /// `channel_opened`: a peer has opened a channel.
    pub(super) fn notify_of_opened_channel(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let LocalChannel { peer, bolt, .. } = channel;
        let capacity_sat = bolt.terms().capacity_sat;
        let (peer, txid) = (peer.to_string(), bolt.terms().funding.txid.to_string());
        let ready = bolt.is_channel_ready(Side::Remote);
        let fields =
            self.profile.channel_opened(&peer, capacity_sat, &txid, ready, self.config.allow_deprecated_apis);
        self.notify("channel_opened", fields);
    }
}
