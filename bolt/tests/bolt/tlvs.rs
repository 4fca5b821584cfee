//! Type-length-value streams: appendix B of BOLT 1, and round trips.

use crate::hex;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::integer::decode_tu64;
use leyden_bolt::tlv::{TlvError, TlvStream};
use proptest::prelude::*;

/// Decodes `text` in the namespace `n1` of BOLT 1's test vectors; the values as text.
fn n1(text: &str) -> Result<Vec<String>, String> {
    let stream = TlvStream::decode(&hex(text)).map_err(|error| error.to_string())?;
    stream.check_known(&[2, 254]).map_err(|error| error.to_string())?;
    let known = stream.iter().filter(|(kind, _)| [1, 2, 3, 254].contains(kind));
    known.map(|(kind, value)| n1_value(kind, value)).collect()
}

fn n1_value(kind: u64, value: &[u8]) -> Result<String, String> {
    let fixed = |length: usize| match value.len() {
        got if got == length => Ok(()),
        got => Err(format!("type {kind}: expected {length} bytes, got {got}")),
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    match kind {
        1 => decode_tu64(value).map(|msat| msat.to_string()).map_err(|error| error.to_string()),
        2 => fixed(8).map(|()| format!("0x0x{}", number(value))),
        3 => {
            fixed(49)?;
            let id = PublicKey::from_slice(&value[..33]).map_err(|error| error.to_string())?;
            Ok(format!("{id} {} {}", number(&value[33..41]), number(&value[41..])))
        }
        _ => fixed(2).map(|()| number(value).to_string()),
    }
}

#[test]
fn failures_in_any_namespace() {
    let value_of_513 = format!("0f fd0201 {}", "00".repeat(512));
    let vectors = [
        ("fd", "TLV type: expected 2 bytes of an integer, only 0 are left"),
        ("fd01", "TLV type: expected 2 bytes of an integer, only 1 are left"),
        ("fd0001 00", "TLV type: expected the shortest encoding of 1, got one of 3 bytes"),
        ("fd0101", "length of TLV type 257: expected 1 bytes of an integer, only 0 are left"),
        ("0f fd", "length of TLV type 15: expected 2 bytes of an integer, only 0 are left"),
        ("0f fd26", "length of TLV type 15: expected 2 bytes of an integer, only 1 are left"),
        ("0f fd2602", "TLV type 15: expected a value of 9730 bytes, only 0 are left"),
        ("0f fd0001 00", "length of TLV type 15: expected the shortest encoding of 1, got one of 3 bytes"),
        (value_of_513.as_str(), "TLV type 15: expected a value of 513 bytes, only 512 are left"),
    ];
    for (text, message) in vectors {
        assert_eq!(TlvStream::decode(&hex(text)).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn unknown_even_types() {
    for (text, kind) in [
        ("12 00", 0x12),
        ("fd0102 00", 0x102),
        ("fe01000002 00", 0x100_0002),
        ("ff0100000000000002 00", 0x100_0000_0000_0002),
    ] {
        let stream = TlvStream::decode(&hex(text)).unwrap();
        assert_eq!(stream.check_known(&[]), Err(TlvError::UnknownEven { known: vec![], kind }), "{text}");
    }
    assert_eq!(n1("00 00"), Err("expected no even TLV type but [2, 254], got 0".to_owned()));
}

#[test]
fn failures_in_n1() {
    let point = "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb";
    let vectors = [
        "01 09 ffffffffffffffffff".to_owned(),
        "01 01 00".to_owned(),
        "01 02 0001".to_owned(),
        "01 03 000100".to_owned(),
        "01 04 00010000".to_owned(),
        "01 05 0001000000".to_owned(),
        "01 06 000100000000".to_owned(),
        "01 07 00010000000000".to_owned(),
        "01 08 0001000000000000".to_owned(),
        "02 07 01010101010101".to_owned(),
        "02 09 010101010101010101".to_owned(),
        format!("03 21 {point}"),
        format!("03 29 {point} 0000000000000001"),
        format!("03 30 {point} 000000000000000100000000000001"),
        format!("03 31 {} 00000000000000010000000000000002", point.replacen("02", "04", 1)),
        format!("03 32 {point} 0000000000000001000000000000000001"),
        "fd00fe 00".to_owned(),
        "fd00fe 01 01".to_owned(),
        "fd00fe 03 010101".to_owned(),
    ];
    for text in vectors {
        assert!(n1(&text).is_err(), "{text}");
    }
}

#[test]
fn successes_in_any_namespace() {
    for text in ["", "21 00", "fd0201 00", "fd00fd 00", "fd00ff 00", "fe02000001 00", "ff0200000000000001 00"]
    {
        assert_eq!(n1(text), Ok(vec![]), "{text}");
    }
}

#[test]
fn successes_in_n1() {
    let point = "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb";
    let vectors = [
        ("01 00".to_owned(), "0".to_owned()),
        ("01 01 01".to_owned(), "1".to_owned()),
        ("01 02 0100".to_owned(), "256".to_owned()),
        ("01 03 010000".to_owned(), "65536".to_owned()),
        ("01 04 01000000".to_owned(), "16777216".to_owned()),
        ("01 05 0100000000".to_owned(), "4294967296".to_owned()),
        ("01 06 010000000000".to_owned(), "1099511627776".to_owned()),
        ("01 07 01000000000000".to_owned(), "281474976710656".to_owned()),
        ("01 08 0100000000000000".to_owned(), "72057594037927936".to_owned()),
        ("02 08 0000000000000226".to_owned(), "0x0x550".to_owned()),
        (format!("03 31 {point} 00000000000000010000000000000002"), format!("{point} 1 2")),
        ("fd00fe 02 0226".to_owned(), "550".to_owned()),
    ];
    for (text, value) in vectors {
        assert_eq!(n1(&text), Ok(vec![value]), "{text}");
    }
}

#[test]
fn types_must_ascend() {
    let vectors = [
        ("02 08 0000000000000226 01 01 2a", "expected a TLV type above 2, got 1"),
        ("02 08 0000000000000231 02 08 0000000000000451", "expected a TLV type above 2, got 2"),
        ("1f 00 0f 01 2a", "expected a TLV type above 31, got 15"),
        ("1f 00 1f 01 2a", "expected a TLV type above 31, got 31"),
        ("ffffffffffffffffff 00 00 00", "expected a TLV type above 18446744073709551615, got 0"),
    ];
    for (text, message) in vectors {
        assert_eq!(TlvStream::decode(&hex(text)).unwrap_err().to_string(), message, "{text}");
    }
}

prop_compose! {
    fn stream()(records in prop::collection::btree_map(any::<u64>(), prop::collection::vec(any::<u8>(), 0..300), 0..8))
        -> TlvStream
    {
        let mut stream = TlvStream::new();
        for (kind, value) in records {
            stream.set(kind >> (value.len() % 64), value);
        }
        stream
    }
}

proptest! {
    #[test]
    fn streams_round_trip(stream in stream()) {
        prop_assert_eq!(TlvStream::decode(&stream.encode()), Ok(stream));
    }

    /// There is one encoding of each stream.
    #[test]
    fn accepted_bytes_round_trip(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40)) {
        if let Ok(stream) = TlvStream::decode(&bytes) {
            prop_assert_eq!(stream.encode(), bytes);
        }
    }

    /// "Any appending of an invalid stream to a valid stream should trigger a decoding failure."
    #[test]
    fn a_cut_stream_behind_a_valid_one_is_refused(stream in stream(), cut in prop::sample::select(vec!["fd", "fd01", "fd0101", "0ffd", "0ffd26", "0ffd2602"])) {
        prop_assert!(TlvStream::decode(&[stream.encode(), hex(cut)].concat()).is_err());
    }
}
