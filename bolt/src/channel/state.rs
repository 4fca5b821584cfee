//! The life of an HTLC (and of a fee rate), step by step: lightningd's `enum htlc_state` with its names and numbers.

use crate::transaction::Side;
use std::fmt;

/// How far the two sides are with adding or removing an HTLC. A fee rate goes through the adding half.
///
/// `Sent…` and `Rcvd…` name the last message from our point of view; up to 9 the HTLC is ours, from 10 on the peer's. The number is
/// the column `hstate` of lightningd's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum HtlcState {
    /// We offered it.
    SentAddHtlc,
    /// It is in the peer's commitment.
    SentAddCommit,
    /// The peer has revoked the commitment before.
    RcvdAddRevocation,
    /// It is in ours as well.
    RcvdAddAckCommit,
    /// And cannot be undone: the peer may remove it now.
    SentAddAckRevocation,
    /// The peer removes it.
    RcvdRemoveHtlc,
    /// It is out of our commitment.
    RcvdRemoveCommit,
    /// We have revoked the one before.
    SentRemoveRevocation,
    /// It is out of the peer's as well.
    SentRemoveAckCommit,
    /// Gone for good.
    RcvdRemoveAckRevocation,
    /// The peer offered it.
    RcvdAddHtlc,
    /// It is in our commitment.
    RcvdAddCommit,
    /// We have revoked the commitment before.
    SentAddRevocation,
    /// It is in the peer's as well.
    SentAddAckCommit,
    /// And cannot be undone: we may forward it, and remove it.
    RcvdAddAckRevocation,
    /// We remove it.
    SentRemoveHtlc,
    /// It is out of the peer's commitment.
    SentRemoveCommit,
    /// The peer has revoked the one before.
    RcvdRemoveRevocation,
    /// It is out of ours as well.
    RcvdRemoveAckCommit,
    /// Gone for good.
    SentRemoveAckRevocation,
}

/// The four messages that move HTLCs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    SendCommit,
    ReceiveRevoke,
    ReceiveCommit,
    SendRevoke,
}

impl HtlcState {
    /// All, by number.
    pub const ALL: [Self; 20] = [
        Self::SentAddHtlc,
        Self::SentAddCommit,
        Self::RcvdAddRevocation,
        Self::RcvdAddAckCommit,
        Self::SentAddAckRevocation,
        Self::RcvdRemoveHtlc,
        Self::RcvdRemoveCommit,
        Self::SentRemoveRevocation,
        Self::SentRemoveAckCommit,
        Self::RcvdRemoveAckRevocation,
        Self::RcvdAddHtlc,
        Self::RcvdAddCommit,
        Self::SentAddRevocation,
        Self::SentAddAckCommit,
        Self::RcvdAddAckRevocation,
        Self::SentRemoveHtlc,
        Self::SentRemoveCommit,
        Self::RcvdRemoveRevocation,
        Self::RcvdRemoveAckCommit,
        Self::SentRemoveAckRevocation,
    ];

