//! Channels that fail: our last commitment goes on the chain. And those that are forgotten, because nothing of them is there
//! (`lightningd/channel.c:channel_fail_perm`, `delete_channel`, `peer_control.c:drop_to_chain`).

use super::LocalChannel;
use super::channel_state::{Cause, ChannelState};
use crate::chain::broadcast::Broadcast;
use crate::chain::watch::Watcher;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::event::LogLevel;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::Transaction;
use leyden_bolt::transaction::Side;
use leyden_bolt::{ChannelId, ShortChannelId};
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

impl State {
    /// Gives a channel up: its last commitment goes on the chain. The peer is told `error`, now or when it comes again;
    /// without one it knows.
    pub(crate) fn fail_channel(&mut self, dbid: u64, cause: Cause, why: &str, error: Option<&str>) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let (state, source, id) = (channel.state, channel.log_source(), channel.channel_id());
        let withheld = channel.withheld;
        channel.error.get_or_insert_with(|| error.unwrap_or(why).to_owned());
        channel.bolt.disconnected();
        channel.reestablished = false;
        let connection = channel.connection.take();
        self.warn_of_failure(&source, state, why, cause);
        if let Some((connection, error)) = connection.zip(error) {
            self.send_error(connection, id, error);
        }
        if state.wants_peer() && !withheld {
            self.channel_state(dbid, ChannelState::AwaitingUnilateral, cause, why);
        }
        self.own_channel_changed(dbid);
        if state < ChannelState::FundingSpendSeen {
            self.drop_to_chain(dbid);
        }
    }

    fn warn_of_failure(&mut self, source: &str, state: ChannelState, why: &str, cause: Cause) {
        let mut text = format!("Peer permanent failure in {state}: {why}");
        if self.profile.warns_of_channels_in_full() {
            text.push_str(&format!(" (reason={})", cause.name()));
        }
        self.log(LogLevel::Unusual, source, &text);
    }

    /// Puts on the chain what ends a channel: what both sides agreed upon, or else our last commitment.
    pub(super) fn drop_to_chain(&mut self, dbid: u64) {
        let height = self.topology.height();
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let source = channel.log_source();
        if channel.withheld {
            return self.drop_withheld(dbid);
        }
        if channel.close_attempt_height == 0 {
            channel.close_attempt_height = height;
        }
        let agreed = channel.mutual_close.clone().filter(|_| channel.state == ChannelState::Complete);
        if let Some(tx) = agreed {
            self.broadcast(tx.clone(), Broadcast::MutualClose(dbid));
            return self.resolve_closes(dbid, &[tx]);
        }
        if channel.lost_state {
            let text = "Cannot broadcast our commitment tx: they have a future one";
            return self.log(LogLevel::Broken, &source, text);
        }
        let tx = channel.bolt.local_commitment_signed();
        self.broadcast(tx.clone(), Broadcast::Unilateral(dbid));
        self.resolve_closes(dbid, &[tx]);
    }

    /// The funding output is spent by a transaction in a block: whatever the two sides were about, it is over. What comes of it is
    /// for whoever follows the chain.
    pub(crate) fn funding_output_spent(&mut self, dbid: u64, tx: &Transaction, height: u32) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        if channel.state >= ChannelState::FundingSpendSeen {
            // Blocks are looked at again after a start, and others come after a reorganisation.
            return self.funding_spent(dbid, tx, height);
        }
        let cause = if channel.closer.is_some() { Cause::Unknown } else { Cause::Onchain };
        let (state, source, txid) = (channel.state, channel.log_source(), tx.compute_txid());
        let in_full = self.profile.warns_of_channels_in_full();
        let mut why = "Funding transaction spent".to_owned();
        if in_full {
            why.push_str(&format!(": onchain txid {txid}"));
        }
        channel.error.get_or_insert_with(|| why.clone());
        channel.bolt.disconnected();
        channel.connection = None;
        self.warn_of_failure(&source, state, &why, cause);
        if state.wants_peer() {
            self.channel_state(dbid, ChannelState::AwaitingUnilateral, cause, &why);
        }
        if in_full {
            let text =
                format!("Not dropping our unilateral close onchain since we already saw {txid} confirm.");
            self.log(LogLevel::Unusual, &source, &text);
        }
        self.resolve_closes(dbid, std::slice::from_ref(tx));
        self.channel_state(dbid, ChannelState::FundingSpendSeen, cause, "Onchain funding spend");
        self.own_channel_gone(dbid);
        self.forget_anchor_spends(dbid);
        self.funding_spent(dbid, tx, height);
    }

    /// Forgets a channel of which nothing is on the chain, because opening it failed late.
    pub(super) fn forget_failed_channel(&mut self, dbid: u64, why: &str) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let (state, source, id) = (channel.state, channel.log_source(), channel.channel_id());
        let connection = channel.connection.take();
        let text = format!("Peer permanent failure in {state}: {why}, forget channel");
        self.log(LogLevel::Unusual, &source, &text);
        if let Some(connection) = connection {
            self.send_error(connection, id, why);
        }
        let txid = self.channels.get(dbid).map(|channel| channel.funding().txid);
        if let Some(txid) = txid {
            self.stop_broadcast(txid);
        }
        self.delete_channel(dbid, true);
    }

    /// Forgets a channel; a row remains for `listclosedchannels`, unless there never was anything.
    pub(crate) fn delete_channel(&mut self, dbid: u64, completely: bool) {
        self.notify_of_forgotten_channel(dbid);
        self.own_channel_gone(dbid);
        self.unwatch_all(Watcher::Funding(dbid));
        self.unwatch_all(Watcher::Onchain(dbid));
        self.store_channel(dbid);
        let Some(channel) = self.channels.by_dbid.remove(&dbid) else { return };
        self.fail_closes(dbid);
        self.count_forgotten_htlcs(&channel);
        for table in [
            "htlc_sigs WHERE channelid=?",
            "channeltxs WHERE channel_id=?",
            "channel_feerates WHERE channel_id=?",
        ] {
            self.db().exec(&format!("DELETE FROM {table}"), &[&dbid]);
        }
        let closed = ChannelState::Closed.number();
        self.db().exec("UPDATE channels SET state=? WHERE channels.id=?", &[&closed, &dbid]);
        self.name_moves_of_closed(dbid, channel.channel_id());
        if completely {
            let LocalChannel { config_ids: [ours, theirs], shachain_id, .. } = channel;
            self.db().exec("DELETE FROM channel_configs WHERE id=? OR id=?", &[&ours, &theirs]);
            self.db().exec("DELETE FROM shachains WHERE id=?", &[&shachain_id]);
            self.db().exec("DELETE FROM channels WHERE id=?", &[&dbid]);
        }
    }

    /// What bitcoind says to a funding transaction that was sent after a start.
    pub(crate) fn funding_sent_again(&mut self, dbid: u64, answer: &Result<(), String>) {
        let Some(source) = self.channels.get(dbid).map(LocalChannel::log_source) else { return };
        match answer {
            Ok(()) => self.log(LogLevel::Info, &source, "Successfully rexmitted funding tx"),
            Err(why) => {
                self.log(LogLevel::Unusual, &source, &format!("Failed to re-transmit funding tx: {why}"));
            }
        }
    }

    /// A channel by its peer, which has no other that is in use.
    fn channel_for_developers(&self, params: &Params) -> Result<u64, RpcError> {
        let peer = params.node_id("id")?;
        let mut found = self.channels.of_peer(&peer).filter(|channel| channel.state.wants_peer());
        let channel = found.next().ok_or_else(|| params.wrong("id", "No channel with that peer"))?;
        if found.next().is_some() {
            return Err(params.wrong("id", "More than one channel with that peer"));
        }
        Ok(channel.dbid)
    }
}

