//! What a backup plugin must do about each `db_write`, and whether one does it (CLN's `hooks.md`).

mod calls;
mod case;
mod driver;
mod report;
mod stage;

use std::fmt;

use serde_json::Value;

pub use case::Case;
pub use driver::{BackupDriver, Candidate};
pub use report::{Breach, Played, Report};

/// A transaction as `db_write` shows it, before it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbWrite {
    /// Its number. It wraps around at 2^32.
    pub data_version: u32,
    /// Its SQL statements, values included.
    pub writes: Vec<String>,
}

impl DbWrite {
    /// Of the parameters of a call of `db_write`; `None` if they are not as lightningd sends them.
    pub fn from_params(params: &Value) -> Option<Self> {
        let data_version = params["data_version"].as_u64()?.try_into().ok()?;
        let writes = params["writes"].as_array()?.iter().map(|write| write.as_str().map(str::to_owned));
        Some(Self { data_version, writes: writes.collect::<Option<_>>()? })
    }

    /// Whether it is a lone pragma. Where lightningd rewrites a table of its own it executes two, outside of any transaction, and
    /// shows each under the number of the transaction before, which *is* committed.
    pub fn is_lone_pragma(&self) -> bool {
        matches!(&self.writes[..], [write] if write.starts_with("PRAGMA "))
    }
}

impl fmt::Display for DbWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "db_write {} of {} statements", self.data_version, self.writes.len())
    }
}

/// What a backup plugin must do about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// The number is one more than the last: keep the writes, and continue.
    Append,
    /// A lone pragma under the last number: keep it behind the last writes, and continue.
    AppendPragma,
    /// The last number again: the writes that it had were not committed. Replace them, and continue.
    Replace,
    /// Writes were missed: copy the whole database and continue, or refuse.
    Snapshot,
    /// The number is less than the last, so the node has an old database: refuse, and let the operator look.
    Halt,
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "one more than the last: keep the writes, and continue",
            Self::AppendPragma => "a lone pragma: keep it, and continue",
            Self::Replace => "the last one again, which was not committed: replace its writes, and continue",
            Self::Snapshot => "writes were missed: copy the database and continue, or refuse",
            Self::Halt => "less than the last: refuse, and let the operator look",
        })
    }
}

/// What a backup plugin answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `{"result": "continue"}`: the node commits.
    Continue,
    /// Anything else: the node ends without a commit. The whole answer.
    Refusal(String),
    /// Nothing: the plugin has died, or the node.
    None,
}

/// The rules for backup plugins, applied to one call after the other, over restarts of node and plugin.
///
/// ```
/// use leyden::backup::{DbWrite, Duty, Rules};
/// let mut rules = Rules::default();
/// let write = |data_version| DbWrite { data_version, writes: vec!["DELETE FROM blocks".into()] };
/// assert_eq!(rules.duty(&write(1)), Duty::Append);
/// rules.kept(&write(1));
/// assert_eq!(rules.duty(&write(1)), Duty::Replace);
/// assert_eq!(rules.duty(&write(3)), Duty::Snapshot);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    last: Option<u32>,
}

impl Rules {
    /// For a plugin that has kept everything up to this number.
    pub fn behind(data_version: u32) -> Self {
        Self { last: Some(data_version) }
    }

    /// The number that was kept last.
    pub fn last(&self) -> Option<u32> {
        self.last
    }

    /// What must be done about a call.
    pub fn duty(&self, write: &DbWrite) -> Duty {
        match self.duty_of(write.data_version) {
            Duty::Replace if write.is_lone_pragma() => Duty::AppendPragma,
            duty => duty,
        }
    }

    /// As [`Rules::duty`], of a transaction that is no lone pragma.
    fn duty_of(&self, data_version: u32) -> Duty {
        // A new database begins with 1.
        let last = match self.last {
            None if data_version == 1 => 0,
            None => return Duty::Snapshot,
            Some(last) => last,
        };
        match data_version {
            new if new == last.wrapping_add(1) => Duty::Append,
            new if new == last => Duty::Replace,
            new if new < last => Duty::Halt,
            _ => Duty::Snapshot,
        }
    }

    /// The plugin has kept it, and said continue.
    pub fn kept(&mut self, write: &DbWrite) {
        self.last = Some(write.data_version);
    }

    /// What is wrong with an answer; notes that the write was kept if it was continue. A call without an answer is nobody's mistake
    /// that could be told from here.
    pub fn judge(&mut self, write: &DbWrite, answer: &Answer) -> Option<Mistake> {
        let duty = self.duty(write);
        let is_mistake = match (duty, answer) {
            (_, Answer::None) | (Duty::Snapshot, _) => false,
            (Duty::Halt, Answer::Refusal(_)) => false,
            (Duty::Halt, Answer::Continue) => true,
            (_, Answer::Continue) => false,
            (_, Answer::Refusal(_)) => true,
        };
        let mistake = is_mistake.then(|| Mistake {
            data_version: write.data_version,
            last: self.last,
            duty,
            answer: answer.clone(),
        });
        if *answer == Answer::Continue {
            self.kept(write);
        }
        mistake
    }
}

