//! HKDF-SHA256 (RFC 5869) over the HMAC that the `bitcoin` crate brings; a second SHA-256 is not worth a crate.

use crate::hmac::hmac_sha256;

/// Extracts from `input` under `salt` and expands to `N` bytes bound to `info`.
pub(crate) fn hkdf_sha256<const N: usize>(salt: &[u8], input: &[u8], info: &[u8]) -> [u8; N] {
    assert!(N <= 255 * 32, "RFC 5869 ends at 255 blocks");
    let extracted = hmac_sha256(salt, &[input]);
    let mut okm = [0; N];
    let mut block: Vec<u8> = Vec::new();
    for (counter, part) in (1..=u8::MAX).zip(okm.chunks_mut(32)) {
        block = hmac_sha256(&extracted, &[&block, info, &[counter]]).to_vec();
        part.copy_from_slice(&block[..part.len()]);
    }
    okm
}

/// The two-key form that BOLT 8 calls `HKDF(salt, ikm)`.
pub(crate) fn hkdf_pair(salt: &[u8; 32], input: &[u8]) -> ([u8; 32], [u8; 32]) {
    let okm: [u8; 64] = hkdf_sha256(salt, input, &[]);
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&okm[..32]);
    second.copy_from_slice(&okm[32..]);
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::hkdf_sha256;
    use bitcoin::hex::DisplayHex;

    #[test]
    fn rfc_5869_test_case_1() {
        let salt: Vec<u8> = (0x00..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let okm: [u8; 42] = hkdf_sha256(&salt, &[0x0b; 22], &info);
        assert_eq!(
            okm.to_lower_hex_string(),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn rfc_5869_test_case_3_has_no_salt_and_no_info() {
        let okm: [u8; 42] = hkdf_sha256(&[], &[0x0b; 22], &[]);
        assert_eq!(
            okm.to_lower_hex_string(),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }
}
