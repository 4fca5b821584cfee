//! The file `gossip_store` (`gossipd/gossip_store.c`, `common/gossip_store.h`): plugins read the gossip from it, and the
//! node itself at its next start.
//!
//! Each record is a message behind its header. Nothing is ever taken out while the node runs: records get a flag.

mod load;

pub(super) use load::{Loaded, load};

use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::{Channel, Graph};
use leyden_bolt::message::gossip::{ChannelUpdate, NodeAnnouncement};
use leyden_protocol::Profile;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// `flags` of a record that no longer counts.
const DELETED: u16 = 0x8000;
/// `flags` of a record that is written completely.
const COMPLETED: u16 = 0x2000;
/// `flags` of a record of a channel whose funding output is spent.
const DYING: u16 = 0x0800;

/// From this version on records are marked as complete, and as dying.
const MARKED_VERSION: u8 = 15;

/// Flags, length, checksum, timestamp.
const HEADER: usize = 2 + 2 + 4 + 4;

/// Types of records that are no messages.
mod kind {
    /// Behind each announcement: what the channel's funding output holds.
    pub(super) const CHANNEL_AMOUNT: u16 = 4101;
    /// A channel that was forgotten.
    pub(super) const DELETE_CHANNEL: u16 = 4103;
    /// A channel whose funding output is spent, and the height at which it is to be forgotten.
    pub(super) const CHANNEL_DYING: u16 = 4106;
    /// What tells one store from the one that replaces it: 32 bytes.
    pub(super) const UUID: u16 = 4107;
}

/// Bytes to be written at a place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Announcement(ShortChannelId),
    Amount(ShortChannelId),
    Update(ShortChannelId, u8),
    Node(PublicKey),
    Dying(ShortChannelId),
}

/// A record in the file.
#[derive(Debug)]
struct Record {
    offset: u64,
    flags: u16,
    message: Vec<u8>,
}

/// Where everything is in the file, and what is to be written to it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    profile: Profile,
    end: u64,
    records: BTreeMap<Subject, Record>,
    writes: Vec<Write>,
}

impl Store {
    /// A store with all of the graph, and its bytes.
    pub(super) fn of(graph: &Graph, profile: Profile, uuid: &[u8; 32]) -> (Self, Vec<u8>) {
        let mut store = Self { profile, end: 1, ..Self::default() };
        if profile.gossip_store_has_uuid() {
            store.put(0, [&kind::UUID.to_be_bytes()[..], uuid].concat());
        }
        for channel in graph.channels() {
            store.add_channel(channel);
            for update in channel.updates.iter().flatten() {
                store.add_update(update);
            }
        }
        for node in graph.nodes() {
            node.announcement.iter().for_each(|node| store.add_node(node));
        }
        for channel in graph.channels() {
            if let Some(dies_at) = channel.dies_at {
                store.mark_dying(channel.short_channel_id(), dies_at);
            }
        }
        let mut bytes = vec![profile.gossip_store_version()];
        for write in store.take_writes() {
            let offset = usize::try_from(write.offset).expect("a file that fits into memory");
            bytes.resize(bytes.len().max(offset + write.bytes.len()), 0);
            bytes[offset..offset + write.bytes.len()].copy_from_slice(&write.bytes);
        }
        (store, bytes)
    }

    /// What has to be written since the last time.
    pub(super) fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    /// A channel without its updates. Its record gets the timestamp of the first of them.
    pub(super) fn add_channel(&mut self, channel: &Channel) {
        let scid = channel.short_channel_id();
        self.add(Subject::Announcement(scid), 0, channel.announcement.encode());
        let amount = [&kind::CHANNEL_AMOUNT.to_be_bytes()[..], &channel.capacity_sat.to_be_bytes()].concat();
        self.add(Subject::Amount(scid), 0, amount);
    }

