//! The messages of BOLT 2: their layout, their extensions, and arbitrary bytes.

use crate::hex;
use bitcoin::ScriptBuf;
use bitcoin::hex::DisplayHex;
use leyden_bolt::features::Features;
use leyden_bolt::message::ChannelMessage;
use proptest::prelude::*;

/// The generator point, and a signature whose two numbers are 1.
const POINT: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const SIGNATURE: &str = "0000000000000000000000000000000000000000000000000000000000000001\
    0000000000000000000000000000000000000000000000000000000000000001";

/// Every message without an extension, as BOLT 2 lays it out: type, name, payload.
fn layouts() -> Vec<(u16, &'static str, String)> {
    let (id, hash) = ("11".repeat(32), "22".repeat(32));
    let points = POINT.repeat(6);
    let onion = "33".repeat(1366);
    let opening = "0000000000000222 0000000005f5e100 00000000000003e8 0000000000000000";
    vec![
        (
            32,
            "open_channel",
            format!("{hash} {id} 00000000000f4240 0000000000000001 {opening} 000000fd 0006 01e3 {points} 01"),
        ),
        (33, "accept_channel", format!("{id} {opening} 00000001 0006 01e3 {points}")),
        (34, "funding_created", format!("{id} {hash} 0001 {SIGNATURE}")),
        (35, "funding_signed", format!("{id} {SIGNATURE}")),
        (36, "channel_ready", format!("{id} {POINT}")),
        (38, "shutdown", format!("{id} 0003 001401")),
        (39, "closing_signed", format!("{id} 00000000000000b6 {SIGNATURE}")),
        (128, "update_add_htlc", format!("{id} 0000000000000007 00000000000003e8 {hash} 0000006f {onion}")),
        (130, "update_fulfill_htlc", format!("{id} 0000000000000007 {hash}")),
        (131, "update_fail_htlc", format!("{id} 0000000000000007 0002 abcd")),
        (132, "commitment_signed", format!("{id} {SIGNATURE} 0002 {SIGNATURE}{SIGNATURE}")),
        (133, "revoke_and_ack", format!("{id} {hash} {POINT}")),
        (134, "update_fee", format!("{id} 000000fd")),
        (135, "update_fail_malformed_htlc", format!("{id} 0000000000000007 {hash} c005")),
        (136, "channel_reestablish", format!("{id} 0000000000000001 0000000000000000 {hash} {POINT}")),
        (259, "announcement_signatures", format!("{id} 0000670000010000 {SIGNATURE} {SIGNATURE}")),
    ]
}

fn decode(msg_type: u16, payload: &str) -> Result<ChannelMessage, String> {
    let message = ChannelMessage::decode(msg_type, &hex(payload)).expect("a message of a channel");
    message.map_err(|error| error.to_string())
}

/// What of a message stands behind its type.
fn payload(message: &ChannelMessage) -> String {
    message.encode()[2..].to_lower_hex_string()
}

#[test]
fn every_message_is_laid_out_as_in_bolt_2() {
    for (msg_type, name, text) in layouts() {
        let message = decode(msg_type, &text).unwrap();
        assert_eq!(message.name(), name);
        assert_eq!(message.channel_id().0, [0x11; 32], "{name}");
        assert_eq!(message.encode()[..2], msg_type.to_be_bytes(), "{name}");
        assert_eq!(payload(&message), text.replace(' ', ""), "{name}");
    }
}

#[test]
fn fields_are_where_their_names_say() {
    let layouts = layouts();
    let Ok(ChannelMessage::OpenChannel(open)) = decode(32, &layouts[0].2) else { panic!("not read") };
    assert_eq!((open.funding_satoshis, open.push_msat, open.dust_limit_satoshis), (1_000_000, 1, 546));
    assert_eq!((open.max_htlc_value_in_flight_msat, open.channel_reserve_satoshis), (100_000_000, 1000));
    assert_eq!((open.feerate_per_kw, open.to_self_delay, open.max_accepted_htlcs), (253, 6, 483));
    assert_eq!(open.channel_flags, 1);
    let Ok(ChannelMessage::UpdateAddHtlc(add)) = decode(128, &layouts[7].2) else { panic!("not read") };
    assert_eq!((add.id, add.amount_msat, add.cltv_expiry), (7, 1000, 111));
    let Ok(ChannelMessage::CommitmentSigned(commit)) = decode(132, &layouts[10].2) else {
        panic!("not read")
    };
    assert_eq!(commit.htlc_signature.len(), 2);
}

