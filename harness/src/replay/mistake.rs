//! What a plugin can do wrong when it is asked again, and finding it.

use std::collections::BTreeMap;
use std::fmt;

use super::Replay;
use super::effect::commands;
use super::payment::PaymentEnd;
use super::report::Attempt;
use super::verdict::Verdict;
use crate::alias::Aliases;

/// What a plugin did that it should not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// It gave another answer about the same thing when it was asked again.
    TwoVerdicts {
        /// The hook and what it was about.
        about: String,
        /// The frame of the first answer, with aliases.
        first: String,
        /// The frame of the other one.
        then: String,
    },
    /// An effect happened more often than for a payment without a crash, which was at least once.
    Twice {
        /// Its name.
        effect: String,
        /// How often it happened.
        times: usize,
        /// The frame of the last command, or of the last answer before which it happened, with aliases.
        frame: Option<String>,
    },
    /// The payment did not end, or an HTLC of it.
    Open {
        /// What is left of it.
        what: String,
        /// The frame of the call that was never answered, if there is one.
        frame: Option<String>,
    },
}

impl Mistake {
    /// The rule that was broken, and where it is from.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TwoVerdicts { .. } => {
                "when lightningd starts, it asks again about every HTLC without a final verdict, and the answer has to be the same \
                 (CLN's hooks.md, htlc_accepted)"
            }
            Self::Twice { .. } => {
                "a plugin may be asked about the same HTLC again, and must not do again what it has done for it (CLN's hooks.md, \
                 htlc_accepted: idempotence)"
            }
            Self::Open { .. } => {
                "every HTLC has to get a verdict before its cltv_expiry, or its channel is closed (BOLT 2, \"cltv_expiry_delta \
                 Selection\")"
            }
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoVerdicts { about, first, then } => {
                writeln!(f, "two verdicts: {about}")?;
                writeln!(f, "  first: {first}")?;
                writeln!(f, "  then:  {then}")?;
            }
            Self::Twice { effect, times, frame } => {
                writeln!(f, "it happened {times} times: {effect}")?;
                frame.as_ref().map_or(Ok(()), |frame| writeln!(f, "  last:  {frame}"))?;
            }
            Self::Open { what, frame } => {
                writeln!(f, "no end: {what}")?;
                frame.as_ref().map_or(Ok(()), |frame| writeln!(f, "  call:  {frame}"))?;
            }
        }
        write!(f, "  rule:  {}", self.rule())
    }
}

impl Replay<'_> {
    /// Everything that is wrong with a payment. `usual` is how often the effects happen without a crash, `since` where the payment begins.
    pub(super) fn mistakes(
        &self,
        attempt: &Attempt,
        usual: &[usize],
        since: u64,
        aliases: &mut Aliases<'_>,
    ) -> Vec<Mistake> {
        let mut mistakes = attempt.two_verdicts(aliases);
        mistakes.extend(self.twice(attempt, usual, since, aliases));
        mistakes.extend(attempt.open(aliases));
        mistakes
    }

    fn twice(
        &self,
        attempt: &Attempt,
        usual: &[usize],
        since: u64,
        aliases: &mut Aliases<'_>,
    ) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for ((effect, times), usual) in attempt.effects.iter().zip(usual) {
            if *times <= (*usual).max(1) {
                continue;
            }
            let answer = || attempt.verdicts.iter().rev().find_map(|verdict| verdict.answer.clone());
            let frame = commands(&self.node, effect, since).pop().or_else(answer);
            let frame = frame.map(|frame| frame.print(aliases));
            mistakes.push(Mistake::Twice { effect: effect.clone(), times: *times, frame });
        }
        mistakes
    }
}

impl Attempt {
    fn two_verdicts(&self, aliases: &mut Aliases<'_>) -> Vec<Mistake> {
        let mut first: BTreeMap<(&str, &str), &Verdict> = BTreeMap::new();
        let mut mistakes = Vec::new();
        let deciding = |verdict: &&Verdict| verdict.decides() && verdict.answer.is_some();
        for verdict in self.verdicts.iter().filter(deciding) {
            let first = first.entry((&verdict.hook, &verdict.about)).or_insert(verdict);
            if first.result() == verdict.result() {
                continue;
            }
            let mut print = |verdict: &Verdict| verdict.answer.as_ref().map(|frame| frame.print(aliases));
            mistakes.push(Mistake::TwoVerdicts {
                about: format!("{}, {}", verdict.hook, verdict.about),
                first: print(first).unwrap_or_default(),
                then: print(verdict).unwrap_or_default(),
            });
        }
        mistakes
    }

    fn open(&self, aliases: &mut Aliases<'_>) -> Option<Mistake> {
        let PaymentEnd::Open(what) = &self.end else { return None };
        let last = self.verdicts.iter().rev().find(|verdict| verdict.decides());
        let unanswered = last.filter(|verdict| verdict.answer.is_none());
        let frame = unanswered.map(|verdict| verdict.call.print(aliases));
        Some(Mistake::Open { what: what.clone(), frame })
    }
}
