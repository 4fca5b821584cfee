//! `listpeerchannels`, and what other commands show of channels (`lightningd/peer_control.c:json_add_channel`).

use super::channel_state::ChannelState;
use super::open::channel_type_json;
use super::{HtlcKey, LocalChannel, Stats};
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::peer::PeerState;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Address, Network};
use leyden_bolt::ShortChannelId;
use leyden_bolt::channel::{Htlc, HtlcState};
use leyden_bolt::transaction::{ChannelType, Side};
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// `listpeerchannels [id] [short_channel_id] [channel_id]`.
pub(crate) struct Listpeerchannels {
    peer: Option<PublicKey>,
    scid: Option<ShortChannelId>,
    channel_id: Option<leyden_bolt::ChannelId>,
}

impl Command for Listpeerchannels {
    const NAME: &'static str = "listpeerchannels";
    const TAKES: &'static [Shape] =
        &[Shape::optional("id"), Shape::optional("short_channel_id"), Shape::optional("channel_id")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let scid = params.optional_short_channel_id("short_channel_id")?;
        let id = params.optional_string("channel_id").map(|text| text.parse());
        let channel_id = id.transpose().map_err(|_| params.wrong("channel_id", "should be a channel id"))?;
        Ok(Self { peer: params.optional_node_id("id")?, scid, channel_id })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { peer, scid, channel_id } = self;
        let is_listed = |channel: &&LocalChannel| {
            peer.is_none_or(|peer| channel.peer == peer)
                && scid.is_none_or(|scid| [channel.scid, Some(channel.alias_local)].contains(&Some(scid)))
                && channel_id.is_none_or(|id| channel.channel_id() == id)
        };
        let listed = node.channels.iter().filter(is_listed);
        let channels: Vec<Value> = listed.map(|channel| node.peer_channel_entry(channel)).collect();
        node.reply(&request.client, &json!({ "channels": channels }));
        Ok(())
    }
}

/// `local` or `remote`.
pub(super) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Local => "local",
        Side::Remote => "remote",
    }
}

/// The features of a type of channel, by which `listpeerchannels` names it once more.
fn feature_names(kind: ChannelType) -> Vec<&'static str> {
    let all = [
        (true, "option_static_remotekey"),
        (kind.anchors, "option_anchors"),
        (kind.zeroconf, "option_zeroconf"),
        (kind.scid_alias, "option_scid_alias"),
    ];
    all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect()
}

/// An object that is made member by member.
struct Entry<'a> {
    state: &'a State,
    members: Map<String, Value>,
}

impl Entry<'_> {
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }

    fn msat(&mut self, name: &str, msat: u64) {
        let amount = self.state.amount(msat);
        self.add(name, amount);
    }
}

