//! The end of each input: channels to which something was done commit to it, are stored, and say what they want done.

use super::HtlcKey;
use super::channel_state::{Cause, ChannelState};
use crate::event::LogLevel;
use crate::output::Output;
use crate::state::State;
use leyden_bolt::channel::{ChannelOutput, Removal};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::transaction::Side;

impl State {
    /// Lets every channel to which something was done go on, and whatever comes of that.
    pub(crate) fn flush_channels(&mut self) {
        while let Some(dbid) = self.channels.touched.pop_first() {
            if self.exit.is_some() {
                return;
            }
            let Some(channel) = self.channels.by_dbid.get_mut(&dbid) else { continue };
            channel.bolt.commit();
            // First of all: what is done about it finds its rows.
            self.store_channel(dbid);
            let outputs = self.channels.by_dbid.get_mut(&dbid).map(|channel| channel.bolt.take_outputs());
            let mut outputs = outputs.unwrap_or_default();
            if self.profile.asks_of_revocations_last() {
                outputs.sort_by_key(|output| matches!(output, ChannelOutput::Revoked { .. }));
            }
            for output in outputs {
                self.channel_output(dbid, output);
            }
        }
    }

    fn channel_output(&mut self, dbid: u64, output: ChannelOutput) {
        match output {
            ChannelOutput::Send(message) => self.send_channel_message(dbid, &message),
            ChannelOutput::Ready => self.lockin_complete(dbid),
            ChannelOutput::Reestablished => self.reestablished(dbid),
            ChannelOutput::HtlcCommitted { id } => self.htlc_committed(dbid, id),
            ChannelOutput::HtlcDropped { id } => self.htlc_dropped(dbid, id),
            ChannelOutput::HtlcFulfilled { id, preimage } => {
                self.count_fulfilled_out(dbid, id);
                self.htlc_fulfilled(dbid, id, preimage);
            }
            ChannelOutput::HtlcFailed { id, removal } => self.htlc_failed(dbid, id, &removal),
            ChannelOutput::HtlcRemoved { id, removal } => {
                self.htlc_removed(dbid, id, removal);
                if let Some(channel) = self.channels.get_mut(dbid) {
                    channel.origins.remove(&id);
                }
            }
            ChannelOutput::HtlcForgotten { id, removal } => self.incoming_htlc_gone(dbid, id, &removal),
            ChannelOutput::Revoked { commitment_number, penalty_base } => {
                self.commitment_revoked(dbid, commitment_number, penalty_base);
            }
            ChannelOutput::ShutdownReceived => self.shutdown_received(dbid),
            ChannelOutput::ShutdownComplete => self.start_closing(dbid),
            ChannelOutput::Closed { transaction, fee_sat } => self.closing_signed(dbid, transaction, fee_sat),
        }
    }

    /// Sends a message about a channel, if there is a connection for it.
    pub(crate) fn send_channel_message(&mut self, dbid: u64, message: &ChannelMessage) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let Some(connection) = channel.connection else { return };
        let daemon = match message {
            ChannelMessage::ClosingSigned(_) => "closingd",
            _ => "channeld",
        };
        let source = channel.daemon_source(daemon);
        self.log(LogLevel::Debug, &source, &format!("peer_out {}", wire_name(message)));
        self.out.push(Output::ToPeer(connection, message.encode()));
    }

    /// Both sides have said where they left off.
    fn reestablished(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        channel.reestablished = true;
        channel.put_up("Reconnected, and reestablished.");
        let source = channel.daemon_source("channeld");
        self.log(LogLevel::Debug, &source, "Reestablished");
        self.await_stability(dbid);
        self.own_channel_changed(dbid);
    }

    /// An incoming HTLC is gone for good.
    fn incoming_htlc_gone(&mut self, dbid: u64, id: u64, removal: &Removal) {
        self.htlcs.forget(HtlcKey { dbid, id, owner: Side::Remote });
        if matches!(removal, Removal::Fulfill(_)) {
            self.htlc_received(dbid, id);
        }
    }

    /// Both `channel_ready` are there.
    fn lockin_complete(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        channel.alias_remote = channel.bolt.record().aliases[1];
        let (state, source) = (channel.state, channel.log_source());
        if state != ChannelState::AwaitingLockin {
            return self.log(LogLevel::Debug, &source, &format!("Lockin complete, but state {state}"));
        }
        self.channel_state(dbid, ChannelState::Normal, Cause::Unknown, "Lockin complete");
        self.locked_in(dbid);
    }
}

/// The name of a message in lightningd's log.
pub(super) fn wire_name(message: &ChannelMessage) -> String {
    format!("WIRE_{}", message.name().to_uppercase())
}
