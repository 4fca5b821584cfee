//! HMAC-SHA256 (RFC 2104) of bytes in several parts.

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};

/// Authenticates `parts`, one behind the other, under `key`.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    for part in parts {
        engine.input(part);
    }
    Hmac::from_engine(engine).to_byte_array()
}