    /// The latest update of a direction, in the place of the one before.
    pub(super) fn add_update(&mut self, update: &ChannelUpdate) {
        let (scid, direction) = (update.short_channel_id, update.direction());
        let is_dying = self.records.contains_key(&Subject::Dying(scid));
        let is_first = [0, 1].iter().all(|way| !self.records.contains_key(&Subject::Update(scid, *way)));
        if is_first && let Some(record) = self.records.get(&Subject::Announcement(scid)) {
            let bytes = header(record.flags, update.timestamp, &record.message);
            self.writes.push(Write { offset: record.offset, bytes });
        }
        self.add(Subject::Update(scid, direction), update.timestamp, update.encode());
        if is_dying {
            self.flag(Subject::Update(scid, direction), DYING);
        }
    }

    /// What a node says of itself, in the place of what it said before.
    pub(super) fn add_node(&mut self, node: &NodeAnnouncement) {
        self.add(Subject::Node(node.node_id), node.timestamp, node.encode());
    }

    /// Notes when a channel is to be forgotten.
    pub(super) fn mark_dying(&mut self, scid: ShortChannelId, dies_at: u32) {
        let scid_bytes = scid.to_u64().to_be_bytes();
        let message = [&kind::CHANNEL_DYING.to_be_bytes()[..], &scid_bytes, &dies_at.to_be_bytes()].concat();
        self.add(Subject::Dying(scid), 0, message);
        for subject in [Subject::Announcement(scid), Subject::Update(scid, 0), Subject::Update(scid, 1)] {
            self.flag(subject, DYING);
        }
    }

    /// Notes that a node has no living channel left.
    pub(super) fn mark_node_dying(&mut self, node: &PublicKey) {
        self.flag(Subject::Node(*node), DYING);
    }

    /// Forgets a channel.
    pub(super) fn remove_channel(&mut self, scid: ShortChannelId) {
        let message = [&kind::DELETE_CHANNEL.to_be_bytes()[..], &scid.to_u64().to_be_bytes()].concat();
        self.put(0, message);
        for subject in [
            Subject::Announcement(scid),
            Subject::Amount(scid),
            Subject::Update(scid, 0),
            Subject::Update(scid, 1),
            Subject::Dying(scid),
        ] {
            self.remove(subject);
        }
    }

    /// Forgets what a node said of itself.
    pub(super) fn remove_node(&mut self, node: &PublicKey) {
        self.remove(Subject::Node(*node));
    }

    fn add(&mut self, subject: Subject, timestamp: u32, message: Vec<u8>) {
        let (offset, flags) = (self.put(timestamp, message.clone()), self.completed());
        self.remove(subject);
        self.records.insert(subject, Record { offset, flags, message });
    }

    /// Appends a record, and gives its place.
    fn put(&mut self, timestamp: u32, message: Vec<u8>) -> u64 {
        let offset = self.end;
        let bytes = [header(self.completed(), timestamp, &message), message].concat();
        self.end += bytes.len() as u64;
        self.writes.push(Write { offset, bytes });
        offset
    }

    fn completed(&self) -> u16 {
        if is_marked(self.profile) { COMPLETED } else { 0 }
    }

    fn flag(&mut self, subject: Subject, flag: u16) {
        if flag == DYING && !is_marked(self.profile) {
            return;
        }
        if let Some(record) = self.records.get_mut(&subject) {
            record.flags |= flag;
            self.writes.push(Write { offset: record.offset, bytes: record.flags.to_be_bytes().to_vec() });
        }
    }

    fn remove(&mut self, subject: Subject) {
        self.flag(subject, DELETED);
        self.records.remove(&subject);
    }
}

/// Writes to the file.
///
/// # Errors
/// If it cannot be opened or written.
pub(crate) fn write(path: &Path, writes: &[Write]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    writes.iter().try_for_each(|write| file.write_all_at(&write.bytes, write.offset))
}

fn is_marked(profile: Profile) -> bool {
    profile.gossip_store_version() >= MARKED_VERSION
}

