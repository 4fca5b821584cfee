//! `channel_id` and `short_channel_id`.

use bitcoin::OutPoint;
use leyden_bolt::{ChannelId, ShortChannelId};
use proptest::prelude::*;

#[test]
fn a_channel_id_is_the_funding_txid_with_the_output_in_its_last_bytes() {
    // A txid is printed backwards.
    let txid = "8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be".parse().unwrap();
    let id = |vout| ChannelId::of_funding(OutPoint { txid, vout }).to_string();
    assert_eq!(id(0), "bef67e4e2fb9ddeeb3461973cd4c62abb35050b1add772995b820b584a488489");
    assert_eq!(id(1), "bef67e4e2fb9ddeeb3461973cd4c62abb35050b1add772995b820b584a488488");
    assert_eq!(id(0xff00), "bef67e4e2fb9ddeeb3461973cd4c62abb35050b1add772995b820b584a487b89");
}

#[test]
fn a_short_channel_id_has_three_parts_that_fit() {
    for text in ["1x2x3", "0x0x0", "16777215x16777215x65535"] {
        assert_eq!(text.parse::<ShortChannelId>().unwrap().to_string(), text);
    }
    for text in ["", "1x2", "1x2x3x4", "axbxc", "+1x2x3", "16777216x0x0", "0x16777216x0", "0x0x65536"] {
        let error = text.parse::<ShortChannelId>().unwrap_err().to_string();
        assert_eq!(error, format!("expected a short_channel_id such as 103x1x0, got {text:?}"));
    }
}

proptest! {
    #[test]
    fn ids_are_read_as_they_are_printed(number: u64, bytes: [u8; 32]) {
        let scid = ShortChannelId::from_u64(number);
        prop_assert_eq!(scid.to_string().parse(), Ok(scid));
        prop_assert_eq!(ShortChannelId::new(scid.block(), scid.transaction(), scid.output()), Some(scid));
        prop_assert_eq!(ChannelId(bytes).to_string().parse(), Ok(ChannelId(bytes)));
    }
}
