//! What the node tells of its own channels (`lightningd/channel_gossip.c`, `gossip_generation.c`): their announcement, once
//! both sides have signed it, and an update whenever there is something to update.

use crate::channel::channel_state::ChannelState;
use crate::channel::{LocalChannel, PeerPolicy, Policy};
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::output::Output;
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::ecdsa::Signature;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::{News, is_announceable, no_signature};
use leyden_bolt::message::Excess;
use leyden_bolt::message::gossip::ChannelUpdate;

/// After so many seconds an update is sent again, before others forget the channel: 13 days.
const REFRESH_SECONDS: u64 = 1_123_200;

/// What was told of a channel.
#[derive(Default)]
pub(super) struct OwnChannel {
    /// The last update, for everybody or for the peer alone.
    update: Option<ChannelUpdate>,
    /// The peer's half of the signatures of the announcement, and under which name it signed.
    pub(super) signatures: Option<(ShortChannelId, Signature, Signature)>,
    /// The connection over which our half was sent.
    pub(super) signed_for: Option<ConnectionId>,
    /// The connection over which the peer was told of a private channel.
    told: Option<ConnectionId>,
}

/// How much may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has no name, cannot be used yet, or is no more.
    Nothing,
    /// To its peer alone.
    Private,
    /// To its peer alone as yet: it has no place in the chain.
    Unnamed,
    /// Signatures are missing, or blocks.
    Unannounced,
    /// To everybody.
    Announced,
    /// To everybody: that it is of no use any more.
    Closing,
}

impl State {
    /// A channel can be used, and has a name.
    pub(crate) fn own_channel_usable(&mut self, dbid: u64) {
        self.tell_of_channel(dbid);
    }

    /// Its funding is six blocks deep.
    pub(crate) fn own_channel_deep(&mut self, dbid: u64) {
        self.tell_of_channel(dbid);
    }

    /// Its policy is another one, or its peer is gone or back.
    pub(crate) fn own_channel_changed(&mut self, dbid: u64) {
        self.tell_of_channel(dbid);
    }

    /// It is closed: nothing more is told of it.
    pub(crate) fn own_channel_gone(&mut self, dbid: u64) {
        self.gossip.own.remove(&dbid);
    }

    /// The chain has grown: channels may be deep enough, and updates too old.
    pub(super) fn tell_of_channels(&mut self) {
        let dbids: Vec<u64> = self.channels.iter().map(|channel| channel.dbid).collect();
        for dbid in dbids {
            self.tell_of_channel(dbid);
        }
    }

    /// The latest update of a channel, for the sender of a payment that could not be passed on. Empty if the channel is
    /// not public. A peer that has been away so long that somebody notices is the reason to disable the channel.
    pub(crate) fn own_channel_update(&mut self, dbid: u64) -> Vec<u8> {
        match self.channels.get(dbid).map(|channel| self.stage(channel)) {
            Some(Stage::Announced) => self.tell_everybody(dbid, false),
            Some(Stage::Closing) => {}
            _ => return Vec::new(),
        }
        let update = self.gossip.own.get(&dbid).and_then(|own| own.update.as_ref());
        update.map(ChannelUpdate::encode).unwrap_or_default()
    }

    fn stage(&self, channel: &LocalChannel) -> Stage {
        let is_usable = channel.state >= ChannelState::Normal
            && (channel.scid.is_some() || channel.alias_remote.is_some());
        if !is_usable || channel.state >= ChannelState::FundingSpendSeen {
            return Stage::Nothing;
        }
        let Some(scid) = channel.scid else {
            return if channel.announce { Stage::Unnamed } else { Stage::Private };
        };
        let signed = self.gossip.own.get(&channel.dbid).and_then(|own| own.signatures);
        let is_signed = signed.is_some_and(|(signed, ..)| signed == scid);
        let is_announced = is_signed && is_announceable(scid, self.topology.height());
        match (channel.announce, is_announced, channel.state.is_closing()) {
            (false, _, _) => Stage::Private,
            (true, true, false) => Stage::Announced,
            (true, true, true) => Stage::Closing,
            (true, false, false) => Stage::Unannounced,
            (true, false, true) => Stage::Nothing,
        }
    }

    /// Tells of a channel what is to be told and has not been.
    pub(super) fn tell_of_channel(&mut self, dbid: u64) {
        if self.channels.get(dbid).is_none() {
            return;
        }
        self.recall_channel(dbid);
        let Some(channel) = self.channels.get(dbid) else { return };
        match self.stage(channel) {
            Stage::Nothing => {}
            Stage::Private | Stage::Unnamed => self.tell_peer(dbid),
            Stage::Unannounced => {
                self.send_signatures(dbid);
                self.tell_peer(dbid);
            }
            Stage::Announced => {
                self.announce_channel(dbid);
                self.tell_everybody(dbid, true);
                self.announce_node();
            }
            Stage::Closing => self.tell_everybody(dbid, true),
        }
    }

