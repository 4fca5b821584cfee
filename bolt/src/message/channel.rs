//! The messages of a channel's life (BOLT 2): opening, HTLCs and commitments, reestablishing, closing.

use super::MessageError;
use super::define::messages;
use super::field::{Field, Fields};
use crate::channel_id::ChannelId;
use crate::features::Features;
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;
use bitcoin::Txid;
use bitcoin::constants::ChainHash;
use bitcoin::hashes::sha256;
use bitcoin::script::{Script, ScriptBuf};
use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;

/// How long the onion packet of an HTLC is.
pub const ONION_PACKET_LENGTH: usize = 1366;

messages! {
    /// A message about one channel.
    ChannelMessage;

    /// Proposes a channel that the sender funds.
    OpenChannel = 32, "open_channel", tlvs [0] {
        /// The chain that the channel is on.
        chain_hash: ChainHash,
        /// Names the channel until its funding is known.
        temporary_channel_id: ChannelId,
        /// Capacity in sat.
        funding_satoshis: u64,
        /// What the opener gives away at once, in msat.
        push_msat: u64,
        /// Outputs of the sender's commitment below this many sat are left out.
        dust_limit_satoshis: u64,
        /// Limit of all HTLCs that the other side offers, in msat.
        max_htlc_value_in_flight_msat: u64,
        /// What the other side has to keep, in sat.
        channel_reserve_satoshis: u64,
        /// The smallest HTLC that the sender takes, in msat.
        htlc_minimum_msat: u64,
        /// Fee of the first commitment transactions, in sat per 1000 weight.
        feerate_per_kw: u32,
        /// Blocks that the other side's outputs to itself are delayed.
        to_self_delay: u16,
        /// How many HTLCs the other side may offer, at most 483.
        max_accepted_htlcs: u16,
        /// Key of the funding output.
        funding_pubkey: PublicKey,
        /// Basepoint (BOLT 3).
        revocation_basepoint: PublicKey,
        /// Basepoint (BOLT 3).
        payment_basepoint: PublicKey,
        /// Basepoint (BOLT 3).
        delayed_payment_basepoint: PublicKey,
        /// Basepoint (BOLT 3).
        htlc_basepoint: PublicKey,
        /// Of commitment number 0.
        first_per_commitment_point: PublicKey,
        /// Bit 0: announce the channel.
        channel_flags: u8,
    }

    /// Agrees to an [`OpenChannel`].
    AcceptChannel = 33, "accept_channel", tlvs [0] {
        /// As in `open_channel`.
        temporary_channel_id: ChannelId,
        /// Outputs of the sender's commitment below this many sat are left out.
        dust_limit_satoshis: u64,
        /// Limit of all HTLCs that the other side offers, in msat.
        max_htlc_value_in_flight_msat: u64,
        /// What the other side has to keep, in sat.
        channel_reserve_satoshis: u64,
        /// The smallest HTLC that the sender takes, in msat.
        htlc_minimum_msat: u64,
        /// Confirmations of the funding that the sender waits for.
        minimum_depth: u32,
        /// Blocks that the other side's outputs to itself are delayed.
        to_self_delay: u16,
        /// How many HTLCs the other side may offer, at most 483.
        max_accepted_htlcs: u16,
        /// Key of the funding output.
        funding_pubkey: PublicKey,
        /// Basepoint (BOLT 3).
        revocation_basepoint: PublicKey,
        /// Basepoint (BOLT 3).
        payment_basepoint: PublicKey,
        /// Basepoint (BOLT 3).
        delayed_payment_basepoint: PublicKey,
        /// Basepoint (BOLT 3).
        htlc_basepoint: PublicKey,
        /// Of commitment number 0.
        first_per_commitment_point: PublicKey,
    }

    /// The funding transaction exists; the acceptor's first commitment is signed.
    FundingCreated = 34, "funding_created", tlvs [] {
        /// As in `open_channel`.
        temporary_channel_id: ChannelId,
        /// The funding transaction.
        funding_txid: Txid,
        /// Its output that is the channel.
        funding_output_index: u16,
        /// For the acceptor's commitment number 0.
        signature: Signature,
    }

    /// The opener's first commitment is signed: the funding may be broadcast.
    FundingSigned = 35, "funding_signed", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// For the opener's commitment number 0.
        signature: Signature,
    }

    /// The funding is deep enough for the sender.
    ChannelReady = 36, "channel_ready", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// Of commitment number 1.
        second_per_commitment_point: PublicKey,
    }

    /// The sender adds no further HTLCs and wants to close.
    Shutdown = 38, "shutdown", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// Where the sender's money goes.
        scriptpubkey: Vec<u8>,
    }

    /// An offer for the closing transaction.
    ClosingSigned = 39, "closing_signed", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// Its fee in sat.
        fee_satoshis: u64,
        /// For a closing transaction with this fee.
        signature: Signature,
    }

    /// Offers an HTLC.
    UpdateAddHtlc = 128, "update_add_htlc", tlvs [0] {
        /// The channel.
        channel_id: ChannelId,
        /// Counts the HTLCs that the sender offers, from 0.
        id: u64,
        /// Its amount in msat.
        amount_msat: u64,
        /// What its preimage hashes to.
        payment_hash: sha256::Hash,
        /// The height at which it ends.
        cltv_expiry: u32,
        /// The onion packet.
        onion_routing_packet: Box<[u8; ONION_PACKET_LENGTH]>,
    }

    /// Redeems an HTLC that the other side offered.
    UpdateFulfillHtlc = 130, "update_fulfill_htlc", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// The HTLC.
        id: u64,
        /// Hashes to its `payment_hash`.
        payment_preimage: [u8; 32],
    }

    /// Refuses an HTLC that the other side offered.
    UpdateFailHtlc = 131, "update_fail_htlc", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// The HTLC.
        id: u64,
        /// The failure onion (BOLT 4).
        reason: Vec<u8>,
    }

    /// Signs the receiver's next commitment.
    CommitmentSigned = 132, "commitment_signed", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// For the commitment transaction.
        signature: Signature,
        /// For its HTLC transactions, in the order of their outputs.
        htlc_signature: Vec<Signature>,
    }

    /// Revokes the sender's commitment before the last.
    RevokeAndAck = 133, "revoke_and_ack", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// The secret of the commitment that is revoked.
        per_commitment_secret: [u8; 32],
        /// Of the commitment after the next.
        next_per_commitment_point: PublicKey,
    }

    /// Changes the fee of the commitment transactions.
    UpdateFee = 134, "update_fee", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// In sat per 1000 weight.
        feerate_per_kw: u32,
    }

    /// Refuses an HTLC whose onion the sender could not read.
    UpdateFailMalformedHtlc = 135, "update_fail_malformed_htlc", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// The HTLC.
        id: u64,
        /// What the sender read.
        sha256_of_onion: [u8; 32],
        /// With the bit BADONION set (BOLT 4).
        failure_code: u16,
    }

    /// Where the sender left off, after a reconnection.
    ChannelReestablish = 136, "channel_reestablish", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// Number of the next `commitment_signed` that the sender expects.
        next_commitment_number: u64,
        /// Number of the next `revoke_and_ack` that the sender expects.
        next_revocation_number: u64,
        /// The last secret that the sender got; zeros if none.
        your_last_per_commitment_secret: [u8; 32],
        /// Of the sender's last commitment that is not revoked; any valid point with `option_static_remotekey`.
        my_current_per_commitment_point: PublicKey,
    }

    /// The sender's half of the signatures of a [`super::gossip::ChannelAnnouncement`].
    AnnouncementSignatures = 259, "announcement_signatures", tlvs [] {
        /// The channel.
        channel_id: ChannelId,
        /// Where it was funded.
        short_channel_id: ShortChannelId,
        /// By the sender's node key.
        node_signature: Signature,
        /// By the sender's key of the funding output.
        bitcoin_signature: Signature,
    }
}

