//! What a client is told in the end, and plugins meanwhile.

use super::super::store::{self, Payment, Status};
use super::super::{PaymentKey, code};
use super::learn::Known;
use super::{Plan, PlannedPart, Style};
use crate::state::State;
use leyden_protocol::message::{RpcError, code::PLUGIN_ERROR};
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;

/// Why no further way is tried.
pub(super) enum GiveUp {
    /// There is no other way for so much.
    NoRoute { error: RpcError, amount_msat: u64 },
    /// A part could not even be sent.
    NotSent(RpcError),
    /// The client wanted no longer to wait.
    TimedOut,
    /// The destination knows of no such payment.
    UnknownToDestination,
    /// The destination takes no payments without invoice.
    NoKeysend,
}

impl State {
    /// Answers that a payment has arrived. `sent_msat` is what its last part took.
    pub(super) fn answer_paid(&mut self, number: u64, preimage: [u8; 32], sent_msat: u64) {
        if let Some(plan) = self.plans.wanted(number) {
            let pending: u64 = plan.parts.values().map(PlannedPart::sent_msat).sum();
            let client = plan.client.take();
            let answer = self.plans.plans[&number].answer(self, preimage, sent_msat + pending);
            self.notify_of_end(number, "pay_success", None);
            if let Some(client) = client {
                self.reply(&client, &answer);
            }
        }
        self.plans.clean(number);
    }

    /// Answers that a payment has failed, in xpay's words.
    pub(super) fn give_up(&mut self, number: u64, why: GiveUp) {
        let Some(plan) = self.plans.wanted(number) else { return self.plans.clean(number) };
        let (attempts, told) = (plan.attempts, plan.told.clone());
        let error = match why {
            GiveUp::NoRoute { error, .. }
                if attempts == 0 && plan.is_of_old_pay() && error.code == code::ROUTE_NOT_FOUND =>
            {
                self.plans.plans[&number].unreachable()
            }
            GiveUp::NoRoute { error, .. } if attempts == 0 => {
                RpcError::new(error.code, format!("Failed: {}", error.message))
            }
            GiveUp::NoRoute { error, amount_msat } => {
                let rest = if amount_msat == plan.goal.amount_msat {
                    "Then routing failed".to_owned()
                } else {
                    format!("Then routing for remaining {amount_msat}msat failed")
                };
                let text = format!("Failed after {attempts} attempts. {told}{rest}: {}", error.message);
                RpcError::new(code::UNSPECIFIED_ERROR, text)
            }
            GiveUp::NotSent(error)
                if error.code == code::INJECTPAYMENTONION_ALREADY_PAID && plan.style != Style::Xpay =>
            {
                return self.answer_paid_earlier(number);
            }
            GiveUp::NotSent(error) => error,
            GiveUp::TimedOut => {
                let text = format!("Timed out after after {attempts} attempts. {told}");
                RpcError::new(code::UNSPECIFIED_ERROR, text)
            }
            GiveUp::UnknownToDestination => {
                let text = "Destination said it doesn't know invoice: incorrect_or_unknown_payment_details";
                RpcError::new(code::DESTINATION_PERM_FAIL, text)
            }
            GiveUp::NoKeysend => {
                let text = "Destination reported invalid_onion_payload (likely doesn't support keysend)";
                RpcError::new(code::DESTINATION_PERM_FAIL, text)
            }
        };
        self.fail_plan(number, &error);
    }

    /// `pay` may be called again, and says then what it said before.
    fn answer_paid_earlier(&mut self, number: u64) {
        let Some(plan) = self.plans.wanted(number) else { return };
        let (hash, destination) = (plan.goal.payment_hash, plan.goal.destination);
        let paid: Vec<Payment> = store::with_hash(self.stored(), &hash)
            .into_iter()
            .filter(|payment| payment.status == Status::Complete)
            .collect();
        let Some(first) = paid.first() else {
            let error = RpcError::new(PLUGIN_ERROR, "Already paid, but forgotten");
            return self.fail_plan(number, &error);
        };
        let sum = |of: fn(&Payment) -> u64| self.amount(paid.iter().map(of).sum());
        let answer = json!({
            "payment_preimage": first.preimage.map(hex::encode),
            "status": "complete",
            "amount_msat": sum(|payment| payment.sent.amount_msat),
            "amount_sent_msat": sum(|payment| payment.sent.amount_sent_msat),
            "destination": destination.to_string(),
            "payment_hash": hex::encode(hash),
            "created_at": first.created_at,
            "parts": paid.len(),
        });
        if let Some(client) = self.plans.wanted(number).and_then(|plan| plan.client.take()) {
            self.reply(&client, &answer);
        }
        self.plans.clean(number);
    }