fn header(flags: u16, timestamp: u32, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a message has at most 65535 bytes");
    let mut header = [flags.to_be_bytes(), length.to_be_bytes()].concat();
    header.extend(crc32c::crc32c_append(timestamp, message).to_be_bytes());
    header.extend(timestamp.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::constants::ChainHash;
    use bitcoin::secp256k1::{Secp256k1, SecretKey};
    use leyden_bolt::Features;
    use leyden_bolt::gossip::{no_signature, unsigned_channel_announcement};
    use leyden_bolt::message::Excess;

    fn scid() -> ShortChannelId {
        "103x1x0".parse().unwrap()
    }

    /// Two channels, of which `103x1x0` has an update.
    fn graph() -> Graph {
        let secp = Secp256k1::new();
        let id = |number| SecretKey::from_slice(&[number; 32]).unwrap().public_key(&secp);
        let mut graph = Graph::new();
        for (scid, ends) in [(scid(), [1, 2]), ("104x1x0".parse().unwrap(), [2, 3])] {
            let ends = ends.map(|number| (id(number), id(100 + number)));
            let announcement = unsigned_channel_announcement(ChainHash::REGTEST, scid, Features::new(), ends);
            graph.add_channel(announcement, 1_000_000);
        }
        graph.take_update(update(7));
        graph
    }

    fn update(timestamp: u32) -> ChannelUpdate {
        ChannelUpdate {
            signature: no_signature(),
            chain_hash: ChainHash::REGTEST,
            short_channel_id: scid(),
            timestamp,
            message_flags: ChannelUpdate::MUST_BE_ONE,
            channel_flags: 0,
            cltv_expiry_delta: 6,
            htlc_minimum_msat: 0,
            fee_base_msat: 1,
            fee_proportional_millionths: 10,
            htlc_maximum_msat: 990_000_000,
            excess: Excess::default(),
        }
    }

    /// The channels in the bytes of a store: their updates' timestamps and when they die.
    fn loaded(bytes: &[u8], profile: Profile) -> Vec<(String, Vec<u32>, Option<u32>)> {
        let entry = |channel: &Channel| {
            let timestamps = channel.updates.iter().flatten().map(|update| update.timestamp).collect();
            (channel.short_channel_id().to_string(), timestamps, channel.dies_at)
        };
        load(bytes, profile).unwrap().graph.channels().map(entry).collect()
    }

    #[test]
    fn what_is_changed_replaced_and_forgotten_is_found_so_again() {
        for profile in Profile::ALL {
            let (mut store, mut bytes) = Store::of(&graph(), profile, &[7; 32]);
            let mut write = |store: &mut Store| {
                for Write { offset, bytes: written } in store.take_writes() {
                    let offset = usize::try_from(offset).unwrap();
                    bytes.resize(bytes.len().max(offset + written.len()), 0);
                    bytes[offset..offset + written.len()].copy_from_slice(&written);
                }
                loaded(&bytes, profile)
            };
            let other = ("104x1x0".to_owned(), vec![], None);
            let one = |timestamp, dies_at| ("103x1x0".to_owned(), vec![timestamp], dies_at);
            assert_eq!(write(&mut store), [one(7, None), other.clone()]);
            store.add_update(&update(8));
            assert_eq!(write(&mut store), [one(8, None), other.clone()]);
            store.mark_dying(scid(), 300);
            assert_eq!(write(&mut store), [one(8, Some(300)), other.clone()]);
            store.remove_channel(scid());
            assert_eq!(write(&mut store), [other]);
        }
    }

    #[test]
    fn a_store_that_is_not_whole_is_refused() {
        let (_, bytes) = Store::of(&graph(), Profile::default(), &[7; 32]);
        let why = |bytes: &[u8]| load(bytes, Profile::default()).unwrap_err();
        assert_eq!(why(&[&[9], &bytes[1..]].concat()), "version 9");
        assert!(why(&bytes[..bytes.len() - 1]).starts_with("truncated record at "));
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(why(&changed).starts_with("bad checksum at "));
    }

    #[test]
    fn an_empty_store_is_that_of_a_real_node() {
        // The uuid and the checksum are those of a node of v26.06.6.
        let real = "\
            102000002214683b8000000000100b\
            caa823dcfee8c3b646a918f206eef8ceced41694f24d72824a427086f8dd5231";
        let real = hex::decode(real).unwrap();
        let uuid: &[u8; 32] = real.last_chunk().unwrap();
        let of_each_release = Profile::ALL.map(|profile| Store::of(&Graph::new(), profile, uuid).1);
        assert_eq!(of_each_release, [vec![9], vec![9], vec![12], real]);
    }
}
