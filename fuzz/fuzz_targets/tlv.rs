//! TLV streams and integers: read to something that is written as the same bytes, or refused.

#![no_main]

use leyden_bolt::integer::{decode_tu64, encode_tu64, read_bigsize, write_bigsize};
use leyden_bolt::tlv::TlvStream;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(stream) = TlvStream::decode(bytes) {
        assert_eq!(stream.encode(), bytes);
        let types: Vec<u64> = stream.iter().map(|(kind, _)| kind).collect();
        assert_eq!(stream.check_known(&types), Ok(()));
    }
    let mut rest = bytes;
    if let Ok(value) = read_bigsize(&mut rest) {
        let mut written = Vec::new();
        write_bigsize(value, &mut written);
        assert_eq!([&written, rest].concat(), bytes);
    }
    if let Ok(value) = decode_tu64(bytes) {
        assert_eq!(encode_tu64(value), bytes);
    }
});
