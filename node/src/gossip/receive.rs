//! What peers tell of the network: what is believed, kept and passed on (`gossipd/gossmap_manage.c`).

use super::Announced;
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Script, ScriptBuf};
use leyden_bolt::gossip::{Address, News, check_channel_announcement, is_announceable};
use leyden_bolt::message::GossipMessage;
use leyden_bolt::message::gossip::{ChannelAnnouncement, ChannelUpdate, NodeAnnouncement};
use leyden_bolt::transaction::funding_script;
use leyden_bolt::{ChannelId, Message, ShortChannelId};

/// How many messages may wait for something; those beyond are dropped.
const PENDING_LIMIT: usize = 10_000;

/// By how many blocks a peer may be ahead of us.
const BLOCKS_AHEAD: u32 = 12;

/// What a peer is told of a message that no honest node sends.
pub(super) type Complaint = String;

impl State {
    /// A message about the network from a peer: a complaint about it goes back to the peer.
    pub(crate) fn gossip_message(&mut self, connection: ConnectionId, msg_type: u16, payload: &[u8]) {
        let judged = match GossipMessage::decode(msg_type, payload) {
            Some(Ok(message)) => self.gossip_from(connection, message),
            Some(Err(_)) => self.malformed_gossip(connection, msg_type, payload),
            None => Ok(()),
        };
        if let Err(complaint) = judged {
            self.warn(connection, &complaint);
        }
    }

    fn gossip_from(&mut self, connection: ConnectionId, message: GossipMessage) -> Result<(), Complaint> {
        let source = Some(connection);
        match message {
            GossipMessage::ChannelAnnouncement(announcement) => self.channel_announced(source, announcement),
            GossipMessage::ChannelUpdate(update) => self.channel_updated(source, update),
            GossipMessage::NodeAnnouncement(announcement) => self.node_announced(source, announcement),
            GossipMessage::QueryShortChannelIds(query) => self.short_channel_ids_asked(connection, &query),
            GossipMessage::QueryChannelRange(query) => {
                self.channel_range_asked(connection, &query);
                Ok(())
            }
            GossipMessage::GossipTimestampFilter(filter) => {
                self.gossip_filtered(connection, &filter);
                Ok(())
            }
            // The node asks nothing: a filter from the beginning of time on brings everything.
            GossipMessage::ReplyShortChannelIdsEnd(_) | GossipMessage::ReplyChannelRange(_) => Ok(()),
        }
    }

    fn malformed_gossip(
        &mut self,
        connection: ConnectionId,
        msg_type: u16,
        payload: &[u8],
    ) -> Result<(), Complaint> {
        let bytes = hex::encode([&msg_type.to_be_bytes(), payload].concat());
        Err(match msg_type {
            ChannelAnnouncement::TYPE => format!("Malformed channel_announcement {bytes}"),
            ChannelUpdate::TYPE => format!("channel_update: malformed {bytes}"),
            NodeAnnouncement::TYPE => format!("node_announcement: malformed {bytes}"),
            leyden_bolt::message::gossip::GossipTimestampFilter::TYPE => {
                self.warn_and_close(connection, &format!("gossip_timestamp_filter invalid: {bytes}"));
                return Ok(());
            }
            leyden_bolt::message::gossip::QueryChannelRange::TYPE => {
                format!("Bad query_channel_range w/tlvs {bytes}")
            }
            leyden_bolt::message::gossip::QueryShortChannelIds::TYPE => {
                format!("Bad query_short_channel_ids w/tlvs {bytes}")
            }
            _ => format!("Malformed reply {bytes}"),
        })
    }

    /// Tells a peer what is wrong with what it sent. The connection stays.
    fn warn(&mut self, connection: ConnectionId, text: &str) {
        self.log_gossip_of(Some(connection), &format!("Bad gossip order: {text}"));
        let warning = Message::Warning { channel_id: ChannelId::ALL, data: text.as_bytes().to_vec() };
        self.send_message(connection, &warning);
    }

