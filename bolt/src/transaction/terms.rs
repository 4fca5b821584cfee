//! What the two sides of a channel agreed upon before it was funded.

use crate::channel_keys::Basepoints;
use crate::features::{Features, bit};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, OutPoint, ScriptBuf};
use lightning::chain::transaction::OutPoint as FundingOutPoint;
use lightning::ln::chan_utils::{
    ChannelPublicKeys, ChannelTransactionParameters, CounterpartyChannelTransactionParameters,
    TxCreationKeys, make_funding_redeemscript,
};
use lightning::ln::channel_keys::{DelayedPaymentBasepoint, HtlcBasepoint, RevocationBasepoint};
use lightning::types::features::ChannelTypeFeatures;
use thiserror::Error;

/// One of the two nodes of a channel, as we see it. Numbers as in lightningd's `enum side` and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// We.
    Local = 0,
    /// The peer.
    Remote = 1,
}

impl Side {
    /// Both, we first.
    pub const BOTH: [Self; 2] = [Self::Local, Self::Remote];

    /// The one that this is not.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

/// What kind of commitments a channel has, and two promises about its name and its first block (BOLT 2 `channel_type`).
///
/// All have `option_static_remotekey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelType {
    /// `option_anchors`: two anchor outputs, HTLC transactions without a fee of their own.
    pub anchors: bool,
    /// `option_scid_alias`: the channel is known by its aliases only.
    pub scid_alias: bool,
    /// `option_zeroconf`: it may be used before its funding is in a block.
    pub zeroconf: bool,
}

/// A `channel_type` that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a channel_type of option_static_remotekey, with or without option_anchors, got {0}")]
pub struct UnknownChannelType(pub Features);

impl ChannelType {
    /// `option_static_remotekey` alone.
    pub const STATIC_REMOTEKEY: Self = Self { anchors: false, scid_alias: false, zeroconf: false };

    /// `option_static_remotekey` and `option_anchors`: what lightningd proposes to peers that know it.
    pub const ANCHORS: Self = Self { anchors: true, scid_alias: false, zeroconf: false };

    /// The bits of the TLV `channel_type`, all even.
    pub fn to_features(self) -> Features {
        let mut features = Features::from_bits(&[bit::STATIC_REMOTEKEY]);
        let optional = [
            (self.anchors, bit::ANCHORS_ZERO_FEE_HTLC_TX),
            (self.scid_alias, bit::SCID_ALIAS),
            (self.zeroconf, bit::ZEROCONF),
        ];
        for (_, bit) in optional.into_iter().filter(|(wanted, _)| *wanted) {
            features.set(bit);
        }
        features
    }

    fn to_ldk(self) -> ChannelTypeFeatures {
        // Names and depths change no transaction.
        if self.anchors {
            ChannelTypeFeatures::anchors_zero_htlc_fee_and_dependencies()
        } else {
            ChannelTypeFeatures::only_static_remote_key()
        }
    }
}

impl TryFrom<&Features> for ChannelType {
    type Error = UnknownChannelType;

    fn try_from(features: &Features) -> Result<Self, UnknownChannelType> {
        let kind = Self {
            anchors: features.is_set(bit::ANCHORS_ZERO_FEE_HTLC_TX),
            scid_alias: features.is_set(bit::SCID_ALIAS),
            zeroconf: features.is_set(bit::ZEROCONF),
        };
        if kind.to_features() == *features { Ok(kind) } else { Err(UnknownChannelType(features.clone())) }
    }
}

/// What a side announced of itself in `open_channel` or `accept_channel`; lightningd's `channel_config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Outputs of this side's commitment below it are left out.
    pub dust_limit_satoshis: u64,
    /// How much the other side may have in HTLCs that it offers.
    pub max_htlc_value_in_flight_msat: u64,
    /// What the other side has to keep on its side.
    pub channel_reserve_satoshis: u64,
    /// The least HTLC that the other side may offer.
    pub htlc_minimum_msat: u64,
    /// How many blocks the other side's own outputs wait after its unilateral close.
    pub to_self_delay: u16,
    /// How many HTLCs the other side may offer.
    pub max_accepted_htlcs: u16,
    /// How much may be in HTLCs without an output (lightningd's `max_dust_htlc_exposure_msat`). It is not announced: only ours counts.
    pub max_dust_htlc_exposure_msat: u64,
}