/// `upfront_shutdown_script` of `open_channel` and `accept_channel`.
const UPFRONT_SHUTDOWN_SCRIPT: u64 = 0;
/// `channel_type` of `open_channel` and `accept_channel`.
const CHANNEL_TYPE: u64 = 1;
/// `short_channel_id` of `channel_ready`.
const ALIAS: u64 = 1;
/// `fee_range` of `closing_signed`.
const FEE_RANGE: u64 = 1;

macro_rules! opening {
    ($($name:ident)+) => {
        $(impl $name {
            /// The script that the sender will close to, whatever it says later; empty if it does not bind itself.
            #[must_use]
            pub fn upfront_shutdown_script(&self) -> Option<&Script> {
                self.tlvs.get(UPFRONT_SHUTDOWN_SCRIPT).map(Script::from_bytes)
            }

            /// Sets [`upfront_shutdown_script`](Self::upfront_shutdown_script).
            pub fn set_upfront_shutdown_script(&mut self, script: ScriptBuf) {
                self.tlvs.set(UPFRONT_SHUTDOWN_SCRIPT, script.into_bytes());
            }

            /// The features of the channel (BOLT 2, `channel_type`).
            #[must_use]
            pub fn channel_type(&self) -> Option<Features> {
                self.tlvs.get(CHANNEL_TYPE).map(|bits| Features::from_be_bytes(bits.to_vec()))
            }

            /// Sets [`channel_type`](Self::channel_type).
            pub fn set_channel_type(&mut self, channel_type: &Features) {
                self.tlvs.set(CHANNEL_TYPE, channel_type.as_be_bytes());
            }
        })+
    };
}
opening!(OpenChannel AcceptChannel);

