//! What a failure says about channels, or about the payment (`plugins/xpay/xpay.c:update_knowledge_from_error`).

use super::super::failure::{direction, wire_name};
use super::super::outcome::PartFailure;
use super::answer::GiveUp;
use super::{Plan, PlannedPart};
use crate::state::State;
use leyden_bolt::gossip::{Exclusion, Hop, LocalHalf};
use leyden_bolt::message::gossip::ChannelUpdate;
use leyden_bolt::onion::{FailureCode, FailureOnion};

/// A failure that could be read.
pub(super) struct Known {
    /// Who failed it: 0 is this node, then the nodes of the route.
    pub(super) place: usize,
    pub(super) code: FailureCode,
    pub(super) message: Vec<u8>,
}

impl PlannedPart {
    /// Who failed it, and why; `None` if that cannot be read.
    pub(super) fn read(&self, failure: &PartFailure) -> Option<Known> {
        let (place, message) = match failure {
            PartFailure::Onion(onion) => {
                let attributed = FailureOnion::from(onion.clone()).attribute(&self.secrets)?;
                (attributed.erring_hop + 1, attributed.message)
            }
            PartFailure::Malformed(message) => (0, message.clone()),
            // Whatever it was, xpay is told this.
            PartFailure::Local { .. } => {
                (0, [&FailureCode::TEMPORARY_CHANNEL_FAILURE.0.to_be_bytes()[..], &[0; 2]].concat())
            }
        };
        let code = FailureCode(u16::from_be_bytes(*message.first_chunk()?));
        Some(Known { place, code, message })
    }
}

/// xpay's name for a failure.
fn name(code: FailureCode) -> String {
    code.name().map_or_else(|| wire_name(code), str::to_owned)
}

impl State {
    /// Notes what a failure says for the next try. `text` is what was said of it to others.
    ///
    /// # Errors
    /// If there is to be none.
    pub(super) fn learn(
        &mut self,
        number: u64,
        part: &PlannedPart,
        known: Option<&Known>,
        text: &str,
    ) -> Result<(), GiveUp> {
        let Some(known) = known else {
            let place = usize::from(self.entropy.draw()[0]) % part.hops.len();
            return self.garbled(number, &part.hops[place]);
        };
        let Some(plan) = self.plans.plans.get(&number) else { return Ok(()) };
        let code_name = name(known.code);
        let why = if known.place == 0 { text } else { code_name.as_str() };
        if known.place == part.hops.len() {
            return self.refused_by_destination(number, part, known.code, why);
        }
        let hop = &part.hops[known.place];
        let channel = plan.describe(hop);
        if let Some(half) = self.news(known) {
            let text = format!("We got {why} for {channel}, containing a channel_update: updating our map");
            self.note(number, &text, |plan| plan.learnt.push(half));
            return Ok(());
        }
        match known.code {
            FailureCode::INVALID_ONION_VERSION
            | FailureCode::INVALID_ONION_HMAC
            | FailureCode::INVALID_ONION_KEY
            | FailureCode::INVALID_ONION_PAYLOAD
            | FailureCode::FINAL_INCORRECT_CLTV_EXPIRY
            | FailureCode::FINAL_INCORRECT_HTLC_AMOUNT
            | FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS
            | FailureCode::MPP_TIMEOUT => self.strange(number, hop, why, "intermediate"),
            FailureCode::TEMPORARY_CHANNEL_FAILURE => {
                let msat = hop.amount_msat;
                let text = format!("We got {why} for {channel}, assuming it can't carry {msat}msat");
                let narrowed = self.known_half(number, hop).map(|half| LocalHalf {
                    htlc_maximum_msat: half.htlc_maximum_msat.min(msat.saturating_sub(1)),
                    ..half
                });
                self.note(number, &text, |plan| plan.learnt.extend(narrowed));
            }
            _ => {
                let text =
                    format!("We got a weird error ({why}) for {channel}: disabling it for this payment");
                self.disable(number, hop, &text);
            }
        }
        Ok(())
    }

    fn refused_by_destination(
        &mut self,
        number: u64,
        part: &PlannedPart,
        code: FailureCode,
        why: &str,
    ) -> Result<(), GiveUp> {
        let is_keysend = self.plans.plans.get(&number).is_some_and(|plan| plan.goal.invoice.is_none());
        match code {
            FailureCode::INVALID_ONION_PAYLOAD if is_keysend => Err(GiveUp::NoKeysend),
            FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS => Err(GiveUp::UnknownToDestination),
            FailureCode::MPP_TIMEOUT => {
                let msat = part.amount_msat;
                let text = format!(
                    "Payment of {msat}msat reached destination, but timed out before the rest arrived."
                );
                self.note(number, &text, |_| {});
                Ok(())
            }
            _ => {
                let last = part.hops.last().expect("a route has a hop");
                self.strange(number, last, why, "final");
                Ok(())
            }
        }
    }