    /// What an earlier run told of a channel, and the signatures that it got.
    pub(super) fn recall_channel(&mut self, dbid: u64) {
        if self.gossip.own.contains_key(&dbid) {
            return;
        }
        let Some(scid) = self.channels.get(dbid).map(|channel| channel.scid) else { return };
        let known = scid.and_then(|scid| self.gossip.graph.channel(scid));
        let update = known
            .and_then(|channel| channel.updates[usize::from(channel.direction_from(&self.node_id))].clone());
        let query = "SELECT remote_ann_node_sig, remote_ann_bitcoin_sig FROM channels WHERE id = ? AND \
                     remote_ann_node_sig IS NOT NULL AND remote_ann_bitcoin_sig IS NOT NULL";
        let pair = |row: &rusqlite::Row<'_>| Ok([row.get::<_, Vec<u8>>(0)?, row.get(1)?]);
        let stored = self.stored().rows(query, &[&dbid], pair).pop();
        let signatures = stored.zip(scid).and_then(|([node, bitcoin], scid)| {
            Some((scid, Signature::from_compact(&node).ok()?, Signature::from_compact(&bitcoin).ok()?))
        });
        self.gossip.own.insert(dbid, OwnChannel { update, signatures, ..OwnChannel::default() });
    }

    /// Tells everybody how the channel can be used, unless they know. `ok_if_away`: it can, though its peer is away.
    fn tell_everybody(&mut self, dbid: u64, ok_if_away: bool) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let Some(scid) = channel.scid else { return };
        let is_enabled = channel.state.can_add_htlc() && (channel.connection.is_some() || ok_if_away);
        let now = unix_seconds((self.clock)());
        let old = self.gossip.own.get(&dbid).and_then(|own| own.update.as_ref());
        let after_old = old.map_or(0, |old| u64::from(old.timestamp) + 1);
        let update = self.update(channel, scid, now.max(after_old));
        let disabled = if is_enabled { 0 } else { ChannelUpdate::DISABLED };
        let update = ChannelUpdate { channel_flags: update.channel_flags | disabled, ..update };
        let is_fresh = |old: &ChannelUpdate| u64::from(old.timestamp) + REFRESH_SECONDS > now;
        if old.is_some_and(|old| is_fresh(old) && old.says_the_same(&update)) {
            return;
        }
        let update = update.signed(&self.node_key, &self.gossip.secp);
        self.remember_update(dbid, update.clone());
        if self.gossip.graph.take_update(update.clone()) == News::Taken {
            self.keep_update(None, &update);
        }
        self.send_to_all(&update.encode());
    }

    /// Tells the peer alone how it can use the channel: again in each connection, for the message may have been lost.
    fn tell_peer(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid).filter(|channel| channel.is_live()) else { return };
        let (connection, now) = (channel.connection, unix_seconds((self.clock)()));
        // The peer knows its own name for the channel, even if it has not seen the block yet.
        let Some(scid) = channel.alias_remote.or(channel.scid) else { return };
        let update = self.update(channel, scid, now);
        let message_flags = update.message_flags | ChannelUpdate::DONT_FORWARD;
        let update = ChannelUpdate { message_flags, ..update };
        let own = self.gossip.own.get(&dbid);
        let is_told = own.is_some_and(|own| {
            own.told == connection && own.update.as_ref().is_some_and(|old| old.says_the_same(&update))
        });
        if is_told {
            return;
        }
        let update = update.signed(&self.node_key, &self.gossip.secp);
        if let Some(own) = self.gossip.own.get_mut(&dbid) {
            own.told = connection;
        }
        self.remember_update(dbid, update.clone());
        if let Some(connection) = connection {
            self.out.push(Output::ToPeer(connection, update.encode()));
        }
    }

    fn remember_update(&mut self, dbid: u64, update: ChannelUpdate) {
        if let Some(own) = self.gossip.own.get_mut(&dbid) {
            own.update = Some(update);
        }
    }

    /// What the channel's policy is, unsigned and enabled.
    fn update(&self, channel: &LocalChannel, scid: ShortChannelId, timestamp: u64) -> ChannelUpdate {
        let policy = &channel.policy;
        ChannelUpdate {
            signature: no_signature(),
            chain_hash: ChainHash::REGTEST,
            short_channel_id: scid,
            timestamp: u32::try_from(timestamp).unwrap_or(u32::MAX),
            message_flags: ChannelUpdate::MUST_BE_ONE,
            channel_flags: u8::from(self.node_id > channel.peer),
            cltv_expiry_delta: self.config.channels.cltv_delta,
            htlc_minimum_msat: policy.htlc_minimum_msat,
            fee_base_msat: policy.fee_base_msat,
            fee_proportional_millionths: policy.fee_proportional_millionths,
            htlc_maximum_msat: policy.htlc_maximum_msat,
            excess: Excess::default(),
        }
    }

    /// The peer of one of our channels says how it can be used (`channel_gossip_set_remote_update`).
    pub(super) fn peer_policy_told(&mut self, update: &ChannelUpdate) {
        let scid = update.short_channel_id;
        let Some(dbid) = self.channels.by_scid(scid).map(|channel| channel.dbid) else { return };
        let text = format!("updating channel {scid} with inbound settings");
        self.log_main(LogLevel::Debug, &text);
        let policy = Policy {
            fee_base_msat: update.fee_base_msat,
            fee_proportional_millionths: update.fee_proportional_millionths,
            htlc_minimum_msat: update.htlc_minimum_msat,
            htlc_maximum_msat: update.htlc_maximum_msat,
        };
        if let Some(channel) = self.channels.get_mut(dbid) {
            channel.peer_policy = Some(PeerPolicy { policy, cltv_expiry_delta: update.cltv_expiry_delta });
        }
    }

    /// Whether a channel of ours is to be told of in gossip: only then a node has something to say of itself.
    pub(super) fn has_announced_channel(&self) -> bool {
        self.channels.iter().any(|channel| self.stage(channel) == Stage::Announced)
    }
}
