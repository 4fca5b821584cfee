//! The three acts of BOLT 8's handshake (Noise_XK), one type per state so that no act can come out of order.

use super::cipher::{Cipher, TAG, open, seal};
use super::error::{NoiseError, Part};
use crate::hkdf::hkdf_pair;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::ecdh::SharedSecret;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};

/// Version, key, tag.
pub(super) const ACT_ONE: usize = 1 + 33 + TAG;
/// Version, key, tag.
pub(super) const ACT_TWO: usize = ACT_ONE;
/// Version, sealed key, tag.
pub(super) const ACT_THREE: usize = 1 + 33 + TAG + TAG;

const PROTOCOL: &[u8] = b"Noise_XK_secp256k1_ChaChaPoly_SHA256";
const PROLOGUE: &[u8] = b"lightning";

/// Both directions of a connection after the handshake.
pub(super) struct Ciphers {
    pub(super) sending: Cipher,
    pub(super) receiving: Cipher,
}

/// The initiator, act one sent.
pub(super) struct ActOneSent {
    local: SecretKey,
    ephemeral: SecretKey,
    noise: Symmetric,
}

impl ActOneSent {
    pub(super) fn new(local: &SecretKey, ephemeral: SecretKey, remote: &PublicKey) -> (Self, Vec<u8>) {
        let mut noise = Symmetric::new(remote);
        let act_one = noise.write_ephemeral(&ephemeral, remote);
        (Self { local: *local, ephemeral, noise }, act_one)
    }

    /// Reads act two; returns act three to send, and the ciphers.
    pub(super) fn read_act_two(mut self, act_two: &[u8]) -> Result<(Vec<u8>, Ciphers), NoiseError> {
        let remote_ephemeral = self.noise.read_ephemeral(act_two, Part::ActTwo, &self.ephemeral)?;
        let sealed_id = self.noise.encrypt(1, &public(&self.local).serialize());
        self.noise.mix_key(&self.local, &remote_ephemeral);
        let tag = self.noise.encrypt(0, &[]);
        let (sending, receiving) = self.noise.split();
        Ok(([&[0], &*sealed_id, &*tag].concat(), Ciphers { sending, receiving }))
    }
}

/// The responder, before act one.
pub(super) struct Listening {
    local: SecretKey,
    ephemeral: SecretKey,
    noise: Symmetric,
}

impl Listening {
    pub(super) fn new(local: &SecretKey, ephemeral: SecretKey) -> Self {
        Self { local: *local, ephemeral, noise: Symmetric::new(&public(local)) }
    }

    /// Reads act one; returns act two to send.
    pub(super) fn read_act_one(mut self, act_one: &[u8]) -> Result<(ActTwoSent, Vec<u8>), NoiseError> {
        let remote_ephemeral = self.noise.read_ephemeral(act_one, Part::ActOne, &self.local)?;
        let act_two = self.noise.write_ephemeral(&self.ephemeral, &remote_ephemeral);
        Ok((ActTwoSent { ephemeral: self.ephemeral, noise: self.noise }, act_two))
    }
}

/// The responder, act two sent.
pub(super) struct ActTwoSent {
    ephemeral: SecretKey,
    noise: Symmetric,
}

impl ActTwoSent {
    /// Reads act three; returns the initiator's node id, and the ciphers.
    pub(super) fn read_act_three(mut self, act_three: &[u8]) -> Result<(PublicKey, Ciphers), NoiseError> {
        let part = Part::ActThree;
        check_version(act_three, part)?;
        let (sealed_id, tag) = act_three[1..].split_at(33 + TAG);
        let id = self.noise.decrypt(1, sealed_id).ok_or(NoiseError::BadNodeId)?;
        let remote = parse_key(&id, part)?;
        self.noise.mix_key(&self.ephemeral, &remote);
        self.noise.decrypt(0, tag).ok_or(NoiseError::BadTag { part })?;
        let (receiving, sending) = self.noise.split();
        Ok((remote, Ciphers { sending, receiving }))
    }
}

/// `h`, `ck` and `temp_k` of BOLT 8.
struct Symmetric {
    hash: [u8; 32],
    chaining_key: [u8; 32],
    key: [u8; 32],
}

impl Symmetric {
    fn new(responder: &PublicKey) -> Self {
        let hash = sha256::Hash::hash(PROTOCOL).to_byte_array();
        let mut noise = Self { hash, chaining_key: hash, key: [0; 32] };
        noise.mix_hash(PROLOGUE);
        noise.mix_hash(&responder.serialize());
        noise
    }

    fn mix_hash(&mut self, data: &[u8]) {
        let mut engine = sha256::Hash::engine();
        engine.input(&self.hash);
        engine.input(data);
        self.hash = sha256::Hash::from_engine(engine).to_byte_array();
    }

    fn mix_key(&mut self, secret: &SecretKey, public: &PublicKey) {
        let shared = SharedSecret::new(public, secret).secret_bytes();
        (self.chaining_key, self.key) = hkdf_pair(&self.chaining_key, &shared);
    }

    fn encrypt(&mut self, nonce: u64, plain: &[u8]) -> Vec<u8> {
        let sealed = seal(&self.key, nonce, &self.hash, plain);
        self.mix_hash(&sealed);
        sealed
    }

    fn decrypt(&mut self, nonce: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        let plain = open(&self.key, nonce, &self.hash, sealed)?;
        self.mix_hash(sealed);
        Some(plain)
    }

    /// Acts one and two: our ephemeral key, and a tag that proves the agreement of it with `remote`.
    fn write_ephemeral(&mut self, ephemeral: &SecretKey, remote: &PublicKey) -> Vec<u8> {
        let ours = public(ephemeral).serialize();
        self.mix_hash(&ours);
        self.mix_key(ephemeral, remote);
        let tag = self.encrypt(0, &[]);
        [&[0], &ours[..], &tag].concat()
    }

    /// The other side of [`Self::write_ephemeral`].
    fn read_ephemeral(
        &mut self,
        act: &[u8],
        part: Part,
        secret: &SecretKey,
    ) -> Result<PublicKey, NoiseError> {
        check_version(act, part)?;
        let (theirs, tag) = act[1..].split_at(33);
        let remote = parse_key(theirs, part)?;
        self.mix_hash(theirs);
        self.mix_key(secret, &remote);
        self.decrypt(0, tag).ok_or(NoiseError::BadTag { part })?;
        Ok(remote)
    }

    /// The keys of both directions, the initiator's sending key first.
    fn split(self) -> (Cipher, Cipher) {
        let (first, second) = hkdf_pair(&self.chaining_key, &[]);
        (Cipher::new(first, self.chaining_key), Cipher::new(second, self.chaining_key))
    }
}

fn public(secret: &SecretKey) -> PublicKey {
    secret.public_key(&Secp256k1::signing_only())
}

fn check_version(act: &[u8], part: Part) -> Result<(), NoiseError> {
    match act[0] {
        0 => Ok(()),
        got => Err(NoiseError::BadVersion { part, got }),
    }
}

fn parse_key(bytes: &[u8], part: Part) -> Result<PublicKey, NoiseError> {
    PublicKey::from_slice(bytes).map_err(|_| NoiseError::BadKey { part, got: bytes.to_lower_hex_string() })
}
