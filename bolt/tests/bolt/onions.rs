//! Onions: the vectors of BOLT 4, every hop of routes at random, and what is refused.

use crate::hex;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden_bolt::onion::packet::{CreateError, PAYLOADS_LENGTH, PeelError};
use leyden_bolt::onion::payload::{PayloadError, PaymentData, with_length};
use leyden_bolt::onion::{FailureCode, FailureOnion, Hop, OnionPacket, OnionSecret, Payload};
use proptest::prelude::*;

/// The route of the vectors: node ids and payloads.
const ROUTE: [(&str, &str); 5] = [
    (
        "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619",
        "1202023a98040205dc06080000000000000001",
    ),
    (
        "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c",
        "52020236b00402057806080000000000000002fd02013c0102030405060708090a0b0c0d0e0f0102030405060708090a0b0c0d0e0f0102030405060708090a0b0c0d0e0f0102030405060708090a0b0c0d0e0f",
    ),
    (
        "027f31ebc5462c1fdce1b737ecff52d37d75dea43ce11c74d25aa297165faa2007",
        "12020230d4040204e206080000000000000003",
    ),
    (
        "032c0b7cf95324a07d05398b240174dc0c2be444d96b159aa6c7f7b1e668680991",
        "1202022710040203e806080000000000000004",
    ),
    (
        "02edabbd16b41c8371b92ef2f04c1185b4f03b6dcd52ba9b78d9d7c89c8f221145",
        "fd011002022710040203e8082224a33562c54507a9334e79f0dc4f17d407e6d7c61f0e2f3d0d38599502f617042710fd \
        012de02a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a \
        2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a \
        2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a \
        2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a \
        2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
    ),
];