    /// Somebody says that there is a channel.
    pub(super) fn channel_announced(
        &mut self,
        source: Option<ConnectionId>,
        announcement: ChannelAnnouncement,
    ) -> Result<(), Complaint> {
        let scid = announcement.short_channel_id;
        let is_known = self.gossip.graph.channel(scid).is_some()
            || self.gossip.refused.contains(&scid)
            || self.gossip.pending.contains_key(&scid)
            || self.gossip.early.contains_key(&scid);
        if announcement.chain_hash != ChainHash::REGTEST || is_known {
            return Ok(());
        }
        check_channel_announcement(&announcement, &self.gossip.secp).map_err(|bad| bad.to_string())?;
        let height = self.topology.height();
        if is_announceable(scid, height) {
            self.look_for_funding(Announced { announcement, source });
        } else if height != 0 && scid.block() > height + BLOCKS_AHEAD {
            return Err(format!(
                "Bad gossip order: ignoring channel_announcement {scid} at blockheight {height}"
            ));
        } else if self.gossip.early.len() < PENDING_LIMIT {
            self.gossip.early.insert(scid, Announced { announcement, source });
        }
        Ok(())
    }

    fn look_for_funding(&mut self, announced: Announced) {
        let scid = announced.announcement.short_channel_id;
        if self.gossip.pending.len() < PENDING_LIMIT {
            self.gossip.pending.insert(scid, announced);
            self.find_funding_output(scid);
        }
    }

    /// The chain has grown: more announcements may be deep enough, and more channels dead.
    pub(crate) fn gossip_height(&mut self, height: u32) {
        while let Some(first) = self.gossip.early.first_entry() {
            if !is_announceable(*first.key(), height) {
                break;
            }
            let announced = first.remove();
            self.look_for_funding(announced);
        }
        self.forget_dead_channels(height);
        self.forget_stale_channels();
        self.tell_of_channels();
    }

    /// What the output is in which an announced channel is to be funded; `None` if there is no such unspent output.
    pub(super) fn funding_output_found(&mut self, scid: ShortChannelId, output: Option<(u64, ScriptBuf)>) {
        let Some(Announced { announcement, source }) = self.gossip.pending.remove(&scid) else { return };
        let expected = funding_script(&announcement.bitcoin_key_1, &announcement.bitcoin_key_2).to_p2wsh();
        match output {
            Some((capacity_sat, script)) if script == expected => {
                let message = announcement.encode();
                self.keep_channel(announcement, capacity_sat);
                self.pass_on(&message, 0, source);
            }
            Some((_, script)) => {
                self.gossip.refused.insert(scid);
                let in_hex = |script: &Script| hex::encode(script.as_bytes());
                let (expected, got) = (in_hex(&expected), in_hex(&script));
                if let Some(source) = source {
                    let text = format!("channel_announcement: txout {scid} expected {expected}, got {got}");
                    self.warn(source, &text);
                }
            }
            None => {
                self.gossip.refused.insert(scid);
                self.log_gossip_of(source, &format!("channel_announcement: no unspent txout {scid}"));
            }
        }
        self.look_at_what_waits();
    }

    /// Notes a channel that is known to be on the chain.
    pub(super) fn keep_channel(&mut self, announcement: ChannelAnnouncement, capacity_sat: u64) {
        let scid = announcement.short_channel_id;
        self.gossip.graph.add_channel(announcement, capacity_sat);
        if let Some(channel) = self.gossip.graph.channel(scid) {
            self.gossip.store.add_channel(channel);
        }
        self.flush_gossip_store();
    }

    /// Somebody passes on what a node says of a channel.
    pub(super) fn channel_updated(
        &mut self,
        source: Option<ConnectionId>,
        update: ChannelUpdate,
    ) -> Result<(), Complaint> {
        let scid = update.short_channel_id;
        if update.chain_hash != ChainHash::REGTEST || !update.is_timely(unix_seconds((self.clock)())) {
            return Ok(());
        }
        if self.gossip.pending.contains_key(&scid) || self.gossip.early.contains_key(&scid) {
            if self.gossip.waiting_updates.len() < PENDING_LIMIT {
                self.gossip.waiting_updates.push((source, update));
            }
            return Ok(());
        }
        if self.gossip.graph.channel(scid).is_none() && self.is_by(&update, source) {
            self.peer_policy_told(&update);
            return Ok(());
        }
        self.gossip.graph.check_update(&update, &self.gossip.secp).map_err(|bad| bad.to_string())?;
        match self.gossip.graph.take_update(update.clone()) {
            News::Taken => {
                self.keep_update(source, &update);
                self.pass_on(&update.encode(), update.timestamp, source);
            }
            News::Old => {}
            News::Unknown => self.log_gossip_of(source, &format!("Bad gossip order: Unknown channel {scid}")),
        }
        Ok(())
    }