/// What does not change after funding; every transaction of the channel is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Who opened the channel, and pays the fee of every commitment.
    pub opener: Side,
    /// The output that all commitments spend.
    pub funding: OutPoint,
    /// Its amount.
    pub capacity_sat: u64,
    /// Kind of commitments.
    pub channel_type: ChannelType,
    /// Our public keys.
    pub local: Basepoints,
    /// The peer's.
    pub remote: Basepoints,
    /// What each announced of itself; see [`Self::config`].
    pub config: [ChannelConfig; 2],
}

impl Terms {
    /// What `side` announced of itself.
    pub fn config(&self, side: Side) -> &ChannelConfig {
        &self.config[side as usize]
    }

    /// The public keys of `side`.
    pub fn basepoints(&self, side: Side) -> &Basepoints {
        match side {
            Side::Local => &self.local,
            Side::Remote => &self.remote,
        }
    }

    /// How many blocks `side` waits for its own outputs of its own commitment: the other side said so.
    pub fn delay_of(&self, side: Side) -> u16 {
        self.config(side.other()).to_self_delay
    }

    /// The witness script of the funding output.
    pub fn funding_script(&self) -> ScriptBuf {
        funding_script(&self.local.funding_pubkey, &self.remote.funding_pubkey)
    }

    pub(super) fn capacity(&self) -> Amount {
        Amount::from_sat(self.capacity_sat)
    }

    pub(super) fn ldk_type(&self) -> ChannelTypeFeatures {
        self.channel_type.to_ldk()
    }

    pub(super) fn ldk_parameters(&self) -> ChannelTransactionParameters {
        let index = u16::try_from(self.funding.vout).expect("funding_output_index has 16 bits");
        ChannelTransactionParameters {
            holder_pubkeys: ldk_keys(&self.local),
            holder_selected_contest_delay: self.config(Side::Local).to_self_delay,
            is_outbound_from_holder: self.opener == Side::Local,
            counterparty_parameters: Some(CounterpartyChannelTransactionParameters {
                pubkeys: ldk_keys(&self.remote),
                selected_contest_delay: self.config(Side::Remote).to_self_delay,
            }),
            funding_outpoint: Some(FundingOutPoint { txid: self.funding.txid, index }),
            splice_parent_funding_txid: None,
            channel_type_features: self.ldk_type(),
            channel_value_satoshis: self.capacity_sat,
        }
    }

    /// The keys of the commitment of `side` with this point (BOLT 3 "Key Derivation").
    pub(super) fn commitment_keys(&self, side: Side, per_commitment_point: &PublicKey) -> TxCreationKeys {
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let (owner, other) = (ldk_keys(self.basepoints(side)), ldk_keys(self.basepoints(side.other())));
        TxCreationKeys::from_channel_static_keys(per_commitment_point, &owner, &other, &secp)
    }
}

/// The witness script of a channel's funding output: two of two, in the order of the keys' bytes.
pub fn funding_script(one: &PublicKey, other: &PublicKey) -> ScriptBuf {
    make_funding_redeemscript(one, other)
}

fn ldk_keys(basepoints: &Basepoints) -> ChannelPublicKeys {
    ChannelPublicKeys {
        funding_pubkey: basepoints.funding_pubkey,
        revocation_basepoint: RevocationBasepoint(basepoints.revocation),
        payment_point: basepoints.payment,
        delayed_payment_basepoint: DelayedPaymentBasepoint(basepoints.delayed_payment),
        htlc_basepoint: HtlcBasepoint(basepoints.htlc),
    }
}