#[test]
fn a_message_cut_off_anywhere_names_the_field() {
    for (msg_type, name, text) in layouts() {
        let whole = hex(&text);
        for length in 0..whole.len() {
            let error = ChannelMessage::decode(msg_type, &whole[..length]).unwrap().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: expected ")), "{error}");
            assert!(error.ends_with(" are left"), "{error}");
        }
    }
}

#[test]
fn unknown_odd_records_are_kept_and_unknown_even_ones_refused() {
    for (msg_type, name, text) in layouts() {
        // The record that CLN's test of extra TLVs uses: type 65537, one byte.
        let odd = format!("{text} fe00010001 01 05");
        assert_eq!(payload(&decode(msg_type, &odd).unwrap()), odd.replace(' ', ""), "{name}");
        let even = format!("{text} fe00010000 00");
        let error = decode(msg_type, &even).unwrap_err();
        assert!(error.starts_with(&format!("{name}: expected no even TLV type but")), "{error}");
        assert!(error.ends_with("got 65536"), "{error}");
    }
}

#[test]
fn what_is_no_point_or_signature_is_refused() {
    let id = "11".repeat(32);
    let no_point = format!("{id} {}", "05".repeat(33));
    assert_eq!(
        decode(36, &no_point).unwrap_err(),
        "channel_ready: second_per_commitment_point: malformed public key"
    );
    let no_signature = format!("{id} {}", "ff".repeat(64));
    assert_eq!(decode(35, &no_signature).unwrap_err(), "funding_signed: signature: malformed signature");
}

#[test]
fn extensions_of_the_messages_that_have_some() {
    let text = |number: usize| layouts()[number].2.clone();
    let Ok(ChannelMessage::OpenChannel(mut open)) = decode(32, &text(0)) else { panic!("not read") };
    assert_eq!((open.upfront_shutdown_script(), open.channel_type()), (None, None));
    open.set_upfront_shutdown_script(ScriptBuf::new());
    open.set_channel_type(&Features::from_be_bytes(hex("401000")));
    assert!(open.encode().ends_with(&hex("00 00 01 03 401000")));
    assert!(open.upfront_shutdown_script().unwrap().is_empty());
    assert_eq!(open.channel_type(), Some(Features::from_be_bytes(hex("401000"))));

    let Ok(ChannelMessage::ChannelReady(mut ready)) = decode(36, &text(4)) else { panic!("not read") };
    assert_eq!(ready.alias(), None);
    ready.set_alias("103x1x0".parse().unwrap());
    assert!(ready.encode().ends_with(&hex("01 08 0000670000010000")));
    assert_eq!(ready.alias().unwrap().to_string(), "103x1x0");

    let Ok(ChannelMessage::ClosingSigned(mut closing)) = decode(39, &text(6)) else { panic!("not read") };
    assert_eq!(closing.fee_range(), None);
    closing.set_fee_range((182, 1000));
    assert!(closing.encode().ends_with(&hex("01 10 00000000000000b6 00000000000003e8")));
    assert_eq!(closing.fee_range(), Some((182, 1000)));
}

proptest! {
    /// Whatever comes is decoded or refused, and what is decoded encodes to what came.
    #[test]
    fn arbitrary_bytes_are_decoded_or_refused(
        number in 0usize..16,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        tail: Vec<u8>,
    ) {
        let (msg_type, _, text) = &layouts()[number];
        let mut bytes = hex(text);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.extend(tail);
        if let Some(Ok(message)) = ChannelMessage::decode(*msg_type, &bytes) {
            prop_assert_eq!(&message.encode()[2..], bytes);
        }
    }
}
