//! Payments that this node finds the way for: `xpay`, `pay`, `xkeysend`, `keysend` (`plugins/xpay/xpay.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`goal`] | what is to be paid: of an invoice, or without one |
//! | [`route`] | finding routes, with what failures taught |
//! | [`part`] | sending a part, and what becomes of it |
//! | [`learn`] | what a failure says about channels, or about the payment |
//! | [`answer`] | what the client is told in the end |
//!
//! A plan lives as long as its client waits or a part of it is on its way. It does not survive a restart, as in lightningd; its parts do.

mod answer;
pub(super) mod goal;
mod learn;
mod part;
mod route;

use super::PaymentKey;
use super::progress::Progress;
use crate::jsonrpc::Client;
use crate::jsonrpc::internal::BundledCall;
use crate::state::State;
use crate::world::unix_seconds;
use answer::GiveUp;
use goal::Goal;
use leyden_bolt::gossip::{Exclusion, Hop, LocalHalf};
use leyden_bolt::onion::OnionSecret;
use leyden_protocol::message::RpcError;
use part::{already_paid, injected};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// How a client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As `xpay` gives it.
    Xpay,
    /// As `xpay-as-pay` gives it: for `pay`, which it has taken over.
    XpayAsPay,
    /// As the plugins of before give it, for `pay` and `keysend`.
    Pay,
}

/// What a payment may cost.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) max_fee_msat: u64,
    /// In blocks.
    pub(super) max_delay: u32,
    /// How long other ways are tried, in seconds.
    pub(super) retry_for: u64,
    /// The most parts that may be on their way; `None` for as many as help.
    pub(super) max_parts: Option<usize>,
    /// What locked money costs, in per cent per year.
    pub(super) riskfactor: f64,
    /// Ways that the client does not want.
    pub(super) exclude: Vec<Exclusion>,
}

/// A payment on its way.
pub(super) struct Plan {
    /// Who waits for it; `None` once that one is answered.
    client: Option<Client>,
    style: Style,
    goal: Goal,
    limits: Limits,
    started: SystemTime,
    groupid: u64,
    /// What is on its way, by `partid`.
    parts: BTreeMap<u64, PlannedPart>,
    attempts: u64,
    /// The `partid` of the first attempt.
    first_partid: u64,
    failures: u64,
    /// What failures said, for the client.
    told: String,
    excluded: Vec<Exclusion>,
    /// What is known of channels since they failed parts; of one channel the last counts.
    learnt: Vec<LocalHalf>,
}

/// A part of a plan that is on its way.
struct PlannedPart {
    hops: Vec<Hop>,
    secrets: Vec<OnionSecret>,
    amount_msat: u64,
}

impl PlannedPart {
    fn sent_msat(&self) -> u64 {
        self.hops.first().map_or(self.amount_msat, |hop| hop.amount_msat)
    }
}

/// Every plan, by a number that is not used again.
#[derive(Default)]
pub(crate) struct Plans {
    plans: BTreeMap<u64, Plan>,
    next: u64,
}

impl Plans {
    /// Whether somebody works on this payment.
    pub(super) fn is_paying(&self, payment_hash: &[u8; 32]) -> bool {
        self.plans.values().any(|plan| plan.client.is_some() && plan.goal.payment_hash == *payment_hash)
    }

    fn of_part(&self, key: &PaymentKey) -> Option<u64> {
        let has = |plan: &Plan| {
            plan.goal.payment_hash == key.payment_hash
                && plan.groupid == key.groupid
                && plan.parts.contains_key(&key.partid)
        };
        self.plans.iter().find(|(_, plan)| has(plan)).map(|(number, _)| *number)
    }

    /// The plan with this number, if its client still waits.
    fn wanted(&mut self, number: u64) -> Option<&mut Plan> {
        self.plans.get_mut(&number).filter(|plan| plan.client.is_some())
    }

    /// Forgets a plan that has nothing left to do.
    fn clean(&mut self, number: u64) {
        if self.plans.get(&number).is_some_and(|plan| plan.client.is_none() && plan.parts.is_empty()) {
            self.plans.remove(&number);
        }
    }
}

