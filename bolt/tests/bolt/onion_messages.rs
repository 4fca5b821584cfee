//! Blinded paths and onion messages: the vectors of BOLT 4, messages along any path, and what is ignored.

use crate::hex;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden_bolt::message::MessageError;
use leyden_bolt::onion::blinding::{FirstNode, PathSecret};
use leyden_bolt::onion::message::{Arrived, NextNode};
use leyden_bolt::onion::packet::{CreateError, PAYLOADS_LENGTH};
use leyden_bolt::onion::payload::with_length;
use leyden_bolt::onion::{BlindedPath, Hop, MessagePayload, OnionMessage, OnionPacket, RecipientData};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::{Message, ShortChannelId};
use proptest::prelude::*;

/// A path of the vectors (`bolt04/route-blinding-test.json`): what each node is told, as plain and as sealed bytes, and its blinded id.
const BOB_TO_CAROL: [(&str, &str, &str); 2] = [
    (
        "011a0000000000000000000000000000000000000000000000000000020800000000000006c10a0800240000009627100c06000b69e505dc0e00fd023103123456",
        "cd4100ff9c09ed28102b210ac73aa12d63e90852cebc496c49f57c49982088b49f2e70b99287fdee0aa58aa39913ab405813b999f66783aa2fe637b3cda91ffc0913c30324e2c6ce327e045183e4bffecb",
        "03da173ad2aee2f701f17e59fbd16cb708906d69838a5f088e8123fb36e89a2c25",
    ),
    (
        "020800000000000004510821031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f0a0800300000006401f40c06000b69c105dc0e00",
        "cc0f16524fd7f8bb0b1d8d40ad71709ef140174c76faa574cac401bb8992fef76c4d004aa485dd599ed1cf2715f57ff62da5aaec5d7b10d59b04d8a9d77e472b9b3ecc2179334e411be22fa4c02b467c7e",
        "02e466727716f044290abf91a14a6d90e87487da160c2a3cbd0d465d7a78eb83a7",
    ),
];

/// Private keys of the nodes of the vectors.
const ALICE: u8 = 0x41;
const BOB: u8 = 0x42;
const CAROL: u8 = 0x43;
const DAVE: u8 = 0x44;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn id(byte: u8) -> PublicKey {
    key(byte).public_key(&Secp256k1::new())
}

fn told(plain: &str) -> RecipientData {
    RecipientData::decode(&hex(plain)).unwrap()
}

/// The message that the vectors send, as it comes to each node.
fn vectors() -> Vec<OnionMessage> {
    let lines = include_str!("vectors/onion_message.txt").lines().skip(1);
    lines.map(|line| read(&Message::decode(&hex(line)).unwrap())).collect()
}

fn read(message: &Message) -> OnionMessage {
    let Message::Unknown { msg_type: OnionMessage::TYPE, payload } = message else {
        panic!("expected an onion_message, got {message:?}")
    };
    OnionMessage::decode(payload).unwrap()
}

#[test]
fn a_path_is_blinded_as_in_the_vectors() {
    let nodes = [(id(BOB), told(BOB_TO_CAROL[0].0)), (id(CAROL), told(BOB_TO_CAROL[1].0))];
    let path = BlindedPath::create(&key(2), &nodes);
    assert_eq!(path.first_node, FirstNode::Id(id(BOB)));
    let mut path_key = path.first_path_key;
    for (((plain, sealed, blinded), hop), node_key) in BOB_TO_CAROL.iter().zip(&path.hops).zip([BOB, CAROL]) {
        assert_eq!(hop.encrypted_recipient_data.as_hex().to_string(), *sealed);
        assert_eq!(hop.blinded_node_id.to_string(), *blinded);
        let secret = PathSecret::new(&path_key, &key(node_key));
        assert_eq!(secret.blinded_key(&key(node_key)).public_key(&Secp256k1::new()), hop.blinded_node_id);
        assert_eq!(secret.open(&hop.encrypted_recipient_data), Some(hex(plain)));
        assert_eq!(told(plain).encode(), hex(plain));
        path_key = secret.next_path_key();
    }
    assert_eq!(path_key.to_string(), "03af5ccc91851cb294e3a364ce63347709a08cdffa58c672e9a5c587ddd1bbca60");
    assert_eq!(BlindedPath::decode(&path.encode()), Ok(path));
}

