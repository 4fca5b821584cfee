//! BigSize and `tu64`: appendix A of BOLT 1, and round trips.

use crate::hex;
use bitcoin::hex::DisplayHex;
use leyden_bolt::integer::{IntegerError, decode_tu64, encode_tu64, read_bigsize, write_bigsize};
use proptest::prelude::*;

#[test]
fn bigsize_vectors_decode_and_encode() {
    let vectors = [
        (0, "00"),
        (252, "fc"),
        (253, "fd00fd"),
        (65535, "fdffff"),
        (65536, "fe00010000"),
        (4294967295, "feffffffff"),
        (4294967296, "ff0000000100000000"),
        (18446744073709551615, "ffffffffffffffffff"),
    ];
    for (value, text) in vectors {
        let bytes = hex(text);
        let mut rest = bytes.as_slice();
        assert_eq!(read_bigsize(&mut rest), Ok(value));
        assert!(rest.is_empty());
        let mut encoded = Vec::new();
        write_bigsize(value, &mut encoded);
        assert_eq!(encoded.to_lower_hex_string(), text);
    }
}

#[test]
fn bigsize_vectors_that_are_not_canonical() {
    for (text, value) in [("fd00fc", 252), ("fe0000ffff", 65535), ("ff00000000ffffffff", 4294967295)] {
        let bytes = hex(text);
        let error = read_bigsize(&mut bytes.as_slice()).unwrap_err();
        assert_eq!(error, IntegerError::NotMinimal { value, got: bytes.len() });
    }
}

#[test]
fn bigsize_vectors_that_are_cut_off() {
    let vectors = [
        ("fd00", 2, 1),
        ("feffff", 4, 2),
        ("ffffffffff", 8, 4),
        ("", 1, 0),
        ("fd", 2, 0),
        ("fe", 4, 0),
        ("ff", 8, 0),
    ];
    for (text, expected, got) in vectors {
        let error = read_bigsize(&mut hex(text).as_slice()).unwrap_err();
        assert_eq!(error, IntegerError::Truncated { expected, got }, "{text}");
    }
}

proptest! {
    #[test]
    fn bigsize_round_trips_whatever_follows(value: u64, shift in 0u32..64, after: Vec<u8>) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        write_bigsize(value, &mut bytes);
        bytes.extend(&after);
        let mut rest = bytes.as_slice();
        prop_assert_eq!(read_bigsize(&mut rest), Ok(value));
        prop_assert_eq!(rest, after.as_slice());
    }

    /// There is one encoding of each value.
    #[test]
    fn bigsize_bytes_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut rest = bytes.as_slice();
        if let Ok(value) = read_bigsize(&mut rest) {
            let mut again = Vec::new();
            write_bigsize(value, &mut again);
            again.extend(rest);
            prop_assert_eq!(again, bytes);
        } else {
            prop_assert_eq!(rest, bytes.as_slice());
        }
    }

    #[test]
    fn tu64_round_trips(value: u64, shift in 0u32..64) {
        let value = value >> shift;
        prop_assert_eq!(decode_tu64(&encode_tu64(value)), Ok(value));
    }

    #[test]
    fn tu64_bytes_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        if let Ok(value) = decode_tu64(&bytes) {
            prop_assert_eq!(encode_tu64(value), bytes);
        }
    }
}
