//! Opening a channel, version 1: `open_channel`, `accept_channel`, `funding_created`, `funding_signed`; lightningd's openingd.

use super::bounds::{OpeningLimits, check_first_commitment};
use super::reestablish::Link;
use super::shutdown::is_shutdown_script;
use super::{Channel, FeeStates, Record};
use crate::ChannelId;
use crate::channel_keys::{Basepoints, ChannelKeys};
use crate::features::{Features, bit};
use crate::message::channel::{AcceptChannel, OpenChannel};
use crate::transaction::{
    ChannelConfig, ChannelType, Commitment, CommitmentSignatures, CommitmentSpec, Shachain, Side, Terms,
    funding_script,
};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{OutPoint, Script, ScriptBuf};
use std::collections::BTreeMap;
use thiserror::Error;

/// Bit of `channel_flags`: the channel will be announced.
pub(super) const ANNOUNCE_CHANNEL: u8 = 1;

/// Channels of 2^24 sat or more are "large".
pub(super) const LARGEST_WITHOUT_FEATURE_SAT: u64 = (1 << 24) - 1;

/// What both nodes know of features that matter to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// `option_upfront_shutdown_script`
    pub upfront_shutdown_script: bool,
    /// `option_shutdown_anysegwit`
    pub shutdown_any_segwit: bool,
    /// `option_anchors`
    pub anchors: bool,
    /// `option_support_large_channel`
    pub large_channels: bool,
    /// `option_scid_alias`
    pub scid_alias: bool,
    /// `option_zeroconf`
    pub zeroconf: bool,
}

impl Negotiated {
    /// What is in both `init`s.
    pub fn new(ours: &Features, theirs: &Features) -> Self {
        let both = |bit| ours.offers(bit) && theirs.offers(bit);
        Self {
            upfront_shutdown_script: both(bit::UPFRONT_SHUTDOWN_SCRIPT),
            shutdown_any_segwit: both(bit::SHUTDOWN_ANYSEGWIT),
            anchors: both(bit::ANCHORS_ZERO_FEE_HTLC_TX),
            large_channels: both(bit::LARGE_CHANNELS),
            scid_alias: both(bit::SCID_ALIAS),
            zeroconf: both(bit::ZEROCONF),
        }
    }

    pub(super) fn is_shutdown_script(&self, script: &Script) -> bool {
        is_shutdown_script(script, self.shutdown_any_segwit, !self.anchors)
    }
}

/// What our side brings into an opening, whoever opens.
#[derive(Debug, Clone)]
pub struct OurSide {
    /// Keys of the channel that is going to be.
    pub keys: ChannelKeys,
    /// What we announce; the reserve is set here, to a hundredth of the funding unless `reserve_sat` says otherwise.
    pub config: ChannelConfig,
    /// What the peer has to keep, in sat.
    pub reserve_sat: Option<u64>,
    /// Whether reserves may be below the dust limit (lightningd's `--allow-dust-reserve`).
    pub allow_dust_reserve: bool,
    /// What we take.
    pub limits: OpeningLimits,
    /// The script that we will close to, whatever happens.
    pub upfront_shutdown_script: Option<ScriptBuf>,
    /// What we offer in `init`.
    pub features: Features,
    /// What the peer offers there.
    pub peer_features: Features,
}

/// What we, the opener, propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRequest {
    /// The chain.
    pub chain_hash: ChainHash,
    /// Drawn by the caller.
    pub temporary_channel_id: ChannelId,
    /// Capacity.
    pub funding_satoshis: u64,
    /// What the peer gets of it at once.
    pub push_msat: u64,
    /// Of the first commitments, in sat per 1000 weight.
    pub feerate_per_kw: u32,
    /// Anchors or not; `scid_alias` is added if the channel is not announced and both know it.
    pub channel_type: ChannelType,
    /// Whether the channel is to be announced.
    pub announce: bool,
    /// How deep we want the funding to be, if `option_zeroconf` lets us choose; otherwise the peer does.
    pub minimum_depth: u32,
}

/// What we, who did not open, decide about a proposal that is in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acceptance {
    /// How deep the funding has to be; 0 to trust the peer.
    pub minimum_depth: u32,
    /// The script that we will close to, in place of that of `OurSide`.
    pub upfront_shutdown_script: Option<ScriptBuf>,
    /// What the peer has to keep, in sat, in place of [`OurSide::reserve_sat`].
    pub reserve_sat: Option<u64>,
}

/// Why there will be no channel. The text is what goes to the peer, in an `error` (except [`OpenError::Aborted`]).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The peer need not hear of it: nothing was sent.
    #[error("{0}")]
    Aborted(String),
    /// The peer proposed what we do not take.
    #[error("You gave bad parameters: {0}")]
    BadParameters(String),
    /// The peer broke a rule.
    #[error("{0}")]
    Failed(String),
}

