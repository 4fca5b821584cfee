//! Which HTLCs and fee rates a channel can carry: lightningd's `channeld/full_channel.c`.

use super::balance::Gathered;
use super::fee::{dust_buffer_feerate, marginal_feerate};
use super::htlc::{AddHtlcError, Htlc};
use super::{Channel, HtlcState};
use crate::transaction::{Side, anchors_sat, commitment_fee_sat};

/// From here on a `cltv_expiry` would be a time (BOLT 2 `update_add_htlc`).
const FIRST_LOCKTIME_IN_SECONDS: u32 = 500_000_000;

impl Channel {
    /// Whether `htlc`, in its first state, may be added. `Ok(true)` if it is to be failed as soon as it is committed, because there
    /// would be too much dust.
    pub(super) fn check_add(&self, htlc: &Htlc) -> Result<bool, AddHtlcError> {
        let (sender, recipient) = (htlc.owner, htlc.owner.other());
        let config = self.terms.config(recipient);
        if htlc.cltv_expiry >= FIRST_LOCKTIME_IN_SECONDS {
            return Err(AddHtlcError::InvalidExpiry { cltv_expiry: htlc.cltv_expiry });
        }
        if htlc.amount_msat == 0 || htlc.amount_msat < config.htlc_minimum_msat {
            return Err(AddHtlcError::HtlcBelowMinimum { minimum_msat: config.htlc_minimum_msat });
        }
        if sender == Side::Local && htlc.amount_msat > self.largest_payment_msat() {
            return Err(AddHtlcError::MaxHtlcValueExceeded);
        }
        // What the recipient will have to commit to.
        let mut htlcs = self.record.gather(recipient);
        htlcs.adding.push(htlc);
        let offered = htlcs.total(|htlc| (htlc.owner == sender).into());
        // Of ours we do not offer more than we would accept either: each makes the commitment dearer.
        let accepted = match sender {
            Side::Local => config.max_accepted_htlcs.min(self.terms.config(sender).max_accepted_htlcs),
            Side::Remote => config.max_accepted_htlcs,
        };
        if offered > accepted.into() {
            return Err(AddHtlcError::TooManyHtlcs);
        }
        let in_flight = htlcs.total(|htlc| if htlc.owner == sender { htlc.amount_msat.into() } else { 0 });
        if in_flight > config.max_htlc_value_in_flight_msat.into() {
            return Err(AddHtlcError::MaxHtlcValueExceeded);
        }
        self.check_affordable(sender, &htlcs)?;
        let too_dusty = Side::BOTH.into_iter().any(|side| {
            let feerate = dust_buffer_feerate(self.feerate_per_kw(side));
            htlcs.dust_msat(&self.terms, side, feerate) > self.max_dust_msat()
        });
        if too_dusty && sender == Side::Local {
            return Err(AddHtlcError::DustFailure);
        }
        Ok(too_dusty)
    }

    fn max_dust_msat(&self) -> u128 {
        self.terms.config(Side::Local).max_dust_htlc_exposure_msat.into()
    }

    /// What `side` has in the commitment of `view` above its reserve, when all that is pending is done, in msat.
    fn room_above_reserve_msat(&self, view: Side, htlcs: &Gathered<'_>, side: Side) -> Option<u128> {
        let amounts = |htlcs: &[&Htlc], party: fn(&Htlc) -> Side| {
            let of_side = htlcs.iter().filter(|htlc| party(htlc) == side);
            of_side.map(|htlc| u128::from(htlc.amount_msat)).sum::<u128>()
        };
        let has = u128::from(self.record.balances_msat(&self.terms, view)[side as usize]);
        let will_have = (has + amounts(&htlcs.removing, Htlc::paid_to))
            .checked_sub(amounts(&htlcs.adding, |htlc| htlc.owner))?;
        will_have.checked_sub(u128::from(self.terms.config(side.other()).channel_reserve_satoshis) * 1000)
    }

    fn fee_for_sat(&self, htlcs: &Gathered<'_>, side: Side) -> u64 {
        let feerate = self.feerate_per_kw(side);
        commitment_fee_sat(self.terms.channel_type, feerate, htlcs.untrimmed(&self.terms, side, feerate))
    }

