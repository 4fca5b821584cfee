//! What peers ask of the graph, and the answers (BOLT 7; CLN's `connectd/queries.c`).

use super::graph::{Channel, Graph};
use crate::integer::read_bigsize;
use crate::message::GossipMessage;
use crate::message::gossip::{
    ChannelUpdate, QueryChannelRange, QueryShortChannelIds, ReplyChannelRange, ReplyShortChannelIdsEnd,
};
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;
use bitcoin::hex::DisplayHex;
use std::collections::BTreeSet;
use thiserror::Error;

/// The only encoding of ids that is not deprecated: as they are.
const UNCOMPRESSED: u8 = 0;

/// `query_flags` of `query_short_channel_ids`, and `timestamps_tlv` of `reply_channel_range`.
const FIRST_TLV: u64 = 1;
/// `checksums_tlv` of `reply_channel_range`.
const CHECKSUMS: u64 = 3;

/// Bits of `query_option`.
const WANTS_TIMESTAMPS: u64 = 1;
const WANTS_CHECKSUMS: u64 = 2;

/// Bits of a query flag: the announcement, the updates of the two nodes, what the two nodes say of themselves.
const WANTS_ANNOUNCEMENT: u64 = 1;
const WANTS_UPDATES: [u64; 2] = [1 << 1, 1 << 2];
const WANTS_NODES: [u64; 2] = [1 << 3, 1 << 4];

/// A question that cannot be answered; what the peer is told of it is in CLN's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadQuery {
    /// Ids in an encoding that is not known, or cut off.
    #[error("Bad query_short_channel_ids encoding {0}")]
    Encoding(String),
    /// Flags in an encoding that is not known, or cut off.
    #[error("Bad query_short_channel_ids query_flags {0}")]
    Flags(String),
    /// Not one flag for each id.
    #[error("Bad query_short_channel_ids flags count {flags} scids {ids}")]
    Count {
        /// How many flags there are.
        flags: usize,
        /// How many ids there are.
        ids: usize,
    },
}

/// How many ids fit into a `reply_channel_range` to this question.
#[must_use]
pub fn range_limit(query: &QueryChannelRange) -> usize {
    // Type, chain, block numbers, end, length and encoding of the ids; type, length and encoding of two extensions.
    const OVERHEAD: usize = 2 + 32 + 4 + 4 + 1 + 2 + 1 + 2 * (1 + 3 + 1);
    let options = query_options(query);
    let extra = |wanted: u64| if options & wanted == 0 { 0 } else { 8 };
    (usize::from(u16::MAX) - OVERHEAD) / (8 + extra(WANTS_TIMESTAMPS) + extra(WANTS_CHECKSUMS))
}

/// Which channels were funded in some blocks: at most `limit` ids in each part of the answer. Channels of which neither
/// node has said anything are left out.
#[must_use]
pub fn answer_range(graph: &Graph, query: &QueryChannelRange, limit: usize) -> Vec<ReplyChannelRange> {
    let first = query.first_blocknum;
    let end = first.saturating_add(query.number_of_blocks);
    let has_update = |channel: &&Channel| channel.updates.iter().any(Option::is_some);
    let channels: Vec<&Channel> =
        graph.channels_in_blocks(first, query.number_of_blocks).filter(has_update).collect();
    let mut parts = Vec::new();
    let (mut rest, mut from) = (channels.as_slice(), first);
    loop {
        let length = part_length(rest, limit);
        let (part, behind) = rest.split_at(length);
        let until = behind.first().map_or(end, |next| next.short_channel_id().block());
        parts.push(range_part(query, from, until - from, part, behind.is_empty()));
        if behind.is_empty() {
            return parts;
        }
        (rest, from) = (behind, until);
    }
}

/// As many as fit, up to the end of a block. A block that does not fit is cut all the same.
fn part_length(channels: &[&Channel], limit: usize) -> usize {
    let Some(next) = channels.get(limit) else { return channels.len() };
    let block = |channel: &Channel| channel.short_channel_id().block();
    let whole = channels[..limit].partition_point(|channel| block(channel) < block(next));
    if whole == 0 { limit.max(1) } else { whole }
}

