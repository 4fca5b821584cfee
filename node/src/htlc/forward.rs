//! Handing an HTLC on: which channel it goes through, and what it must pay for that (`lightningd/peer_htlcs.c:forward_htlc`).

use super::failure::{FailureMessage, bare, with_update};
use super::hook::HtlcAcceptedCall;
use crate::channel::htlc::OfferError;
use crate::channel::{HtlcKey, HtlcOrigin, LocalChannel, Policy};
use crate::event::LogLevel;
use crate::state::State;
use leyden_bolt::ChannelId;
use leyden_bolt::channel::{AddHtlc, AddHtlcError};
use leyden_bolt::message::channel::ONION_PACKET_LENGTH;
use leyden_bolt::onion::{FailureCode, Payload};
use leyden_bolt::transaction::Side;

/// The furthest end of an HTLC, in blocks from now (BOLT 4, `max_htlc_cltv`).
const MAX_HTLC_CLTV: u32 = 2016;

/// What comes in and what is to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    in_msat: u64,
    in_cltv_expiry: u32,
    out_msat: u64,
    out_cltv_expiry: u32,
    /// Blocks that must be between the two ends.
    cltv_expiry_delta: u16,
}

/// Why an HTLC is not handed on: a code, and data before the `channel_update` if the code is about the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    code: FailureCode,
    data: Vec<u8>,
}

impl Refusal {
    fn new(code: FailureCode, data: &[u8]) -> Self {
        Self { code, data: data.to_vec() }
    }

    fn message(&self, channel_update: &[u8]) -> FailureMessage {
        if self.code.0 & FailureCode::UPDATE == 0 {
            return bare(self.code);
        }
        with_update(self.code, &self.data, channel_update)
    }
}

impl Terms {
    /// What handing it on costs; `None` if it cannot be counted.
    fn fee_msat(&self, policy: &Policy) -> Option<u64> {
        let proportional = self.out_msat.checked_mul(policy.fee_proportional_millionths.into())? / 1_000_000;
        proportional.checked_add(policy.fee_base_msat.into())
    }

    fn pays(&self, policy: &Policy) -> bool {
        let paid = self.in_msat.checked_sub(self.out_msat);
        paid.zip(self.fee_msat(policy)).is_some_and(|(paid, fee)| paid >= fee)
    }

    fn fits(&self, policy: &Policy) -> bool {
        (policy.htlc_minimum_msat..=policy.htlc_maximum_msat).contains(&self.out_msat)
    }

    /// Looks whether an HTLC may be handed on at `height`, in lightningd's order; what was asked for before may still count.
    /// Gives what is let through because of that, in lightningd's words.
    fn check(
        &self,
        policy: &Policy,
        older: Option<&Policy>,
        height: u32,
    ) -> Result<Vec<&'static str>, Refusal> {
        let terms = self;
        let mut allowed = Vec::new();
        if !terms.pays(policy) {
            if !older.is_some_and(|older| terms.pays(older)) {
                return Err(Refusal::new(FailureCode::FEE_INSUFFICIENT, &terms.in_msat.to_be_bytes()));
            }
            allowed.push("Allowing payment using older feerate");
        }
        if !terms.fits(policy) {
            if !older.is_some_and(|older| terms.fits(older)) {
                return Err(Refusal::new(FailureCode::TEMPORARY_CHANNEL_FAILURE, &[]));
            }
            allowed.push("Allowing htlc using older htlc_minimum/maximum_msat");
        }
        let latest = terms.in_cltv_expiry.checked_sub(self.cltv_expiry_delta.into());
        if latest.is_none_or(|latest| latest == 0 || latest < terms.out_cltv_expiry) {
            return Err(Refusal::new(
                FailureCode::INCORRECT_CLTV_EXPIRY,
                &terms.in_cltv_expiry.to_be_bytes(),
            ));
        }
        if height >= terms.out_cltv_expiry {
            return Err(Refusal::new(FailureCode::EXPIRY_TOO_SOON, &[]));
        }
        if height + MAX_HTLC_CLTV < terms.out_cltv_expiry {
            return Err(Refusal::new(FailureCode::EXPIRY_TOO_FAR, &[]));
        }
        Ok(allowed)
    }
}

