//! Channels that are closed, and HTLCs that are in them then.

use super::{Channel, Model, Payment, Room, Status};
use crate::action::Action;
use crate::step::Verdict;

/// Less than this is no output of a transaction that closes a channel.
const DUST_SAT: u64 = 546;

/// Whether it pays to claim less is another question.
const WORTH_CLAIMING_SAT: u64 = 10_000;

/// The wallet of who has closed a channel pays for its HTLC transactions.
const WALLET_TO_CLAIM_SAT: u64 = 100_000;

impl Model {
    pub(super) fn close(&mut self, [by, with]: [usize; 2], alone: bool, verdict: Verdict) {
        let Some(channel) = self.between(by, with) else { return };
        let waiting = self.waiting_in(channel);
        let may_close = waiting.is_empty() || alone && self.can_claim(channel, by, &waiting);
        if !may_close {
            return;
        }
        let Channel { ends: [opener, other], capacity_sat, msat, .. } = self.channels[channel];
        let other_sat = (msat[1] - self.pending(channel, other)) / 1000;
        if alone && by == other && (DUST_SAT..WORTH_CLAIMING_SAT).contains(&other_sat) {
            return;
        }
        let other_sat = if other_sat < DUST_SAT { 0 } else { other_sat };
        let htlcs_sat: u64 = waiting.iter().map(|payment| self.output_sat(*payment, channel)).sum();
        self.wallets_sat[other] += other_sat;
        self.wallets_sat[opener] += capacity_sat - other_sat - htlcs_sat;
        self.channels[channel].is_open = false;
        self.height += 1;
        self.plan.push(if alone {
            Action::CloseAlone { by, with, opener, has: by == opener || other_sat > 0 }
        } else {
            Action::Close { by, with, opener }
        });
        for node in [by, with] {
            self.look(node);
            self.weigh(node);
        }
        for payment in waiting {
            while matches!(self.payments[payment].status, Status::Waits(_)) {
                self.answer(payment, verdict);
            }
            self.end(payment, None);
            [by, with].into_iter().for_each(|node| self.weigh(node));
        }
    }

    /// A verdict that fails a payment with an HTLC on the chain means to wait until that has timed out. Others that wait would do so as well.
    pub(super) fn timely(&self, payment: usize, verdict: Verdict) -> Verdict {
        let Payment { channels, status, .. } = &self.payments[payment];
        let Status::Waits(place) = status else { return verdict };
        let is_on_chain = channels[..*place].iter().any(|channel| !self.channels[*channel].is_open);
        let fails = match verdict {
            Verdict::Continue => self.next_room(payment) == Some(Room::TooLittle),
            Verdict::Fail => true,
            Verdict::Resolve => false,
        };
        if is_on_chain && fails && self.waiting().len() > 1 { Verdict::Resolve } else { verdict }
    }

    /// An HTLC on the chain goes to who has the preimage, or back.
    pub(super) fn claim(&mut self, payment: usize, hop: usize, is_paid: bool) {
        let Payment { along, channels, .. } = &self.payments[payment];
        let (sender, receiver) = (along[hop], along[hop + 1]);
        let (by, from) = if is_paid { (receiver, sender) } else { (sender, receiver) };
        let sat = self.output_sat(payment, channels[hop]);
        self.wallets_sat[by] += sat;
        self.plan.push(Action::Claim { payment: payment as u64 + 1, by, from, late: !is_paid });
    }

    fn waiting_in(&self, channel: usize) -> Vec<usize> {
        let mut waiting = self.waiting();
        waiting.retain(|payment| {
            let Payment { channels, status, .. } = &self.payments[*payment];
            matches!(status, Status::Waits(place) if channels[..*place].contains(&channel))
        });
        waiting
    }

    fn can_claim(&self, channel: usize, by: usize, waiting: &[usize]) -> bool {
        let is_worth = |payment: &usize| {
            let parts = self.payments[*payment].parts;
            self.output_sat(*payment, channel) >= WORTH_CLAIMING_SAT * parts
        };
        self.wallets_sat[by] >= WALLET_TO_CLAIM_SAT && waiting.iter().all(is_worth)
    }

    /// What a payment's HTLCs in a channel are on the chain.
    fn output_sat(&self, payment: usize, channel: usize) -> u64 {
        let Payment { channels, msat, parts, .. } = &self.payments[payment];
        let hop = channels.iter().position(|other| *other == channel);
        hop.map_or(0, |hop| msat[hop] / 1000 * parts)
    }
}