impl State {
    /// Begins to pay, if the signer approves: so plugins can refuse a payment.
    pub(super) fn start_plan(
        &mut self,
        call: BundledCall,
        goal: Goal,
        limits: Limits,
        style: Style,
    ) -> Result<(), RpcError> {
        let (method, params) = match &goal.invoice {
            Some(invoice) => ("preapproveinvoice", json!({ "bolt11": invoice })),
            None => (
                "preapprovekeysend",
                json!({
                    "destination": goal.destination.to_string(),
                    "payment_hash": hex::encode(goal.payment_hash),
                    "amount_msat": self.amount(goal.amount_msat),
                }),
            ),
        };
        self.call_first_of_late(call, method, &params, move |node, call| {
            node.start_approved(call.client.clone(), goal, limits, style);
            Ok(())
        })
    }

    fn start_approved(&mut self, client: Client, goal: Goal, limits: Limits, style: Style) {
        // As lightningd draws it, of 63 bits.
        let draw = self.entropy.draw();
        let groupid = u64::from_be_bytes(*draw.first_chunk().expect("a secret is longer")) >> 1;
        let amount_msat = goal.amount_msat;
        let excluded = limits.exclude.clone();
        let plan = Plan {
            client: Some(client),
            style,
            goal,
            limits,
            started: (self.clock)(),
            groupid,
            parts: BTreeMap::new(),
            attempts: 0,
            first_partid: 1,
            failures: 0,
            told: String::new(),
            excluded,
            learnt: Vec::new(),
        };
        let number = self.plans.next;
        self.plans.next += 1;
        let is_mine = plan.goal.destination == self.node_id;
        self.plans.plans.insert(number, plan);
        if is_mine {
            self.plan_to_myself(number);
        } else {
            self.pursue(number, amount_msat);
        }
    }

    /// Sends so much, in as many parts as it takes.
    fn pursue(&mut self, number: u64, amount_msat: u64) {
        let now = unix_seconds((self.clock)());
        let Some(plan) = self.plans.wanted(number) else { return };
        if plan.attempts > 0 && now > unix_seconds(plan.started) + plan.limits.retry_for {
            return self.give_up(number, GiveUp::TimedOut);
        }
        let routes = match self.plan_routes(number, amount_msat) {
            Ok(routes) => routes,
            Err(error) => return self.give_up(number, GiveUp::NoRoute { error, amount_msat }),
        };
        let mut refused = Vec::new();
        for hops in routes {
            match self.send_planned(number, hops) {
                Ok(refusal) => refused.extend(refusal),
                Err(error) => return self.give_up(number, GiveUp::NotSent(error)),
            }
        }
        for (payment, refusal) in refused {
            self.fail_refused(&payment, refusal);
        }
    }

    /// The way to an invoice of our own has no hops.
    fn plan_to_myself(&mut self, number: u64) {
        let Some(plan) = self.plans.wanted(number) else { return };
        plan.attempts = 1;
        let (payment, secret) = (plan.payment(1, &[]), plan.goal.payment_secret);
        match self.check_progress(&payment) {
            Ok(Progress::New) => {}
            Ok(_) => return self.give_up(number, GiveUp::NotSent(already_paid())),
            Err(error) => return self.give_up(number, GiveUp::NotSent(injected(&error))),
        }
        match self.pay_myself(payment, secret.as_ref()) {
            Ok(paid) => self.answer_paid(number, paid.preimage.unwrap_or_default(), paid.sent.amount_msat),
            Err(_) => self.give_up(number, GiveUp::UnknownToDestination),
        }
    }

    /// Ends a plan for its client with an error.
    fn fail_plan(&mut self, number: u64, error: &RpcError) {
        if let Some(client) = self.plans.wanted(number).and_then(|plan| plan.client.take()) {
            self.notify_of_end(number, "pay_failure", Some(error));
            self.reply_error(&client, error);
        }
        self.plans.clean(number);
    }
}
