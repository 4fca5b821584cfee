//! Which messages are believed, and which are news (BOLT 7; CLN's `gossipd/gossmap_manage.c` and `sigcheck.c`).

use super::graph::Graph;
use crate::message::gossip::{ChannelAnnouncement, ChannelUpdate, NodeAnnouncement};
use crate::short_channel_id::ShortChannelId;
use bitcoin::secp256k1::{PublicKey, Secp256k1, Verification};
use thiserror::Error;

/// For how many blocks a channel is remembered after its funding output was spent.
pub const DYING_BLOCKS: u32 = 72;

/// How long a channel is known without a newer update, in seconds: two weeks.
pub const PRUNE_SECONDS: u64 = 1_209_600;

/// How deep a funding output is when its channel may be announced.
const ANNOUNCE_DEPTH: u32 = 6;

/// A timestamp may be so many seconds ahead.
const AHEAD_SECONDS: u64 = 24 * 60 * 60;

/// What a message did to the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The graph has changed: others may want to know.
    Taken,
    /// It says what is known, or less.
    Old,
    /// It is about a channel or a node that is not known.
    Unknown,
}

/// A message that no honest peer sends. What the peer is told of it is in CLN's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadGossip {
    /// The first node is to be the one with the lesser id.
    #[error("node_id_1 must be the lesser node id! 1={}, 2={}", .0[0], .0[1])]
    NodeOrder(Box<[PublicKey; 2]>),
    /// A signature is wrong.
    #[error("Bad {field} {signature} hash {hash} on {message} {bytes}")]
    Signature {
        /// Which one.
        field: &'static str,
        /// The signature in hex.
        signature: String,
        /// What should have been signed.
        hash: String,
        /// Name of the message.
        message: &'static str,
        /// The whole message in hex.
        bytes: String,
    },
    /// An update for the peer alone, of a channel that everybody knows.
    #[error("Do not set DONT_FORWARD on public channel_updates ({0})")]
    DontForward(ShortChannelId),
}

/// Whether a channel's funding output is deep enough at `height`: that of 103x1x0 is from 108 on.
#[must_use]
pub fn is_announceable(scid: ShortChannelId, height: u32) -> bool {
    scid.block() + ANNOUNCE_DEPTH - 1 <= height
}

/// Checks the order of the nodes and the four signatures. The funding output is for whoever knows the chain.
///
/// # Errors
///
/// What is wrong.
pub fn check_channel_announcement<C: Verification>(
    announcement: &ChannelAnnouncement,
    secp: &Secp256k1<C>,
) -> Result<(), BadGossip> {
    let (first, second) = (announcement.node_id_1, announcement.node_id_2);
    if first >= second {
        return Err(BadGossip::NodeOrder(Box::new([first, second])));
    }
    let hash = announcement.signed_hash();
    for (field, signature, key) in [
        ("node_signature_1", &announcement.node_signature_1, &first),
        ("node_signature_2", &announcement.node_signature_2, &second),
        ("bitcoin_signature_1", &announcement.bitcoin_signature_1, &announcement.bitcoin_key_1),
        ("bitcoin_signature_2", &announcement.bitcoin_signature_2, &announcement.bitcoin_key_2),
    ] {
        if secp.verify_ecdsa(&hash, signature, key).is_err() {
            let message = ChannelAnnouncement::NAME;
            return Err(bad_signature(field, signature, &hash, message, &announcement.encode()));
        }
    }
    Ok(())
}

fn bad_signature(
    field: &'static str,
    signature: &bitcoin::secp256k1::ecdsa::Signature,
    hash: &bitcoin::secp256k1::Message,
    message: &'static str,
    bytes: &[u8],
) -> BadGossip {
    use bitcoin::hex::DisplayHex;
    BadGossip::Signature {
        field,
        signature: signature.to_string(),
        hash: hash.as_ref().to_lower_hex_string(),
        message,
        bytes: bytes.to_lower_hex_string(),
    }
}

impl ChannelUpdate {
    /// Which direction it is about: 0 if it is by `node_id_1`.
    #[must_use]
    pub fn direction(&self) -> u8 {
        self.channel_flags & Self::DIRECTION
    }

