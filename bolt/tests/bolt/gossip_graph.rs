//! The graph: which messages are believed, what is listed in which order, what peers are answered.

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use leyden_bolt::gossip::*;
use leyden_bolt::message::gossip::*;
use leyden_bolt::message::{Excess, GossipMessage};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::{Features, ShortChannelId};
use proptest::prelude::*;

const NOW: u32 = 1_700_000_000;

/// The key of a node, by number.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_slice(&[number; 32]).unwrap()
}

/// The id of a node, by number.
pub(crate) fn id(number: u8) -> PublicKey {
    key(number).public_key(&secp())
}

fn secp() -> Secp256k1<All> {
    Secp256k1::new()
}

pub(crate) fn scid(text: &str) -> ShortChannelId {
    text.parse().unwrap()
}

/// The announcement of a channel between two nodes, signed by all.
pub(crate) fn announcement(channel: &str, one: u8, other: u8) -> ChannelAnnouncement {
    let funding = |node: u8| key(100 + node);
    let ends = [one, other].map(|node| (id(node), funding(node).public_key(&secp())));
    let mut announcement =
        unsigned_channel_announcement(ChainHash::REGTEST, scid(channel), Features::new(), ends);
    let hash = announcement.signed_hash();
    for node in [one, other] {
        let sign = |key: &SecretKey| secp().sign_ecdsa(&hash, key);
        announcement.set_signatures(&id(node), sign(&key(node)), sign(&funding(node)));
    }
    announcement
}

/// What a node says of its channel to another, unsigned.
pub(crate) fn update(channel: &str, from: u8, to: u8) -> ChannelUpdate {
    ChannelUpdate {
        signature: no_signature(),
        chain_hash: ChainHash::REGTEST,
        short_channel_id: scid(channel),
        timestamp: NOW,
        message_flags: ChannelUpdate::MUST_BE_ONE,
        channel_flags: u8::from(id(from) > id(to)),
        cltv_expiry_delta: 6,
        htlc_minimum_msat: 0,
        fee_base_msat: 1,
        fee_proportional_millionths: 10,
        htlc_maximum_msat: 990_000_000,
        excess: Excess::default(),
    }
}

fn node(number: u8, timestamp: u32) -> NodeAnnouncement {
    let announcement = NodeAnnouncement {
        signature: no_signature(),
        features: Features::new(),
        timestamp,
        node_id: id(number),
        rgb_color: [1, 2, 3],
        alias: node_alias("one"),
        addresses: Vec::new(),
        excess: Excess::default(),
    };
    announcement.signed(&key(number), &secp())
}

#[test]
fn an_announcement_needs_its_four_signatures_and_its_order() {
    let good = announcement("103x1x0", 1, 2);
    assert_eq!(check_channel_announcement(&good, &secp()), Ok(()));
    let swap: [fn(&mut ChannelAnnouncement); 4] = [
        |one| one.node_signature_1 = one.node_signature_2,
        |one| one.node_signature_2 = one.node_signature_1,
        |one| one.bitcoin_signature_1 = one.bitcoin_signature_2,
        |one| one.bitcoin_signature_2 = one.bitcoin_signature_1,
    ];
    let names = ["node_signature_1", "node_signature_2", "bitcoin_signature_1", "bitcoin_signature_2"];
    for (swap, name) in swap.into_iter().zip(names) {
        let mut bad = good.clone();
        swap(&mut bad);
        let text = check_channel_announcement(&bad, &secp()).unwrap_err().to_string();
        assert!(text.starts_with(&format!("Bad {name} ")), "{text}");
    }
    let (node_id_1, node_id_2) = (good.node_id_2, good.node_id_1);
    let turned = ChannelAnnouncement { node_id_1, node_id_2, ..good };
    let text = check_channel_announcement(&turned, &secp()).unwrap_err().to_string();
    assert_eq!(text, format!("node_id_1 must be the lesser node id! 1={node_id_1}, 2={node_id_2}"));
}