/// `dev-fail id`.
pub(crate) struct DevFail(u64);

impl Command for DevFail {
    const NAME: &'static str = "dev-fail";
    const TAKES: &'static [Shape] = &[Shape::required("id")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        node.channel_for_developers(params).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let why = "Failing due to dev-fail command";
        node.fail_channel(self.0, Cause::User, why, Some(why));
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

/// `dev-sign-last-tx id`: our last commitment, signed.
pub(crate) struct DevSignLastTx(u64);

impl Command for DevSignLastTx {
    const NAME: &'static str = "dev-sign-last-tx";
    const TAKES: &'static [Shape] = &[Shape::required("id")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        node.channel_for_developers(params).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Some(channel) = node.channels.get(self.0) else { return Ok(()) };
        let tx = bitcoin::consensus::encode::serialize_hex(&channel.bolt.local_commitment_signed());
        node.reply(&request.client, &json!({ "tx": tx }));
        Ok(())
    }
}

/// `dev-forget-channel id [short_channel_id] [channel_id] [force]`.
pub(crate) struct DevForgetChannel {
    dbid: u64,
    force: bool,
}

impl Command for DevForgetChannel {
    const NAME: &'static str = "dev-forget-channel";
    const TAKES: &'static [Shape] = &[
        Shape::required("id"),
        Shape::optional("short_channel_id"),
        Shape::optional("channel_id"),
        Shape::optional("force"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let peer = params.node_id("id")?;
        let scid = params.optional_short_channel_id("short_channel_id")?;
        let id = params.optional_string("channel_id").map(|text| text.parse::<ChannelId>());
        let id = id.transpose().map_err(|_| params.wrong("channel_id", "should be a channel id"))?;
        let force = params.optional_bool("force")?.unwrap_or(false);
        let refuse = |text: &str| Err(RpcError::new(code::LIGHTNINGD, text));
        let meant = |channel: &&LocalChannel| {
            id.is_none_or(|id| id == channel.channel_id())
                && scid.is_none_or(|scid| channel.scid == Some(scid))
        };
        let mut found = node.channels.of_peer(&peer).filter(meant);
        let Some(channel) = found.next() else {
            let which = if scid.is_some() { " and that short_channel_id" } else { "" };
            return refuse(&format!("No channels matching that peer_id{which}"));
        };
        if found.next().is_some() {
            return refuse("Multiple channels: please specify short_channel_id");
        }
        if channel.bolt.htlcs().next().is_some() {
            return refuse(
                "This channel has HTLCs attached and it is not safe to forget it. Please use `close` or `dev-fail` instead.",
            );
        }
        Ok(Self { dbid: channel.dbid, force })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { dbid, force } = self;
        let Some(channel) = node.channels.get(dbid) else { return Ok(()) };
        let funding = channel.funding();
        // Its end is seen in a block, so it is there as long as the channel is.
        let unspent = node.tx_location(funding.txid).is_some();
        if unspent && !force {
            let text = "Cowardly refusing to forget channel with an unspent funding output, if you know what you're doing \
                        you can override with `force=true`, otherwise consider `close` or `dev-fail`! If you force and \
                        the channel confirms we will not track the funds in the channel";
            return Err(RpcError::new(code::LIGHTNINGD, text));
        }
        let (connection, id) = (channel.connection, channel.channel_id());
        if let Some(connection) = connection {
            node.send_error(connection, id, "dev_forget_channel");
        }
        node.delete_channel(dbid, false);
        let result =
            json!({ "forced": force, "funding_unspent": unspent, "funding_txid": funding.txid.to_string() });
        node.reply(&request.client, &result);
        Ok(())
    }
}

impl State {
    /// The channel that a client means by its peer, `channel_id` or `short_channel_id`
    /// (`lightningd/channel.c:command_find_channel`).
    pub(super) fn find_channel(&self, params: &Params, name: &str) -> Result<u64, RpcError> {
        let text = params.string(name)?;
        if let Ok(id) = text.parse::<ChannelId>() {
            let channel = self.channels.by_channel_id(id);
            return channel
                .map(|channel| channel.dbid)
                .ok_or_else(|| invalid(format!("Channel ID not found: '{text}'")));
        }
        if let Ok(scid) = text.parse::<ShortChannelId>() {
            let channel = self.channels.by_scid(scid);
            return channel
                .map(|channel| channel.dbid)
                .ok_or_else(|| invalid(format!("Short channel ID not found: '{text}'")));
        }
        Err(params.wrong(name, "should be a channel ID or short channel ID"))
    }

    /// Whether a channel that this node has opened waits for its funding.
    pub(super) fn opened_by_us(&self, dbid: u64) -> bool {
        self.channels.get(dbid).is_some_and(|channel| channel.opener() == Side::Local)
    }
}
