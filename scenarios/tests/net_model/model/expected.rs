//! What has to be seen at any moment.

use super::{Model, Status};
use crate::action::Action;

impl Model {
    pub(super) fn look(&mut self, node: usize) {
        self.said[node] = self.lines(node);
        self.plan.push(Action::Sees { node, lines: self.said[node].clone() });
    }

    /// A node may have lost its connections: it makes them anew, and then its peers have them too.
    pub(super) fn look_around(&mut self, node: usize) {
        self.look(node);
        for peer in (0..self.nodes).filter(|peer| *peer != node) {
            if self.between(node, peer).is_some() {
                self.look(peer);
            }
        }
    }

    pub(super) fn count(&mut self, node: usize) {
        let times = self.asked[node].iter().map(|(payment, (least, most))| (*payment, *least, *most));
        self.plan.push(Action::Asked { node, times: times.collect() });
    }

    pub(super) fn weigh(&mut self, node: usize) {
        self.plan.push(Action::Owns { node, sat: self.wallets_sat[node] });
    }

    /// What a node says, as [`crate::stage::Stage::sees`] has it.
    pub(super) fn lines(&self, node: usize) -> Vec<String> {
        let mut lines: Vec<String> = (0..self.channels.len())
            .filter(|channel| self.channels[*channel].is_open && self.channels[*channel].ends.contains(&node))
            .map(|channel| self.channel_line(channel, node))
            .collect();
        lines.sort();
        let numbered = || (1..).zip(&self.payments);
        for (number, payment) in numbered().filter(|(_, payment)| payment.along[0] == node) {
            let status = match payment.status {
                Status::Waits(_) => "pending",
                Status::Paid => "complete",
                Status::Failed => "failed",
            };
            match payment.parts {
                1 => lines.push(format!("payment {number}: {status}")),
                parts => {
                    lines.extend((1..=parts).map(|part| format!("payment {number}, part {part}: {status}")));
                }
            }
        }
        for (number, payment) in numbered().filter(|(_, payment)| payment.along.ends_with(&[node])) {
            let status = if payment.is_invoice_paid { "paid" } else { "unpaid" };
            lines.push(format!("invoice {number}: {status}"));
        }
        for status in ["offered", "settled", "failed", "local_failed"] {
            let such = self.forwards.iter().filter(|((by, _), is)| *by == node && **is == status);
            let count: u64 = such.map(|((_, payment), _)| self.payments[*payment].parts).sum();
            if count > 0 {
                lines.push(format!("forwards {status}: {count}"));
            }
        }
        lines
    }

    fn channel_line(&self, place: usize, node: usize) -> String {
        let channel = &self.channels[place];
        let side = usize::from(channel.ends[1] == node);
        let mut line = format!("with l{}: {} msat", channel.ends[1 - side] + 1, channel.msat[side]);
        for (number, payment) in (1..).zip(&self.payments) {
            let Status::Waits(reached) = payment.status else { continue };
            for hop in (0..reached).filter(|hop| payment.channels[*hop] == place) {
                let direction = if payment.along[hop] == node { "out" } else { "in" };
                let htlc = format!(", {direction} {number}: {} msat", payment.msat[hop]);
                (0..payment.parts).for_each(|_| line.push_str(&htlc));
            }
        }
        line
    }
}