#[test]
fn an_update_is_believed_if_the_right_node_signed_it_for_everybody() {
    let mut graph = Graph::new();
    graph.add_channel(announcement("103x1x0", 1, 2), 1_000_000);
    let good = update("103x1x0", 1, 2).signed(&key(1), &secp());
    assert_eq!(graph.check_update(&good, &secp()), Ok(()));
    let by_the_other = update("103x1x0", 1, 2).signed(&key(2), &secp());
    assert!(matches!(graph.check_update(&by_the_other, &secp()), Err(BadGossip::Signature { .. })));
    let private = ChannelUpdate {
        message_flags: ChannelUpdate::MUST_BE_ONE | ChannelUpdate::DONT_FORWARD,
        ..update("103x1x0", 1, 2)
    };
    let private = private.signed(&key(1), &secp());
    assert_eq!(graph.check_update(&private, &secp()), Err(BadGossip::DontForward(scid("103x1x0"))));
}

#[test]
fn only_what_is_newer_is_news() {
    let mut graph = Graph::new();
    let first = update("103x1x0", 1, 2);
    assert_eq!(graph.take_update(first.clone()), News::Unknown);
    assert_eq!(graph.take_node(node(1, NOW)), News::Unknown);
    assert!(graph.add_channel(announcement("103x1x0", 1, 2), 1_000_000));
    assert!(!graph.add_channel(announcement("103x1x0", 1, 2), 1_000_000));
    assert_eq!(graph.take_update(first.clone()), News::Taken);
    assert_eq!(graph.take_update(first.clone()), News::Old);
    assert_eq!(graph.take_update(ChannelUpdate { timestamp: NOW + 1, ..first.clone() }), News::Taken);
    assert_eq!(graph.take_update(first), News::Old);
    assert_eq!(graph.take_node(node(1, NOW)), News::Taken);
    assert_eq!(graph.take_node(node(1, NOW)), News::Old);
    assert_eq!(graph.take_node(node(1, NOW + 1)), News::Taken);
}

#[test]
fn timestamps_are_neither_old_nor_of_the_future() {
    let now = u64::from(NOW);
    for (timestamp, is_timely) in [
        (NOW, true),
        (NOW + 86_400, true),
        (NOW + 86_401, false),
        (NOW - 1_209_600, true),
        (NOW - 1_209_601, false),
    ] {
        let update = ChannelUpdate { timestamp, ..update("103x1x0", 1, 2) };
        assert_eq!(update.is_timely(now), is_timely, "{timestamp}");
    }
}

#[test]
fn a_node_is_known_as_long_as_it_has_a_channel() {
    let mut graph = Graph::new();
    graph.add_channel(announcement("103x1x0", 1, 2), 1_000_000);
    graph.add_channel(announcement("103x2x0", 2, 3), 1_000_000);
    graph.take_node(node(2, NOW));
    graph.remove_channel(scid("103x1x0"));
    let known = [1, 2, 3].map(|number| graph.node(&id(number)).is_some());
    assert_eq!(known, [false, true, true]);
    graph.remove_channel(scid("103x2x0"));
    assert_eq!(graph.nodes().count(), 0);
}

#[test]
fn channels_are_listed_as_they_came_and_free_places_are_taken_first() {
    let mut graph = Graph::new();
    for (channel, other) in [("109x1x0", 2), ("103x1x0", 3), ("105x1x0", 4)] {
        graph.add_channel(announcement(channel, 1, other), 1_000_000);
    }
    graph.remove_channel(scid("103x1x0"));
    graph.add_channel(announcement("111x1x0", 1, 5), 1_000_000);
    let names = |channels: Vec<&Channel>| -> Vec<String> {
        channels.iter().map(|channel| channel.short_channel_id().to_string()).collect()
    };
    assert_eq!(names(graph.channels().collect()), ["109x1x0", "111x1x0", "105x1x0"]);
    assert_eq!(names(graph.channels_of(&id(1)).collect()), ["109x1x0", "105x1x0", "111x1x0"]);
    assert_eq!(names(graph.channels_in_blocks(104, 6).collect()), ["105x1x0", "109x1x0"]);
}