    /// `pay_success` and `pay_failure`, of what the plugins of before pay.
    pub(super) fn notify_of_end(&mut self, number: u64, topic: &str, error: Option<&RpcError>) {
        let Some(plan) = self.plans.plans.get(&number).filter(|plan| plan.style == Style::Pay) else {
            return;
        };
        let mut fields = Map::new();
        fields.insert("payment_hash".to_owned(), hex::encode(plan.goal.payment_hash).into());
        if let Some(invoice) = &plan.goal.invoice {
            fields.insert("bolt11".to_owned(), invoice.as_str().into());
        }
        if let Some(error) = error {
            fields.insert("error".to_owned(), json!({ "message": error.message }));
        }
        let origin = if plan.goal.invoice.is_some() { "pay" } else { "keysend" };
        self.notify_of_pay(origin, topic, &fields.into());
    }

    /// `pay_part_end` of a part that failed.
    pub(super) fn notify_part_failure(
        &mut self,
        key: &PaymentKey,
        part: &PlannedPart,
        known: Option<&Known>,
        text: &str,
    ) {
        let mut rest = Map::new();
        let mut add = |name: &str, value: Value| drop(rest.insert(name.to_owned(), value));
        if let Some(Known { place, code, .. }) = known {
            if let Some(before) = place.checked_sub(1) {
                add("failed_node_id", part.hops[before].id.to_string().into());
            }
            if let Some(hop) = part.hops.get(*place) {
                add("failed_short_channel_id", hop.channel.to_string().into());
                add("failed_direction", hop.direction.into());
            }
            add("error_code", code.0.into());
        }
        let text = if known.is_some() { text } else { "Garbled error message" };
        add("error_message", text.into());
        let message = known.map(|known| hex::encode(&known.message));
        let head = json!({ "status": "failure", "failed_msg": message });
        self.notify_part_end(key, head, rest.into());
    }

    /// `pay_part_end`: what it begins with, and what it ends with.
    pub(super) fn notify_part_end(&mut self, key: &PaymentKey, head: Value, rest: Value) {
        let Some(plan) = self.plans.of_part(key).and_then(|number| self.plans.plans.get(&number)) else {
            return;
        };
        let lasted = (self.clock)().duration_since(plan.started).unwrap_or_default();
        let middle = json!({
            "duration": lasted.as_secs_f64(),
            "payment_hash": hex::encode(key.payment_hash),
            "groupid": key.groupid,
            "partid": key.partid,
        });
        let mut fields = Map::new();
        for members in [head, middle, rest] {
            let members = members.as_object().cloned().unwrap_or_default();
            fields.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
        }
        self.notify_of_xpay("pay_part_end", &fields.into());
    }
}

impl Plan {
    /// Whether the plugin `pay` pays, and not xpay in its place.
    fn is_of_old_pay(&self) -> bool {
        self.style == Style::Pay && self.goal.invoice.is_some()
    }

    /// As the plugin `pay` says that no way leads to the destination. It has a code for that, and loses it (`plugins/libplugin-pay.c:payment_abort`).
    fn unreachable(&self) -> RpcError {
        let destination = self.goal.destination;
        RpcError::new(
            0,
            format!("Destination {destination} is not reachable directly and all routehints were unusable."),
        )
    }

    fn answer(&self, node: &State, preimage: [u8; 32], sent_msat: u64) -> Value {
        let mut answer = json!({
            "payment_preimage": hex::encode(preimage),
            "amount_msat": node.amount(self.goal.amount_msat),
            "amount_sent_msat": node.amount(sent_msat),
        });
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let rest = match self.style {
            Style::Xpay => json!({
                "failed_parts": self.failures,
                "successful_parts": self.attempts - self.failures,
            }),
            // Another order (`plugins/libplugin-pay.c:json_add_payment_success`).
            Style::Pay => {
                return json!({
                    "destination": self.goal.destination.to_string(),
                    "payment_hash": hex::encode(self.goal.payment_hash),
                    "created_at": started.as_secs_f64(),
                    "parts": self.attempts,
                    "amount_msat": node.amount(self.goal.amount_msat),
                    "amount_sent_msat": node.amount(sent_msat),
                    "payment_preimage": hex::encode(preimage),
                    "status": "complete",
                });
            }
            Style::XpayAsPay => json!({
                "parts": self.attempts,
                "destination": self.goal.destination.to_string(),
                "payment_hash": hex::encode(self.goal.payment_hash),
                "status": "complete",
                "created_at": started.as_secs_f64(),
            }),
        };
        if let (Some(answer), Value::Object(mut rest)) = (answer.as_object_mut(), rest) {
            answer.append(&mut rest);
        }
        answer
    }
}
