//! The packet: a layer for each hop, so that no hop sees more than its own (BOLT 4, "Packet Structure").

use super::legacy;
use super::secret::{OnionSecret, apply_stream, key};
use crate::hmac::hmac_sha256;
use crate::integer::read_bigsize;
use crate::message::channel::ONION_PACKET_LENGTH;
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use std::fmt;
use thiserror::Error;

const VERSION: u8 = 0;
const HMAC_LENGTH: usize = 32;
/// Version and ephemeral key, which stand before the payloads.
const HEAD_LENGTH: usize = 34;
/// Everything but the payloads.
const FRAME_LENGTH: usize = HEAD_LENGTH + HMAC_LENGTH;

/// How long the payloads of an HTLC's packet are together.
pub const PAYLOADS_LENGTH: usize = ONION_PACKET_LENGTH - FRAME_LENGTH;

/// One node of a route, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The node.
    pub node_id: PublicKey,
    /// Its payload, with its length as BigSize in front.
    pub payload: Vec<u8>,
}

/// A packet of any length, 1366 bytes in an HTLC and in most onion messages.
#[derive(Clone, PartialEq, Eq)]
pub struct OnionPacket(Vec<u8>);

/// What a packet is made of.
struct Parts<'a> {
    ephemeral: PublicKey,
    payloads: &'a [u8],
    hmac: &'a [u8; HMAC_LENGTH],
}

/// A layer that was peeled off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeled {
    /// What this node is told, with its length as BigSize in front.
    pub payload: Vec<u8>,
    /// Shared with the origin, whom nobody knows.
    pub shared_secret: OnionSecret,
    /// For the next node. Behind the last one there is a packet as well, which nobody can peel: lightningd's hook
    /// `htlc_accepted` shows it.
    pub next: OnionPacket,
    /// Whether this node is the last.
    pub is_last: bool,
}

/// Why a packet cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CreateError {
    /// The route is empty.
    #[error("expected at least one hop")]
    NoHops,
    /// The payloads and their HMACs take more room than there is.
    #[error("expected payloads that fit into {room} bytes with 32 more for each, got {got}")]
    TooLong {
        /// How many bytes there are.
        room: usize,
        /// How many they would take.
        got: usize,
    },
}

/// Why a packet cannot be peeled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeelError {
    /// The first byte is not 0.
    #[error("expected an onion of version 0")]
    Version,
    /// The ephemeral key is no point, or cut off.
    #[error("the ephemeral key of the onion is no point of the curve")]
    Key,
    /// The packet was not made for this node, or for this payment, or has no MAC.
    #[error("the onion is not for this node, or not for this payment")]
    Hmac,
    /// The payload's length is none, or reaches behind the packet.
    #[error("the length of the onion's payload is wrong")]
    Payload {
        /// With which a failure can be sent back.
        shared_secret: OnionSecret,
    },
}

impl OnionPacket {
    /// Makes the packet for a route, and the secrets with which its failures can be read.
    ///
    /// `associated_data` is the payment hash; `length` that of all payloads, [`PAYLOADS_LENGTH`] in an HTLC.
    ///
    /// # Errors
    ///
    /// If there are no hops, or too much is to be said to them.
    pub fn create(
        session_key: &SecretKey,
        hops: &[Hop],
        associated_data: &[u8],
        length: usize,
    ) -> Result<(Self, Vec<OnionSecret>), CreateError> {
        let Some((_, before_last)) = hops.split_last() else { return Err(CreateError::NoHops) };
        let got = Self::room_for(hops);
        if got > length {
            return Err(CreateError::TooLong { room: length, got });
        }
        let secrets = secrets(session_key, hops);
        let filler = filler(before_last, &secrets, length);
        let mut payloads = vec![0; length];
        apply_stream(&key("pad", &session_key.secret_bytes()), 0, &mut payloads);
        // Behind the last payload and its HMAC stands what will have shifted in when the packet is there.
        let start = length - filler.len();
        let mut hmac = [0; HMAC_LENGTH];
        for (number, (hop, secret)) in hops.iter().zip(&secrets).enumerate().rev() {
            let layer = [&hop.payload[..], &hmac].concat();
            payloads.copy_within(..length - layer.len(), layer.len());
            payloads[..layer.len()].copy_from_slice(&layer);
            apply_stream(&secret.key("rho"), 0, &mut payloads);
            if number == before_last.len() {
                payloads[start..].copy_from_slice(&filler);
            }
            hmac = hmac_sha256(&secret.key("mu"), &[&payloads, associated_data]);
        }
        let first = session_key.public_key(&Secp256k1::signing_only()).serialize();
        Ok((Self([&[VERSION][..], &first, &payloads, &hmac].concat()), secrets))
    }

    /// Takes off the layer of the node whose key is `node_key`.
    ///
    /// # Errors
    ///
    /// If it is not for this node, or was made wrongly.
    pub fn peel(&self, node_key: &SecretKey, associated_data: &[u8]) -> Result<Peeled, PeelError> {
        self.peel_where(node_key, associated_data, payload_end)
    }

