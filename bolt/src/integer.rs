//! The two variable-length integers of BOLT 1: BigSize and the truncated `tu64`.

use thiserror::Error;

/// Why bytes are not the integer that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntegerError {
    /// The bytes end inside the integer, or before it.
    #[error("expected {expected} bytes of an integer, only {got} are left")]
    Truncated {
        /// How many bytes the integer takes.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A shorter encoding of the same value exists.
    #[error("expected the shortest encoding of {value}, got one of {got} bytes")]
    NotMinimal {
        /// The value that the bytes stand for.
        value: u64,
        /// The length of the encoding.
        got: usize,
    },
    /// A truncated integer with more than eight bytes.
    #[error("expected an integer of at most 8 bytes, got {got}")]
    TooLong {
        /// How many bytes there are.
        got: usize,
    },
}

/// Appends `value` as BigSize: one byte below 253, otherwise a marker and 2, 4 or 8 bytes in big-endian.
pub fn write_bigsize(value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    match value {
        0..=0xfc => out.push(bytes[7]),
        0xfd..=0xffff => out.extend([&[0xfd], &bytes[6..]].concat()),
        0x1_0000..=0xffff_ffff => out.extend([&[0xfe], &bytes[4..]].concat()),
        _ => out.extend([&[0xff], &bytes[..]].concat()),
    }
}

/// Reads a BigSize from the front of `bytes` and moves `bytes` behind it.
///
/// # Errors
///
/// If the bytes end inside it, or a shorter encoding exists. `bytes` is then unchanged.
pub fn read_bigsize(bytes: &mut &[u8]) -> Result<u64, IntegerError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Err(IntegerError::Truncated { expected: 1, got: 0 });
    };
    let (length, least) = match first {
        0xfd => (2, 0xfd),
        0xfe => (4, 0x1_0000),
        0xff => (8, 0x1_0000_0000),
        small => {
            *bytes = rest;
            return Ok(small.into());
        }
    };
    let Some((integer, rest)) = rest.split_at_checked(length) else {
        return Err(IntegerError::Truncated { expected: length, got: rest.len() });
    };
    let value = big_endian(integer);
    if value < least {
        return Err(IntegerError::NotMinimal { value, got: 1 + length });
    }
    *bytes = rest;
    Ok(value)
}

/// Encodes `value` as `tu64`: big-endian without leading zero bytes, so that 0 takes none.
pub fn encode_tu64(value: u64) -> Vec<u8> {
    let zeros = value.leading_zeros() as usize / 8;
    value.to_be_bytes()[zeros..].to_vec()
}

/// Decodes a `tu64` that fills `bytes`.
///
/// # Errors
///
/// If there are more than eight bytes, or leading zero bytes.
pub fn decode_tu64(bytes: &[u8]) -> Result<u64, IntegerError> {
    if bytes.len() > 8 {
        return Err(IntegerError::TooLong { got: bytes.len() });
    }
    let value = big_endian(bytes);
    if bytes.first() == Some(&0) {
        return Err(IntegerError::NotMinimal { value, got: bytes.len() });
    }
    Ok(value)
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