    /// Whether the channel may be used in this direction.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.channel_flags & Self::DISABLED == 0
    }

    /// Whether its timestamp is neither two weeks old nor a day ahead of `now`, in seconds of Unix time.
    #[must_use]
    pub fn is_timely(&self, now: u64) -> bool {
        let timestamp = u64::from(self.timestamp);
        timestamp <= now + AHEAD_SECONDS && timestamp + PRUNE_SECONDS >= now
    }

    /// Checks that `node` has signed it.
    ///
    /// # Errors
    ///
    /// If it has not.
    pub fn check<C: Verification>(&self, node: &PublicKey, secp: &Secp256k1<C>) -> Result<(), BadGossip> {
        if self.is_signed(secp, node) {
            return Ok(());
        }
        Err(bad_signature("signature for", &self.signature, &self.signed_hash(), Self::NAME, &self.encode()))
    }
}

impl NodeAnnouncement {
    /// Checks its signature.
    ///
    /// # Errors
    ///
    /// If the node has not signed it.
    pub fn check<C: Verification>(&self, secp: &Secp256k1<C>) -> Result<(), BadGossip> {
        if self.is_signed(secp) {
            return Ok(());
        }
        Err(bad_signature("signature for", &self.signature, &self.signed_hash(), Self::NAME, &self.encode()))
    }
}

impl Graph {
    /// Checks that the right node signed an update of a known channel, and meant it for everybody.
    ///
    /// # Errors
    ///
    /// If not.
    pub fn check_update<C: Verification>(
        &self,
        update: &ChannelUpdate,
        secp: &Secp256k1<C>,
    ) -> Result<(), BadGossip> {
        let Some(channel) = self.channel(update.short_channel_id) else { return Ok(()) };
        update.check(channel.source(update.direction()), secp)?;
        if update.message_flags & ChannelUpdate::DONT_FORWARD != 0 {
            return Err(BadGossip::DontForward(update.short_channel_id));
        }
        Ok(())
    }

    /// Takes an update, if it is newer than what is known of its direction; it has been checked.
    pub fn take_update(&mut self, update: ChannelUpdate) -> News {
        let Some(channel) = self.channel_mut(update.short_channel_id) else { return News::Unknown };
        let known = &mut channel.updates[usize::from(update.direction())];
        if known.as_ref().is_some_and(|known| known.timestamp >= update.timestamp) {
            return News::Old;
        }
        *known = Some(update);
        News::Taken
    }

    /// Takes what a node says of itself, if it is newer than what is known; it has been checked.
    pub fn take_node(&mut self, announcement: NodeAnnouncement) -> News {
        let Some(node) = self.node_mut(&announcement.node_id) else { return News::Unknown };
        let known = node.announcement.as_ref();
        if known.is_some_and(|known| known.timestamp >= announcement.timestamp) {
            return News::Old;
        }
        node.announcement = Some(announcement);
        News::Taken
    }

    /// Notes that a channel's funding output is spent, and at which height it is to be forgotten. False if that, or the
    /// channel, is not new.
    pub fn forget_at(&mut self, scid: ShortChannelId, dies_at: u32) -> bool {
        match self.channel_mut(scid) {
            Some(channel) if channel.dies_at.is_none() => {
                channel.dies_at = Some(dies_at);
                true
            }
            _ => false,
        }
    }

    /// The channels that are to be forgotten at `height`.
    #[must_use]
    pub fn dead(&self, height: u32) -> Vec<ShortChannelId> {
        let dead = self.channels().filter(|channel| channel.dies_at.is_some_and(|dies_at| dies_at <= height));
        dead.map(super::Channel::short_channel_id).collect()
    }

    /// The channels of which an end has said nothing for two weeks, at `now` in seconds of Unix time.
    #[must_use]
    pub fn stale(&self, now: u64) -> Vec<ShortChannelId> {
        let is_old = |update: &ChannelUpdate| u64::from(update.timestamp) + PRUNE_SECONDS < now;
        let stale = self.channels().filter(|channel| channel.updates.iter().flatten().any(is_old));
        stale.map(super::Channel::short_channel_id).collect()
    }

    /// Whether every channel of a node is dying, so that nobody is to be told of the node.
    #[must_use]
    pub fn is_dying(&self, node: &PublicKey) -> bool {
        self.channels_of(node).all(|channel| channel.dies_at.is_some())
    }
}
