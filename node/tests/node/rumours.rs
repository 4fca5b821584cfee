//! A line of three nodes that exist in what peers tell of them only: announcements and updates of its two channels.

use crate::chain::Chain;
use crate::peer::{Peer, key};
use crate::running::{NOW, RunningNode};
use bitcoin::ScriptBuf;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1};
use leyden_bolt::gossip::{Address, no_signature, node_alias, unsigned_channel_announcement};
use leyden_bolt::message::gossip::*;
use leyden_bolt::message::{Excess, GossipMessage};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::{Features, ShortChannelId};
pub(crate) const CAPACITY_SAT: u64 = 1_000_000;

/// The node that tells of the channels.
pub(crate) const TELLER: u8 = 50;
/// A node that wants to hear of them.
pub(crate) const LISTENER: u8 = 51;

pub(crate) fn secp() -> Secp256k1<All> {
    Secp256k1::new()
}

pub(crate) fn id(number: u8) -> PublicKey {
    key(number).public_key(&secp())
}

/// Key of a node in the funding outputs of its channels.
pub(crate) fn funding(number: u8) -> u8 {
    100 + number
}

/// The script of the channel between two nodes (BOLT 3).
pub(crate) fn script(one: u8, other: u8) -> ScriptBuf {
    let mut keys = [funding(one), funding(other)].map(|number| id(number).serialize());
    keys.sort_unstable();
    bitcoin::script::Builder::new()
        .push_int(2)
        .push_slice(keys[0])
        .push_slice(keys[1])
        .push_int(2)
        .push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIG)
        .into_script()
        .to_p2wsh()
}

/// Channels of nodes 1 and 2, and 2 and 3, in block 1; six blocks deep.
pub(crate) fn line() -> Chain {
    Chain::with_outputs(&[script(1, 2), script(2, 3)], CAPACITY_SAT, 6)
}

pub(crate) fn scid(text: &str) -> ShortChannelId {
    text.parse().expect("a name of a channel")
}

pub(crate) fn announcement(channel: &str, one: u8, other: u8) -> ChannelAnnouncement {
    let ends = [one, other].map(|node| (id(node), id(funding(node))));
    let mut announcement =
        unsigned_channel_announcement(ChainHash::REGTEST, scid(channel), Features::new(), ends);
    let hash = announcement.signed_hash();
    for node in [one, other] {
        let sign = |number| secp().sign_ecdsa(&hash, &key(number));
        announcement.set_signatures(&id(node), sign(node), sign(funding(node)));
    }
    announcement
}

pub(crate) fn update(channel: &str, from: u8, to: u8, timestamp: u64) -> ChannelUpdate {
    let update = ChannelUpdate {
        signature: no_signature(),
        chain_hash: ChainHash::REGTEST,
        short_channel_id: scid(channel),
        timestamp: u32::try_from(timestamp).expect("the clock stands before 2106"),
        message_flags: ChannelUpdate::MUST_BE_ONE,
        channel_flags: u8::from(id(from) > id(to)),
        cltv_expiry_delta: 6,
        htlc_minimum_msat: 1,
        fee_base_msat: 1,
        fee_proportional_millionths: 10,
        htlc_maximum_msat: 990_000_000,
        excess: Excess::default(),
    };
    update.signed(&key(from), &secp())
}

pub(crate) fn node(number: u8) -> NodeAnnouncement {
    let announcement = NodeAnnouncement {
        signature: no_signature(),
        features: Features::from_bits(&[7]),
        timestamp: NOW as u32,
        node_id: id(number),
        rgb_color: [1, 2, 3],
        alias: node_alias("SILENTARTIST"),
        addresses: Address::Ip("127.0.0.1:9735".parse().expect("an address")).encode(),
        excess: Excess::default(),
    };
    announcement.signed(&key(number), &secp())
}

/// Everything about both channels of the line.
pub(crate) fn story() -> Vec<GossipMessage> {
    vec![
        announcement("1x1x0", 1, 2).into(),
        update("1x1x0", 1, 2, NOW).into(),
        update("1x1x0", 2, 1, NOW).into(),
        node(1).into(),
        announcement("1x1x1", 2, 3).into(),
        update("1x1x1", 2, 3, NOW).into(),
        update("1x1x1", 3, 2, NOW).into(),
    ]
}

pub(crate) fn filter(first_timestamp: u32) -> GossipTimestampFilter {
    let (chain_hash, tlvs) = (ChainHash::REGTEST, TlvStream::new());
    GossipTimestampFilter { chain_hash, first_timestamp, timestamp_range: u32::MAX, tlvs }
}

pub(crate) async fn tell(peer: &mut Peer, messages: &[GossipMessage]) {
    for message in messages {
        peer.send(&message.encode()).await;
    }
}

/// A node that has heard of both channels, and the peer that told.
pub(crate) async fn informed() -> (RunningNode, Peer) {
    let node = RunningNode::start_on(line()).await;
    let mut teller = node.peer(TELLER).await;
    let mut listener = node.peer(LISTENER).await;
    assert_eq!(listener.next().await, filter(0).encode(), "the node wants to know everything");
    assert_eq!(teller.next().await, filter(0).encode());
    listener.send(&filter(1).encode()).await;
    assert!(listener.heard().await.is_empty());
    tell(&mut teller, &story()).await;
    // The last of it has come to somebody else: all of it is known.
    let mut told = Vec::new();
    while told.len() < story().len() {
        told.push(listener.next().await);
    }
    told.sort_unstable();
    let mut expected: Vec<Vec<u8>> = story().iter().map(GossipMessage::encode).collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
    (node, teller)
}