const ONION: &str = "\
    0002eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619f7f3416a5aa36dc7eeb3ec6d421e \
    9615471ab870a33ac07fa5d5a51df0a8823aabe3fea3f90d387529d4f72837f9e687230371ccd8d263072206dbed0234 \
    f6505e21e282abd8c0e4f5b9ff8042800bbab065036eadd0149b37f27dde664725a49866e052e809d2b0198ab9610faa \
    656bbf4ec516763a59f8f42c171b179166ba38958d4f51b39b3e98706e2d14a2dafd6a5df808093abfca5aeaaca16ede \
    d5db7d21fb0294dd1a163edf0fb445d5c8d7d688d6dd9c541762bf5a5123bf9939d957fe648416e88f1b0928bfa03498 \
    2b22548e1a4d922690eecf546275afb233acf4323974680779f1a964cfe687456035cc0fba8a5428430b390f0057b6d1 \
    fe9a8875bfa89693eeb838ce59f09d207a503ee6f6299c92d6361bc335fcbf9b5cd44747aadce2ce6069cfdc3d671dae \
    f9f8ae590cf93d957c9e873e9a1bc62d9640dc8fc39c14902d49a1c80239b6c5b7fd91d05878cbf5ffc7db2569f47c43 \
    d6c0d27c438abff276e87364deb8858a37e5a62c446af95d8b786eaf0b5fcf78d98b41496794f8dcaac4eef34b2acfb9 \
    4c7e8c32a9e9866a8fa0b6f2a06f00a1ccde569f97eec05c803ba7500acc96691d8898d73d8e6a47b8f43c3d5de74458 \
    d20eda61474c426359677001fbd75a74d7d5db6cb4feb83122f133206203e4e2d293f838bf8c8b3a29acb321315100b8 \
    7e80e0edb272ee80fda944e3fb6084ed4d7f7c7d21c69d9da43d31a90b70693f9b0cc3eac74c11ab8ff655905688916c \
    fa4ef0bd04135f2e50b7c689a21d04e8e981e74c6058188b9b1f9dfc3eec6838e9ffbcf22ce738d8a177c19318dffef0 \
    90cee67e12de1a3e2a39f61247547ba5257489cbc11d7d91ed34617fcc42f7a9da2e3cf31a94a210a1018143173913c3 \
    8f60e62b24bf0d7518f38b5bab3e6a1f8aeb35e31d6442c8abb5178efc892d2e787d79c6ad9e2fc271792983fa9955ac \
    4d1d84a36c024071bc6e431b625519d556af38185601f70e29035ea6a09c8b676c9d88cf7e05e0f17098b584c4168735 \
    940263f940033a220f40be4c85344128b14beb9e75696db37014107801a59b13e89cd9d2258c169d523be6d31552c44c \
    82ff4bb18ec9f099f3bf0e5b1bb2ba9a87d7e26f98d294927b600b5529c47e04d98956677cbcee8fa2b60f49776d8b8c \
    367465b7c626da53700684fb6c918ead0eab8360e4f60edd25b4f43816a75ecf70f909301825b512469f8389d7940231 \
    1d8aecb7b3ef8599e79485a4388d87744d899f7c47ee644361e17040a7958c8911be6f463ab6a9b2afacd688ec55ef51 \
    7b38f1339efc54487232798bb25522ff4572ff68567fe830f92f7b8113efce3e98c3fffbaedce4fd8b50e41da97c0c08 \
    e423a72689cc68e68f752a5e3a9003e64e35c957ca2e1c48bb6f64b05f56b70b575ad2f278d57850a7ad568c24a4d32a \
    3d74b29f03dc125488bc7c637da582357f40b0a52d16b3b40bb2c2315d03360bc24209e20972c200566bcf3bbe5c5b0a \
    edd83132a8a4d5b4242ba370b6d67d9b67eb01052d132c7866b9cb502e44796d9d356e4e3cb47cc527322cd24976fe7c \
    9257a2864151a38e568ef7a79f10d6ef27cc04ce382347a2488b1f404fdbf407fe1ca1c9d0d5649e34800e25e18951c9 \
    8cae9f43555eef65fee1ea8f15828807366c3b612cd5753bf9fb8fced08855f742cddd6f765f74254f03186683d646e6 \
    f09ac2805586c7cf11998357cafc5df3f285329366f475130c928b2dceba4aa383758e7a9d20705c4bb9db619e2992f6 \
    08a1ba65db254bb389468741d0502e2588aeb54390ac600c19af5c8e61383fc1bebe0029e4474051e4ef908828db9cca \
    13277ef65db3fd47ccc2179126aaefb627719f421e20";

/// What the origin shares with each hop of the route.
const SECRETS: [&str; 5] = [
    "53eb63ea8a3fec3b3cd433b85cd62a4b145e1dda09391b348c4e1cd36a03ea66",
    "a6519e98832a0b179f62123b3567c106db99ee37bef036e783263602f3488fae",
    "3a6b412548762f0dbccce5c7ae7bb8147d1caf9b5471c34120b30bc9c04891cc",
    "21e13c2d7cfe7e18836df50872466117a295783ab8aab0e7ecc8c725503ad02d",
    "b5756b9b542727dbafc6765a49488b023a725d631af688fc031217e90770c328",
];

const FAILURE: &str = "\
    9c5add3963fc7f6ed7f148623c84134b5647e1306419dbe2174e523fa9e2fbed3a06a19f899145610741c83ad40b7712 \
    aefaddec8c6baf7325d92ea4ca4d1df8bce517f7e54554608bf2bd8071a4f52a7a2f7ffbb1413edad81eeea5785aa9d9 \
    90f2865dc23b4bc3c301a94eec4eabebca66be5cf638f693ec256aec514620cc28ee4a94bd9565bc4d4962b9d3641d42 \
    78fb319ed2b84de5b665f307a2db0f7fbb757366067d88c50f7e829138fde4f78d39b5b5802f1b92a8a820865af5cc79 \
    f9f30bc3f461c66af95d13e5e1f0381c184572a91dee1c849048a647a1158cf884064deddbf1b0b88dfe2f791428d0ba \
    0f6fb2f04e14081f69165ae66d9297c118f0907705c9c4954a199bae0bb96fad763d690e7daa6cfda59ba7f2c8d11448 \
    b604d12d";

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

