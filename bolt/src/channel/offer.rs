//! Opening a channel as the one who pays for it.

use super::Channel;
use super::bounds::{check_bounds, check_dust_reserve};
use super::open::{
    ANNOUNCE_CHANNEL, Announced, LARGEST_WITHOUT_FEATURE_SAT, Negotiated, OpenError, OpenRequest, Opening,
    OurSide, bad, bits, failed, out_of_turn,
};
use crate::ChannelId;
use crate::message::channel::{AcceptChannel, FundingCreated, FundingSigned, OpenChannel};
use crate::tlv::TlvStream;
use crate::transaction::{ChannelType, Side};
use bitcoin::OutPoint;

impl Opening {
    /// Proposes a channel: the message is for the peer.
    ///
    /// # Errors
    ///
    /// [`OpenError::Aborted`] if we would not take our own proposal.
    pub fn offer(mut us: OurSide, request: OpenRequest) -> Result<(Self, OpenChannel), OpenError> {
        let negotiated = Negotiated::new(&us.features, &us.peer_features);
        let funding_satoshis = request.funding_satoshis;
        if funding_satoshis > LARGEST_WITHOUT_FEATURE_SAT && !negotiated.large_channels {
            let text = format!(
                "funding_satoshis must be < {LARGEST_WITHOUT_FEATURE_SAT}sat, not {funding_satoshis}sat"
            );
            return Err(OpenError::Aborted(text));
        }
        us.set_reserve(funding_satoshis, us.config.dust_limit_satoshis);
        let scid_alias = request.channel_type.scid_alias || (negotiated.scid_alias && !request.announce);
        let channel_type = ChannelType { scid_alias, ..request.channel_type };
        let feerate_per_kw = request.feerate_per_kw;
        check_bounds(&us.limits, (funding_satoshis, feerate_per_kw), channel_type, [&us.config; 2]).map_err(
            |reason| {
                OpenError::Aborted(format!(
                    "Not opening because if they used the same setting as us {reason}"
                ))
            },
        )?;
        let keys = us.keys.basepoints();
        let mut open = OpenChannel {
            chain_hash: request.chain_hash,
            temporary_channel_id: request.temporary_channel_id,
            funding_satoshis,
            push_msat: request.push_msat,
            dust_limit_satoshis: us.config.dust_limit_satoshis,
            max_htlc_value_in_flight_msat: us.config.max_htlc_value_in_flight_msat,
            channel_reserve_satoshis: us.config.channel_reserve_satoshis,
            htlc_minimum_msat: us.config.htlc_minimum_msat,
            feerate_per_kw,
            to_self_delay: us.config.to_self_delay,
            max_accepted_htlcs: us.config.max_accepted_htlcs,
            funding_pubkey: keys.funding_pubkey,
            revocation_basepoint: keys.revocation,
            payment_basepoint: keys.payment,
            delayed_payment_basepoint: keys.delayed_payment,
            htlc_basepoint: keys.htlc,
            first_per_commitment_point: us.keys.per_commitment_point(0),
            channel_flags: if request.announce { ANNOUNCE_CHANNEL } else { 0 },
            tlvs: TlvStream::new(),
        };
        if let Some(script) = us.upfront_shutdown_script(negotiated) {
            open.set_upfront_shutdown_script(script);
        }
        open.set_channel_type(&channel_type.to_features());
        let opening = Self {
            us,
            open: open.clone(),
            opener: Side::Local,
            channel_type,
            minimum_depth: request.minimum_depth,
            negotiated,
            peer: None,
            accepted: false,
            funding: None,
        };
        Ok((opening, open))
    }

    /// Takes the peer's answer. The funding transaction can then be made.
    ///
    /// # Errors
    ///
    /// If it changes the proposal, or we do not take what it says.
    pub fn accepted(&mut self, accept: &AcceptChannel) -> Result<(), OpenError> {
        if self.opener != Side::Local || self.peer.is_some() {
            return out_of_turn(AcceptChannel::NAME);
        }
        let mut peer = Announced::from(accept);
        Self::check_upfront_shutdown_script(self.negotiated, &mut peer)?;
        match accept.channel_type() {
            None => return bad("accept_channel without a channel_type"),
            Some(other) if other != self.channel_type.to_features() => {
                return bad(format!("Return unoffered channel_type: {}", bits(&other)));
            }
            Some(_) => {}
        }
        let (sent, got) = (self.open.temporary_channel_id, accept.temporary_channel_id);
        if sent != got {
            return failed(format!("accept_channel ids don't match: sent {sent} got {got}"));
        }
        let (dust, reserve) = (peer.config.dust_limit_satoshis, self.us.config.channel_reserve_satoshis);
        if !self.us.allow_dust_reserve && dust > reserve {
            return bad(format!("dust limit {dust}sat would be above our reserve {reserve}sat"));
        }
        let configs = [&self.us.config, &peer.config];
        let funding_sat = self.open.funding_satoshis;
        if self.us.allow_dust_reserve && self.negotiated.zeroconf {
            check_dust_reserve(funding_sat, configs).map_err(OpenError::BadParameters)?;
        }
        let cost = (funding_sat, self.open.feerate_per_kw);
        check_bounds(&self.us.limits, cost, self.channel_type, configs).map_err(OpenError::BadParameters)?;
        // With option_zeroconf each side says by itself when the channel is ready.
        if self.negotiated.zeroconf {
            self.channel_type.zeroconf |= accept.minimum_depth == 0;
        } else {
            self.minimum_depth = accept.minimum_depth;
        }
        self.peer = Some(peer);
        Ok(())
    }

    /// Tells which output funds the channel; the message is for the peer. Nothing may be broadcast before it has answered.
    ///
    /// # Errors
    ///
    /// If the first commitments cannot be paid.
    ///
    /// # Panics
    ///
    /// If the peer has not accepted, or the output's number has more than 16 bits.
    pub fn fund(&mut self, funding: OutPoint) -> Result<FundingCreated, OpenError> {
        let peer = self.peer.as_ref().expect("a channel is funded when it has been accepted");
        let terms = self.terms(peer, funding);
        self.check_commitments(&terms)?;
        let message = FundingCreated {
            temporary_channel_id: self.open.temporary_channel_id,
            funding_txid: funding.txid,
            funding_output_index: u16::try_from(funding.vout).expect("a funding output's number has 16 bits"),
            signature: self.first_signature(&terms, peer),
            tlvs: TlvStream::new(),
        };
        self.funding = Some(funding);
        Ok(message)
    }

    /// Takes the peer's signature of our first commitment: there is a channel, and its funding may be broadcast once the record
    /// is stored.
    ///
    /// # Errors
    ///
    /// If it is no such signature.
    pub fn funding_signed(self, message: &FundingSigned) -> Result<Channel, OpenError> {
        let (Some(peer), Some(funding)) = (self.peer.clone(), self.funding) else {
            return out_of_turn(FundingSigned::NAME);
        };
        let (expected, got) = (ChannelId::of_funding(funding), message.channel_id);
        if expected != got {
            return failed(format!("funding_signed ids don't match: expected {expected} got {got}"));
        }
        let terms = self.terms(&peer, funding);
        self.into_channel(terms, peer, message.signature)
    }
}
