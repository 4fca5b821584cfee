//! What came of a replay: each payment, what the plugin was asked and said, and what was wrong.

use std::fmt;
use std::panic::Location;

use super::attempt::Attempted;
use super::mistake::Mistake;
use super::payment::PaymentEnd;
use super::verdict::{Verdict, verdicts};
use super::{HOOKS, Replay};
use crate::alias::Aliases;
use crate::error::{Error, Fault, Result};

/// All payments of a replay. `Display` prints them; what differs from run to run has aliases, as in a [`Transcript`](crate::Transcript).
#[derive(Clone, Debug)]
#[must_use = "print it, or `check()` it"]
pub struct Report {
    node: String,
    plugin: String,
    along: Vec<String>,
    attempts: Vec<Attempt>,
    at: &'static Location<'static>,
}

/// One payment of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where the node was to crash, in words; `None` for the first payment, during which it was not.
    pub point: Option<String>,
    /// Whether it came to that. How many commits a payment takes may differ by one.
    pub reached: bool,
    /// What the plugin was asked about the payment, in order, before the crash and after it.
    pub verdicts: Vec<Verdict>,
    /// How the payment ended.
    pub end: PaymentEnd,
    /// How often each effect happened.
    pub effects: Vec<(String, usize)>,
    /// What was wrong.
    pub mistakes: Vec<Mistake>,
}

impl Replay<'_> {
    /// Looks at the frames of all payments.
    pub(super) fn report(&self, began: u64, attempted: Vec<Attempted>) -> Report {
        let transcript = self.node.transcript(&self.plugin).only(HOOKS).since(began);
        let mut aliases = Aliases::new(transcript.names());
        let usual = attempted.first().map(|calm| calm.effects.clone()).unwrap_or_default();
        let attempts = attempted.into_iter().map(|attempted| {
            let verdicts = verdicts(&transcript, &attempted, &mut aliases);
            let mut attempt = Attempt {
                point: attempted.point.map(|point| point.to_string()),
                reached: attempted.crash.is_some(),
                end: attempted.end,
                effects: self.effects.names().into_iter().zip(attempted.effects).collect(),
                mistakes: Vec::new(),
                verdicts,
            };
            attempt.mistakes = self.mistakes(&attempt, &usual, attempted.frames.start, &mut aliases);
            attempt
        });
        let attempts = attempts.collect();
        let along = self.along.iter().map(|node| node.name().to_owned()).collect();
        let node = self.node.name().to_owned();
        Report { node, plugin: self.plugin.clone(), along, attempts, at: self.at }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.point {
            None => f.write_str("without a crash: ")?,
            Some(point) if self.reached => write!(f, "{point}: ")?,
            Some(point) => write!(f, "{point}, to which it did not come: ")?,
        }
        write!(f, "{}", self.end)?;
        for (effect, times) in &self.effects {
            write!(f, "; {times} × {effect}")?;
        }
        for verdict in &self.verdicts {
            write!(f, "\n  {verdict}")?;
        }
        for mistake in &self.mistakes {
            write!(f, "\n  MISTAKE {}", mistake.to_string().replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

impl Report {
    /// The payments: the first without a crash, then one for each point.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How often the node has crashed.
    pub fn crashes(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.reached).count()
    }

    /// Everything that was wrong, in order.
    pub fn mistakes(&self) -> impl Iterator<Item = &Mistake> {
        self.attempts.iter().flat_map(|attempt| &attempt.mistakes)
    }

    /// Asserts that nothing was wrong.
    ///
    /// # Errors
    /// If anything was; with every payment during which it was.
    pub fn check(&self) -> Result {
        let wrong: Vec<&Attempt> =
            self.attempts.iter().filter(|attempt| !attempt.mistakes.is_empty()).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        // Who was not kept waiting is not to blame that nothing came.
        let is_nodes = |mistake: &Mistake| matches!(mistake, Mistake::Open { frame: None, .. });
        let fault = if self.mistakes().all(is_nodes) { Fault::Node } else { Fault::Plugin };
        let lines: Vec<String> = wrong
            .iter()
            .flat_map(|attempt| attempt.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let doing = format!("{}: what {} makes of {} crashes", self.node, self.plugin, self.crashes());
        Err(Error::new(fault, doing)
            .expected("one verdict about each HTLC, and each effect once")
            .came(format!("there are mistakes: {}", self.mistakes().count()))
            .advice("let it keep what it has decided and done, before it answers")
            .evidence("the payments during which they were made", lines)
            .at(self.at))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, plugin, along, .. } = self;
        let (crashes, mistakes) = (self.crashes(), self.mistakes().count());
        write!(
            f,
            "{plugin} on {node}, payments {}: crashes {crashes}, mistakes {mistakes}",
            along.join(" -> ")
        )?;
        for attempt in &self.attempts {
            write!(f, "\n{attempt}")?;
        }
        Ok(())
    }
}