/// The keys of the hops of the route are 41 41 .. to 45 45 .., so is the session key.
fn route() -> Vec<Hop> {
    let hop =
        |(node_id, payload): &(&str, &str)| Hop { node_id: node_id.parse().unwrap(), payload: hex(payload) };
    ROUTE.iter().map(hop).collect()
}

#[test]
fn a_packet_is_made_as_in_bolt_4() {
    let (packet, secrets) = OnionPacket::create(&key(0x41), &route(), &[0x42; 32], PAYLOADS_LENGTH).unwrap();
    assert_eq!(packet.as_bytes().to_lower_hex_string(), ONION.replace(' ', ""));
    let secrets: Vec<String> = secrets.iter().map(|secret| secret.0.to_lower_hex_string()).collect();
    assert_eq!(secrets, SECRETS);
}

#[test]
fn every_hop_peels_its_layer() {
    let mut packet = OnionPacket::from(hex(ONION));
    for (number, (_, payload)) in ROUTE.iter().enumerate() {
        let peeled = packet.peel(&key(0x41 + number as u8), &[0x42; 32]).unwrap();
        assert_eq!(peeled.payload, hex(payload), "hop {number}");
        assert_eq!(peeled.shared_secret.0.to_lower_hex_string(), SECRETS[number]);
        assert_eq!(peeled.is_last, number == 4);
        packet = peeled.next;
    }
}

#[test]
fn a_failure_is_wrapped_by_every_hop_and_attributed() {
    let secrets: Vec<OnionSecret> =
        SECRETS.iter().map(|secret| OnionSecret(hex(secret).try_into().unwrap())).collect();
    let made = FailureOnion::create(&secrets[4], &hex("2002"));
    let failure = secrets[..4].iter().rev().fold(made, FailureOnion::wrap);
    assert_eq!(failure.as_bytes().to_lower_hex_string(), FAILURE.replace(' ', ""));
    let found = failure.attribute(&secrets).unwrap();
    assert_eq!((found.erring_hop, &found.message[..]), (4, &[0x20, 0x02][..]));
    assert_eq!(found.code().and_then(FailureCode::name), Some("temporary_node_failure"));
    assert_eq!(failure.attribute(&secrets[..4]), None);
    assert_eq!(FailureOnion::from(vec![1, 2, 3]).attribute(&secrets), None);
}

#[test]
fn a_packet_for_somebody_else_or_another_payment_is_refused() {
    let packet = OnionPacket::from(hex(ONION));
    assert_eq!(packet.peel(&key(0x42), &[0x42; 32]), Err(PeelError::Hmac));
    assert_eq!(packet.peel(&key(0x41), &[0x43; 32]), Err(PeelError::Hmac));
    let changed = |place: usize, value: u8| {
        let mut bytes = hex(ONION);
        bytes[place] = value;
        OnionPacket::from(bytes).peel(&key(0x41), &[0x42; 32])
    };
    assert_eq!(changed(0, 1), Err(PeelError::Version));
    assert_eq!(changed(1, 5), Err(PeelError::Key));
    assert_eq!(changed(1300, 0), Err(PeelError::Hmac));
    let cut = |length: usize| OnionPacket::from(hex(ONION)[..length].to_vec()).peel(&key(0x41), &[]);
    assert_eq!((cut(33), cut(65)), (Err(PeelError::Key), Err(PeelError::Hmac)));
}

#[test]
fn a_payload_without_a_length_is_refused_with_the_secret_for_an_answer() {
    let node_id = key(2).public_key(&Secp256k1::new());
    for payload in ["00", "0100", "ff0000000000000001", "fd0500"] {
        let hops = [Hop { node_id, payload: hex(payload) }];
        let (packet, secrets) = OnionPacket::create(&key(1), &hops, &[], PAYLOADS_LENGTH).unwrap();
        assert_eq!(
            packet.peel(&key(2), &[]),
            Err(PeelError::Payload { shared_secret: secrets[0] }),
            "{payload}"
        );
    }
}