#[test]
fn a_channel_dies_72_blocks_after_its_output_was_spent() {
    let mut graph = Graph::new();
    graph.add_channel(announcement("103x1x0", 1, 2), 1_000_000);
    assert!(graph.forget_at(scid("103x1x0"), 200 + DYING_BLOCKS));
    assert!(!graph.forget_at(scid("103x1x0"), 300), "it is not put off");
    assert!(graph.is_dying(&id(1)));
    assert_eq!(graph.dead(271), []);
    assert_eq!(graph.dead(272), [scid("103x1x0")]);
}

fn range(first_blocknum: u32, number_of_blocks: u32, options: Option<u8>) -> QueryChannelRange {
    let mut tlvs = TlvStream::new();
    if let Some(options) = options {
        tlvs.set(1, [options]);
    }
    QueryChannelRange { chain_hash: ChainHash::REGTEST, first_blocknum, number_of_blocks, tlvs }
}

/// Channels in blocks 103, 103, 104 and 106, and one of which nobody has said anything.
fn graph_of_blocks() -> Graph {
    let mut graph = Graph::new();
    for (channel, other) in [("103x1x0", 2), ("103x2x0", 3), ("104x1x0", 4), ("106x1x0", 5)] {
        graph.add_channel(announcement(channel, 1, other), 1_000_000);
        graph.take_update(update(channel, 1, other));
    }
    graph.add_channel(announcement("104x9x0", 1, 6), 1_000_000);
    graph
}

fn ids(encoded: &[u8]) -> Vec<String> {
    assert_eq!(encoded[0], 0, "uncompressed");
    let id = |bytes: &[u8; 8]| ShortChannelId::from_u64(u64::from_be_bytes(*bytes)).to_string();
    encoded[1..].as_chunks().0.iter().map(id).collect()
}

