//! A part of a plan: how it is sent, and what becomes of it.

use super::super::outcome::PartFailure;
use super::super::send::{FirstHop, Part, Refusal, Sent, htlc_onion};
use super::super::store::{NewPayment, Payment, Route};
use super::super::{PaymentKey, code};
use super::{Plan, PlannedPart, Style};
use crate::state::State;
use leyden_bolt::gossip::Hop;
use leyden_bolt::onion::payload::PaymentData;
use leyden_bolt::onion::{self, OnionPacket, Payload, packet::PAYLOADS_LENGTH};
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

impl Plan {
    /// The row of a part. The secrets of its onion are only the plan's: in lightningd they are those of a plugin.
    pub(super) fn payment(&self, partid: u64, hops: &[Hop]) -> NewPayment {
        let amount_msat = hops.last().map_or(self.goal.amount_msat, |hop| hop.amount_msat);
        NewPayment {
            key: self.key(partid),
            destination: Some(self.goal.destination),
            amount_msat,
            amount_sent_msat: hops.first().map_or(amount_msat, |hop| hop.amount_msat),
            total_msat: 0,
            route: Route::default(),
            label: self.goal.label.clone(),
            bolt11: self.goal.invoice.clone(),
            description: self.goal.description.clone(),
            local_invreq_id: None,
        }
    }

    fn key(&self, partid: u64) -> PaymentKey {
        PaymentKey { payment_hash: self.goal.payment_hash, partid, groupid: self.groupid }
    }

    /// What each node of the route is told.
    fn payloads(&self, hops: &[Hop], base: u32) -> Vec<onion::Hop> {
        let last = hops.last().expect("a route has a hop");
        let total_msat = self.goal.total_msat;
        let data = self.goal.payment_secret.map(|payment_secret| PaymentData { payment_secret, total_msat });
        let metadata = self.goal.payment_metadata.clone();
        let mut to_last = Payload::last(last.amount_msat, base + last.delay, data, metadata);
        for (kind, value) in &self.goal.extra_tlvs {
            to_last.tlvs.set(*kind, value.clone());
        }
        let forward = |next: &Hop| Payload::forward(next.channel, next.amount_msat, base + next.delay);
        let payloads = hops[1..].iter().map(forward).chain([to_last]);
        let told =
            |(hop, payload): (&Hop, Payload)| onion::Hop { node_id: hop.id, payload: payload.encode() };
        hops.iter().zip(payloads).map(told).collect()
    }
}

impl State {
    /// Sends a part over a route. Gives it back if its channel refused it.
    ///
    /// # Errors
    /// If no further parts are to be sent.
    pub(super) fn send_planned(
        &mut self,
        number: u64,
        hops: Vec<Hop>,
    ) -> Result<Option<(Payment, Refusal)>, RpcError> {
        let (session_key, base) = (self.new_secret_key(), self.base_expiry());
        let Some(plan) = self.plans.wanted(number) else { return Ok(None) };
        plan.attempts += 1;
        let is_whole = hops.last().is_some_and(|last| last.amount_msat == plan.goal.amount_msat);
        // xpay numbers every part; the plugins of before none that is the whole, and the next one 1.
        if plan.attempts == 1 && is_whole && plan.style == Style::Pay {
            plan.first_partid = 0;
        }
        let partid = plan.first_partid + plan.attempts - 1;
        let payloads = plan.payloads(&hops, base);
        let created = OnionPacket::create(&session_key, &payloads, &plan.goal.payment_hash, PAYLOADS_LENGTH);
        let (packet, secrets) = created.map_err(|_| {
            let text = "Could not create payment onion: path too long!";
            RpcError::new(code::UNSPECIFIED_ERROR, text)
        })?;
        let Hop { id: node, channel, amount_msat, delay, .. } = hops[0];
        let part = Part {
            first: FirstHop { node, channel, amount_msat, delay },
            payment: plan.payment(partid, &hops),
            onion: htlc_onion(&packet).expect("it was made with that length"),
        };
        let amount_msat = part.payment.amount_msat;
        plan.parts.insert(partid, PlannedPart { hops, secrets, amount_msat });
        self.notify_part_start(number, partid);
        match self.send_part(part) {
            Ok(Sent::Pending(_)) => Ok(None),
            Ok(Sent::Refused(payment, refusal)) => Ok(Some((payment, refusal))),
            Ok(Sent::Complete(_)) => {
                self.forget_part(number, partid);
                Err(already_paid())
            }
            Err(error) => {
                self.forget_part(number, partid);
                Err(injected(&error))
            }
        }
    }

    fn forget_part(&mut self, number: u64, partid: u64) -> Option<PlannedPart> {
        self.plans.plans.get_mut(&number).and_then(|plan| plan.parts.remove(&partid))
    }

    /// A part of a plan has arrived: that is as good as the whole.
    pub(in crate::payment) fn planned_fulfilled(&mut self, key: &PaymentKey, preimage: [u8; 32]) {
        let Some(number) = self.plans.of_part(key) else { return };
        self.notify_part_end(key, json!({ "status": "success" }), Value::Null);
        let part = self.forget_part(number, key.partid);
        self.answer_paid(number, preimage, part.map_or(0, |part| part.sent_msat()));
    }

    /// A part of a plan has failed: it is tried in another way.
    pub(in crate::payment) fn planned_failed(&mut self, key: &PaymentKey, text: &str, failure: &PartFailure) {
        let Some(number) = self.plans.of_part(key) else { return };
        let Some(part) = self.forget_part(number, key.partid) else { return };
        let Some(plan) = self.plans.plans.get_mut(&number) else { return };
        plan.failures += 1;
        let known = part.read(failure);
        self.notify_part_failure(key, &part, known.as_ref(), text);
        match self.learn(number, &part, known.as_ref(), text) {
            Ok(()) => self.pursue(number, part.amount_msat),
            Err(why) => self.give_up(number, why),
        }
        self.plans.clean(number);
    }

    fn notify_part_start(&mut self, number: u64, partid: u64) {
        let Some(plan) = self.plans.plans.get(&number) else { return };
        let Some(part) = plan.parts.get(&partid) else { return };
        let mut before_msat = part.sent_msat();
        let mut hops = Vec::new();
        for hop in &part.hops {
            hops.push(json!({
                "next_node": hop.id.to_string(),
                "short_channel_id": hop.channel.to_string(),
                "direction": hop.direction,
                "channel_in_msat": before_msat,
                "channel_out_msat": hop.amount_msat,
            }));
            before_msat = hop.amount_msat;
        }
        let fields = json!({
            "payment_hash": hex::encode(plan.goal.payment_hash),
            "groupid": plan.groupid,
            "partid": partid,
            "total_payment_msat": plan.goal.amount_msat,
            "attempt_msat": part.amount_msat,
            "hops": hops,
        });
        self.notify_of_xpay("pay_part_start", &fields);
    }
}

pub(super) fn already_paid() -> RpcError {
    RpcError::new(code::INJECTPAYMENTONION_ALREADY_PAID, "Already paid this invoice successfully")
}

/// As xpay tells of an error of `injectpaymentonion` that it does not expect.
pub(super) fn injected(error: &RpcError) -> RpcError {
    let text = json!({ "code": error.code, "message": error.message });
    RpcError::new(
        leyden_protocol::message::code::PLUGIN_ERROR,
        format!("Unexpected injectpaymentonion error {}: {text}", error.code),
    )
}