impl ChannelReady {
    /// The name under which the sender wants the channel in invoices.
    #[must_use]
    pub fn alias(&self) -> Option<ShortChannelId> {
        let bytes = self.tlvs.get(ALIAS)?.try_into().ok()?;
        Some(ShortChannelId::from_u64(u64::from_be_bytes(bytes)))
    }

    /// Sets [`alias`](Self::alias).
    pub fn set_alias(&mut self, alias: ShortChannelId) {
        self.tlvs.set(ALIAS, alias.to_u64().to_be_bytes());
    }
}

impl ClosingSigned {
    /// The fees that the sender would take, in sat: from and to, both included.
    #[must_use]
    pub fn fee_range(&self) -> Option<(u64, u64)> {
        let (from, to) = self.tlvs.get(FEE_RANGE)?.split_first_chunk()?;
        Some((u64::from_be_bytes(*from), u64::from_be_bytes(to.try_into().ok()?)))
    }

    /// Sets [`fee_range`](Self::fee_range).
    pub fn set_fee_range(&mut self, (from, to): (u64, u64)) {
        self.tlvs.set(FEE_RANGE, [from.to_be_bytes(), to.to_be_bytes()].concat());
    }
}

impl ChannelMessage {
    /// The channel that the message is about, by its temporary id while it is opened.
    #[must_use]
    pub fn channel_id(&self) -> ChannelId {
        match self {
            Self::OpenChannel(message) => message.temporary_channel_id,
            Self::AcceptChannel(message) => message.temporary_channel_id,
            Self::FundingCreated(message) => message.temporary_channel_id,
            Self::FundingSigned(message) => message.channel_id,
            Self::ChannelReady(message) => message.channel_id,
            Self::Shutdown(message) => message.channel_id,
            Self::ClosingSigned(message) => message.channel_id,
            Self::UpdateAddHtlc(message) => message.channel_id,
            Self::UpdateFulfillHtlc(message) => message.channel_id,
            Self::UpdateFailHtlc(message) => message.channel_id,
            Self::CommitmentSigned(message) => message.channel_id,
            Self::RevokeAndAck(message) => message.channel_id,
            Self::UpdateFee(message) => message.channel_id,
            Self::UpdateFailMalformedHtlc(message) => message.channel_id,
            Self::ChannelReestablish(message) => message.channel_id,
            Self::AnnouncementSignatures(message) => message.channel_id,
        }
    }
}
