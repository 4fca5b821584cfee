//! The fee rate of the commitments: it changes through the same steps as an HTLC that is added.

use super::state::{HtlcState, Step};
use crate::transaction::Side;
use std::collections::BTreeMap;

/// Fee rates by state, in sat per 1000 weight; lightningd's `fee_states` and its table `channel_feerates`.
///
/// In the last state there is always one; others are changes under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeStates {
    opener: Side,
    feerates: BTreeMap<HtlcState, u32>,
}

impl FeeStates {
    /// With what `open_channel` said.
    pub fn new(opener: Side, feerate_per_kw: u32) -> Self {
        Self { opener, feerates: BTreeMap::from([(HtlcState::settled(opener), feerate_per_kw)]) }
    }

    /// From rows of `channel_feerates`; `None` if the one is missing that both sides use, or one is of the wrong side.
    pub fn from_rows(opener: Side, rows: impl IntoIterator<Item = (HtlcState, u32)>) -> Option<Self> {
        let feerates: BTreeMap<_, _> = rows.into_iter().collect();
        let last = HtlcState::settled(opener);
        let fits = feerates.keys().all(|state| state.owner() == opener && *state <= last);
        (fits && feerates.contains_key(&last)).then_some(Self { opener, feerates })
    }

    /// The rows, without a change that nobody is committed to.
    pub fn rows(&self) -> impl Iterator<Item = (HtlcState, u32)> {
        self.feerates
            .iter()
            .map(|(state, feerate)| (*state, *feerate))
            .filter(|(state, _)| !state.is_uncommitted())
    }

    /// What the commitment of `side` has: the newest that is in it.
    pub fn of(&self, side: Side) -> u32 {
        let committed = self.feerates.iter().find(|(state, _)| state.is_committed(side));
        *committed.expect("the last state is committed on both sides").1
    }

    /// Whether no change is under way.
    pub(super) fn is_settled(&self) -> bool {
        self.feerates.len() == 1
    }

    pub(super) fn is_pending(&self, side: Side) -> bool {
        self.feerates.keys().any(|state| state.is_pending(side))
    }

    pub(super) fn get(&self, state: HtlcState) -> Option<u32> {
        self.feerates.get(&state).copied()
    }

    /// A new rate, in place of one that was not committed yet.
    pub(super) fn start(&mut self, feerate_per_kw: u32) {
        let first = match self.opener {
            Side::Local => HtlcState::SentAddHtlc,
            Side::Remote => HtlcState::RcvdAddHtlc,
        };
        self.feerates.insert(first, feerate_per_kw);
    }

    /// Moves all changes on that `step` moves, and tells whether there was one.
    pub(super) fn step(&mut self, step: Step) -> bool {
        let mut changed = false;
        // From the back: one must not move twice.
        for state in HtlcState::ALL.into_iter().rev().filter(|state| *state < HtlcState::settled(self.opener))
        {
            if let Some(next) = state.after(step)
                && let Some(feerate) = self.feerates.remove(&state)
            {
                self.feerates.insert(next, feerate);
                changed = true;
            }
        }
        changed
    }

    /// As it was before the last [`Step::SendCommit`].
    pub(super) fn undo_commit(&mut self) {
        self.feerates = std::mem::take(&mut self.feerates)
            .into_iter()
            .map(|(state, feerate)| (state.before_send_commit().unwrap_or(state), feerate))
            .collect();
    }

    pub(super) fn forget_uncommitted(&mut self) {
        self.feerates.retain(|state, _| !state.is_uncommitted());
    }
}

/// What a fee rate may rise to before an HTLC that we offer gets stuck: twice as much when it is low, a tenth more when it is
/// high (`marginal_feerate` of lightningd's `common/fee_states.c`).
pub(super) fn marginal_feerate(feerate_per_kw: u32) -> u32 {
    const LOW: u64 = 253;
    const HIGH: u64 = 45_000;
    let feerate = u64::from(feerate_per_kw).max(LOW);
    let margin = if feerate > HIGH {
        feerate / 10
    } else {
        let range = HIGH - LOW;
        feerate * (range * 10 - (feerate - LOW) * 9) / (range * 10)
    };
    u32::try_from(feerate + margin).unwrap_or(u32::MAX)
}

/// The fee rate at which dust is measured, so that a change does not surprise (`htlc_trim_feerate_ceiling`).
pub(super) fn dust_buffer_feerate(feerate_per_kw: u32) -> u32 {
    feerate_per_kw.saturating_add((feerate_per_kw / 4).max(2530))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reaches_the_peer_first_then_us() {
        let mut fees = FeeStates::new(Side::Local, 1000);
        fees.start(2000);
        let mut seen = Vec::new();
        for step in [Step::SendCommit, Step::ReceiveRevoke, Step::ReceiveCommit, Step::SendRevoke] {
            seen.push((fees.of(Side::Local), fees.of(Side::Remote), fees.is_settled()));
            fees.step(step);
        }
        assert_eq!(
            seen,
            [(1000, 1000, false), (1000, 2000, false), (1000, 2000, false), (2000, 2000, false)]
        );
        assert_eq!(fees, FeeStates::new(Side::Local, 2000));
    }

    #[test]
    fn a_second_change_replaces_the_first_until_it_is_committed() {
        let mut fees = FeeStates::new(Side::Remote, 1000);
        fees.start(2000);
        fees.start(3000);
        fees.step(Step::ReceiveCommit);
        fees.start(4000);
        assert_eq!((fees.of(Side::Local), fees.of(Side::Remote)), (3000, 1000));
        fees.forget_uncommitted();
        assert_eq!(
            fees.rows().collect::<Vec<_>>(),
            [(HtlcState::RcvdAddCommit, 3000), (HtlcState::RcvdAddAckRevocation, 1000)]
        );
    }

    #[test]
    fn rows_need_the_settled_rate_of_the_opener() {
        let settled = (HtlcState::SentAddAckRevocation, 253);
        assert!(FeeStates::from_rows(Side::Local, [settled]).is_some());
        assert!(FeeStates::from_rows(Side::Remote, [settled]).is_none());
        assert!(FeeStates::from_rows(Side::Local, [(HtlcState::SentAddCommit, 253)]).is_none());
    }

    /// Values of lightningd's own formula, in its floating point numbers.
    #[test]
    fn the_margin_shrinks_as_fees_rise() {
        for (feerate, marginal) in
            [(100, 506), (253, 506), (1000, 1984), (7500, 13_906), (45_000, 49_500), (50_000, 55_000)]
        {
            assert!(
                marginal_feerate(feerate).abs_diff(marginal) <= 1,
                "{feerate}: {}",
                marginal_feerate(feerate)
            );
        }
        assert_eq!(marginal_feerate(u32::MAX), u32::MAX);
    }

    #[test]
    fn dust_is_measured_at_a_quarter_more_or_2530_more() {
        assert_eq!((dust_buffer_feerate(253), dust_buffer_feerate(20_000)), (2783, 25_000));
    }
}