impl State {
    fn new_entry(&self) -> Entry<'_> {
        Entry { state: self, members: Map::new() }
    }

    /// A channel, as `listpeerchannels` shows it.
    pub(crate) fn peer_channel_entry(&self, channel: &LocalChannel) -> Value {
        let mut entry = self.new_entry();
        let connected = self.peers.of(&channel.peer, PeerState::Connected).is_some();
        let terms = channel.bolt.terms();
        entry.add("peer_id", channel.peer.to_string());
        entry.add("peer_connected", connected);
        if connected {
            entry.add("reestablished", channel.reestablished);
        }
        entry.add("channel_type", channel_type_json(terms.channel_type));
        if channel.ignore_fee_limits {
            entry.add("ignore_fee_limits", true);
        }
        entry.add("updates", self.updates(channel));
        if channel.last_stable_connection != 0 {
            entry.add("last_stable_connection", channel.last_stable_connection);
        }
        entry.add("state", channel.state.name());
        let commitment = channel.bolt.local_commitment();
        let (last_txid, last_fee_sat) = match &channel.mutual_close {
            Some(tx) => {
                let paid: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
                (tx.compute_txid(), terms.capacity_sat - paid)
            }
            None => (commitment.txid(), commitment.fee_sat()),
        };
        entry.add("scratch_txid", last_txid.to_string());
        entry.msat("last_tx_fee_msat", last_fee_sat * 1000);
        entry.add("lost_state", channel.lost_state);
        let feerate = channel.bolt.feerate_per_kw(Side::Local);
        entry.add("feerate", json!({ "perkw": feerate, "perkb": feerate.saturating_mul(4) }));
        if let Some(owner) = channel.owner() {
            entry.add("owner", owner);
        }
        if let Some(scid) = channel.scid {
            entry.add("short_channel_id", scid.to_string());
        }
        entry.add("direction", u8::from(self.node_id.serialize() > channel.peer.serialize()));
        entry.add("channel_id", channel.channel_id().to_string());
        entry.add("funding_txid", terms.funding.txid.to_string());
        entry.add("funding_outnum", terms.funding.vout);
        if let Ok(address) = Address::from_script(&channel.close_to, Network::Regtest) {
            entry.add("close_to_addr", address.to_string());
        }
        entry.add("close_to", channel.close_to.to_hex_string());
        entry.add("private", !channel.announce);
        entry.add("opener", side_name(terms.opener));
        if let Some(closer) = channel.closer {
            entry.add("closer", side_name(closer));
        }
        entry.add("alias", alias(channel));
        entry.add("features", feature_names(terms.channel_type));
        entry.add("funding", self.funding_entry(channel));
        self.add_balances(&mut entry, channel);
        self.add_limits(&mut entry, channel);
        entry.add("state_changes", state_changes(channel));
        let onchain = self.onchain_status(channel.dbid);
        entry.add("status", channel.status(onchain));
        self.add_stats(&mut entry, "in", &channel.in_stats);
        self.add_stats(&mut entry, "out", &channel.out_stats);
        entry.add("htlcs", self.htlc_entries(channel));
        entry.members.into()
    }

    /// How many channels wait for their funding, can be used, and are being closed, for `getinfo`.
    pub(crate) fn channel_counts(&self) -> [usize; 3] {
        let count = |is_it: fn(ChannelState) -> bool| {
            self.channels.iter().filter(|channel| is_it(channel.state)).count()
        };
        [
            count(|state| state == ChannelState::AwaitingLockin),
            count(|state| state == ChannelState::Normal),
            count(ChannelState::is_closing),
        ]
    }

    /// The channels of `listfunds` (`plugins/../walletrpc.c:json_listfunds`).
    pub(crate) fn listed_channel_funds(&self) -> Vec<Value> {
        let entry = |channel: &LocalChannel| {
            let mut entry = self.new_entry();
            entry.add("peer_id", channel.peer.to_string());
            // Not whether the peer is: whether the two speak about this channel (`channel.c:channel_is_connected`).
            entry.add("connected", channel.connection.is_some());
            entry.add("state", channel.state.name());
            entry.add("channel_id", channel.channel_id().to_string());
            if let Some(scid) = channel.scid {
                entry.add("short_channel_id", scid.to_string());
            }
            entry.msat("our_amount_msat", channel.bolt.balance_msat(Side::Local));
            entry.msat("amount_msat", channel.bolt.terms().capacity_sat * 1000);
            entry.add("funding_txid", channel.funding().txid.to_string());
            entry.add("funding_output", channel.funding().vout);
            Value::from(entry.members)
        };
        self.channels.iter().map(entry).collect()
    }

    /// What each side says in gossip.
    fn updates(&self, channel: &LocalChannel) -> Value {
        let policy = |policy: &super::Policy, delta: u16| {
            let mut entry = self.new_entry();
            entry.msat("htlc_minimum_msat", policy.htlc_minimum_msat);
            entry.msat("htlc_maximum_msat", policy.htlc_maximum_msat);
            entry.add("cltv_expiry_delta", delta);
            entry.msat("fee_base_msat", policy.fee_base_msat.into());
            entry.add("fee_proportional_millionths", policy.fee_proportional_millionths);
            Value::from(entry.members)
        };
        let mut updates = Map::new();
        let local = policy(&channel.policy, self.config.channels.cltv_delta);
        updates.insert("local".to_owned(), local);
        if let Some(peer) = &channel.peer_policy {
            updates.insert("remote".to_owned(), policy(&peer.policy, peer.cltv_expiry_delta));
        }
        updates.into()
    }

    fn funding_entry(&self, channel: &LocalChannel) -> Value {
        let capacity_msat = channel.bolt.terms().capacity_sat * 1000;
        let (ours, theirs) = match channel.opener() {
            Side::Local => (capacity_msat, 0),
            Side::Remote => (0, capacity_msat),
        };
        let mut entry = self.new_entry();
        entry.msat("local_funds_msat", ours);
        entry.msat("remote_funds_msat", theirs);
        entry.msat("pushed_msat", channel.push_msat);
        if let Some(psbt) = channel.stored_funding_psbt() {
            entry.add("psbt", psbt.to_string());
        }
        entry.add("withheld", channel.withheld);
        entry.members.into()
    }

    fn add_balances(&self, entry: &mut Entry<'_>, channel: &LocalChannel) {
        entry.msat("to_us_msat", channel.bolt.balance_msat(Side::Local));
        entry.msat("min_to_us_msat", channel.our_msat_range.0);
        entry.msat("max_to_us_msat", channel.our_msat_range.1);
        entry.msat("total_msat", channel.bolt.terms().capacity_sat * 1000);
        entry.msat("fee_base_msat", channel.policy.fee_base_msat.into());
        entry.add("fee_proportional_millionths", channel.policy.fee_proportional_millionths);
    }

    fn add_limits(&self, entry: &mut Entry<'_>, channel: &LocalChannel) {
        let terms = channel.bolt.terms();
        let (ours, theirs) = (terms.config(Side::Local), terms.config(Side::Remote));
        entry.msat("dust_limit_msat", ours.dust_limit_satoshis * 1000);
        entry.msat("their_max_htlc_value_in_flight_msat", theirs.max_htlc_value_in_flight_msat);
        entry.msat("our_max_htlc_value_in_flight_msat", ours.max_htlc_value_in_flight_msat);
        // What a side announces is for the other one.
        entry.msat("their_reserve_msat", ours.channel_reserve_satoshis * 1000);
        entry.msat("our_reserve_msat", theirs.channel_reserve_satoshis * 1000);
        entry.msat("spendable_msat", channel.bolt.spendable_msat());
        entry.msat("receivable_msat", channel.bolt.receivable_msat());
        entry.msat("minimum_htlc_in_msat", ours.htlc_minimum_msat);
        entry.msat("minimum_htlc_out_msat", channel.policy.htlc_minimum_msat);
        entry.msat("maximum_htlc_out_msat", channel.policy.htlc_maximum_msat);
        entry.add("their_to_self_delay", ours.to_self_delay);
        entry.add("our_to_self_delay", theirs.to_self_delay);
        entry.add("max_accepted_htlcs", ours.max_accepted_htlcs);
    }

    fn add_stats(&self, entry: &mut Entry<'_>, direction: &str, stats: &Stats) {
        entry.add(&format!("{direction}_payments_offered"), stats.payments_offered);
        entry.msat(&format!("{direction}_offered_msat"), stats.offered_msat);
        entry.add(&format!("{direction}_payments_fulfilled"), stats.payments_fulfilled);
        entry.msat(&format!("{direction}_fulfilled_msat"), stats.fulfilled_msat);
    }

    fn htlc_entries(&self, channel: &LocalChannel) -> Value {
        let of = |owner| channel.bolt.known_htlcs().filter(move |htlc| htlc.owner == owner);
        let both = of(Side::Remote).chain(of(Side::Local));
        let settled = match channel.state >= ChannelState::FundingSpendSeen {
            true => self.settled_htlc_rows(channel.dbid),
            false => BTreeSet::new(),
        };
        let entry = |htlc: &Htlc| match htlc.owner == Side::Local && settled.contains(&htlc.id) {
            true => self.htlc_entry(channel, &Htlc { state: HtlcState::RcvdRemoveHtlc, ..htlc.clone() }),
            false => self.htlc_entry(channel, htlc),
        };
        both.map(entry).collect()
    }

    fn htlc_entry(&self, channel: &LocalChannel, htlc: &Htlc) -> Value {
        let mut entry = self.new_entry();
        entry.add("direction", if htlc.owner == Side::Remote { "in" } else { "out" });
        entry.add("id", htlc.id);
        entry.msat("amount_msat", htlc.amount_msat);
        entry.add("expiry", htlc.cltv_expiry);
        entry.add("payment_hash", htlc.payment_hash.to_string());
        entry.add("state", htlc.state.name());
        if channel.bolt.is_trimmed(Side::Local, htlc) {
            entry.add("local_trimmed", true);
        }
        let key = HtlcKey { dbid: channel.dbid, id: htlc.id, owner: htlc.owner };
        if let Some(status) = self.htlcs.status(key) {
            entry.add("status", status);
        }
        entry.members.into()
    }
}

fn alias(channel: &LocalChannel) -> Value {
    let mut alias = Map::new();
    alias.insert("local".to_owned(), channel.alias_local.to_string().into());
    if let Some(remote) = channel.alias_remote {
        alias.insert("remote".to_owned(), remote.to_string().into());
    }
    alias.into()
}

fn state_changes(channel: &LocalChannel) -> Value {
    let change = |change: &super::change::StateChange| {
        json!({
            "timestamp": humantime::format_rfc3339_millis(change.at).to_string(),
            "old_state": change.old.name(),
            "new_state": change.new.name(),
            "cause": change.cause.name(),
            "message": change.message,
        })
    };
    channel.changes.iter().map(change).collect()
}
