//! The messages of BOLT 7: their layout, their signatures, and arbitrary bytes.

use crate::hex;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use leyden_bolt::message::GossipMessage;
use leyden_bolt::message::gossip::*;
use proptest::prelude::*;

const SIGNATURE: &str = "0000000000000000000000000000000000000000000000000000000000000001\
    0000000000000000000000000000000000000000000000000000000000000001";

fn key(number: u8) -> SecretKey {
    SecretKey::from_slice(&[number; 32]).unwrap()
}

fn point(number: u8) -> String {
    key(number).public_key(&Secp256k1::new()).to_string()
}

/// Every message, as BOLT 7 lays it out: type, name, payload.
fn layouts() -> Vec<(u16, &'static str, String)> {
    let (chain, scid, four) = ("06".repeat(32), "0000670000010000", SIGNATURE.repeat(4));
    let points: String = (1..=4).map(point).collect();
    let (alias, id) = ("4c".repeat(32), point(1));
    let update = "66000000 01 00 0006 0000000000000001 00000001 0000000a 000000003b023380";
    vec![
        (256, "channel_announcement", format!("{four} 0001 00 {chain} {scid} {points} abcd")),
        (
            257,
            "node_announcement",
            format!("{SIGNATURE} 0001 80 66000000 {id} 010203 {alias} 0007 01 7f000001 2607 abcd"),
        ),
        (258, "channel_update", format!("{SIGNATURE} {chain} {scid} {update} abcd")),
        (261, "query_short_channel_ids", format!("{chain} 0009 00 {scid}")),
        (262, "reply_short_channel_ids_end", format!("{chain} 01")),
        (263, "query_channel_range", format!("{chain} 00000000 00000067")),
        (264, "reply_channel_range", format!("{chain} 00000000 00000067 01 0009 00 {scid}")),
        (265, "gossip_timestamp_filter", format!("{chain} 00000000 ffffffff")),
    ]
}

#[test]
fn every_message_is_laid_out_as_in_bolt_7() {
    for (msg_type, name, text) in layouts() {
        let message = GossipMessage::decode(msg_type, &hex(&text)).unwrap().unwrap();
        assert_eq!(message.name(), name);
        assert_eq!(message.encode()[..2], msg_type.to_be_bytes(), "{name}");
        assert_eq!(message.encode()[2..].to_lower_hex_string(), text.replace(' ', ""), "{name}");
    }
}

#[test]
fn an_update_says_what_its_fields_are_named() {
    let update = ChannelUpdate::decode(&hex(&layouts()[2].2)).unwrap();
    assert_eq!(update.short_channel_id.to_string(), "103x1x0");
    assert_eq!((update.message_flags, update.channel_flags, update.cltv_expiry_delta), (1, 0, 6));
    assert_eq!((update.htlc_minimum_msat, update.htlc_maximum_msat), (1, 990_000_000));
    assert_eq!((update.fee_base_msat, update.fee_proportional_millionths), (1, 10));
}

#[test]
fn signatures_cover_all_that_stands_behind_them() {
    let secp = Secp256k1::new();
    let layouts = layouts();

    let mut announcement = ChannelAnnouncement::decode(&hex(&layouts[0].2)).unwrap();
    assert!(!announcement.is_signed(&secp));
    let hash = announcement.signed_hash();
    let sign = |number| secp.sign_ecdsa(&hash, &key(number));
    announcement.node_signature_1 = sign(1);
    announcement.node_signature_2 = sign(2);
    announcement.bitcoin_signature_1 = sign(3);
    announcement.bitcoin_signature_2 = sign(4);
    assert!(announcement.is_signed(&secp));
    announcement.excess.0.push(0);
    assert!(!announcement.is_signed(&secp));

    let mut node = NodeAnnouncement::decode(&hex(&layouts[1].2)).unwrap();
    node.signature = secp.sign_ecdsa(&node.signed_hash(), &key(1));
    assert!(node.is_signed(&secp));
    node.timestamp += 1;
    assert!(!node.is_signed(&secp));

    let mut update = ChannelUpdate::decode(&hex(&layouts[2].2)).unwrap();
    update.signature = secp.sign_ecdsa(&update.signed_hash(), &key(2));
    assert!(update.is_signed(&secp, &key(2).public_key(&secp)));
    assert!(!update.is_signed(&secp, &key(1).public_key(&secp)));
    update.channel_flags |= ChannelUpdate::DISABLED;
    assert!(!update.is_signed(&secp, &key(2).public_key(&secp)));
}

proptest! {
    /// Whatever comes is decoded or refused, and what is decoded encodes to what came.
    #[test]
    fn arbitrary_bytes_are_decoded_or_refused(
        number in 0usize..8,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
        tail: Vec<u8>,
    ) {
        let (msg_type, _, text) = &layouts()[number];
        let mut bytes = hex(text);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(length.index(bytes.len() + 1));
        bytes.extend(tail);
        if let Some(Ok(message)) = GossipMessage::decode(*msg_type, &bytes) {
            prop_assert_eq!(&message.encode()[2..], bytes);
        }
    }
}
