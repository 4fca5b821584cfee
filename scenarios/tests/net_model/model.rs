//! The reference: what becomes of balances, HTLCs, payments and calls of hooks, and so what a sequence has to show.
//!
//! It knows nothing of commitments or blocks. Steps become a plan of actions, among them what nodes must say afterwards; where lightningd's
//! answer hangs on the last satoshi of a fee or a reserve, the step is left out.

mod closing;
mod expected;
mod ways;

use std::collections::BTreeMap;

use self::ways::Room;
use crate::action::Action;
use crate::step::{Fault, Step, Verdict};

/// What a wallet has beside the channel that it has just funded (`net.fundchannel`).
const SPARE_SAT: u64 = 1_000_000;

/// BOLT 4's temporary failures, and lightningd's own, as `waitsendpay` tells them.
const TRY_OTHER_ROUTE: i64 = 204;

struct Channel {
    /// Who opened it is first.
    ends: [usize; 2],
    capacity_sat: u64,
    msat: [u64; 2],
    is_open: bool,
    /// The height of its funding, at least.
    opened_at: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// At this place of its way, for a verdict.
    Waits(usize),
    Paid,
    Failed,
}

struct Payment {
    along: Vec<usize>,
    /// The channels that it goes through, as they were when it was sent.
    channels: Vec<usize>,
    /// What goes through each of them, in each part.
    msat: Vec<u64>,
    /// All parts go the same way, and get the same verdicts.
    parts: u64,
    status: Status,
    /// The payee has taken it for its invoice.
    is_invoice_paid: bool,
}

/// The model of a net, and the plan so far.
pub(crate) struct Model {
    nodes: usize,
    channels: Vec<Channel>,
    payments: Vec<Payment>,
    wallets_sat: Vec<u64>,
    /// How often a node has asked about a payment: at least, and at most.
    asked: Vec<BTreeMap<u64, (usize, usize)>>,
    /// By node and payment.
    forwards: BTreeMap<(usize, usize), &'static str>,
    height: u32,
    /// At which height nodes were started: a node does not survive a fork below the first block that it has seen then.
    started_at: Vec<u32>,
    plan: Vec<Action>,
    /// What nodes had to say last.
    said: Vec<Vec<String>>,
}

/// What has to be done, and what has to be seen.
pub(crate) fn plan(nodes: usize, steps: &[Step]) -> Vec<Action> {
    let mut model = Model::new(nodes);
    for step in steps {
        model.take(step);
    }
    for node in 0..nodes {
        model.look(node);
        model.count(node);
        model.weigh(node);
    }
    model.plan
}

impl Model {
    fn new(nodes: usize) -> Self {
        Self {
            nodes,
            channels: Vec::new(),
            payments: Vec::new(),
            wallets_sat: vec![0; nodes],
            asked: vec![BTreeMap::new(); nodes],
            forwards: BTreeMap::new(),
            height: 0,
            started_at: vec![0; nodes],
            plan: Vec::new(),
            said: vec![Vec::new(); nodes],
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Open { from, to, capacity_sat, push_percent } => {
                self.open(*from, *to, *capacity_sat, *push_percent);
            }
            Step::Pay { from, to, amount_msat, parts, verdicts, fault } => {
                self.pay([*from, *to], *amount_msat, *parts, verdicts, fault.as_ref());
            }
            Step::Judge { which, verdict, fault } => self.judge(*which, *verdict, fault.as_ref()),
            Step::Restart(node) => self.start_again(*node, Action::Restart(*node)),
            Step::Kill(node) => self.start_again(*node, Action::Kill(*node)),
            Step::Disconnect(node, peer) if self.between(*node, *peer).is_some() => {
                self.plan.push(Action::Disconnect(*node, *peer));
                self.look(*node);
                self.look(*peer);
            }
            Step::Disconnect(..) => {}
            Step::CrashPlugin(node) => self.crash_plugin(*node),
            Step::Block(blocks) => {
                self.height += blocks;
                self.plan.push(Action::Block(*blocks));
            }
            Step::Reorg { depth, shift } => self.reorg(*depth, *shift),
            Step::Close { by, with, alone, verdict } => self.close([*by, *with], *alone, *verdict),
        }
    }

    fn open(&mut self, from: usize, to: usize, capacity_sat: u64, push_percent: u64) {
        if from == to || self.between(from, to).is_some() {
            return;
        }
        let push_msat = capacity_sat * 10 * push_percent;
        let msat = [capacity_sat * 1000 - push_msat, push_msat];
        // One block for the wallet, and one for the channel.
        self.height += 2;
        self.wallets_sat[from] += SPARE_SAT;
        let opened_at = self.height;
        self.channels.push(Channel { ends: [from, to], capacity_sat, msat, is_open: true, opened_at });
        self.plan.push(Action::Open { from, to, capacity_sat, push_msat });
        self.look(from);
        self.look(to);
        self.weigh(from);
    }

