//! Wire messages: bytes as BOLT 1 lays them out, what is refused, and round trips.

use crate::hex;
use bitcoin::Network;
use bitcoin::constants::ChainHash;
use bitcoin::hex::DisplayHex;
use leyden_bolt::ChannelId;
use leyden_bolt::features::{FeatureSet, Features};
use leyden_bolt::message::{Init, Message, MessageError};
use leyden_bolt::tlv::TlvStream;
use proptest::prelude::*;

fn decode(text: &str) -> Result<Message, MessageError> {
    Message::decode(&hex(text))
}

#[test]
fn valid_extensions_of_init() {
    assert_eq!(decode("001000000000"), Ok(Message::Init(Init::default())));
    let Ok(Message::Init(init)) = decode("001000000000c9012acb0104") else { panic!("not an init") };
    assert_eq!(init.tlvs.iter().collect::<Vec<_>>(), [(0xc9, &[0x2a][..]), (0xcb, &[0x04][..])]);
    assert_eq!(Message::Init(init).encode().to_lower_hex_string(), "001000000000c9012acb0104");
}

#[test]
fn invalid_extensions_of_init() {
    let vectors = [
        ("00100000000001", "init: length of TLV type 1: expected 1 bytes of an integer, only 0 are left"),
        ("001000000000ca012a", "init: expected no even TLV type but [], got 202"),
        ("001000000000c90101c90102", "init: expected a TLV type above 201, got 201"),
        ("0010000000000103aabbcc", "init: expected networks to be a multiple of 32 bytes, got 3"),
    ];
    for (text, message) in vectors {
        assert_eq!(decode(text).unwrap_err().to_string(), message, "{text}");
    }
}

/// What lightningd v26.06.6 sent on regtest to a peer that had connected to it from 127.0.0.1:59820.
const INIT_OF_LIGHTNINGD: &str = "0010 0002 1100 0008 800898880a8a59a1 \
    01 20 06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f 03 07 01 7f000001 e9ac";

#[test]
fn init_is_what_lightningd_sends() {
    let ours = FeatureSet::lightningd_v26_06();
    let descriptor = hex("01 7f000001 e9ac");
    let init = Init::new(ours.global_init, ours.init.clone(), &[ChainHash::REGTEST])
        .with_remote_addr(descriptor.clone());
    assert_eq!(Message::Init(init.clone()).encode(), hex(INIT_OF_LIGHTNINGD));
    assert_eq!(decode(INIT_OF_LIGHTNINGD), Ok(Message::Init(init.clone())));
    assert_eq!(init.networks(), Some(vec![ChainHash::using_genesis_block(Network::Regtest)]));
    assert_eq!(init.all_features(), ours.init);
    assert_eq!(init.remote_addr(), Some(descriptor.as_slice()));
}

#[test]
fn the_bytes_of_the_other_typed_messages() {
    let vectors = [
        (
            Message::Error { channel_id: ChannelId([1; 32]), data: b"no".to_vec() },
            format!("0011 {} 0002 6e6f", "01".repeat(32)),
        ),
        (
            Message::Warning { channel_id: ChannelId::ALL, data: vec![] },
            format!("0001 {} 0000", "00".repeat(32)),
        ),
        (Message::Ping { num_pong_bytes: 258, ignored: vec![0; 3] }, "0012 0102 0003 000000".to_owned()),
        (Message::Pong { ignored: vec![0; 2] }, "0013 0002 0000".to_owned()),
        (Message::Unknown { msg_type: 0xaa05, payload: vec![1, 2] }, "aa05 0102".to_owned()),
    ];
    for (message, text) in vectors {
        assert_eq!(message.encode(), hex(&text));
        assert_eq!(decode(&text), Ok(message));
    }
}

#[test]
fn cut_off_messages_say_which_field() {
    let vectors = [
        ("", "expected a message type of 2 bytes, got 0"),
        ("00", "expected a message type of 2 bytes, got 1"),
        ("0010", "init: expected 2 bytes of globalfeatures, only 0 are left"),
        ("0010 0000 0002 01", "init: expected 2 bytes of features, only 1 are left"),
        ("0011 00", "error: expected 32 bytes of channel_id, only 1 are left"),
        ("0012 0001 00", "ping: expected 2 bytes of ignored, only 1 are left"),
        ("0013 0004 0000", "pong: expected 4 bytes of ignored, only 2 are left"),
    ];
    for (text, message) in vectors {
        assert_eq!(decode(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn bytes_behind_the_fields_are_dropped() {
    assert_eq!(decode("0013 0001 00 ffff"), Ok(Message::Pong { ignored: vec![0] }));
}

#[test]
fn a_ping_for_65532_bytes_or_more_gets_no_pong() {
    assert_eq!(Message::pong(0), Some(Message::Pong { ignored: vec![] }));
    assert_eq!(Message::pong(65531), Some(Message::Pong { ignored: vec![0; 65531] }));
    assert_eq!(Message::pong(65532), None);
    assert_eq!(Message::pong(65535), None);
}

#[test]
fn it_is_ok_to_be_odd() {
    assert!(Message::may_be_ignored(0x8001));
    assert!(!Message::may_be_ignored(0x8000));
}

fn message() -> impl Strategy<Value = Message> {
    let data = || prop::collection::vec(any::<u8>(), 0..100);
    let odd = prop::collection::btree_map((2u64..1000).prop_map(|kind| kind * 2 + 1), data(), 0..4);
    let init = (data(), data(), odd).prop_map(|(global, features, records)| {
        let mut tlvs = TlvStream::new();
        for (kind, value) in records {
            tlvs.set(kind, value);
        }
        let (globalfeatures, features) = (Features::from_be_bytes(global), Features::from_be_bytes(features));
        Message::Init(Init { globalfeatures, features, tlvs })
    });
    prop_oneof![
        init,
        (any::<[u8; 32]>(), data())
            .prop_map(|(channel_id, data)| Message::Error { channel_id: ChannelId(channel_id), data }),
        (any::<[u8; 32]>(), data())
            .prop_map(|(channel_id, data)| Message::Warning { channel_id: ChannelId(channel_id), data }),
        (any::<u16>(), data())
            .prop_map(|(num_pong_bytes, ignored)| Message::Ping { num_pong_bytes, ignored }),
        data().prop_map(|ignored| Message::Pong { ignored }),
        (20u16.., data()).prop_map(|(msg_type, payload)| Message::Unknown { msg_type, payload }),
    ]
}

proptest! {
    #[test]
    fn messages_round_trip(message in message()) {
        let bytes = message.encode();
        let again = Message::decode(&bytes).unwrap();
        prop_assert_eq!(&again, &message);
        prop_assert_eq!(again.encode(), bytes);
    }

    /// Whatever comes is decoded or refused; what is decoded encodes to a prefix of what came, and all of it
    /// where nothing may be dropped.
    #[test]
    fn arbitrary_bytes_are_decoded_or_refused(kind in prop_oneof![0u16..24, any::<u16>()], payload: Vec<u8>) {
        let bytes = [kind.to_be_bytes().as_slice(), &payload].concat();
        if let Ok(message) = Message::decode(&bytes) {
            let again = message.encode();
            prop_assert!(bytes.starts_with(&again));
            if matches!(message, Message::Init(_) | Message::Unknown { .. }) {
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
