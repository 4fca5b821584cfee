//! What a backup plugin must do about each `db_write`, and whether one does it (CLN's `hooks.md`).

use std::fmt;
use std::panic::Location;
use std::sync::PoisonError;

use leyden_protocol::json;
use serde_json::Value;

use crate::database;
use crate::error::{Error, Result};
use crate::event::{Direction, EventKind};
use crate::node::Node;
use crate::transcript::{Content, Frame};

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
        // A new database begins with 1.
        let last = match self.last {
            None if write.data_version == 1 => 0,
            None => return Duty::Snapshot,
            Some(last) => last,
        };
        match write.data_version {
            new if new == last && write.is_lone_pragma() => Duty::AppendPragma,
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

impl Node {
    /// Checks the answers that a plugin has given to `db_write`, over all starts of the node, against the [`Rules`].
    ///
    /// What the plugin has made of the writes cannot be seen from here: compare its copy with [`Replica`](crate::Replica).
    ///
    /// # Errors
    /// If an answer was wrong; with every such answer. If the plugin was never asked.
    #[track_caller]
    pub fn check_backup(&self, plugin: &str) -> Result {
        let at = Location::caller();
        let calls = self.db_writes(plugin);
        let doing = format!("{}: the answers of {plugin} to db_write", self.name());
        if calls.is_empty() {
            return Err(Error::test(doing).expected("calls").came("it was never asked").at(at));
        }
        let mut rules = Rules::default();
        let mistakes: Vec<String> = calls
            .iter()
            .filter_map(|(write, answer)| rules.judge(write, answer))
            .map(|mistake| mistake.to_string())
            .collect();
        if mistakes.is_empty() {
            return Ok(());
        }
        let error = Error::plugin(doing).came(format!("{} of {} are wrong", mistakes.len(), calls.len()));
        Err(error.evidence("which", mistakes).at(at))
    }

    /// Gives the database another `data_version`, as if an older one had been put in its place, or as if plugins had missed
    /// writes. The node must not run.
    ///
    /// # Errors
    /// If it runs, or has no database yet.
    #[track_caller]
    pub fn set_data_version(&self, data_version: u32) -> Result {
        let at = Location::caller();
        let doing =
            || Error::test(format!("{}: setting the data_version of its database", self.name())).at(at);
        if self.is_running() {
            return Err(doing().came("it runs").advice("stop it first"));
        }
        database::set_data_version(&self.database(), data_version).map_err(|error| doing().because(error))?;
        if let Some(shadow) = &self.0.shadow {
            shadow.end();
        }
        Ok(())
    }

    /// Every transaction that a plugin was shown, and what it answered, over all starts of the node.
    pub fn db_writes(&self, plugin: &str) -> Vec<(DbWrite, Answer)> {
        let transcript = self.transcript(plugin).only(["db_write"]);
        let mut calls: Vec<(DbWrite, Answer)> = Vec::new();
        for frame in transcript.frames() {
            match frame.direction {
                Direction::ToPlugin => {
                    let write = frame.params().as_ref().and_then(DbWrite::from_params);
                    calls.extend(write.map(|write| (write, Answer::None)));
                }
                // lightningd waits for one answer before it asks again.
                Direction::FromPlugin => {
                    if let Some((_, answer)) = calls.last_mut() {
                        *answer = Answer::of(frame);
                    }
                }
            }
        }
        calls
    }

    /// Every transaction that the node is known to have shown, over all its starts; `None` if nobody could see them all.
    ///
    /// The embedded node tells. Of a real lightningd only a plugin with `db_write` knows, which a test must have given it from its
    /// first start on: one that the harness added would change what the others see, their requests' ids for one.
    pub(crate) fn known_writes(&self) -> Option<Vec<DbWrite>> {
        let events = self.timeline().events();
        let ours = events.iter().filter(|event| event.node.as_deref() == Some(self.name()));
        let told: Vec<DbWrite> = ours
            .filter_map(|event| match &event.kind {
                EventKind::DbWrite(write) => Some(write.clone()),
                _ => None,
            })
            .collect();
        if !told.is_empty() {
            return Some(told);
        }
        let mocks = self.0.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = mocks.iter().map(|mounted| self.db_writes(mounted.mock.name()));
        let shown = shown.find(|calls| calls.first().is_some_and(|(write, _)| write.data_version == 1))?;
        Some(shown.into_iter().map(|(write, _)| write).collect())
    }
}

impl Answer {
    fn of(frame: &Frame) -> Self {
        let text = match &frame.content {
            Content::Json(text) => text.clone(),
            Content::Garbage(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        let result = json::member(&text, "result").and_then(|result| json::member(result, "result"));
        if result == Some(r#""continue""#) { Self::Continue } else { Self::Refusal(text) }
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