#[test]
fn a_range_is_answered_in_parts_that_end_with_a_block() {
    let graph = graph_of_blocks();
    let parts = |first, number, limit| -> Vec<(u32, u32, u8, Vec<String>)> {
        let answer = answer_range(&graph, &range(first, number, None), limit);
        let part = |part: &ReplyChannelRange| {
            let ids = ids(&part.encoded_short_ids);
            (part.first_blocknum, part.number_of_blocks, part.sync_complete, ids)
        };
        answer.iter().map(part).collect()
    };
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let all = names(&["103x1x0", "103x2x0", "104x1x0", "106x1x0"]);
    assert_eq!(parts(0, 1_000, 100), [(0, 1_000, 1, all)]);
    assert_eq!(
        parts(0, 1_000, 2),
        [(0, 104, 0, names(&["103x1x0", "103x2x0"])), (104, 896, 1, names(&["104x1x0", "106x1x0"])),]
    );
    // Two of one block do not fit: they are sent all the same.
    assert_eq!(parts(103, 1, 1).iter().map(|part| part.3.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(parts(105, 1, 2), [(105, 1, 1, vec![])]);
    assert_eq!(parts(106, u32::MAX, 2)[0].3, names(&["106x1x0"]));
}

#[test]
fn timestamps_and_checksums_come_with_a_range_if_they_are_asked_for() {
    let graph = graph_of_blocks();
    let answer = answer_range(&graph, &range(104, 1, Some(3)), 100);
    let known = update("104x1x0", 1, 4);
    let place = usize::from(known.direction());
    let mut timestamps = [[0; 4]; 2];
    timestamps[place] = NOW.to_be_bytes();
    assert_eq!(answer[0].tlvs.get(1), Some(&[&[0], timestamps.concat().as_slice()].concat()[..]));
    let mut checksums = [[0; 4]; 2];
    checksums[place] = known.checksum().to_be_bytes();
    assert_eq!(answer[0].tlvs.get(3), Some(&checksums.concat()[..]));
    let later = ChannelUpdate { timestamp: NOW + 1, ..known.clone() };
    assert_eq!(later.checksum(), known.checksum(), "the timestamp says nothing");
    let dearer = ChannelUpdate { fee_base_msat: 2, ..known.clone() };
    assert_ne!(dearer.checksum(), known.checksum());
}

fn asked(channels: &[&str], flags: Option<&[u8]>) -> QueryShortChannelIds {
    let mut encoded = vec![0];
    channels.iter().for_each(|channel| encoded.extend(scid(channel).to_u64().to_be_bytes()));
    let mut tlvs = TlvStream::new();
    if let Some(flags) = flags {
        tlvs.set(1, [&[0], flags].concat());
    }
    QueryShortChannelIds { chain_hash: ChainHash::REGTEST, encoded_short_ids: encoded, tlvs }
}

#[test]
fn channels_that_are_asked_for_are_told_with_their_nodes_once() {
    let mut graph = graph_of_blocks();
    graph.take_node(node(1, NOW));
    let types = |query: &QueryShortChannelIds| -> Vec<u16> {
        let number = |message: &GossipMessage| u16::from_be_bytes([message.encode()[0], message.encode()[1]]);
        answer_ids(&graph, query).unwrap().iter().map(number).collect()
    };
    assert_eq!(types(&asked(&["103x1x0", "7x7x7", "104x1x0"], None)), [256, 258, 256, 258, 257, 262]);
    assert_eq!(types(&asked(&["103x1x0", "104x1x0"], Some(&[1, 0b1_1000]))), [256, 257, 262]);
    assert_eq!(types(&asked(&[], None)), [262]);
}

#[test]
fn questions_that_cannot_be_read_are_complained_of() {
    let graph = graph_of_blocks();
    let compressed = QueryShortChannelIds { encoded_short_ids: vec![1], ..asked(&[], None) };
    let cut = QueryShortChannelIds { encoded_short_ids: vec![0, 1], ..asked(&[], None) };
    for (query, text) in [
        (compressed, "Bad query_short_channel_ids encoding 01"),
        (cut, "Bad query_short_channel_ids encoding 0001"),
        (asked(&["103x1x0"], Some(&[0xfd])), "Bad query_short_channel_ids query_flags 00fd"),
        (asked(&["103x1x0"], Some(&[1, 1])), "Bad query_short_channel_ids flags count 2 scids 1"),
    ] {
        assert_eq!(answer_ids(&graph, &query).unwrap_err().to_string(), text);
    }
}

#[test]
fn addresses_are_read_up_to_what_is_not_known() {
    let addresses = [
        Address::Ip("127.0.0.1:9735".parse().unwrap()),
        Address::Ip("[::1]:19846".parse().unwrap()),
        Address::Onion(vec![7; 35], 9735),
        Address::Dns("ln.example".to_owned(), 9735),
    ];
    let bytes: Vec<u8> = addresses.iter().flat_map(Address::encode).collect();
    assert_eq!(Address::decode_all(&bytes).unwrap(), addresses);
    assert_eq!(Address::decode_all(&[&bytes[..7], &[77, 1, 2]].concat()).unwrap(), addresses[..1]);
    for length in 1..7 {
        assert_eq!(Address::decode_all(&bytes[..length]), Err(BadAddresses), "{length}");
    }
}

proptest! {
    /// Whatever ids and flags a peer sends, it is answered or told what is wrong.
    #[test]
    fn arbitrary_questions_are_answered_or_refused(
        encoding in 0u8..3,
        ids: Vec<u8>,
        flags in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
    ) {
        let ids = [&[encoding], ids.as_slice()].concat();
        let query = QueryShortChannelIds { encoded_short_ids: ids, ..asked(&[], flags.as_deref()) };
        if let Ok(answer) = answer_ids(&graph_of_blocks(), &query) {
            prop_assert!(matches!(answer.last(), Some(GossipMessage::ReplyShortChannelIdsEnd(_))));
        }
    }

    /// Whatever a node says of where it is.
    #[test]
    fn arbitrary_addresses_are_read_or_refused(kind in 0u8..7, bytes: Vec<u8>) {
        let bytes = [&[kind], bytes.as_slice()].concat();
        if let Ok(addresses) = Address::decode_all(&bytes) {
            prop_assert!(addresses.len() <= bytes.len());
        }
    }
}
