//! ChaCha20-Poly1305 as BOLT 8 uses it, and the rotating key of one direction of a connection.

use crate::hkdf::hkdf_pair;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};

/// Bytes that authentication adds to a sealed text.
pub(super) const TAG: usize = 16;

/// A key is replaced after this many uses (BOLT 8, "Lightning Message Key Rotation").
const USES_PER_KEY: u64 = 1000;

/// `encryptWithAD` of BOLT 8, and with nonce 0 what seals data of BOLT 4: the sealed text is [`TAG`] bytes longer than `plain`.
pub(crate) fn seal(key: &[u8; 32], nonce: u64, associated: &[u8], plain: &[u8]) -> Vec<u8> {
    ChaCha20Poly1305::new(key.into())
        .encrypt(&wire_nonce(nonce), Payload { msg: plain, aad: associated })
        .expect("a Lightning message is far below the limit of ChaCha20-Poly1305")
}

/// `decryptWithAD` of BOLT 8: `None` if key, nonce, associated data or text are not those that were sealed.
pub(crate) fn open(key: &[u8; 32], nonce: u64, associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    ChaCha20Poly1305::new(key.into())
        .decrypt(&wire_nonce(nonce), Payload { msg: sealed, aad: associated })
        .ok()
}

/// 32 zero bits, then the counter in little-endian.
fn wire_nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce.into()
}

/// The key, its counter and the chaining key of one direction.
pub(super) struct Cipher {
    key: [u8; 32],
    chaining_key: [u8; 32],
    nonce: u64,
}

impl Cipher {
    pub(super) fn new(key: [u8; 32], chaining_key: [u8; 32]) -> Self {
        Self { key, chaining_key, nonce: 0 }
    }

    pub(super) fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let sealed = seal(&self.key, self.nonce, &[], plain);
        self.count_use();
        sealed
    }

    pub(super) fn open(&mut self, sealed: &[u8]) -> Option<Vec<u8>> {
        let plain = open(&self.key, self.nonce, &[], sealed)?;
        self.count_use();
        Some(plain)
    }

    fn count_use(&mut self) {
        self.nonce += 1;
        if self.nonce == USES_PER_KEY {
            (self.chaining_key, self.key) = hkdf_pair(&self.chaining_key, &self.key);
            self.nonce = 0;
        }
    }
}