    fn garbled(&mut self, number: u64, hop: &Hop) -> Result<(), GiveUp> {
        let channel = self.plans.plans.get(&number).map_or_else(String::new, |plan| plan.describe(hop));
        let text = format!(
            "We got a garbled error message, and chose to (randomly) to disable {channel} for this payment"
        );
        self.disable(number, hop, &text);
        Ok(())
    }

    fn strange(&mut self, number: u64, hop: &Hop, why: &str, who: &str) {
        let channel = self.plans.plans.get(&number).map_or_else(String::new, |plan| plan.describe(hop));
        let text = format!("Unexpected error ({why}) from {who} node: disabling {channel} for this payment");
        self.disable(number, hop, &text);
    }

    fn disable(&mut self, number: u64, hop: &Hop, text: &str) {
        let exclusion = Exclusion::Channel(hop.channel, hop.direction);
        self.note(number, text, |plan| plan.excluded.push(exclusion));
    }

    fn note(&mut self, number: u64, text: &str, learn: impl FnOnce(&mut Plan)) {
        if let Some(plan) = self.plans.plans.get_mut(&number) {
            plan.told += &format!("{text}. ");
            learn(plan);
        }
    }

    /// What a failure tells of a channel that was not known.
    fn news(&self, known: &Known) -> Option<LocalHalf> {
        let before = match known.code {
            FailureCode::TEMPORARY_CHANNEL_FAILURE | FailureCode::EXPIRY_TOO_SOON => 2,
            FailureCode::AMOUNT_BELOW_MINIMUM | FailureCode::FEE_INSUFFICIENT => 10,
            FailureCode::INCORRECT_CLTV_EXPIRY => 6,
            _ => return None,
        };
        // A length, then the message with its type.
        let update = ChannelUpdate::decode(known.message.get(before + 4..)?).ok()?;
        let channel = self.gossip.graph.channel(update.short_channel_id)?;
        let direction = update.direction();
        let is_old =
            channel.updates[usize::from(direction)].as_ref().is_some_and(|old| old.says_the_same(&update));
        (!is_old).then(|| half(channel, direction, &update))
    }

    /// What is known of a channel in the direction of a hop.
    fn known_half(&self, number: u64, hop: &Hop) -> Option<LocalHalf> {
        let is_it = |half: &&LocalHalf| {
            half.short_channel_id == hop.channel
                && direction(&half.source, &half.destination) == hop.direction
        };
        let plan = self.plans.plans.get(&number)?;
        let learnt = plan.learnt.iter().rev().find(is_it).cloned();
        let own = || self.local_halves(true).iter().find(is_it).cloned();
        let hinted = || plan.hinted(self).iter().find(is_it).cloned();
        let gossiped = || {
            let channel = self.gossip.graph.channel(hop.channel)?;
            let update = channel.updates[usize::from(hop.direction)].as_ref()?;
            Some(half(channel, hop.direction, update))
        };
        learnt.or_else(own).or_else(hinted).or_else(gossiped)
    }
}

fn half(channel: &leyden_bolt::gossip::Channel, direction: u8, update: &ChannelUpdate) -> LocalHalf {
    LocalHalf {
        short_channel_id: update.short_channel_id,
        source: *channel.source(direction),
        destination: *channel.destination(direction),
        capacity_msat: channel.capacity_sat * 1000,
        enabled: update.is_enabled(),
        htlc_minimum_msat: update.htlc_minimum_msat,
        htlc_maximum_msat: update.htlc_maximum_msat,
        fee_base_msat: update.fee_base_msat,
        fee_proportional_millionths: update.fee_proportional_millionths,
        cltv_expiry_delta: update.cltv_expiry_delta,
    }
}

impl Plan {
    /// A channel as a user knows it.
    fn describe(&self, hop: &Hop) -> String {
        let channel = format!("{}/{}", hop.channel, hop.direction);
        let hints = &self.goal.hints;
        let is_it = |hint: &leyden_bolt::invoice::RouteHop| hint.short_channel_id == hop.channel;
        match hints.as_slice() {
            [one] if one.len() == 1 && is_it(&one[0]) => format!("the invoice's route hint ({channel})"),
            [one] if one.iter().any(is_it) => format!("{channel} inside invoice's route hint"),
            _ if hints.iter().flatten().any(is_it) => format!("{channel} inside invoice's route hints"),
            _ => channel,
        }
    }
}