    /// The state with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its number in the database.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name that lightningd prints, for example `SENT_ADD_HTLC`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SentAddHtlc => "SENT_ADD_HTLC",
            Self::SentAddCommit => "SENT_ADD_COMMIT",
            Self::RcvdAddRevocation => "RCVD_ADD_REVOCATION",
            Self::RcvdAddAckCommit => "RCVD_ADD_ACK_COMMIT",
            Self::SentAddAckRevocation => "SENT_ADD_ACK_REVOCATION",
            Self::RcvdRemoveHtlc => "RCVD_REMOVE_HTLC",
            Self::RcvdRemoveCommit => "RCVD_REMOVE_COMMIT",
            Self::SentRemoveRevocation => "SENT_REMOVE_REVOCATION",
            Self::SentRemoveAckCommit => "SENT_REMOVE_ACK_COMMIT",
            Self::RcvdRemoveAckRevocation => "RCVD_REMOVE_ACK_REVOCATION",
            Self::RcvdAddHtlc => "RCVD_ADD_HTLC",
            Self::RcvdAddCommit => "RCVD_ADD_COMMIT",
            Self::SentAddRevocation => "SENT_ADD_REVOCATION",
            Self::SentAddAckCommit => "SENT_ADD_ACK_COMMIT",
            Self::RcvdAddAckRevocation => "RCVD_ADD_ACK_REVOCATION",
            Self::SentRemoveHtlc => "SENT_REMOVE_HTLC",
            Self::SentRemoveCommit => "SENT_REMOVE_COMMIT",
            Self::RcvdRemoveRevocation => "RCVD_REMOVE_REVOCATION",
            Self::RcvdRemoveAckCommit => "RCVD_REMOVE_ACK_COMMIT",
            Self::SentRemoveAckRevocation => "SENT_REMOVE_ACK_REVOCATION",
        }
    }

    /// Who offered the HTLC.
    pub fn owner(self) -> Side {
        if self < Self::RcvdAddHtlc { Side::Local } else { Side::Remote }
    }

    /// The same moment as the peer sees it.
    #[must_use]
    pub fn of_peer(self) -> Self {
        Self::ALL[(usize::from(self.number()) + 10) % 20]
    }

    /// Whether it is in the commitment of `side`.
    pub fn is_committed(self, side: Side) -> bool {
        match side {
            Side::Local => matches!(self.number(), 3..=5 | 11..=17),
            Side::Remote => self.of_peer().is_committed(Side::Local),
        }
    }

    /// Whether it was in the commitment of `side` once, and is no longer.
    pub fn is_removed(self, side: Side) -> bool {
        match side {
            Side::Local => matches!(self.number(), 6..=9 | 18 | 19),
            Side::Remote => self.of_peer().is_removed(Side::Local),
        }
    }

    /// Whether the next commitment of `side` adds or removes it.
    pub fn is_pending(self, side: Side) -> bool {
        match side {
            Side::Local => self.after(Step::ReceiveCommit).is_some(),
            Side::Remote => self.after(Step::SendCommit).is_some(),
        }
    }

    /// Whether it is in no commitment any more, and no revocation is missing.
    pub fn is_dead(self) -> bool {
        matches!(self, Self::RcvdRemoveAckRevocation | Self::SentRemoveAckRevocation)
    }

    /// Whether no commitment has ever had it: after a disconnection it is as if nobody had ever spoken of it.
    pub fn is_uncommitted(self) -> bool {
        matches!(self, Self::SentAddHtlc | Self::RcvdAddHtlc)
    }

    /// The state of a fee rate that both sides use: the last one of adding.
    pub(super) fn settled(opener: Side) -> Self {
        match opener {
            Side::Local => Self::SentAddAckRevocation,
            Side::Remote => Self::RcvdAddAckRevocation,
        }
    }

    /// Where it comes from, if our last `commitment_signed` brought it here.
    pub(super) fn before_send_commit(self) -> Option<Self> {
        self.after(Step::ReceiveRevoke).and_then(|_| Self::from_number(self.number() - 1))
    }

    /// Where `step` leads, if it moves an HTLC in this state.
    pub(super) fn after(self, step: Step) -> Option<Self> {
        let number = self.number();
        let moves = match step {
            Step::SendCommit => matches!(number, 0 | 7 | 12 | 15),
            Step::ReceiveRevoke => matches!(number, 1 | 8 | 13 | 16),
            Step::ReceiveCommit => matches!(number, 2 | 5 | 10 | 17),
            Step::SendRevoke => matches!(number, 3 | 6 | 11 | 18),
        };
        if moves { Self::from_number(number + 1) } else { None }
    }
}

impl fmt::Display for HtlcState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_in_one_order() {
        for (number, state) in HtlcState::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(state.number()), number);
            let words = state.name().split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase());
            assert_eq!(words.collect::<String>(), format!("{state:?}"));
        }
        assert_eq!(HtlcState::from_number(20), None);
    }

    #[test]
    fn each_state_is_left_by_one_step_of_each_side() {
        for state in HtlcState::ALL {
            let steps = [Step::SendCommit, Step::ReceiveRevoke, Step::ReceiveCommit, Step::SendRevoke];
            let ways = steps.into_iter().filter(|step| state.after(*step).is_some()).count();
            // From 4 and 14 it is an update that leads on, from 9 and 19 nothing does.
            assert_eq!(ways, usize::from(!matches!(state.number() % 10, 4 | 9)), "{state}");
        }
    }

    #[test]
    fn what_one_side_sends_the_other_receives() {
        for state in HtlcState::ALL {
            for (sent, received) in
                [(Step::SendCommit, Step::ReceiveCommit), (Step::SendRevoke, Step::ReceiveRevoke)]
            {
                let peer = state.of_peer().after(received);
                assert_eq!(state.after(sent).map(HtlcState::of_peer), peer, "{state}");
            }
            assert_ne!(state.owner(), state.of_peer().owner());
        }
    }

    /// An HTLC enters each commitment once and leaves it once.
    #[test]
    fn commitments_are_entered_and_left_once() {
        for (first, last) in [(0, 9), (10, 19)] {
            for side in Side::BOTH {
                let of = |number: u8| {
                    let state = HtlcState::from_number(number).expect("a state");
                    (state.is_committed(side), state.is_removed(side))
                };
                let changes = (first..last).filter(|number| of(*number) != of(number + 1)).count();
                assert_eq!((of(first), of(last), changes), ((false, false), (false, true), 2));
            }
        }
    }
}