impl OpenError {
    /// The reason alone, as lightningd tells it in answers and logs.
    pub fn reason(&self) -> &str {
        match self {
            Self::Aborted(reason) | Self::BadParameters(reason) | Self::Failed(reason) => reason,
        }
    }
}

pub(super) fn bad<T>(text: impl Into<String>) -> Result<T, OpenError> {
    Err(OpenError::BadParameters(text.into()))
}

pub(super) fn failed<T>(text: impl Into<String>) -> Result<T, OpenError> {
    Err(OpenError::Failed(text.into()))
}

/// What a side said of itself in `open_channel` or `accept_channel`.
#[derive(Debug, Clone)]
pub(super) struct Announced {
    pub(super) config: ChannelConfig,
    pub(super) basepoints: Basepoints,
    pub(super) first_per_commitment_point: PublicKey,
    pub(super) upfront_shutdown_script: Option<ScriptBuf>,
}

macro_rules! announced {
    ($($message:ident)+) => {
        $(impl From<&$message> for Announced {
            fn from(message: &$message) -> Self {
                Self {
                    config: ChannelConfig {
                        dust_limit_satoshis: message.dust_limit_satoshis,
                        max_htlc_value_in_flight_msat: message.max_htlc_value_in_flight_msat,
                        channel_reserve_satoshis: message.channel_reserve_satoshis,
                        htlc_minimum_msat: message.htlc_minimum_msat,
                        to_self_delay: message.to_self_delay,
                        max_accepted_htlcs: message.max_accepted_htlcs,
                        // Everybody limits its own exposure.
                        max_dust_htlc_exposure_msat: 0,
                    },
                    basepoints: Basepoints {
                        funding_pubkey: message.funding_pubkey,
                        revocation: message.revocation_basepoint,
                        payment: message.payment_basepoint,
                        delayed_payment: message.delayed_payment_basepoint,
                        htlc: message.htlc_basepoint,
                    },
                    first_per_commitment_point: message.first_per_commitment_point,
                    upfront_shutdown_script: message.upfront_shutdown_script().map(ScriptBuf::from),
                }
            }
        })+
    };
}
announced!(OpenChannel AcceptChannel);

/// A channel that is being opened.
///
/// The opener: [`Self::offer`], [`Self::accepted`], [`Self::fund`], [`Self::funding_signed`]. The other: [`Self::received`],
/// [`Self::accept`], [`Self::funding_created`]. A message of the peer that comes too early fails the opening.
#[derive(Debug, Clone)]
pub struct Opening {
    pub(super) us: OurSide,
    pub(super) open: OpenChannel,
    pub(super) opener: Side,
    pub(super) channel_type: ChannelType,
    pub(super) minimum_depth: u32,
    pub(super) negotiated: Negotiated,
    /// What the peer said of itself; the opener hears it in `accept_channel`.
    pub(super) peer: Option<Announced>,
    /// Whether the acceptor has accepted.
    pub(super) accepted: bool,
    /// What [`Self::fund`] was told.
    pub(super) funding: Option<OutPoint>,
}

impl OurSide {
    /// A hundredth of the funding, or what was asked for, but not below the dust limit.
    pub(super) fn set_reserve(&mut self, funding_satoshis: u64, dust_limit_satoshis: u64) {
        let least = if self.allow_dust_reserve { 0 } else { dust_limit_satoshis };
        self.config.channel_reserve_satoshis = self.reserve_sat.unwrap_or(funding_satoshis / 100).max(least);
    }

    /// What `open_channel` or `accept_channel` says; empty if both know the feature, and we do not bind ourselves.
    pub(super) fn upfront_shutdown_script(&self, negotiated: Negotiated) -> Option<ScriptBuf> {
        let unbound = negotiated.upfront_shutdown_script.then(ScriptBuf::new);
        self.upfront_shutdown_script.clone().or(unbound)
    }
}

impl Opening {
    /// The proposal.
    pub fn open_channel(&self) -> &OpenChannel {
        &self.open
    }

    /// Who opens.
    pub fn opener(&self) -> Side {
        self.opener
    }

    /// What was agreed on so far.
    pub fn channel_type(&self) -> ChannelType {
        self.channel_type
    }

    /// How deep the funding has to be for us.
    pub fn minimum_depth(&self) -> u32 {
        self.minimum_depth
    }

    /// Whether the channel is going to be announced.
    pub fn is_announced(&self) -> bool {
        self.open.channel_flags & ANNOUNCE_CHANNEL != 0
    }

    /// What we announce of ourselves.
    pub fn config(&self) -> &ChannelConfig {
        &self.us.config
    }

