//! HTLCs of a channel, what is asked for when one is offered or removed, and why that can be refused.

use super::state::HtlcState;
use crate::ChannelId;
use crate::message::ChannelMessage;
use crate::message::channel::{
    ONION_PACKET_LENGTH, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFulfillHtlc,
};
use crate::tlv::TlvStream;
use crate::transaction::{CommitmentHtlc, Side};
use bitcoin::hashes::{Hash, sha256};
use thiserror::Error;

/// An HTLC that is offered, committed or being removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Htlc {
    /// Who offered it.
    pub owner: Side,
    /// Its number among those that `owner` offered.
    pub id: u64,
    /// What it is worth.
    pub amount_msat: u64,
    /// Whose preimage takes it.
    pub payment_hash: sha256::Hash,
    /// The block at which the owner may take it back.
    pub cltv_expiry: u32,
    /// The onion packet.
    pub onion: Box<[u8; ONION_PACKET_LENGTH]>,
    /// The extension of `update_add_htlc`, raw, types that nobody here knows included.
    pub tlvs: TlvStream,
    /// How far it is.
    pub state: HtlcState,
    /// How it is removed: there from `RcvdRemoveHtlc` and `SentRemoveHtlc` on.
    pub removal: Option<Removal>,
    /// An incoming one that makes the dust exposure too large: to be failed as soon as it is committed.
    pub fail_immediate: bool,
}

/// How an HTLC ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is paid: the preimage of its hash.
    Fulfill([u8; 32]),
    /// It fails: the failure onion (BOLT 4).
    Fail(Vec<u8>),
    /// It fails, because its onion could not be read by the next node.
    FailMalformed {
        /// What that node read.
        sha256_of_onion: [u8; 32],
        /// Why; the bit `BADONION` is set.
        failure_code: u16,
    },
}

/// What [`super::Channel::add_htlc`] offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddHtlc {
    /// What it is worth.
    pub amount_msat: u64,
    /// Whose preimage takes it.
    pub payment_hash: sha256::Hash,
    /// The block at which we may take it back.
    pub cltv_expiry: u32,
    /// The onion packet.
    pub onion: Box<[u8; ONION_PACKET_LENGTH]>,
    /// The extension of `update_add_htlc`.
    pub tlvs: TlvStream,
}

/// Why an HTLC cannot be added: lightningd's `enum channel_add_err`. The texts are those that `lightningd` reports for one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddHtlcError {
    /// It is no height of a block.
    #[error("Invalid cltv_expiry {cltv_expiry}")]
    InvalidExpiry {
        /// What it is.
        cltv_expiry: u32,
    },
    /// The id has been used for the same HTLC.
    #[error("Duplicate HTLC {id}")]
    Duplicate {
        /// The id.
        id: u64,
    },
    /// The id is not the next one.
    #[error("Duplicate HTLC {id}")]
    DuplicateIdDifferent {
        /// The id.
        id: u64,
    },
    /// More than `max_htlc_value_in_flight_msat`.
    #[error("Mini mode: maximum value exceeded")]
    MaxHtlcValueExceeded,
    /// More than the channel can carry with its reserves and fees.
    #[error("Capacity exceeded - HTLC fee: {htlc_fee_sat}sat")]
    ChannelCapacityExceeded {
        /// What the commitment would cost with it.
        htlc_fee_sat: u64,
    },
    /// Less than the receiver takes.
    #[error("HTLC too small ({minimum_msat}msat minimum)")]
    HtlcBelowMinimum {
        /// The peer's minimum.
        minimum_msat: u64,
    },
    /// More than `max_accepted_htlcs`.
    #[error("Too many HTLCs")]
    TooManyHtlcs,
    /// Too much of the channel would be too small for outputs.
    #[error("HTLC too dusty, allowed dust limit reached")]
    DustFailure,
    /// The channel is not open, is being closed, or its peer is away.
    #[error("the channel takes no HTLCs: expected it to be ready, connected and not shutting down")]
    Unavailable,
}