#[test]
fn what_does_not_fit_is_not_made() {
    let node_id = key(2).public_key(&Secp256k1::new());
    let create = |lengths: &[usize]| {
        let hops: Vec<Hop> =
            lengths.iter().map(|length| Hop { node_id, payload: with_length(&vec![0; *length]) }).collect();
        OnionPacket::create(&key(1), &hops, &[], PAYLOADS_LENGTH).map(|(packet, _)| packet.as_bytes().len())
    };
    assert_eq!(create(&[]), Err(CreateError::NoHops));
    assert_eq!(create(&[1265]), Ok(1366));
    assert_eq!(create(&[1266]), Err(CreateError::TooLong { room: 1300, got: 1301 }));
    assert_eq!(create(&[600, 600]), Ok(1366));
    assert_eq!(create(&[600, 631]), Err(CreateError::TooLong { room: 1300, got: 1301 }));
}

#[test]
fn payloads_say_what_they_were_made_of() {
    let payload = Payload::decode(&hex(ROUTE[0].1), &[]).unwrap();
    assert_eq!((payload.amt_to_forward_msat, payload.outgoing_cltv_value), (15000, 1500));
    assert_eq!(payload.short_channel_id.unwrap().to_string(), "0x0x1");
    let forward = Payload::forward("0x0x1".parse().unwrap(), 15000, 1500);
    assert_eq!(forward.encode(), hex(ROUTE[0].1));
    let payload = Payload::decode(&hex(ROUTE[4].1), &[]).unwrap();
    let data = payload.payment_data.unwrap();
    assert_eq!(
        data.payment_secret[..],
        hex("24a33562c54507a9334e79f0dc4f17d407e6d7c61f0e2f3d0d38599502f61704")[..]
    );
    assert_eq!((data.total_msat, payload.payment_metadata), (10000, None));
    assert_eq!(payload.tlvs.get(301).map(<[u8]>::len), Some(224), "unknown odd records stay");
    let data = PaymentData { payment_secret: [7; 32], total_msat: 300 };
    let last = Payload::last(200, 111, Some(data), Some(vec![1, 2]));
    assert_eq!(last.encode(), hex(&format!("2e 0201c8 04016f 0822 {} 012c 1002 0102", "07".repeat(32))));
    assert_eq!(Payload::decode(&last.encode(), &[]), Ok(last));
}

#[test]
fn bad_payloads_name_the_record() {
    let vectors = [
        ("", 0, "expected a payload behind its length in bytes"),
        ("03 0201", 0, "expected a payload behind its length in bytes"),
        ("03 0201c8", 4, "expected a record of type 4"),
        ("03 04016f", 2, "expected a record of type 2"),
        ("07 020200c8 04016f", 2, "type 2: expected the shortest encoding of 200, got one of 2 bytes"),
        ("0a 0201c8 04050100000000", 4, "type 4: 4294967296 is no height"),
        ("09 0201c8 04016f 060101", 6, "type 6: expected 8 bytes, got 1"),
        ("09 0201c8 04016f 080101", 8, "type 8: expected 32 bytes and an amount, got 1 bytes"),
        ("09 0201c8 04016f 0a0101", 10, "type 10 belongs to a blinded path, which is not supported"),
        ("09 0201c8 04016f 140101", 20, "expected no even TLV type but [2, 4, 6, 8, 10, 12, 16, 18], got 20"),
    ];
    for (text, kind, why) in vectors {
        let error: PayloadError = Payload::decode(&hex(text), &[]).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, why), "{text}");
    }
    let known_elsewhere = Payload::decode(&hex("09 0201c8 04016f 140101"), &[20]).unwrap();
    assert_eq!(known_elsewhere.tlvs.get(20), Some(&[1][..]));
}

