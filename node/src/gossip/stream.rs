//! Which peer wants to hear what, and what it asks (`connectd/multiplex.c`, `connectd/queries.c`).
//!
//! lightningd flushes gossip once a minute; this node passes on at once.

use super::receive::Complaint;
use crate::event::LogLevel;
use crate::input::ConnectionId;
use crate::output::Output;
use crate::peer::PeerState;
use crate::state::State;
use bitcoin::constants::ChainHash;
use leyden_bolt::features::bit;
use leyden_bolt::gossip::{Channel, answer_ids, answer_range, range_limit};
use leyden_bolt::message::GossipMessage;
use leyden_bolt::message::gossip::{
    GossipTimestampFilter, NodeAnnouncement, QueryChannelRange, QueryShortChannelIds, ReplyChannelRange,
    ReplyShortChannelIdsEnd,
};
use leyden_bolt::tlv::TlvStream;
use std::ops::RangeInclusive;

/// The timestamps of the gossip that a peer wants, in seconds of Unix time.
pub(crate) type TimestampFilter = RangeInclusive<u32>;

impl State {
    /// A peer has said `init`: it hears of our own channels, and is asked for everything that it knows.
    pub(crate) fn gossip_with(&mut self, connection: ConnectionId) {
        let own: Vec<&Channel> = self.gossip.graph.channels_of(&self.node_id).collect();
        let mut messages: Vec<Vec<u8>> = own.into_iter().flat_map(messages_of).map(|one| one.1).collect();
        let myself = self.gossip.graph.node(&self.node_id).and_then(|node| node.announcement.as_ref());
        messages.extend(myself.map(NodeAnnouncement::encode));
        let Some(peer) = self.peers.get(connection) else { return };
        if peer.features.offers(bit::GOSSIP_QUERIES) {
            let filter = GossipTimestampFilter {
                chain_hash: ChainHash::REGTEST,
                first_timestamp: 0,
                timestamp_range: u32::MAX,
                tlvs: TlvStream::new(),
            };
            messages.push(filter.encode());
        }
        for message in messages {
            self.out.push(Output::ToPeer(connection, message));
        }
    }

    /// A peer says which gossip it wants from now on. One that begins at 0 wants what is known already, too.
    pub(super) fn gossip_filtered(&mut self, connection: ConnectionId, filter: &GossipTimestampFilter) {
        if filter.chain_hash != ChainHash::REGTEST {
            let text = format!("gossip_timestamp_filter for bad chain: {}", filter.chain_hash);
            return self.warn_and_close(connection, &text);
        }
        let first = filter.first_timestamp;
        let last = first.wrapping_add(filter.timestamp_range).wrapping_sub(1);
        let wanted = first..=if last < first { u32::MAX } else { last };
        if first == 0 {
            self.send_known(connection, &wanted);
        }
        if let Some(peer) = self.peers.get_mut(connection) {
            peer.gossip_filter = Some(wanted);
        }
    }

    fn send_known(&mut self, connection: ConnectionId, wanted: &TimestampFilter) {
        let living = self.gossip.graph.channels().filter(|channel| channel.dies_at.is_none());
        let of_nodes = self.gossip.graph.nodes().filter(|node| !self.gossip.graph.is_dying(&node.id));
        let of_nodes = of_nodes.filter_map(|node| node.announcement.as_ref());
        let messages = living.flat_map(messages_of);
        let messages = messages.chain(of_nodes.map(|node| (node.timestamp, node.encode())));
        let wanted = messages.filter(|(timestamp, _)| *timestamp == 0 || wanted.contains(timestamp));
        let outputs: Vec<Output> = wanted.map(|(_, message)| Output::ToPeer(connection, message)).collect();
        self.out.extend(outputs);
    }

    /// Passes on what is new to every peer that wants it, but not to the one that sent it. A timestamp of 0 is any.
    pub(super) fn pass_on(&mut self, message: &[u8], timestamp: u32, source: Option<ConnectionId>) {
        let wants = |filter: &TimestampFilter| timestamp == 0 || filter.contains(&timestamp);
        let to: Vec<ConnectionId> = self
            .peers
            .iter()
            .filter(|(connection, peer)| {
                Some(*connection) != source && peer.gossip_filter.as_ref().is_some_and(wants)
            })
            .map(|(connection, _)| connection)
            .collect();
        for connection in to {
            self.out.push(Output::ToPeer(connection, message.to_vec()));
        }
    }

    /// A peer asks for what is known of some channels.
    pub(super) fn short_channel_ids_asked(
        &mut self,
        connection: ConnectionId,
        query: &QueryShortChannelIds,
    ) -> Result<(), Complaint> {
        let answer = if query.chain_hash == ChainHash::REGTEST {
            answer_ids(&self.gossip.graph, query).map_err(|bad| bad.to_string())?
        } else {
            self.log_foreign_chain(connection, "sent query_short_channel_ids chainhash", query.chain_hash);
            let tlvs = TlvStream::new();
            vec![ReplyShortChannelIdsEnd { chain_hash: query.chain_hash, full_information: 0, tlvs }.into()]
        };
        self.answer_query(connection, answer);
        Ok(())
    }

    /// A peer asks which channels were funded in some blocks.
    pub(super) fn channel_range_asked(&mut self, connection: ConnectionId, query: &QueryChannelRange) {
        let answer = if query.chain_hash == ChainHash::REGTEST {
            answer_range(&self.gossip.graph, query, range_limit(query))
        } else {
            self.log_foreign_chain(connection, "query_channel_range with chainhash", query.chain_hash);
            vec![ReplyChannelRange {
                chain_hash: query.chain_hash,
                first_blocknum: query.first_blocknum,
                number_of_blocks: query.number_of_blocks,
                sync_complete: 0,
                encoded_short_ids: Vec::new(),
                tlvs: TlvStream::new(),
            }]
        };
        self.answer_query(connection, answer.into_iter().map(GossipMessage::from).collect());
    }

    fn answer_query(&mut self, connection: ConnectionId, messages: Vec<GossipMessage>) {
        for message in messages {
            self.out.push(Output::ToPeer(connection, message.encode()));
        }
    }

    fn log_foreign_chain(&mut self, connection: ConnectionId, what: &str, chain: ChainHash) {
        let Some(peer) = self.peers.get(connection).filter(|peer| peer.state >= PeerState::InHook) else {
            return;
        };
        let source = format!("{}-connectd", peer.id);
        self.log(LogLevel::Debug, &source, &format!("{what} {chain}"));
    }
}

/// What makes a channel known, with its timestamps.
fn messages_of(channel: &Channel) -> Vec<(u32, Vec<u8>)> {
    let announcement = (channel.timestamp(), channel.announcement.encode());
    let updates = channel.updates.iter().flatten().map(|update| (update.timestamp, update.encode()));
    [announcement].into_iter().chain(updates).collect()
}