    /// What pays to the channel: the output that the funding transaction needs, once the peer has accepted.
    pub fn funding_output_script(&self) -> Option<ScriptBuf> {
        let peer = self.peer.as_ref()?;
        let script =
            funding_script(&self.us.keys.basepoints().funding_pubkey, &peer.basepoints.funding_pubkey);
        Some(script.to_p2wsh())
    }

    /// Refuses a script of the peer that it must not close to. Empty is none.
    pub(super) fn check_upfront_shutdown_script(
        negotiated: Negotiated,
        peer: &mut Announced,
    ) -> Result<(), OpenError> {
        peer.upfront_shutdown_script =
            peer.upfront_shutdown_script.take().filter(|script| !script.is_empty());
        match &peer.upfront_shutdown_script {
            Some(script) if !negotiated.is_shutdown_script(script) => {
                failed(format!("Unacceptable upfront_shutdown_script {script:x}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn terms(&self, peer: &Announced, funding: OutPoint) -> Terms {
        Terms {
            opener: self.opener,
            funding,
            capacity_sat: self.open.funding_satoshis,
            channel_type: self.channel_type,
            local: self.us.keys.basepoints(),
            remote: peer.basepoints,
            config: [self.us.config, peer.config],
        }
    }

    /// The first commitments, unless one cannot be made.
    pub(super) fn check_commitments(&self, terms: &Terms) -> Result<(), OpenError> {
        for (side, whose) in [(Side::Remote, "their"), (Side::Local, "our")] {
            let checked = check_first_commitment(terms, side, self.open.push_msat, self.open.feerate_per_kw);
            checked.or_else(|reason| bad(format!("Could not meet {whose} fees and reserve: {reason}")))?;
        }
        Ok(())
    }

    /// The first commitment of `side`.
    fn first_commitment(&self, terms: &Terms, side: Side, per_commitment_point: PublicKey) -> Commitment {
        let spec = CommitmentSpec {
            side,
            number: 0,
            per_commitment_point,
            feerate_per_kw: self.open.feerate_per_kw,
            to_local_msat: self.first_balance_msat(side),
            to_remote_msat: self.first_balance_msat(side.other()),
            htlcs: Vec::new(),
        };
        Commitment::new(terms, spec)
    }

    fn first_balance_msat(&self, side: Side) -> u64 {
        let pushed = self.open.push_msat;
        if side == self.opener { self.open.funding_satoshis * 1000 - pushed } else { pushed }
    }

    /// Our signature of the peer's first commitment.
    pub(super) fn first_signature(&self, terms: &Terms, peer: &Announced) -> Signature {
        let commitment = self.first_commitment(terms, Side::Remote, peer.first_per_commitment_point);
        self.us.keys.sign_commitment(&commitment).signature
    }

    /// The channel, if the peer's signature is of our first commitment.
    pub(super) fn into_channel(
        self,
        terms: Terms,
        peer: Announced,
        signature: Signature,
    ) -> Result<Channel, OpenError> {
        let signatures = CommitmentSignatures { signature, htlc_signatures: Vec::new() };
        let local_commitment =
            self.first_commitment(&terms, Side::Local, self.us.keys.per_commitment_point(0));
        if local_commitment.verify(&signatures).is_err() {
            return failed(format!(
                "Bad signature {signature} on tx {} using key {} (channel_type={})",
                serialize_hex(local_commitment.transaction()),
                terms.remote.funding_pubkey,
                bits(&self.channel_type.to_features())
            ));
        }
        let remote_commitment = self.first_commitment(&terms, Side::Remote, peer.first_per_commitment_point);
        let record = Record {
            our_msat: self.first_balance_msat(Side::Local),
            next_commitment_number: [1, 1],
            next_htlc_id: [0, 0],
            fees: FeeStates::new(self.opener, self.open.feerate_per_kw),
            htlcs: BTreeMap::new(),
            remote_per_commit: peer.first_per_commitment_point,
            old_remote_per_commit: peer.first_per_commitment_point,
            shachain: Shachain::default(),
            signatures,
            last_was_revoke: false,
            channel_ready: [false, false],
            aliases: [None, None],
            upfront_shutdown_script: [self.us.upfront_shutdown_script, peer.upfront_shutdown_script],
            shutdown_script: [None, None],
            penalty_bases: remote_commitment.penalty_base().map(|base| (0, base)).into_iter().collect(),
        };
        let channel = Channel::new(terms, self.us.keys, record, local_commitment);
        Ok(Channel { link: Link::Up, negotiated: self.negotiated, ..channel })
    }
}

/// A message of the opening that does not come when it should.
pub(super) fn out_of_turn<T>(message: &str) -> Result<T, OpenError> {
    failed(format!("Peer sent unexpected {message}"))
}

/// The numbers of the bits, as lightningd prints features in errors.
pub(super) fn bits(features: &Features) -> String {
    features.bits().map(|bit| bit.to_string()).collect::<Vec<_>>().join(",")
}