impl AddHtlcError {
    /// The name in lightningd's source, which channeld's warnings carry.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidExpiry { .. } => "CHANNEL_ERR_INVALID_EXPIRY",
            Self::Duplicate { .. } => "CHANNEL_ERR_DUPLICATE",
            Self::DuplicateIdDifferent { .. } => "CHANNEL_ERR_DUPLICATE_ID_DIFFERENT",
            Self::MaxHtlcValueExceeded => "CHANNEL_ERR_MAX_HTLC_VALUE_EXCEEDED",
            Self::ChannelCapacityExceeded { .. } => "CHANNEL_ERR_CHANNEL_CAPACITY_EXCEEDED",
            Self::HtlcBelowMinimum { .. } => "CHANNEL_ERR_HTLC_BELOW_MINIMUM",
            Self::TooManyHtlcs => "CHANNEL_ERR_TOO_MANY_HTLCS",
            Self::DustFailure => "CHANNEL_ERR_DUST_FAILURE",
            Self::Unavailable => "CHANNEL_ERR_UNAVAILABLE",
        }
    }
}

/// Why an HTLC cannot be removed: lightningd's `enum channel_remove_err`, in its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RemoveHtlcError {
    /// There is none with this id.
    #[error("CHANNEL_ERR_NO_SUCH_ID")]
    NoSuchId,
    /// Its preimage is there already.
    #[error("CHANNEL_ERR_ALREADY_FULFILLED")]
    AlreadyFulfilled,
    /// The preimage is not the one.
    #[error("CHANNEL_ERR_BAD_PREIMAGE")]
    BadPreimage,
    /// It is not in the commitment of the side that removes it.
    #[error("CHANNEL_ERR_HTLC_UNCOMMITTED")]
    HtlcUncommitted,
    /// It could still be undone on one side.
    #[error("CHANNEL_ERR_HTLC_NOT_IRREVOCABLE")]
    HtlcNotIrrevocable,
}

impl Htlc {
    /// As commitments have it.
    pub(super) fn in_commitment(&self) -> CommitmentHtlc {
        CommitmentHtlc {
            offered_by: self.owner,
            id: self.id,
            amount_msat: self.amount_msat,
            cltv_expiry: self.cltv_expiry,
            payment_hash: self.payment_hash,
        }
    }

    /// Who has its amount once it is gone.
    pub(super) fn paid_to(&self) -> Side {
        match self.removal {
            Some(Removal::Fulfill(_)) => self.owner.other(),
            _ => self.owner,
        }
    }

    pub(super) fn add_message(&self, channel_id: ChannelId) -> ChannelMessage {
        ChannelMessage::UpdateAddHtlc(UpdateAddHtlc {
            channel_id,
            id: self.id,
            amount_msat: self.amount_msat,
            payment_hash: self.payment_hash,
            cltv_expiry: self.cltv_expiry,
            onion_routing_packet: self.onion.clone(),
            tlvs: self.tlvs.clone(),
        })
    }

    /// The message that removes it, if it is being removed.
    pub(super) fn removal_message(&self, channel_id: ChannelId) -> Option<ChannelMessage> {
        let (id, tlvs) = (self.id, TlvStream::new());
        Some(match self.removal.as_ref()? {
            Removal::Fulfill(preimage) => {
                UpdateFulfillHtlc { channel_id, id, payment_preimage: *preimage, tlvs }.into()
            }
            Removal::Fail(reason) => UpdateFailHtlc { channel_id, id, reason: reason.clone(), tlvs }.into(),
            Removal::FailMalformed { sha256_of_onion, failure_code } => UpdateFailMalformedHtlc {
                channel_id,
                id,
                sha256_of_onion: *sha256_of_onion,
                failure_code: *failure_code,
                tlvs,
            }
            .into(),
        })
    }

    /// Starts the removal of an irrevocably committed HTLC.
    pub(super) fn remove(&mut self, removal: Removal) -> Result<(), RemoveHtlcError> {
        if matches!((&self.removal, &removal), (Some(Removal::Fulfill(_)), Removal::Fulfill(_))) {
            return Err(RemoveHtlcError::AlreadyFulfilled);
        }
        if let Removal::Fulfill(preimage) = &removal
            && sha256::Hash::hash(preimage) != self.payment_hash
        {
            return Err(RemoveHtlcError::BadPreimage);
        }
        if !self.state.is_committed(self.owner.other()) {
            return Err(RemoveHtlcError::HtlcUncommitted);
        }
        self.state = match self.state {
            HtlcState::SentAddAckRevocation => HtlcState::RcvdRemoveHtlc,
            HtlcState::RcvdAddAckRevocation => HtlcState::SentRemoveHtlc,
            _ => return Err(RemoveHtlcError::HtlcNotIrrevocable),
        };
        self.removal = Some(removal);
        Ok(())
    }
}