fn range_part(
    query: &QueryChannelRange,
    first_blocknum: u32,
    number_of_blocks: u32,
    channels: &[&Channel],
    is_last: bool,
) -> ReplyChannelRange {
    let mut ids = vec![UNCOMPRESSED];
    for channel in channels {
        ids.extend(channel.short_channel_id().to_u64().to_be_bytes());
    }
    let of_updates = |of: fn(&ChannelUpdate) -> u32| {
        let updates = channels.iter().flat_map(|channel| &channel.updates);
        updates.flat_map(|update| update.as_ref().map_or(0, of).to_be_bytes()).collect::<Vec<u8>>()
    };
    let options = query_options(query);
    let mut tlvs = TlvStream::new();
    if options & WANTS_TIMESTAMPS != 0 {
        tlvs.set(FIRST_TLV, [vec![UNCOMPRESSED], of_updates(|update| update.timestamp)].concat());
    }
    if options & WANTS_CHECKSUMS != 0 {
        tlvs.set(CHECKSUMS, of_updates(ChannelUpdate::checksum));
    }
    ReplyChannelRange {
        chain_hash: query.chain_hash,
        first_blocknum,
        number_of_blocks,
        sync_complete: is_last.into(),
        encoded_short_ids: ids,
        tlvs,
    }
}

fn query_options(query: &QueryChannelRange) -> u64 {
    let options = query.tlvs.get(FIRST_TLV).and_then(|mut options| read_bigsize(&mut options).ok());
    options.unwrap_or_default()
}

/// Everything that is known of some channels, of each node once, and the end.
///
/// # Errors
///
/// If the ids or the flags cannot be read.
pub fn answer_ids(graph: &Graph, query: &QueryShortChannelIds) -> Result<Vec<GossipMessage>, BadQuery> {
    let ids = decode_ids(&query.encoded_short_ids)
        .ok_or_else(|| BadQuery::Encoding(query.encoded_short_ids.to_lower_hex_string()))?;
    let flags = match query.tlvs.get(FIRST_TLV) {
        Some(flags) => decode_flags(flags).ok_or_else(|| BadQuery::Flags(flags.to_lower_hex_string()))?,
        None => vec![u64::MAX; ids.len()],
    };
    if flags.len() != ids.len() {
        return Err(BadQuery::Count { flags: flags.len(), ids: ids.len() });
    }
    let mut messages = Vec::new();
    let mut nodes = BTreeSet::new();
    for (id, flags) in ids.into_iter().zip(flags) {
        let Some(channel) = graph.channel(id) else { continue };
        if flags & WANTS_ANNOUNCEMENT != 0 {
            messages.push(channel.announcement.clone().into());
        }
        for (update, wanted) in channel.updates.iter().zip(WANTS_UPDATES) {
            messages.extend(update.clone().filter(|_| flags & wanted != 0).map(GossipMessage::from));
        }
        for (direction, wanted) in [0, 1].into_iter().zip(WANTS_NODES) {
            nodes.extend((flags & wanted != 0).then(|| *channel.source(direction)));
        }
    }
    let said = nodes.iter().filter_map(|node| graph.node(node)?.announcement.clone());
    messages.extend(said.map(GossipMessage::from));
    messages.push(
        ReplyShortChannelIdsEnd { chain_hash: query.chain_hash, full_information: 1, tlvs: TlvStream::new() }
            .into(),
    );
    Ok(messages)
}

fn decode_ids(encoded: &[u8]) -> Option<Vec<ShortChannelId>> {
    let (encoding, ids) = encoded.split_first()?;
    let (ids, rest) = ids.as_chunks();
    let id = |id: &[u8; 8]| ShortChannelId::from_u64(u64::from_be_bytes(*id));
    (*encoding == UNCOMPRESSED && rest.is_empty()).then(|| ids.iter().map(id).collect())
}

fn decode_flags(encoded: &[u8]) -> Option<Vec<u64>> {
    let (encoding, mut rest) = encoded.split_first()?;
    let mut flags = Vec::new();
    while *encoding == UNCOMPRESSED && !rest.is_empty() {
        flags.push(read_bigsize(&mut rest).ok()?);
    }
    rest.is_empty().then_some(flags)
}

impl ChannelUpdate {
    /// CRC32C of everything but signature and timestamp.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        // Type and signature; chain and id; timestamp.
        let (head, timestamp) = (2 + 64, 2 + 64 + 32 + 8);
        let bytes = self.encode();
        crc32c::crc32c_append(crc32c::crc32c(&bytes[head..timestamp]), &bytes[timestamp + 4..])
    }
}