#[test]
fn what_a_node_is_told_is_read_by_its_type() {
    let bob = told(BOB_TO_CAROL[0].0);
    assert_eq!(bob.short_channel_id, Some(ShortChannelId::from_u64(1729)));
    assert_eq!(bob.others.get(561), Some(&hex("123456")[..]));
    let carol = told(BOB_TO_CAROL[1].0);
    assert_eq!(carol.next_path_key_override, Some(key(1).public_key(&Secp256k1::new())));
    let refused = [
        ("10 00", "encrypted_data_tlv: expected no even TLV type but [2, 4, 6, 8, 10, 12, 14], got 16"),
        ("02 01 00", "encrypted_data_tlv: expected 8 bytes of short_channel_id, only 1 are left"),
        ("02 09 000000000000000000", "encrypted_data_tlv: short_channel_id: 1 bytes too many"),
        ("04 00", "encrypted_data_tlv: expected 33 bytes of next_node_id, only 0 are left"),
    ];
    for (text, why) in refused {
        assert_eq!(RecipientData::decode(&hex(text)).unwrap_err().to_string(), why, "{text}");
    }
}

/// The path that Dave made, with the hop that the sender has put in front.
fn path_of_the_vectors() -> BlindedPath {
    let other = |data: RecipientData, kind: u64, value: &str| {
        let mut others = data.others.clone();
        others.set(kind, hex(value));
        RecipientData { others, ..data }
    };
    let next_path_key_override = Some(key(1).public_key(&Secp256k1::new()));
    let to_bob = RecipientData { next_path_key_override, ..RecipientData::towards(id(BOB)) };
    let to_carol = other(RecipientData::towards(id(CAROL)), 561, "123456");
    let to_dave = other(RecipientData::towards(id(DAVE)), 1, "0000000000");
    let to_himself = RecipientData::last(hex(&"deadbeefbadc0ffee".repeat(8)[..64]));
    let to_himself = other(other(to_himself, 1, ""), 65535, "06c1");
    let of_dave =
        BlindedPath::create(&key(1), &[(id(BOB), to_carol), (id(CAROL), to_dave), (id(DAVE), to_himself)]);
    let of_the_sender = BlindedPath::create(&key(0x63), &[(id(ALICE), to_bob)]);
    BlindedPath { hops: [of_the_sender.hops, of_dave.hops].concat(), ..of_the_sender }
}

#[test]
fn the_message_of_the_vectors_is_made_and_handed_on() {
    let mut others = TlvStream::new();
    others.set(1, *b"hello");
    let payload = MessagePayload { others, ..MessagePayload::default() };
    let sent = OnionMessage::create(&key(3), &path_of_the_vectors(), &payload).unwrap();
    let on_the_way = vectors();
    assert_eq!(sent, on_the_way[0]);
    assert_eq!(read(&Message::decode(&sent.encode()).unwrap()), sent);
    for ((node, next), number) in [(ALICE, BOB), (BOB, CAROL), (CAROL, DAVE)].into_iter().zip(1..) {
        let message = on_the_way[number].clone();
        let arrived = on_the_way[number - 1].peel(&key(node));
        assert_eq!(arrived, Ok(Arrived::Forward { next: NextNode::Id(id(next)), message }));
    }
    let Arrived::Here { path_id, payload } = on_the_way[3].peel(&key(DAVE)).unwrap() else {
        panic!("Dave is the last")
    };
    assert_eq!(path_id, Some(hex(&"deadbeefbadc0ffee".repeat(8)[..64])));
    assert_eq!(payload.others.get(1), Some(&b"hello"[..]));
}

