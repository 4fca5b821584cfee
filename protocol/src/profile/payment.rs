//! What releases differ in about payments.

use super::Profile;

/// A member of what is told of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentMember {
    /// `created_index`
    CreatedIndex,
    /// `id`
    Id,
    /// `payment_hash`
    PaymentHash,
    /// `groupid`
    Groupid,
    /// `updated_index`
    UpdatedIndex,
    /// `partid`
    Partid,
    /// `destination`
    Destination,
    /// `msatoshi`
    Msatoshi,
    /// `amount_msat`
    AmountMsat,
    /// `msatoshi_sent`
    MsatoshiSent,
    /// `amount_sent_msat`
    AmountSentMsat,
    /// `created_at`
    CreatedAt,
    /// `completed_at`
    CompletedAt,
    /// `status`
    Status,
    /// `payment_preimage`
    PaymentPreimage,
    /// `label`
    Label,
    /// `bolt11`
    Bolt11,
    /// `bolt12`
    Bolt12,
    /// `description`
    Description,
    /// `erroronion`
    Erroronion,
}

impl PaymentMember {
    /// As it stands in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreatedIndex => "created_index",
            Self::Id => "id",
            Self::PaymentHash => "payment_hash",
            Self::Groupid => "groupid",
            Self::UpdatedIndex => "updated_index",
            Self::Partid => "partid",
            Self::Destination => "destination",
            Self::Msatoshi => "msatoshi",
            Self::AmountMsat => "amount_msat",
            Self::MsatoshiSent => "msatoshi_sent",
            Self::AmountSentMsat => "amount_sent_msat",
            Self::CreatedAt => "created_at",
            Self::CompletedAt => "completed_at",
            Self::Status => "status",
            Self::PaymentPreimage => "payment_preimage",
            Self::Label => "label",
            Self::Bolt11 => "bolt11",
            Self::Bolt12 => "bolt12",
            Self::Description => "description",
            Self::Erroronion => "erroronion",
        }
    }
}

impl Profile {
    /// Whether payments are made by xpay, which tells of their parts (v24.11).
    #[must_use]
    pub const fn has_xpay(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// The members of what is told of a payment, in order (`lightningd/pay.c:json_add_payment_fields`).
    #[must_use]
    pub const fn payment_members(self) -> &'static [PaymentMember] {
        use PaymentMember::{
            AmountMsat, AmountSentMsat, Bolt11, Bolt12, CompletedAt, CreatedAt, CreatedIndex, Description,
            Destination, Erroronion, Groupid, Id, Label, Msatoshi, MsatoshiSent, Partid, PaymentHash,
            PaymentPreimage, Status, UpdatedIndex,
        };
        match self {
            Self::Manual | Self::V0_10 => &[
                Id,
                PaymentHash,
                Partid,
                Destination,
                Msatoshi,
                AmountMsat,
                MsatoshiSent,
                AmountSentMsat,
                CreatedAt,
                Status,
                PaymentPreimage,
                Label,
                Bolt11,
                Bolt12,
                Erroronion,
            ],
            Self::V23_02 => &[
                Id,
                PaymentHash,
                Groupid,
                Partid,
                Destination,
                AmountMsat,
                AmountSentMsat,
                CreatedAt,
                CompletedAt,
                Status,
                PaymentPreimage,
                Label,
                Bolt11,
                Bolt12,
                Description,
                Erroronion,
            ],
            Self::V26_06 => &[
                CreatedIndex,
                Id,
                PaymentHash,
                Groupid,
                UpdatedIndex,
                Partid,
                Destination,
                AmountMsat,
                AmountSentMsat,
                CreatedAt,
                CompletedAt,
                Status,
                PaymentPreimage,
                Label,
                Bolt11,
                Bolt12,
                Description,
                Erroronion,
            ],
        }
    }
}