    /// The same by a node that still knows payloads of [`legacy::LENGTH`] bytes: those that begin with 0.
    ///
    /// # Errors
    ///
    /// As [`peel`](Self::peel).
    pub fn peel_legacy(&self, node_key: &SecretKey, associated_data: &[u8]) -> Result<Peeled, PeelError> {
        self.peel_where(node_key, associated_data, |plain| match plain.first()? {
            0 => Some(legacy::LENGTH),
            _ => payload_end(plain),
        })
    }

    fn peel_where(
        &self,
        node_key: &SecretKey,
        associated_data: &[u8],
        payload_end: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Result<Peeled, PeelError> {
        let Parts { ephemeral, payloads, hmac } = self.parts()?;
        let length = payloads.len();
        let shared_secret = OnionSecret::new(&ephemeral, node_key);
        if hmac_sha256(&shared_secret.key("mu"), &[payloads, associated_data]) != *hmac {
            return Err(PeelError::Hmac);
        }
        // The zeros behind become what the next node gets at its end.
        let mut plain = [payloads, &vec![0; length]].concat();
        apply_stream(&shared_secret.key("rho"), 0, &mut plain);
        let end = payload_end(&plain[..length]).filter(|end| end + HMAC_LENGTH <= length);
        let end = end.ok_or(PeelError::Payload { shared_secret })?;
        let (payload, rest) = plain.split_at(end);
        let (next_hmac, rest) = rest.split_at(HMAC_LENGTH);
        let factor = shared_secret.blinding_factor(&ephemeral);
        let next = ephemeral.mul_tweak(&Secp256k1::verification_only(), &factor);
        let next = next.expect("a hash is neither zero nor above the order of the curve").serialize();
        let next = Self([&[VERSION][..], &next, &rest[..length], next_hmac].concat());
        let is_last = next_hmac == [0; HMAC_LENGTH];
        Ok(Peeled { payload: payload.to_vec(), shared_secret, next, is_last })
    }

    /// What the origin shares with the node whose key is `node_key`, if the packet is for that.
    ///
    /// # Errors
    ///
    /// If it is no packet.
    pub fn shared_secret(&self, node_key: &SecretKey) -> Result<OnionSecret, PeelError> {
        self.parts().map(|parts| OnionSecret::new(&parts.ephemeral, node_key))
    }

    fn parts(&self) -> Result<Parts<'_>, PeelError> {
        if self.0.first().is_some_and(|version| *version != VERSION) {
            return Err(PeelError::Version);
        }
        let head = self.0.split_at_checked(HEAD_LENGTH);
        let head = head.and_then(|(head, rest)| Some((PublicKey::from_slice(&head[1..]).ok()?, rest)));
        let (ephemeral, rest) = head.ok_or(PeelError::Key)?;
        let (payloads, hmac) = rest.split_last_chunk().ok_or(PeelError::Hmac)?;
        Ok(Parts { ephemeral, payloads, hmac })
    }

    /// How long the payloads of some hops are together at least.
    pub(super) fn room_for(hops: &[Hop]) -> usize {
        hops.iter().map(|hop| hop.payload.len() + HMAC_LENGTH).sum()
    }

    /// The packet as it goes over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for OnionPacket {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for OnionPacket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OnionPacket({})", self.0.as_hex())
    }
}

/// The secret shared with each hop.
fn secrets(session_key: &SecretKey, hops: &[Hop]) -> Vec<OnionSecret> {
    let secp = Secp256k1::signing_only();
    let mut ephemeral = *session_key;
    let mut secrets = Vec::new();
    for hop in hops {
        let secret = OnionSecret::new(&hop.node_id, &ephemeral);
        let factor = secret.blinding_factor(&ephemeral.public_key(&secp));
        ephemeral =
            ephemeral.mul_tweak(&factor).expect("a hash is neither zero nor above the order of the curve");
        secrets.push(secret);
    }
    secrets
}

/// What the hops before the last shift in at the end of the packet, each a part, encrypted by all behind it.
fn filler(before_last: &[Hop], secrets: &[OnionSecret], length: usize) -> Vec<u8> {
    let mut filler = Vec::new();
    for (hop, secret) in before_last.iter().zip(secrets) {
        let shift = hop.payload.len() + HMAC_LENGTH;
        let skip = length - filler.len();
        filler.resize(filler.len() + shift, 0);
        apply_stream(&secret.key("rho"), skip, &mut filler);
    }
    filler
}

/// Where the payload ends, its length included; `None` if there is none. Lengths 0 and 1 were once formats without a length.
fn payload_end(plain: &[u8]) -> Option<usize> {
    let mut rest = plain;
    let length = usize::try_from(read_bigsize(&mut rest).ok()?).ok().filter(|length| *length >= 2)?;
    (plain.len() - rest.len()).checked_add(length).filter(|end| *end <= plain.len())
}