/// What Alice does with a message whose sender tells her `more` than `told`, sealed for her.
fn arrives(told: &RecipientData, more: &str, is_last: bool) -> Result<Arrived, String> {
    let path =
        BlindedPath::create(&key(1), &[(id(ALICE), told.clone()), (id(BOB), RecipientData::default())]);
    let encrypted = path.hops[0].encrypted_recipient_data.clone();
    let of_path = MessagePayload { encrypted_recipient_data: Some(encrypted), ..MessagePayload::default() };
    let layers = [[of_path.encode(), hex(more)].concat(), vec![1, 0]];
    let hops = layers.iter().zip(&path.hops);
    let hops: Vec<Hop> = hops
        .map(|(records, hop)| Hop { node_id: hop.blinded_node_id, payload: with_length(records) })
        .collect();
    let hops = if is_last { &hops[..1] } else { &hops };
    let (packet, _) = OnionPacket::create(&key(9), hops, &[], PAYLOADS_LENGTH).unwrap();
    let message = OnionMessage { path_key: path.first_path_key, packet };
    message.peel(&key(ALICE)).map_err(|error| error.to_string())
}

#[test]
fn a_message_that_is_to_be_ignored_says_why() {
    let bob = || RecipientData::towards(id(BOB));
    assert!(matches!(arrives(&bob(), "", false), Ok(Arrived::Forward { .. })));
    assert!(matches!(arrives(&bob(), "", true), Ok(Arrived::Here { path_id: None, .. })));
    for (told, more, why) in [
        (bob(), "fe00010000 00", "invalid onionmsg_tlv "),
        (bob(), "fd2329 00", "disallowed tlv field"),
        (RecipientData { path_id: Some(vec![1]), ..bob() }, "", "invalid encrypted_recipient_data "),
        (RecipientData::default(), "", "invalid encrypted_recipient_data "),
    ] {
        let error = arrives(&told, more, false).unwrap_err();
        assert!(error.starts_with(&format!("onion_message_parse: {why}")), "{error}");
    }
}

#[test]
fn what_is_no_packet_or_for_somebody_else_is_ignored() {
    let message = vectors().remove(0);
    let error = |packet: Vec<u8>, node: u8| {
        let message = OnionMessage { packet: packet.into(), ..message.clone() };
        message.peel(&key(node)).unwrap_err().to_string()
    };
    let whole = message.packet.as_bytes().to_vec();
    let cut = |name: &str| format!("onion_message_parse: can't parse onionpacket: WIRE_INVALID_ONION_{name}");
    assert_eq!(error(vec![], ALICE), cut("KEY"));
    assert_eq!(error(vec![1], ALICE), cut("VERSION"));
    assert_eq!(error(whole[..65].to_vec(), ALICE), cut("HMAC"));
    let other = error(whole, BOB);
    assert!(other.starts_with("onion_message_parse: can't process onionpacket ss="), "{other}");
}

#[test]
fn a_long_message_takes_the_larger_packet() {
    let path = BlindedPath::create(&key(1), &[(id(ALICE), RecipientData::default())]);
    let length = |bytes: usize| {
        let payload = MessagePayload { invoice: Some(vec![7; bytes]), ..MessagePayload::default() };
        OnionMessage::create(&key(2), &path, &payload).map(|message| message.packet.as_bytes().len())
    };
    assert_eq!((length(1000), length(1300), length(32000)), (Ok(1366), Ok(32834), Ok(32834)));
    assert!(matches!(length(33000), Err(CreateError::TooLong { room: 32768, .. })));
    let nowhere = BlindedPath { hops: Vec::new(), ..path };
    let sent = OnionMessage::create(&key(2), &nowhere, &MessagePayload::default());
    assert_eq!(sent, Err(CreateError::NoHops));
}