impl State {
    /// The channel through which a payload's HTLC would go: the one with the most to spend of those that its peer has on the same
    /// terms as the one that was asked for (`calc_forwarding_channel`).
    pub(super) fn forwarding_channel(&mut self, key: HtlcKey, payload: &Payload) -> Option<ChannelId> {
        let wanted = payload.short_channel_id?;
        let text = format!("Looking up channel by scid={wanted} to forward htlc_id={}", key.id);
        self.log_channel(key.dbid, LogLevel::Debug, &text);
        let Some(asked) = self.channels.by_scid_in_onion(wanted) else {
            let level =
                if self.profile.warns_of_channels_in_full() { LogLevel::Unusual } else { LogLevel::Debug };
            self.log_channel(key.dbid, level, &format!("No peer channel with scid={wanted}"));
            return None;
        };
        let best = match self.config.channels.strict_forwarding {
            true => asked,
            false => self.best_channel(asked, payload.amt_to_forward_msat),
        };
        let (id, peer) = (best.channel_id(), best.peer);
        let scid = best.scid_or_alias();
        if best.dbid != asked.dbid {
            let text = format!("Chose a better channel than {wanted}: {scid}");
            self.log_channel(key.dbid, LogLevel::Debug, &text);
        }
        let text =
            format!("Decided to forward htlc_id={} over channel with scid={scid} with peer {peer}", key.id);
        self.log_channel(key.dbid, LogLevel::Debug, &text);
        Some(id)
    }

    fn best_channel<'a>(&'a self, asked: &'a LocalChannel, msat: u64) -> &'a LocalChannel {
        let fees = |channel: &LocalChannel| {
            (channel.policy.fee_base_msat, channel.policy.fee_proportional_millionths)
        };
        let same_fees = |other: &&LocalChannel| fees(other) == fees(asked);
        let takes = |other: &LocalChannel| other.bolt.terms().config(Side::Remote).htlc_minimum_msat;
        let large_enough = |other: &&LocalChannel| msat >= takes(other);
        let mut best = (asked, 0);
        let others = self.channels.of_peer(&asked.peer).filter(|other| other.state.can_add_htlc());
        for other in others.filter(same_fees).filter(large_enough) {
            let spendable = other.bolt.spendable_msat();
            if spendable > best.1 {
                best = (other, spendable);
            }
        }
        best.0
    }

    /// Hands an HTLC on as its payload says, or fails it.
    pub(super) fn forward_htlc(&mut self, call: &HtlcAcceptedCall, payload: &Payload) {
        let found = call.forward_to.and_then(|id| self.channels.by_channel_id(id));
        let found = found.map(|channel| (channel.dbid, channel.scid_or_alias(), channel.state));
        let ready = found.filter(|(.., state)| state.can_add_htlc());
        let scid = found.map_or(payload.short_channel_id, |(_, scid, _)| Some(scid));
        let Some((dbid, ..)) = ready else {
            let code = FailureCode::UNKNOWN_NEXT_PEER;
            self.fail_htlc(call.key, &bare(code));
            return self.forward_failed(call.key, scid, code);
        };
        let terms = Terms {
            in_msat: call.amount_msat,
            in_cltv_expiry: call.cltv_expiry,
            out_msat: payload.amt_to_forward_msat,
            out_cltv_expiry: payload.outgoing_cltv_value,
            cltv_expiry_delta: self.config.channels.cltv_delta,
        };
        if let Err(refusal) = self.try_to_forward(call, dbid, &terms) {
            let update = self.own_channel_update(dbid);
            self.fail_htlc(call.key, &refusal.message(&update));
            self.forward_failed(call.key, scid, refusal.code);
        }
    }

    fn try_to_forward(&mut self, call: &HtlcAcceptedCall, dbid: u64, terms: &Terms) -> Result<(), Refusal> {
        let now = (self.clock)();
        let channel = self.channels.get(dbid).expect("it has just been found");
        let policy = channel.policy;
        let older = channel.older_policy.filter(|older| now < older.until).map(|older| older.policy);
        match terms.check(&policy, older.as_ref(), self.topology.height()) {
            Err(refusal) => {
                let text = format!("HTLC {} is not forwarded: {terms:?} under {policy:?}", call.key.id);
                self.log_channel(call.key.dbid, LogLevel::Debug, &text);
                return Err(refusal);
            }
            Ok(allowed) => {
                for text in allowed {
                    self.log_channel(call.key.dbid, LogLevel::Info, text);
                }
            }
        }
        let onion = <Box<[u8; ONION_PACKET_LENGTH]>>::try_from(
            call.next_onion.as_bytes().to_vec().into_boxed_slice(),
        );
        let add = AddHtlc {
            amount_msat: terms.out_msat,
            payment_hash: call.payment_hash,
            cltv_expiry: terms.out_cltv_expiry,
            onion: onion.expect("a peeled packet is as long as it was"),
            tlvs: call.extra_tlvs.clone().unwrap_or_default(),
        };
        let offered = self.offer_htlc(dbid, add, HtlcOrigin::Forward(call.key));
        offered.map(drop).map_err(|error| refusal_of(&error, terms))
    }
}

