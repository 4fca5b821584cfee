//! The secrets of one channel, derived from `hsm_secret`, the peer and the channel's number in the database as
//! lightningd's hsmd derives them: the same three give the same basepoints and the same per-commitment points.

use crate::hkdf::hkdf_sha256;
use crate::keys::HsmSecret;
use crate::transaction::shachain;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use std::fmt;

/// The public keys of one side that do not change over the life of a channel (BOLT 2 `open_channel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basepoints {
    /// One of the two keys of the funding output.
    pub funding_pubkey: PublicKey,
    /// With the peer's per-commitment point it becomes the key that punishes the peer's revoked commitment.
    pub revocation: PublicKey,
    /// What the peer's commitment pays to this side at once; used as it is (`option_static_remotekey`).
    pub payment: PublicKey,
    /// What this side's own commitment pays to it after a delay.
    pub delayed_payment: PublicKey,
    /// This side's key in the outputs of HTLCs.
    pub htlc: PublicKey,
}

/// The private keys behind [`Basepoints`] and the seed of the per-commitment secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelSecrets {
    /// Signs commitments, closing transactions and the announcement.
    pub funding: SecretKey,
    /// See [`Basepoints::revocation`].
    pub revocation: SecretKey,
    /// See [`Basepoints::htlc`].
    pub htlc: SecretKey,
    /// See [`Basepoints::payment`].
    pub payment: SecretKey,
    /// See [`Basepoints::delayed_payment`].
    pub delayed_payment: SecretKey,
    /// All per-commitment secrets come from it (BOLT 3 "Per-commitment Secret Requirements").
    pub per_commitment_seed: [u8; 32],
}

/// What signs for a channel. The signatures themselves are in [`crate::transaction`].
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelKeys {
    pub(crate) secrets: ChannelSecrets,
    basepoints: Basepoints,
}

impl HsmSecret {
    /// The keys of channel `dbid` (`channels.id` in the database) with `peer`.
    pub fn channel_keys(&self, peer: &PublicKey, dbid: u64) -> ChannelKeys {
        // hsmd's get_channel_seed: the names speak of the peer, from the time of one channel per peer.
        let base: [u8; 32] = hkdf_sha256(&[], &self.bytes()[..32], b"peer seed");
        let salt = [&peer.serialize()[..], &dbid.to_le_bytes()].concat();
        let seed: [u8; 32] = hkdf_sha256(&salt, &base, b"per-peer seed");
        // common/derive_basepoints.c cuts one stream in this order.
        let stream: [u8; 192] = hkdf_sha256(&[], &seed, b"c-lightning");
        let part = |index: usize| &stream[32 * index..32 * (index + 1)];
        let key = |index| SecretKey::from_slice(part(index)).expect("one key in 2^127 is invalid");
        ChannelKeys::new(ChannelSecrets {
            funding: key(0),
            revocation: key(1),
            htlc: key(2),
            payment: key(3),
            delayed_payment: key(4),
            per_commitment_seed: part(5).try_into().expect("a part has 32 bytes"),
        })
    }
}

impl ChannelKeys {
    /// Keys with given secrets (lightningd's `--dev-force-channel-secrets`).
    pub fn new(secrets: ChannelSecrets) -> Self {
        let secp = Secp256k1::signing_only();
        let basepoints = Basepoints {
            funding_pubkey: secrets.funding.public_key(&secp),
            revocation: secrets.revocation.public_key(&secp),
            payment: secrets.payment.public_key(&secp),
            delayed_payment: secrets.delayed_payment.public_key(&secp),
            htlc: secrets.htlc.public_key(&secp),
        };
        Self { secrets, basepoints }
    }

    /// The public halves.
    pub fn basepoints(&self) -> Basepoints {
        self.basepoints
    }

    /// The secret of our commitment `number`, counted up from 0. It revokes that commitment once the peer has it.
    ///
    /// # Panics
    ///
    /// From number 2^48 on.
    pub fn per_commitment_secret(&self, number: u64) -> [u8; 32] {
        shachain::secret_of_seed(&self.secrets.per_commitment_seed, number)
    }

    /// The point of our commitment `number`, counted up from 0. Panics as [`Self::per_commitment_secret`] does.
    pub fn per_commitment_point(&self, number: u64) -> PublicKey {
        let secret = SecretKey::from_slice(&self.per_commitment_secret(number));
        secret.expect("one secret in 2^127 is no key").public_key(&Secp256k1::signing_only())
    }
}

impl fmt::Debug for ChannelKeys {
    /// Shows the public halves only.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChannelKeys").field("basepoints", &self.basepoints).finish_non_exhaustive()
    }
}