#[test]
fn a_path_may_begin_at_a_channel() {
    let short_channel_id = "103x1x0".parse().unwrap();
    let path = BlindedPath {
        first_node: FirstNode::Channel { short_channel_id, direction: 1 },
        ..path_of_the_vectors()
    };
    assert_eq!(BlindedPath::decode(&path.encode()), Ok(path.clone()));
    let payload = MessagePayload { reply_path: Some(path), ..MessagePayload::default() };
    assert_eq!(MessagePayload::decode(&payload.encode()), Ok(payload.clone()));
    let too_long = [&payload.encode()[..], &[3, 0]].concat();
    assert!(MessagePayload::decode(&too_long).is_ok(), "an odd record");
    let Err(MessageError::Invalid { why, .. }) =
        BlindedPath::decode(&[path_of_the_vectors().encode(), vec![0]].concat())
    else {
        panic!("one byte more is no path")
    };
    assert_eq!(why, "1 bytes too many");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A message comes to the end of any path, whether its nodes are told of the next by id or by channel, and says what it said.
    #[test]
    fn a_message_comes_to_the_end_of_any_path(
        by_channel in prop::collection::vec(any::<bool>(), 0..7),
        session in 1u8..255,
        path_key in 1u8..255,
        path_id: Option<[u8; 32]>,
        blobs: [Option<Vec<u8>>; 3],
        odd: Vec<u8>,
    ) {
        let nodes = by_channel.len() + 1;
        let number = |place: usize| u8::try_from(place + 1).unwrap();
        let next = |place: usize| match by_channel.get(place) {
            Some(true) => RecipientData::through(ShortChannelId::from_u64(place as u64)),
            Some(false) => RecipientData::towards(id(number(place + 1))),
            None => RecipientData { path_id: path_id.map(Vec::from), ..RecipientData::default() },
        };
        let hops: Vec<_> = (0..nodes).map(|place| (id(number(place)), next(place))).collect();
        let path = BlindedPath::create(&key(path_key), &hops);
        let [invoice_request, invoice, invoice_error] = blobs;
        let mut others = TlvStream::new();
        others.set(65537, odd);
        let said = MessagePayload {
            reply_path: Some(path.clone()), invoice_request, invoice, invoice_error, others, ..MessagePayload::default()
        };
        let mut message = OnionMessage::create(&key(session), &path, &said).unwrap();
        for (place, by_channel) in by_channel.iter().enumerate() {
            let Ok(Arrived::Forward { next, message: onwards }) = message.peel(&key(number(place))) else {
                panic!("hop {place} hands it on")
            };
            let expected = match by_channel {
                true => NextNode::Channel(ShortChannelId::from_u64(place as u64)),
                false => NextNode::Id(id(number(place + 1))),
            };
            prop_assert_eq!(next, expected);
            prop_assert_eq!(onwards.packet.as_bytes().len(), message.packet.as_bytes().len());
            message = onwards;
        }
        let Ok(Arrived::Here { path_id: found, payload }) = message.peel(&key(number(nodes - 1))) else {
            panic!("the last node is told")
        };
        prop_assert_eq!(found, path_id.map(Vec::from));
        let heard = MessagePayload { encrypted_recipient_data: None, ..*payload };
        prop_assert_eq!(heard, said);
    }
}

proptest! {
    /// No bytes make a reader panic, and what is read is written as the same bytes.
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let message = OnionMessage { path_key: id(1), packet: bytes.clone().into() };
        prop_assert!(message.peel(&key(1)).is_err());
        if let Ok(message) = OnionMessage::decode(&bytes) {
            prop_assert!(bytes.starts_with(&message.encode()[2..]));
        }
        if let Ok(payload) = MessagePayload::decode(&bytes) {
            prop_assert_eq!(payload.encode(), bytes.clone());
        }
        if let Ok(data) = RecipientData::decode(&bytes) {
            prop_assert_eq!(data.encode(), bytes.clone());
        }
        if let Ok(path) = BlindedPath::decode(&bytes) {
            prop_assert_eq!(path.encode(), bytes);
        }
    }
}