/// What the previous hop is told when the channel takes no such HTLC (`channeld.c:handle_offer_htlc`).
fn refusal_of(error: &OfferError, terms: &Terms) -> Refusal {
    let code = FailureCode::TEMPORARY_CHANNEL_FAILURE;
    match error {
        OfferError::Refused(AddHtlcError::InvalidExpiry { cltv_expiry }) => {
            Refusal::new(FailureCode::INCORRECT_CLTV_EXPIRY, &cltv_expiry.to_be_bytes())
        }
        OfferError::Refused(AddHtlcError::MaxHtlcValueExceeded) => {
            Refusal::new(FailureCode::REQUIRED_NODE_FEATURE_MISSING, &[])
        }
        OfferError::Refused(AddHtlcError::HtlcBelowMinimum { .. }) => {
            Refusal::new(FailureCode::AMOUNT_BELOW_MINIMUM, &terms.out_msat.to_be_bytes())
        }
        _ => Refusal::new(code, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        fee_base_msat: 1,
        fee_proportional_millionths: 10,
        htlc_minimum_msat: 1000,
        htlc_maximum_msat: 1_000_000,
    };
    const TERMS: Terms = Terms {
        in_msat: 100_002,
        in_cltv_expiry: 126,
        out_msat: 100_000,
        out_cltv_expiry: 120,
        cltv_expiry_delta: 6,
    };

    fn code(terms: Terms, height: u32) -> Option<FailureCode> {
        terms.check(&POLICY, None, height).err().map(|refusal| refusal.code)
    }

    #[test]
    fn who_pays_and_leaves_time_is_let_through() {
        assert_eq!(code(TERMS, 110), None);
        assert_eq!(code(Terms { in_msat: 200_000, in_cltv_expiry: 200, ..TERMS }, 119), None);
    }

    #[test]
    fn each_limit_has_its_failure() {
        let cases = [
            (Terms { in_msat: 100_001, ..TERMS }, 110, FailureCode::FEE_INSUFFICIENT),
            (Terms { in_msat: 99_999, ..TERMS }, 110, FailureCode::FEE_INSUFFICIENT),
            (Terms { out_msat: u64::MAX, ..TERMS }, 110, FailureCode::FEE_INSUFFICIENT),
            (Terms { out_msat: 999, ..TERMS }, 110, FailureCode::TEMPORARY_CHANNEL_FAILURE),
            (
                Terms { in_msat: 9_000_000, out_msat: 1_000_001, ..TERMS },
                110,
                FailureCode::TEMPORARY_CHANNEL_FAILURE,
            ),
            (Terms { in_cltv_expiry: 125, ..TERMS }, 110, FailureCode::INCORRECT_CLTV_EXPIRY),
            (Terms { in_cltv_expiry: 3, out_cltv_expiry: 0, ..TERMS }, 0, FailureCode::INCORRECT_CLTV_EXPIRY),
            (TERMS, 120, FailureCode::EXPIRY_TOO_SOON),
            (
                Terms { in_cltv_expiry: 3000, out_cltv_expiry: 2127, ..TERMS },
                110,
                FailureCode::EXPIRY_TOO_FAR,
            ),
        ];
        for (terms, height, expected) in cases {
            assert_eq!(code(terms, height), Some(expected), "{terms:?} at {height}");
        }
    }

    #[test]
    fn what_was_asked_before_counts_for_each_limit_alone() {
        let dearer = Policy { fee_base_msat: 2, ..POLICY };
        let narrower = Policy { htlc_minimum_msat: 100_001, ..POLICY };
        let older = Policy { htlc_maximum_msat: 100_000, ..POLICY };
        let fee = "Allowing payment using older feerate";
        let range = "Allowing htlc using older htlc_minimum/maximum_msat";
        let both = Policy { fee_base_msat: 2, ..narrower };
        for (policy, allowed) in
            [(dearer, vec![fee]), (narrower, vec![range]), (both, vec![fee, range]), (POLICY, vec![])]
        {
            assert_eq!(TERMS.check(&policy, Some(&older), 110), Ok(allowed), "{policy:?}");
        }
        let outside = Terms { in_msat: 200_000, out_msat: 100_001, ..TERMS };
        let refused = outside.check(&Policy { htlc_maximum_msat: 10, ..POLICY }, Some(&older), 110);
        assert_eq!(refused.unwrap_err().code, FailureCode::TEMPORARY_CHANNEL_FAILURE, "nor by the older one");
        assert_eq!(TERMS.check(&dearer, None, 110).unwrap_err().code, FailureCode::FEE_INSUFFICIENT);
    }

    #[test]
    fn failures_about_the_channel_carry_its_update() {
        let refusal = Terms { in_msat: 1, ..TERMS }.check(&POLICY, None, 110).unwrap_err();
        assert_eq!(hex::encode(refusal.message(&[7])), "100c0000000000000001000107");
        let refusal = Refusal::new(FailureCode::EXPIRY_TOO_FAR, &[]);
        assert_eq!(hex::encode(refusal.message(&[7])), "0015");
    }
}