/// As lightningd v0.10.1 forwarded it (`groundtruth/v0.10.1/line-graph.l2.jsonl`).
const LEGACY: &str = "0000006700000200000000000000004e2000000076000000000000000000000000";

#[test]
fn payloads_of_a_fixed_length_are_for_those_who_know_them() {
    let forward = Payload::legacy(Some("103x2x0".parse().unwrap()), 20_000, 118);
    assert_eq!(forward.encode(), hex(LEGACY));
    let nodes = node_ids(2);
    let last = Payload::legacy(None, 20_000, 118);
    let hops: Vec<Hop> = nodes
        .iter()
        .zip([&forward, &last])
        .map(|((_, node_id), payload)| Hop { node_id: *node_id, payload: payload.encode() })
        .collect();
    let (packet, _) = OnionPacket::create(&key(1), &hops, b"payment", PAYLOADS_LENGTH).unwrap();
    assert!(matches!(packet.peel(&nodes[0].0, b"payment"), Err(PeelError::Payload { .. })));
    let peeled = packet.peel_legacy(&nodes[0].0, b"payment").unwrap();
    assert_eq!(Payload::decode_hop(&peeled.payload, peeled.is_last, &[]), Ok(forward));
    let peeled = peeled.next.peel_legacy(&nodes[1].0, b"payment").unwrap();
    assert!(peeled.is_last);
    assert_eq!(Payload::decode_hop(&peeled.payload, true, &[]), Ok(last));
}

prop_compose! {
    /// Routes of up to 7 hops with payloads that fit.
    fn routes()(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 2..30), 1..=7)) -> Vec<Vec<u8>> {
        payloads
    }
}

fn node_ids(count: usize) -> Vec<(SecretKey, PublicKey)> {
    let secp = Secp256k1::new();
    (1..=count as u8).map(|number| (key(number), key(number).public_key(&secp))).collect()
}

proptest! {
    /// Every hop sees its payload and no more, the last one that it is the last, and a failure of any is attributed to it.
    #[test]
    fn a_route_goes_there_and_back(
        payloads in routes(),
        session in 1u8..255,
        erring in any::<prop::sample::Index>(),
        message in prop::collection::vec(any::<u8>(), 2..300),
    ) {
        let nodes = node_ids(payloads.len());
        let hops: Vec<Hop> = nodes
            .iter()
            .zip(&payloads)
            .map(|((_, node_id), records)| Hop { node_id: *node_id, payload: with_length(records) })
            .collect();
        let (mut packet, secrets) =
            OnionPacket::create(&key(session), &hops, b"payment", PAYLOADS_LENGTH).unwrap();
        for (number, ((secret, _), hop)) in nodes.iter().zip(&hops).enumerate() {
            let peeled = packet.peel(secret, b"payment").unwrap();
            prop_assert_eq!(&peeled.payload, &hop.payload);
            prop_assert_eq!(peeled.shared_secret, secrets[number]);
            prop_assert_eq!(peeled.is_last, number + 1 == hops.len());
            packet = peeled.next;
        }
        let erring = erring.index(hops.len());
        let made = FailureOnion::create(&secrets[erring], &message);
        let failure = secrets[..erring].iter().rev().fold(made, FailureOnion::wrap);
        let found = failure.attribute(&secrets).unwrap();
        prop_assert_eq!((found.erring_hop, found.message), (erring, message));
    }

    /// No bytes make the reader panic.
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes: Vec<u8>, layer: Vec<u8>) {
        prop_assert!(OnionPacket::from(bytes.clone()).peel(&key(1), &[]).is_err());
        prop_assert_eq!(FailureOnion::from(bytes).attribute(&[OnionSecret([1; 32])]), None);
        if let Ok(payload) = Payload::decode(&layer, &[]) {
            prop_assert_eq!(payload.encode(), layer);
        }
    }
}
