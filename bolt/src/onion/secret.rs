//! The secret that the origin of an onion shares with one hop, and the keys made of it (BOLT 4, "Key Generation").

use crate::hmac::hmac_sha256;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::{PublicKey, Scalar, SecretKey};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use std::fmt;

/// The shared secret of a hop: `shared_secret` in the hook `htlc_accepted`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OnionSecret(pub [u8; 32]);

impl fmt::Debug for OnionSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OnionSecret({})", self.0.as_hex())
    }
}

impl OnionSecret {
    /// The secret between the owners of the two keys.
    #[must_use]
    pub fn new(theirs: &PublicKey, ours: &SecretKey) -> Self {
        Self(SharedSecret::new(theirs, ours).secret_bytes())
    }

    /// The key for one purpose: `rho`, `mu`, `um` or `ammag`.
    pub(super) fn key(&self, purpose: &str) -> [u8; 32] {
        key(purpose, &self.0)
    }

    /// What the ephemeral key of this hop is multiplied with to be that of the next.
    pub(super) fn blinding_factor(&self, ephemeral: &PublicKey) -> Scalar {
        let mut engine = sha256::Hash::engine();
        engine.input(&ephemeral.serialize());
        engine.input(&self.0);
        let factor = sha256::Hash::from_engine(engine).to_byte_array();
        Scalar::from_be_bytes(factor).expect("a hash above the order of the curve is not to be found")
    }
}

/// The key for one purpose, made of any secret.
pub(super) fn key(purpose: &str, secret: &[u8; 32]) -> [u8; 32] {
    hmac_sha256(purpose.as_bytes(), &[secret])
}

/// XORs `bytes` with the ChaCha20 stream of `key`, from the place `skip` of the stream on.
pub(super) fn apply_stream(key: &[u8; 32], skip: usize, bytes: &mut [u8]) {
    let mut cipher = ChaCha20::new(key.into(), &[0; 12].into());
    // What is skipped is at most one packet, so it is cheaper to make than to seek.
    cipher.apply_keystream(&mut vec![0; skip]);
    cipher.apply_keystream(bytes);
}
