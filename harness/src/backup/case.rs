//! What can happen to a node whose plugin keeps a copy of its database.

use std::fmt;

use super::{Duty, Rules};

/// A case that [`BackupDriver`](super::BackupDriver) plays. A node has the means for each: so each is played on a node, and the plugin sees what it would see
/// in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Case {
    /// The node runs, is stopped and runs on: deltas, and around the making of the database a lone pragma under a number that it had before.
    Deltas,
    /// The node crashes when the plugin has answered and nothing is committed, twice: the same number comes again, for other writes.
    CrashBeforeCommit,
    /// The plugin is killed when it is asked, and when it has answered before the node hears it: the node ends, and the same number comes again.
    DeathInDbWrite,
    /// Another plugin refuses what this one has kept: the node ends, and nothing of it stays.
    RefusedByAnother,
    /// Writes were missed: the database is some numbers further on.
    Gap,
    /// An older database is put back: the number is lower than one that the plugin has seen. Its refusal ends the node.
    OlderDatabase,
    /// The numbers wrap around at 2^32.
    Wrap,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Deltas,
        Self::CrashBeforeCommit,
        Self::DeathInDbWrite,
        Self::RefusedByAnother,
        Self::Gap,
        Self::OlderDatabase,
        Self::Wrap,
    ];

    /// What the plugin must do when it comes to that.
    pub fn duty(self) -> Duty {
        match self {
            Self::Deltas | Self::Wrap => Duty::Append,
            Self::CrashBeforeCommit | Self::DeathInDbWrite | Self::RefusedByAnother => Duty::Replace,
            Self::Gap => Duty::Snapshot,
            Self::OlderDatabase => Duty::Halt,
        }
    }

    /// Which of these numbers, shown one after the other, is the case; pragmas are none of them.
    pub(super) fn index_in(self, shown: &[u32]) -> Option<usize> {
        let pairs = shown.windows(2).enumerate().map(|(index, pair)| (index + 1, pair[0], pair[1]));
        let is_it = |&(_, last, new): &(usize, u32, u32)| match self {
            Self::Wrap => (last, new) == (u32::MAX, 0),
            other => Rules::behind(last).duty_of(new) == other.duty(),
        };
        pairs.filter(is_it).map(|(index, ..)| index).next_back()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deltas => "deltas",
            Self::CrashBeforeCommit => "a crash between answer and commit",
            Self::DeathInDbWrite => "its death in db_write",
            Self::RefusedByAnother => "a commit that another plugin refuses",
            Self::Gap => "a gap",
            Self::OlderDatabase => "an older database",
            Self::Wrap => "the wrap at 2^32",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_found_where_it_was_played() {
        assert_eq!(Case::CrashBeforeCommit.index_in(&[1, 2, 3, 3, 4]), Some(3));
        assert_eq!(Case::Gap.index_in(&[1, 2, 8, 9]), Some(2));
        assert_eq!(Case::OlderDatabase.index_in(&[1, 2, 3]), None);
        assert_eq!(Case::OlderDatabase.index_in(&[5, 6, 2]), Some(2));
        assert_eq!(Case::Wrap.index_in(&[u32::MAX - 1, u32::MAX, 0, 1]), Some(2));
    }
}