/// An answer that a backup plugin should not have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The number that it was asked about.
    pub data_version: u32,
    /// The number that it had kept last.
    pub last: Option<u32>,
    /// What it had to do.
    pub duty: Duty,
    /// What it answered.
    pub answer: Answer,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data_version, last, duty, answer } = self;
        let last = last.map_or("none".to_owned(), |last| last.to_string());
        let answer = match answer {
            Answer::Continue => "continue",
            Answer::Refusal(text) => text,
            Answer::None => "nothing",
        };
        write!(f, "data_version {data_version} behind {last} is {duty}; the answer was {answer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(data_version: u32) -> DbWrite {
        DbWrite { data_version, writes: vec!["DELETE FROM blocks".into(), "UPDATE vars".into()] }
    }

    #[test]
    fn each_rule_has_its_case() {
        let pragma = DbWrite { data_version: 7, writes: vec!["PRAGMA foreign_keys = OFF;".into()] };
        assert_eq!(Rules::behind(7).duty(&pragma), Duty::AppendPragma);
        for (last, new, duty) in [
            (None, 1, Duty::Append),
            (None, 2, Duty::Snapshot),
            (Some(7), 8, Duty::Append),
            (Some(7), 7, Duty::Replace),
            (Some(7), 6, Duty::Halt),
            (Some(7), 9, Duty::Snapshot),
            (Some(u32::MAX), 0, Duty::Append),
            (Some(u32::MAX), 1, Duty::Halt),
            (Some(u32::MAX - 1), u32::MAX, Duty::Append),
            (Some(0), 1, Duty::Append),
            (Some(0), u32::MAX, Duty::Snapshot),
        ] {
            assert_eq!(Rules { last }.duty(&write(new)), duty, "{new} behind {last:?}");
        }
    }

    #[test]
    fn a_wrong_answer_is_explained() {
        let refusal = Answer::Refusal(r#"{"id":1,"result":{"result":"fail"}}"#.into());
        let mut rules = Rules::behind(7);
        let mistake = rules.judge(&write(8), &refusal).unwrap().to_string();
        assert_eq!(
            mistake,
            "data_version 8 behind 7 is one more than the last: keep the writes, and continue; the answer was \
             {\"id\":1,\"result\":{\"result\":\"fail\"}}"
        );
        assert_eq!(rules, Rules::behind(7), "what was refused was not kept");
        assert_eq!(rules.judge(&write(9), &refusal), None, "whoever has missed writes may refuse");
        let mistake = rules.judge(&write(3), &Answer::Continue).unwrap();
        assert_eq!((mistake.duty, mistake.last), (Duty::Halt, Some(7)));
    }

    /// What happens to a node between two calls.
    #[derive(Clone, Debug)]
    enum Happens {
        Commit,
        /// It dies before it commits, and asks again after its restart.
        Crash,
        /// It runs without the plugin for so many transactions.
        Without(u32),
        /// Its database is replaced by one that is older by so many transactions, and one more: one would look like a crash.
        OldDatabase(u32),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            4 => Just(Happens::Commit),
            2 => Just(Happens::Crash),
            1 => (1..9u32).prop_map(Happens::Without),
            1 => (1..9u32).prop_map(Happens::OldDatabase),
        ]
    }

    proptest! {
        /// The duty is what has happened to the node, wherever the numbers stand.
        #[test]
        fn the_duty_tells_what_has_happened(start in any::<u32>(), history in prop::collection::vec(happens(), 1..20)) {
            let (mut rules, mut stored) = (Rules::behind(start), start);
            for happened in history {
                let kept = rules.last.unwrap();
                let (next, expected) = match happened {
                    Happens::Commit => (stored.wrapping_add(1), Duty::Append),
                    Happens::Crash => (kept, Duty::Replace),
                    // Around the wrap a gap looks like an old database, and the other way round: both mean that somebody must look.
                    Happens::Without(n) => {
                        let next = stored.wrapping_add(1).wrapping_add(n);
                        (next, if next < kept { Duty::Halt } else { Duty::Snapshot })
                    }
                    Happens::OldDatabase(n) => {
                        let next = stored.wrapping_sub(n);
                        (next, if next < kept { Duty::Halt } else { Duty::Snapshot })
                    }
                };
                let write = write(next);
                prop_assert_eq!(rules.duty(&write), expected);
                if expected == Duty::Halt {
                    prop_assert_eq!(rules.judge(&write, &Answer::Refusal(String::new())), None);
                    return Ok(());
                }
                prop_assert_eq!(rules.judge(&write, &Answer::Continue), None);
                stored = next;
            }
        }
    }
}
