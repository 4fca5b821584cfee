//! Messages of our own: what a node says of itself and its channels (`lightningd/gossip_generation.c`).

use crate::features::Features;
use crate::message::Excess;
use crate::message::gossip::{ChannelAnnouncement, ChannelUpdate, NodeAnnouncement};
use crate::short_channel_id::ShortChannelId;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey, Signing};

/// The announcement of a channel between two nodes, each given with its key in the funding output, in either order.
/// All that is missing is the signatures, which are zeros.
#[must_use]
pub fn unsigned_channel_announcement(
    chain_hash: ChainHash,
    short_channel_id: ShortChannelId,
    features: Features,
    ends: [(PublicKey, PublicKey); 2],
) -> ChannelAnnouncement {
    let [one, other] = ends;
    let (first, second) = if one.0 < other.0 { (one, other) } else { (other, one) };
    let zeros = no_signature();
    ChannelAnnouncement {
        node_signature_1: zeros,
        node_signature_2: zeros,
        bitcoin_signature_1: zeros,
        bitcoin_signature_2: zeros,
        features,
        chain_hash,
        short_channel_id,
        node_id_1: first.0,
        node_id_2: second.0,
        bitcoin_key_1: first.1,
        bitcoin_key_2: second.1,
        excess: Excess::default(),
    }
}

/// What stands in a message that is not signed yet.
#[must_use]
pub fn no_signature() -> Signature {
    Signature::from_compact(&[0; 64]).expect("64 bytes have the form of a signature")
}

/// A name in the form of an announcement: at most 32 bytes of it, filled up with zeros.
#[must_use]
pub fn node_alias(name: &str) -> [u8; 32] {
    let mut alias = [0; 32];
    for (byte, letter) in alias.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    alias
}

impl ChannelAnnouncement {
    /// Puts in the signatures of one of the two nodes: with its own key, and with its key in the funding output.
    pub fn set_signatures(&mut self, node: &PublicKey, by_node: Signature, by_funding: Signature) {
        if *node == self.node_id_1 {
            (self.node_signature_1, self.bitcoin_signature_1) = (by_node, by_funding);
        } else {
            (self.node_signature_2, self.bitcoin_signature_2) = (by_node, by_funding);
        }
    }
}

impl ChannelUpdate {
    /// Whether it says what `other` says: signature and timestamp say nothing.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let without_date = |update: &Self| Self { signature: no_signature(), timestamp: 0, ..update.clone() };
        without_date(self) == without_date(other)
    }

    /// The same, signed with the key of the node.
    #[must_use]
    pub fn signed<C: Signing>(mut self, key: &SecretKey, secp: &Secp256k1<C>) -> Self {
        self.signature = secp.sign_ecdsa(&self.signed_hash(), key);
        self
    }
}

impl NodeAnnouncement {
    /// Whether it says what `other` says: signature and timestamp say nothing.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let without_date = |node: &Self| Self { signature: no_signature(), timestamp: 0, ..node.clone() };
        without_date(self) == without_date(other)
    }

    /// The same, signed with the key of the node.
    #[must_use]
    pub fn signed<C: Signing>(mut self, key: &SecretKey, secp: &Secp256k1<C>) -> Self {
        self.signature = secp.sign_ecdsa(&self.signed_hash(), key);
        self
    }
}
