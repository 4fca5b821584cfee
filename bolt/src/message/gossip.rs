//! The messages by which nodes tell each other of channels and nodes (BOLT 7).

use super::MessageError;
use super::define::messages;
use super::field::{Excess, Field, Fields};
use crate::features::Features;
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;
use bitcoin::constants::ChainHash;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, Verification};

messages! {
    /// A message about the network.
    GossipMessage;

    /// A channel exists, say both of its nodes.
    ChannelAnnouncement = 256, "channel_announcement" {
        /// By `node_id_1`.
        node_signature_1: Signature,
        /// By `node_id_2`.
        node_signature_2: Signature,
        /// By `bitcoin_key_1`.
        bitcoin_signature_1: Signature,
        /// By `bitcoin_key_2`.
        bitcoin_signature_2: Signature,
        /// Features of the channel.
        features: Features,
        /// The chain that it is on.
        chain_hash: ChainHash,
        /// Where it was funded.
        short_channel_id: ShortChannelId,
        /// The node whose id is the lesser.
        node_id_1: PublicKey,
        /// The other node.
        node_id_2: PublicKey,
        /// Key of `node_id_1` in the funding output.
        bitcoin_key_1: PublicKey,
        /// Key of `node_id_2` in the funding output.
        bitcoin_key_2: PublicKey,
        /// What later BOLTs added.
        excess: Excess,
    }

    /// What a node says of itself.
    NodeAnnouncement = 257, "node_announcement" {
        /// By `node_id`.
        signature: Signature,
        /// Features of the node.
        features: Features,
        /// In seconds of Unix time; the latest counts.
        timestamp: u32,
        /// The node.
        node_id: PublicKey,
        /// Its colour.
        rgb_color: [u8; 3],
        /// Its name, filled up with zeros.
        alias: [u8; 32],
        /// Address descriptors, one behind the other.
        addresses: Vec<u8>,
        /// What later BOLTs added.
        excess: Excess,
    }

    /// What one of its nodes says of a channel.
    ChannelUpdate = 258, "channel_update" {
        /// By the node.
        signature: Signature,
        /// The chain that the channel is on.
        chain_hash: ChainHash,
        /// Where it was funded, or its alias.
        short_channel_id: ShortChannelId,
        /// In seconds of Unix time; the latest counts.
        timestamp: u32,
        /// Bit 0 is always set; bit 1: do not forward.
        message_flags: u8,
        /// Bit 0: by `node_id_2`; bit 1: disabled.
        channel_flags: u8,
        /// Blocks that the node takes for a forward.
        cltv_expiry_delta: u16,
        /// The smallest HTLC in msat.
        htlc_minimum_msat: u64,
        /// Fee for any HTLC, in msat.
        fee_base_msat: u32,
        /// Fee per million of what is forwarded.
        fee_proportional_millionths: u32,
        /// The largest HTLC in msat.
        htlc_maximum_msat: u64,
        /// What later BOLTs added.
        excess: Excess,
    }

    /// Asks for what is known of some channels.
    QueryShortChannelIds = 261, "query_short_channel_ids", tlvs [] {
        /// The chain that the question is about.
        chain_hash: ChainHash,
        /// Type of encoding (0) and ids.
        encoded_short_ids: Vec<u8>,
    }

    /// Everything that was asked for has been sent.
    ReplyShortChannelIdsEnd = 262, "reply_short_channel_ids_end", tlvs [] {
        /// The chain that the question was about.
        chain_hash: ChainHash,
        /// Whether the sender keeps up with this chain.
        full_information: u8,
    }

    /// Asks for the channels that were funded in some blocks.
    QueryChannelRange = 263, "query_channel_range", tlvs [] {
        /// The chain that the question is about.
        chain_hash: ChainHash,
        /// The first block.
        first_blocknum: u32,
        /// How many blocks.
        number_of_blocks: u32,
    }

    /// Channels that were funded in some blocks.
    ReplyChannelRange = 264, "reply_channel_range", tlvs [] {
        /// The chain that the question was about.
        chain_hash: ChainHash,
        /// The first block of this part of the answer.
        first_blocknum: u32,
        /// How many blocks this part is about.
        number_of_blocks: u32,
        /// 1 in the last part.
        sync_complete: u8,
        /// Type of encoding (0) and ids.
        encoded_short_ids: Vec<u8>,
    }

    /// Asks for gossip of a range of time.
    GossipTimestampFilter = 265, "gossip_timestamp_filter", tlvs [] {
        /// The chain that the question is about.
        chain_hash: ChainHash,
        /// In seconds of Unix time.
        first_timestamp: u32,
        /// In seconds.
        timestamp_range: u32,
    }
}

/// What a node signs: the message without its type and without what is signed over nothing else, hashed twice.
fn signed_hash(encoded: &[u8], signatures: usize) -> Message {
    let after_type_and_signatures = &encoded[2 + 64 * signatures..];
    Message::from_digest(sha256d::Hash::hash(after_type_and_signatures).to_byte_array())
}

impl ChannelAnnouncement {
    /// What each of the four keys signs, before it is hashed: the message from its features on.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        self.encode().split_off(2 + 4 * 64)
    }

    /// What each of the four keys signs.
    #[must_use]
    pub fn signed_hash(&self) -> Message {
        signed_hash(&self.encode(), 4)
    }

    /// Whether all four signatures are right.
    #[must_use]
    pub fn is_signed<C: Verification>(&self, secp: &Secp256k1<C>) -> bool {
        let hash = self.signed_hash();
        [
            (&self.node_signature_1, &self.node_id_1),
            (&self.node_signature_2, &self.node_id_2),
            (&self.bitcoin_signature_1, &self.bitcoin_key_1),
            (&self.bitcoin_signature_2, &self.bitcoin_key_2),
        ]
        .into_iter()
        .all(|(signature, key)| secp.verify_ecdsa(&hash, signature, key).is_ok())
    }
}

impl NodeAnnouncement {
    /// What the node signs.
    #[must_use]
    pub fn signed_hash(&self) -> Message {
        signed_hash(&self.encode(), 1)
    }

    /// Whether the node signed it.
    #[must_use]
    pub fn is_signed<C: Verification>(&self, secp: &Secp256k1<C>) -> bool {
        secp.verify_ecdsa(&self.signed_hash(), &self.signature, &self.node_id).is_ok()
    }
}

impl ChannelUpdate {
    /// Bit 0 of `channel_flags`: the update is by `node_id_2`.
    pub const DIRECTION: u8 = 1;
    /// Bit 1 of `channel_flags`: the channel is not to be used in this direction.
    pub const DISABLED: u8 = 1 << 1;
    /// Bit 0 of `message_flags`, which has to be set.
    pub const MUST_BE_ONE: u8 = 1;
    /// Bit 1 of `message_flags`: for the peer alone.
    pub const DONT_FORWARD: u8 = 1 << 1;

    /// What the node signs.
    #[must_use]
    pub fn signed_hash(&self) -> Message {
        signed_hash(&self.encode(), 1)
    }

    /// Whether `node` signed it.
    #[must_use]
    pub fn is_signed<C: Verification>(&self, secp: &Secp256k1<C>, node: &PublicKey) -> bool {
        secp.verify_ecdsa(&self.signed_hash(), &self.signature, node).is_ok()
    }
}
