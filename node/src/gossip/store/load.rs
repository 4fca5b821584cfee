//! Reading a `gossip_store` of an earlier run.

use super::{COMPLETED, DELETED, HEADER, is_marked, kind};
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::Graph;
use leyden_bolt::message::GossipMessage;
use leyden_bolt::message::gossip::ChannelAnnouncement;
use leyden_protocol::Profile;

/// What a store holds.
#[derive(Debug, Default)]
pub(in crate::gossip) struct Loaded {
    pub(in crate::gossip) graph: Graph,
    pub(in crate::gossip) uuid: Option<[u8; 32]>,
    /// How many records count, and how many do not.
    pub(in crate::gossip) live: usize,
    pub(in crate::gossip) deleted: usize,
}

/// Reads a store. `Err` says what is wrong with it: a store that is not whole is not believed at all.
pub(in crate::gossip) fn load(bytes: &[u8], profile: Profile) -> Result<Loaded, String> {
    let Some((version, mut rest)) = bytes.split_first() else { return Ok(Loaded::default()) };
    if *version != profile.gossip_store_version() {
        return Err(format!("version {version}"));
    }
    let mut loaded = Loaded::default();
    let mut announced = None;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let record = Record::cut(&mut rest).ok_or_else(|| format!("truncated record at {offset}"))?;
        let is_whole = record.flags & COMPLETED != 0 || !is_marked(profile);
        if !is_whole || crc32c::crc32c_append(record.timestamp, record.message) != record.checksum {
            return Err(format!("bad checksum at {offset}"));
        }
        if record.flags & DELETED != 0 {
            loaded.deleted += 1;
            continue;
        }
        loaded.live += 1;
        loaded.take(record.message, &mut announced).ok_or_else(|| format!("bad record at {offset}"))?;
    }
    Ok(loaded)
}

struct Record<'a> {
    flags: u16,
    checksum: u32,
    timestamp: u32,
    message: &'a [u8],
}

impl<'a> Record<'a> {
    fn cut(bytes: &mut &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        let [flags, length] = [[header[0], header[1]], [header[2], header[3]]].map(u16::from_be_bytes);
        let number = |at: usize| header[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let (message, rest) = rest.split_at_checked(length.into())?;
        *bytes = rest;
        Some(Self { flags, checksum: number(4)?, timestamp: number(8)?, message })
    }
}

impl Loaded {
    /// `announced` is the announcement that waits for the amount behind it.
    fn take(&mut self, message: &[u8], announced: &mut Option<ChannelAnnouncement>) -> Option<()> {
        let (number, payload) = message.split_first_chunk()?;
        match u16::from_be_bytes(*number) {
            kind::UUID => self.uuid = Some(*payload.first_chunk()?),
            kind::CHANNEL_AMOUNT => {
                self.graph.add_channel(announced.take()?, u64::from_be_bytes(*payload.first_chunk()?));
            }
            kind::DELETE_CHANNEL => drop(self.graph.remove_channel(scid(payload)?)),
            kind::CHANNEL_DYING => {
                let dies_at = u32::from_be_bytes(*payload.get(8..)?.first_chunk()?);
                self.graph.forget_at(scid(payload)?, dies_at);
            }
            number => match GossipMessage::decode(number, payload) {
                Some(Ok(GossipMessage::ChannelAnnouncement(channel))) => *announced = Some(channel),
                Some(Ok(GossipMessage::ChannelUpdate(update))) => drop(self.graph.take_update(update)),
                Some(Ok(GossipMessage::NodeAnnouncement(node))) => drop(self.graph.take_node(node)),
                Some(_) => return None,
                // Of another release.
                None => {}
            },
        }
        Some(())
    }
}

fn scid(payload: &[u8]) -> Option<ShortChannelId> {
    payload.first_chunk().map(|bytes| ShortChannelId::from_u64(u64::from_be_bytes(*bytes)))
}