    fn pay(
        &mut self,
        [from, to]: [usize; 2],
        amount_msat: u64,
        parts: u64,
        verdicts: &[Verdict],
        fault: Option<&Fault>,
    ) {
        let Some((along, channels)) = self.way(from, to) else { return };
        let mut msat = vec![amount_msat];
        for _ in 2..along.len() {
            let behind = msat[0];
            msat.insert(0, behind + 1 + behind / 100_000);
        }
        let room = self.room(channels[0], from, msat[0] * parts);
        // Of several parts, there may be room for the first ones.
        if room == Room::Unclear || (room == Room::TooLittle && parts > 1) {
            return;
        }
        let payment = self.payments.len();
        let number = payment as u64 + 1;
        let amount_msat = amount_msat * parts;
        self.plan.push(Action::Invoice { payment: number, payee: to, amount_msat });
        let mut armed = fault.filter(|_| room == Room::Enough && parts == 1);
        self.begin(armed);
        self.plan.push(Action::Send { payment: number, along: along.clone(), amount_msat, parts });
        let status = if room == Room::Enough { Status::Waits(1) } else { Status::Failed };
        self.payments.push(Payment { along, channels, msat, parts, status, is_invoice_paid: false });
        if room == Room::Enough {
            self.ask(payment);
        }
        for verdict in verdicts {
            if matches!(self.payments[payment].status, Status::Waits(_)) {
                let late = fault.filter(|_| armed.is_none() && self.may_fail_at(payment, *verdict));
                if late.is_some() {
                    self.payments[payment].along.clone().into_iter().for_each(|node| self.look(node));
                    self.begin(late);
                    armed = late;
                }
                self.answer(payment, *verdict);
            }
        }
        self.end(payment, armed);
    }

    /// Whether it is clear what becomes of a payment if a fault comes with a verdict: of parts that are offered, a later one fails if the
    /// connection goes before the peer has committed to the earlier one.
    fn may_fail_at(&self, payment: usize, verdict: Verdict) -> bool {
        let Payment { along, parts, status, .. } = &self.payments[payment];
        *parts == 1 || verdict != Verdict::Continue || *status == Status::Waits(along.len() - 1)
    }