    /// Whether sender and opener keep their reserves, and the opener pays the fees.
    fn check_affordable(&self, sender: Side, htlcs: &Gathered<'_>) -> Result<(), AddHtlcError> {
        let (recipient, opener) = (sender.other(), self.terms.opener);
        let anchors_msat = u128::from(anchors_sat(self.terms.channel_type)) * 1000;
        let mut htlc_fee_sat = self.fee_for_sat(htlcs, recipient);
        let exceeded = |htlc_fee_sat| AddHtlcError::ChannelCapacityExceeded { htlc_fee_sat };

        // The sender's reserve counts here: the change comes back to it with the recipient's `revoke_and_ack`.
        let mut room =
            self.room_above_reserve_msat(recipient, htlcs, sender).ok_or(exceeded(htlc_fee_sat))?;
        if opener == sender {
            room = room.checked_sub(anchors_msat).ok_or(exceeded(htlc_fee_sat))?;
            let headroom = if sender == Side::Local { self.fee_headroom_sat(htlcs) } else { 0 };
            if room < u128::from(htlc_fee_sat.max(headroom)) * 1000 {
                return Err(exceeded(htlc_fee_sat));
            }
        }
        // Of our own accord we do not bring the opener below its fees, in neither commitment.
        if sender == Side::Local {
            let room =
                self.room_above_reserve_msat(recipient, htlcs, opener).ok_or(exceeded(htlc_fee_sat))?;
            let anchors_msat = if opener == sender { 0 } else { anchors_msat };
            let room = room.checked_sub(anchors_msat).ok_or(exceeded(htlc_fee_sat))?;
            for side in [opener, opener.other()] {
                let fee = self.fee_for_sat(htlcs, side);
                htlc_fee_sat = htlc_fee_sat.max(fee);
                if room < u128::from(fee) * 1000 {
                    return Err(exceeded(htlc_fee_sat));
                }
            }
        }
        Ok(())
    }

    /// What we, the opener, must be able to pay so that a further HTLC fits even if fees rise ("fee spike buffer"): otherwise the
    /// peer could not send us anything any more.
    fn fee_headroom_sat(&self, htlcs: &Gathered<'_>) -> u64 {
        let feerate = self.feerate_per_kw(Side::Local);
        let untrimmed = htlcs.untrimmed(&self.terms, Side::Local, feerate);
        commitment_fee_sat(self.terms.channel_type, marginal_feerate(feerate), untrimmed + 1)
    }

    /// Whether the opener can pay this fee rate in the other side's commitment and keep its reserve.
    pub(super) fn opener_affords(&self, feerate_per_kw: u32) -> bool {
        let (opener, view) = (self.terms.opener, self.terms.opener.other());
        let htlcs = self.record.gather(view);
        let untrimmed = htlcs.untrimmed(&self.terms, view, feerate_per_kw);
        let kind = self.terms.channel_type;
        let needed = commitment_fee_sat(kind, feerate_per_kw, untrimmed) + anchors_sat(kind);
        self.room_above_reserve_msat(view, &htlcs, opener)
            .is_some_and(|room| room >= u128::from(needed) * 1000)
    }

    /// Roughly the highest fee rate that we, the opener, can pay (`approx_max_feerate`): as if no HTLC was trimmed.
    pub(super) fn approx_max_feerate(&self) -> u32 {
        let (opener, view) = (self.terms.opener, self.terms.opener.other());
        let htlcs = self.record.gather(view);
        let count = u64::try_from(htlcs.total(|_| 1)).expect("HTLCs are few");
        let kind = self.terms.channel_type;
        // Of 1000 sat per 1000 weight, the fee is the weight.
        let weight = commitment_fee_sat(kind, 1000, count);
        let adding = htlcs.adding.iter().filter(|htlc| htlc.owner == opener).map(|htlc| htlc.amount_msat);
        let has = self.record.balances_msat(&self.terms, view)[opener as usize];
        let kept = (self.terms.config(view).channel_reserve_satoshis + anchors_sat(kind)) * 1000;
        let available = adding.fold(has, u64::saturating_sub).saturating_sub(kept);
        u32::try_from(available / weight).unwrap_or(u32::MAX)
    }

    /// Whether dust stays within bounds in the commitment of `side` at this fee rate.
    pub(super) fn is_dust_bearable(&self, side: Side, feerate_per_kw: u32) -> bool {
        let mut htlcs = self.record.gather(side);
        // If the peer, who opened, cannot know of an HTLC of ours, it would propose the same rate after each refusal.
        let is_known = |htlc: &&Htlc| {
            self.terms.opener == Side::Local
                || !matches!(htlc.state, HtlcState::SentAddHtlc | HtlcState::SentAddCommit)
        };
        htlcs.committed.retain(is_known);
        htlcs.adding.retain(is_known);
        htlcs.dust_msat(&self.terms, side, feerate_per_kw) <= self.max_dust_msat()
    }

    /// Whether the commitments may change to this fee rate (`channel_update_feerate`).
    pub(super) fn can_pay_feerate(&self, feerate_per_kw: u32) -> bool {
        let rises = feerate_per_kw > self.feerate_per_kw(Side::Remote);
        let dusty = !self.terms.channel_type.anchors
            && ((rises && !self.is_dust_bearable(Side::Remote, feerate_per_kw))
                || !self.is_dust_bearable(Side::Local, feerate_per_kw));
        self.opener_affords(feerate_per_kw) && !dusty
    }
}
