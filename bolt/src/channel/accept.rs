//! Opening a channel that the peer pays for.

use super::Channel;
use super::bounds::check_bounds;
use super::open::{
    Acceptance, Announced, LARGEST_WITHOUT_FEATURE_SAT, Negotiated, OpenError, Opening, OurSide, bad, bits,
    failed, out_of_turn,
};
use crate::features::{Features, bit};
use crate::message::channel::{AcceptChannel, FundingCreated, FundingSigned, OpenChannel};
use crate::tlv::TlvStream;
use crate::transaction::{ChannelType, Side};
use bitcoin::OutPoint;
use bitcoin::constants::ChainHash;

/// The features that a `channel_type` may be made of.
const TYPE_BITS: [usize; 4] =
    [bit::ANCHORS_ZERO_FEE_HTLC_TX, bit::STATIC_REMOTEKEY, bit::SCID_ALIAS, bit::ZEROCONF];

/// The type, if it is one of ours: made of features that we offer, with all that we demand (`channel_type_accept`).
fn acceptable(proposed: &Features, ours: &Features) -> Option<ChannelType> {
    let fits = |bit| if proposed.offers(bit) { ours.offers(bit) } else { !ours.is_set(bit) };
    ChannelType::try_from(proposed).ok().filter(|_| TYPE_BITS.into_iter().all(fits))
}

impl Opening {
    /// Looks at a proposal. If it is in order, it is up to the caller to [`Self::accept`] it.
    ///
    /// # Errors
    ///
    /// If we do not take it.
    pub fn received(mut us: OurSide, chain_hash: ChainHash, open: OpenChannel) -> Result<Self, OpenError> {
        let negotiated = Negotiated::new(&us.features, &us.peer_features);
        let mut peer = Announced::from(&open);
        Self::check_upfront_shutdown_script(negotiated, &mut peer)?;
        let Some(proposed) = open.channel_type() else {
            return bad("Did not set channel_type in open_channel message");
        };
        let Some(channel_type) = acceptable(&proposed, &us.features) else {
            return bad(format!("Did not support channel_type [{}]", bits(&proposed)));
        };
        check_proposal(&us, negotiated, chain_hash, &open)?;
        us.set_reserve(open.funding_satoshis, peer.config.dust_limit_satoshis);
        let (dust, reserve) = (peer.config.dust_limit_satoshis, us.config.channel_reserve_satoshis);
        if !us.allow_dust_reserve && dust > reserve {
            return bad(format!("Our channel reserve {reserve}sat would be below their dust {dust}sat"));
        }
        let cost = (open.funding_satoshis, open.feerate_per_kw);
        check_bounds(&us.limits, cost, channel_type, [&us.config, &peer.config])
            .map_err(OpenError::BadParameters)?;
        Ok(Self {
            us,
            open,
            opener: Side::Remote,
            channel_type,
            minimum_depth: 0,
            negotiated,
            peer: Some(peer),
            accepted: false,
            funding: None,
        })
    }

    /// Accepts the proposal: the message is for the peer.
    ///
    /// # Errors
    ///
    /// If it wants to be trusted (`option_zeroconf`) and is not.
    pub fn accept(&mut self, acceptance: Acceptance) -> Result<AcceptChannel, OpenError> {
        if self.channel_type.zeroconf && acceptance.minimum_depth > 0 {
            return bad("You required zeroconf, but you're not on our allowlist");
        }
        if acceptance.reserve_sat.is_some() {
            self.us.reserve_sat = acceptance.reserve_sat;
            self.us.set_reserve(self.open.funding_satoshis, self.open.dust_limit_satoshis);
        }
        self.us.upfront_shutdown_script =
            acceptance.upfront_shutdown_script.or(self.us.upfront_shutdown_script.take());
        self.minimum_depth = acceptance.minimum_depth;
        self.accepted = true;
        let (config, keys) = (&self.us.config, self.us.keys.basepoints());
        let mut accept = AcceptChannel {
            temporary_channel_id: self.open.temporary_channel_id,
            dust_limit_satoshis: config.dust_limit_satoshis,
            max_htlc_value_in_flight_msat: config.max_htlc_value_in_flight_msat,
            channel_reserve_satoshis: config.channel_reserve_satoshis,
            htlc_minimum_msat: config.htlc_minimum_msat,
            minimum_depth: self.minimum_depth,
            to_self_delay: config.to_self_delay,
            max_accepted_htlcs: config.max_accepted_htlcs,
            funding_pubkey: keys.funding_pubkey,
            revocation_basepoint: keys.revocation,
            payment_basepoint: keys.payment,
            delayed_payment_basepoint: keys.delayed_payment,
            htlc_basepoint: keys.htlc,
            first_per_commitment_point: self.us.keys.per_commitment_point(0),
            tlvs: TlvStream::new(),
        };
        if let Some(script) = self.us.upfront_shutdown_script(self.negotiated) {
            accept.set_upfront_shutdown_script(script);
        }
        accept.set_channel_type(&self.channel_type.to_features());
        Ok(accept)
    }

    /// Takes the funding output and the peer's signature of our first commitment: there is a channel, and the message is for the
    /// peer once the record is stored.
    ///
    /// # Errors
    ///
    /// If the first commitments cannot be paid, or it is no such signature.
    pub fn funding_created(self, message: &FundingCreated) -> Result<(Channel, FundingSigned), OpenError> {
        let Some(peer) = self.peer.clone().filter(|_| self.accepted) else {
            return out_of_turn(FundingCreated::NAME);
        };
        let (sent, got) = (self.open.temporary_channel_id, message.temporary_channel_id);
        if sent != got {
            return failed(format!("funding_created ids don't match: sent {sent} got {got}"));
        }
        let funding = OutPoint { txid: message.funding_txid, vout: message.funding_output_index.into() };
        let terms = self.terms(&peer, funding);
        self.check_commitments(&terms)?;
        let signature = self.first_signature(&terms, &peer);
        let channel = self.into_channel(terms, peer, message.signature)?;
        let channel_id = channel.channel_id();
        Ok((channel, FundingSigned { channel_id, signature, tlvs: TlvStream::new() }))
    }
}

/// What has to be right before anything is compared with what we announce.
fn check_proposal(
    us: &OurSide,
    negotiated: Negotiated,
    chain_hash: ChainHash,
    open: &OpenChannel,
) -> Result<(), OpenError> {
    let (funding, push, feerate) = (open.funding_satoshis, open.push_msat, open.feerate_per_kw);
    if open.chain_hash != chain_hash {
        return bad(format!("Unknown chain-hash {}", open.chain_hash));
    }
    if funding > LARGEST_WITHOUT_FEATURE_SAT && !negotiated.large_channels {
        return bad(format!("funding_satoshis {funding}sat too large"));
    }
    if u128::from(push) > u128::from(funding) * 1000 {
        return failed(format!(
            "Their push_msat {push}msat would be too large for funding_satoshis {funding}sat"
        ));
    }
    let (min, max) = (us.limits.min_feerate_per_kw, us.limits.max_feerate_per_kw);
    if feerate < min {
        return bad(format!("feerate_per_kw {feerate} below minimum {min}"));
    }
    if feerate > max {
        return bad(format!("feerate_per_kw {feerate} above maximum {max}"));
    }
    Ok(())
}
