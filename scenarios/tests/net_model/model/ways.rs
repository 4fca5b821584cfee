//! Ways through the channels, and whether there is room in them.

use super::{Channel, Model, Payment, Status};

/// More than a commitment's fee, its anchors and what is kept for a rise of the fee.
const MARGIN_MSAT: u64 = 40_000_000;

/// Whether a channel carries one more HTLC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    TooLittle,
    /// That is the business of other tests.
    Unclear,
}

impl Model {
    /// The way with the fewest hops; of several, that through the nodes that come first.
    pub(super) fn way(&self, from: usize, to: usize) -> Option<(Vec<usize>, Vec<usize>)> {
        let mut ways = vec![(vec![from], Vec::new())];
        for _ in 1..self.nodes {
            let mut longer = Vec::new();
            for (along, channels) in &ways {
                for next in (0..self.nodes).filter(|next| !along.contains(next)) {
                    if let Some(channel) = self.between(along[along.len() - 1], next) {
                        longer.push(([&along[..], &[next]].concat(), [&channels[..], &[channel]].concat()));
                    }
                }
            }
            if let Some(found) =
                longer.iter().find(|(along, _): &&(Vec<usize>, Vec<usize>)| along.ends_with(&[to]))
            {
                return Some(found.clone());
            }
            ways = longer;
        }
        None
    }

    pub(super) fn between(&self, one: usize, other: usize) -> Option<usize> {
        let joins = |channel: &Channel| {
            channel.is_open && (channel.ends == [one, other] || channel.ends == [other, one])
        };
        self.channels.iter().position(joins)
    }

    pub(super) fn room(&self, channel: usize, sender: usize, msat: u64) -> Room {
        let Channel { ends, capacity_sat, msat: balances, is_open, .. } = &self.channels[channel];
        if !is_open {
            return Room::TooLittle;
        }
        let left = |side: usize| balances[side] - self.pending(channel, ends[side]);
        let side = usize::from(ends[1] == sender);
        let reserve_and_fees = capacity_sat * 10 + MARGIN_MSAT;
        let opener_has = left(0) - if side == 0 { msat.min(left(0)) } else { 0 };
        match left(side).checked_sub(msat) {
            None => Room::TooLittle,
            Some(rest) if rest >= reserve_and_fees && opener_has >= reserve_and_fees => Room::Enough,
            Some(_) => Room::Unclear,
        }
    }

    /// What a node has in HTLCs that it has offered in a channel.
    pub(super) fn pending(&self, channel: usize, sender: usize) -> u64 {
        let of_payment = |payment: &Payment| {
            let Status::Waits(place) = payment.status else { return 0 };
            let ours =
                (0..place).filter(|hop| payment.channels[*hop] == channel && payment.along[*hop] == sender);
            ours.map(|hop| payment.msat[hop] * payment.parts).sum()
        };
        self.payments.iter().map(of_payment).sum()
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        (0..self.payments.len())
            .filter(|payment| matches!(self.payments[*payment].status, Status::Waits(_)))
            .collect()
    }

    pub(super) fn waiting_at(&self, node: usize) -> Vec<usize> {
        let mut waiting = self.waiting();
        waiting.retain(|payment| {
            let Payment { along, status, .. } = &self.payments[*payment];
            matches!(status, Status::Waits(place) if along[*place] == node)
        });
        waiting
    }

    /// Whether the channel behind the node where a payment waits takes all of it; none for the payee.
    pub(super) fn next_room(&self, payment: usize) -> Option<Room> {
        let Payment { along, channels, msat, parts, status: Status::Waits(place), .. } =
            &self.payments[payment]
        else {
            return None;
        };
        let (channel, msat) = (*channels.get(*place)?, msat[*place] * parts);
        Some(self.room(channel, along[*place], msat))
    }

    pub(super) fn next_channel(&self, payment: usize) -> Option<usize> {
        let Status::Waits(place) = self.payments[payment].status else { return None };
        self.payments[payment].channels.get(place).copied()
    }
}
