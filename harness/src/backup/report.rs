//! What came of the cases that a backup plugin was played through.

use std::fmt;

use super::{Answer, Case, DbWrite, Duty};
use crate::error::{Error, Result};

/// How much of a frame is shown.
const SHOWN: usize = 300;

/// What [`BackupDriver::run`](super::BackupDriver::run) has seen; printed, a line for each case, and more about what is wrong.
#[derive(Clone, Debug)]
#[must_use = "call `check()`, which fails if a rule was broken"]
pub struct Report {
    /// The plugin.
    pub plugin: String,
    /// The cases, in the order in which they were played.
    pub cases: Vec<Played>,
}

/// A case that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which.
    pub case: Case,
    /// Every transaction that the plugin was shown, and what it answered.
    pub shown: Vec<(DbWrite, Answer)>,
    /// The rules that it has broken.
    pub breaches: Vec<Breach>,
    /// What else there is to say, such as that it refused what it may refuse.
    pub notes: Vec<String>,
}

/// A rule that a backup plugin has broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What it did.
    pub fault: String,
    /// The call about which it did so, as lightningd sent it.
    pub frame: String,
    /// What it had to do.
    pub rule: Duty,
    /// More lines about it: the answer, or in what its copy differs.
    pub evidence: Vec<String>,
}

impl Report {
    /// Every broken rule, with its case.
    pub fn breaches(&self) -> impl Iterator<Item = (Case, &Breach)> {
        self.cases.iter().flat_map(|played| played.breaches.iter().map(|breach| (played.case, breach)))
    }

    /// Fails if a rule was broken.
    ///
    /// # Errors
    /// With every breach: the fault, the frame and the rule.
    #[track_caller]
    pub fn check(&self) -> Result {
        let broken = self.cases.iter().filter(|played| !played.breaches.is_empty()).count();
        if broken == 0 {
            return Ok(());
        }
        let mut error = Error::plugin(format!("{} as a backup plugin", self.plugin))
            .expected("the rules of db_write to be kept")
            .came(format!("{broken} of {} cases break one", self.cases.len()))
            .advice("CLN's hooks.md has the rules, at db_write");
        for (case, breach) in self.breaches() {
            error = error.evidence(format!("{case}: {}", breach.fault), breach.lines());
        }
        Err(error)
    }
}

impl Breach {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("rule:  {}", self.rule), format!("frame: {}", cut(&self.frame))];
        lines.extend(self.evidence.iter().map(|line| cut(line)));
        lines
    }
}

impl Played {
    /// How many answers there were of each kind.
    fn answers(&self) -> String {
        let count = |is: fn(&Answer) -> bool| self.shown.iter().filter(|(_, answer)| is(answer)).count();
        let kinds = [
            (count(|answer| *answer == Answer::Continue), "continue"),
            (count(|answer| matches!(answer, Answer::Refusal(_))), "refusal"),
            (count(|answer| *answer == Answer::None), "no answer"),
        ];
        let kinds =
            kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}"));
        kinds.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} as a backup plugin:", self.plugin)?;
        for played in &self.cases {
            let verdict = if played.breaches.is_empty() { "kept" } else { "BROKEN" };
            write!(f, "  {}: {verdict}; {} calls: {}", played.case, played.shown.len(), played.answers())?;
            played.notes.iter().try_for_each(|note| write!(f, "; {note}"))?;
            writeln!(f)?;
            for breach in &played.breaches {
                writeln!(f, "    {}", breach.fault)?;
                breach.lines().iter().try_for_each(|line| writeln!(f, "      {line}"))?;
            }
        }
        Ok(())
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}