    /// Whether the peer that sent an update has signed it itself: of a channel that nobody else knows, for example.
    fn is_by(&self, update: &ChannelUpdate, source: Option<ConnectionId>) -> bool {
        let peer = source.and_then(|source| self.peers.get(source));
        peer.is_some_and(|peer| update.is_signed(&self.gossip.secp, &peer.id))
    }

    /// Notes an update that is news.
    pub(super) fn keep_update(&mut self, source: Option<ConnectionId>, update: &ChannelUpdate) {
        self.gossip.store.add_update(update);
        self.flush_gossip_store();
        let channel = self.gossip.graph.channel(update.short_channel_id);
        if channel.is_some_and(|channel| *channel.destination(update.direction()) == self.node_id) {
            self.peer_policy_told(update);
        }
        let (scid, direction) = (update.short_channel_id, update.direction());
        let state = if update.is_enabled() { "ACTIVE" } else { "DISABLED" };
        let text = format!("Received channel_update for channel {scid}/{direction} now {state}");
        self.log_gossip_of(source, &text);
    }

    /// Somebody passes on what a node says of itself.
    pub(super) fn node_announced(
        &mut self,
        source: Option<ConnectionId>,
        announcement: NodeAnnouncement,
    ) -> Result<(), Complaint> {
        if Address::decode_all(&announcement.addresses).is_err() {
            let bytes = hex::encode(announcement.encode());
            return Err(format!("node_announcement: malformed wireaddrs in {bytes}"));
        }
        announcement.check(&self.gossip.secp).map_err(|bad| bad.to_string())?;
        let id = announcement.node_id;
        match self.gossip.graph.take_node(announcement.clone()) {
            News::Taken => {
                self.keep_node(source, &announcement);
                self.pass_on(&announcement.encode(), announcement.timestamp, source);
            }
            News::Old => {}
            News::Unknown if self.gossip.pending.is_empty() && self.gossip.early.is_empty() => {
                self.log_gossip_of(
                    source,
                    &format!("Bad gossip order: node_announcement: unknown node {id}"),
                );
            }
            News::Unknown if self.gossip.waiting_nodes.len() < PENDING_LIMIT => {
                self.gossip.waiting_nodes.push((source, announcement));
            }
            News::Unknown => {}
        }
        Ok(())
    }

    /// Notes what a node says of itself that is news.
    pub(super) fn keep_node(&mut self, source: Option<ConnectionId>, announcement: &NodeAnnouncement) {
        self.gossip.store.add_node(announcement);
        if self.gossip.graph.is_dying(&announcement.node_id) {
            self.gossip.store.mark_node_dying(&announcement.node_id);
        }
        self.flush_gossip_store();
        let text = format!("Received node_announcement for node {}", announcement.node_id);
        self.log_gossip_of(source, &text);
    }

    /// A channel is known now, or known to be none: looks again at what came too early.
    fn look_at_what_waits(&mut self) {
        let updates = std::mem::take(&mut self.gossip.waiting_updates);
        let nodes = std::mem::take(&mut self.gossip.waiting_nodes);
        for (source, update) in updates {
            let judged = self.channel_updated(source, update);
            self.complain(source, judged.map_err(|complaint| format!("channel_update: {complaint}")));
        }
        for (source, node) in nodes {
            let judged = self.node_announced(source, node);
            self.complain(source, judged);
        }
    }

    fn complain(&mut self, source: Option<ConnectionId>, judged: Result<(), Complaint>) {
        if let (Some(source), Err(complaint)) = (source, judged) {
            self.warn(source, &complaint);
        }
    }

    /// Logs a line about what a peer said.
    pub(super) fn log_gossip_of(&mut self, source: Option<ConnectionId>, text: &str) {
        let peer: Option<PublicKey> = source.and_then(|source| self.peers.get(source)).map(|peer| peer.id);
        let source = peer.map_or("gossipd".to_owned(), |peer| format!("{peer}-gossipd"));
        self.log(LogLevel::Trace, &source, text);
    }
}