    fn judge(&mut self, which: usize, verdict: Verdict, fault: Option<&Fault>) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        let payment = waiting[which % waiting.len()];
        let fault = fault.filter(|_| self.may_fail_at(payment, verdict));
        self.begin(fault);
        self.answer(payment, verdict);
        self.end(payment, fault);
    }

    fn begin(&mut self, fault: Option<&Fault>) {
        if let Some(fault) = fault {
            self.plan.push(Action::Arm(fault.clone()));
        }
    }

    /// What a payment has come to. A node that may have crashed may have asked again about what waited for it.
    fn end(&mut self, payment: usize, fault: Option<&Fault>) {
        if let Some(Fault::Commit { node, .. } | Fault::Called { node } | Fault::Answered { node }) = fault {
            self.started_at[*node] = self.height;
            let waiting = self.waiting();
            for (number, (_, most)) in &mut self.asked[*node] {
                let other = usize::try_from(*number - 1).expect("payments are few");
                if other == payment || waiting.contains(&other) {
                    *most += usize::try_from(self.payments[other].parts).expect("parts are few");
                }
            }
        }
        for node in 0..self.nodes {
            if fault.is_some() || self.lines(node) != self.said[node] {
                self.look(node);
            }
        }
        if let Some(fault) = fault {
            self.plan.push(Action::Disarm);
            // It may have crashed only now.
            self.look_around(fault.node());
        }
        let (payer, number) = (self.payments[payment].along[0], payment as u64 + 1);
        match self.payments[payment].status {
            Status::Waits(_) => {}
            Status::Paid => self.plan.push(Action::Paid { payer, payment: number }),
            Status::Failed => {
                self.plan.push(Action::Failed { payer, payment: number, code: TRY_OTHER_ROUTE });
            }
        }
        for node in self.payments[payment].along.clone() {
            self.count(node);
        }
    }

    fn answer(&mut self, payment: usize, verdict: Verdict) {
        let Status::Waits(place) = self.payments[payment].status else { return };
        let verdict = match verdict {
            Verdict::Continue if !self.is_clear(payment) => Verdict::Fail,
            other => other,
        };
        let verdict = self.timely(payment, verdict);
        let node = self.payments[payment].along[place];
        self.plan.push(Action::Answer { node, payment: payment as u64 + 1, verdict });
        self.decide(payment, verdict);
    }

    /// Whether it can be said how the next channel takes it: all of it, or nothing.
    fn is_clear(&self, payment: usize) -> bool {
        match self.next_room(payment) {
            None | Some(Room::Enough) => true,
            Some(Room::TooLittle) => self.payments[payment].parts == 1,
            Some(Room::Unclear) => false,
        }
    }

    fn decide(&mut self, payment: usize, verdict: Verdict) {
        let Status::Waits(place) = self.payments[payment].status else { return };
        let node = self.payments[payment].along[place];
        match (verdict, self.next_room(payment)) {
            (Verdict::Fail, _) => self.finish(payment, false),
            (Verdict::Resolve, _) => self.finish(payment, true),
            (Verdict::Continue, None) => {
                self.payments[payment].is_invoice_paid = true;
                self.finish(payment, true);
            }
            (Verdict::Continue, Some(Room::Enough)) => {
                self.forwards.insert((node, payment), "offered");
                self.payments[payment].status = Status::Waits(place + 1);
                self.ask(payment);
            }
            (Verdict::Continue, Some(_)) => {
                self.forwards.insert((node, payment), "local_failed");
                self.finish(payment, false);
            }
        }
    }

    /// A payment that waits has reached its end: money moves in all the channels that it has come through, or in none.
    fn finish(&mut self, payment: usize, is_paid: bool) {
        let Status::Waits(place) = self.payments[payment].status else { return };
        for hop in (0..place).rev() {
            let Payment { along, channels, msat, parts, .. } = &self.payments[payment];
            let (sender, msat) = (along[hop], msat[hop] * parts);
            let channel = &mut self.channels[channels[hop]];
            let side = usize::from(channel.ends[1] == sender);
            if is_paid && channel.is_open {
                channel.msat[side] -= msat;
                channel.msat[1 - side] += msat;
            }
            let is_on_chain = !channel.is_open;
            if is_on_chain {
                self.claim(payment, hop, is_paid);
            }
            if let Some(forward) = self.forwards.get_mut(&(sender, payment)) {
                *forward = match is_paid {
                    true => "settled",
                    // Nobody has failed it: it has timed out.
                    false if is_on_chain => "local_failed",
                    false => "failed",
                };
            }
        }
        self.payments[payment].status = if is_paid { Status::Paid } else { Status::Failed };
    }

    fn ask(&mut self, payment: usize) {
        let Status::Waits(place) = self.payments[payment].status else { return };
        let node = self.payments[payment].along[place];
        let (least, most) = self.asked[node].entry(payment as u64 + 1).or_default();
        let parts = usize::try_from(self.payments[payment].parts).expect("parts are few");
        (*least, *most) = (*least + parts, *most + parts);
    }

    fn start_again(&mut self, node: usize, action: Action) {
        self.plan.push(action);
        self.started_at[node] = self.height;
        for payment in self.waiting_at(node) {
            self.ask(payment);
        }
        self.look_around(node);
        self.count(node);
    }

    /// What waits for a plugin that dies goes on as if it had never been there.
    fn crash_plugin(&mut self, node: usize) {
        let waiting = self.waiting_at(node);
        let takes = |payment: &usize| matches!(self.next_room(*payment), None | Some(Room::Enough));
        // Of several for one channel, the order would decide.
        let channels: Vec<Option<usize>> =
            waiting.iter().map(|payment| self.next_channel(*payment)).collect();
        let share = |channel: &Option<usize>| channels.iter().filter(|other| *other == channel).count() > 1;
        if !waiting.iter().all(takes) || channels.iter().flatten().any(|channel| share(&Some(*channel))) {
            return;
        }
        self.plan.push(Action::CrashPlugin(node));
        for payment in &waiting {
            self.decide(*payment, Verdict::Continue);
        }
        for payment in waiting {
            self.end(payment, None);
        }
    }

    fn reorg(&mut self, depth: u32, shift: u32) {
        if self.started_at.iter().any(|started| started + depth > self.height) {
            return;
        }
        let is_young = |channel: &Channel| channel.is_open && channel.opened_at + depth > self.height;
        // A channel that moves has another short channel id than the one that the onion of a payment may name.
        if !self.waiting().is_empty() && self.channels.iter().any(is_young) {
            return;
        }
        self.height += 1;
        for channel in &mut self.channels {
            if channel.opened_at + depth + 1 > self.height {
                channel.opened_at = self.height;
            }
        }
        self.plan.push(Action::Reorg { depth, shift });
        (0..self.nodes).for_each(|node| self.look(node));
    }
}
