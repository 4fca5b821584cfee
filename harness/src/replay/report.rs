//! What came of a replay: each payment, what the plugin was asked and said, and what was wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use serde_json::Value;

use super::attempt::Attempted;
use super::effect::commands;
use super::payment::PaymentEnd;
use super::{HOOKS, Replay};
use crate::alias::Aliases;
use crate::error::{Error, Fault, Result};
use crate::event::Direction;
use crate::transcript::{Frame, Transcript};

/// Whose answers decide about a payment.
const DECIDING: [&str; 2] = ["htlc_accepted", "invoice_payment"];

/// All payments of a replay. `Display` prints them; what differs from run to run has aliases, as in a [`Transcript`].
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

/// A call of a hook about a payment, and the plugin's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The hook.
    pub hook: String,
    /// What it was about: an HTLC by its number and channel, or an invoice.
    pub about: String,
    /// Whether it was asked about the same before, in an earlier life of the node.
    pub again: bool,
    /// The call.
    pub call: Frame,
    /// The answer, if one came while the node lived.
    pub answer: Option<Frame>,
    /// The result or the error in it, with aliases.
    said: Option<String>,
}

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
            attempt.mistakes.extend(attempt.two_verdicts(&mut aliases));
            attempt.mistakes.extend(self.twice(&attempt, &usual, attempted.frames.start, &mut aliases));
            attempt.mistakes.extend(attempt.open(&mut aliases));
            attempt
        });
        let attempts = attempts.collect();
        let along = self.along.iter().map(|node| node.name().to_owned()).collect();
        let node = self.node.name().to_owned();
        Report { node, plugin: self.plugin.clone(), along, attempts, at: self.at }
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

/// The calls of a part of the timeline, each with its answer. What a plugin says to a node that has crashed comes or does not: it is left out.
fn verdicts(transcript: &Transcript, attempted: &Attempted, aliases: &mut Aliases<'_>) -> Vec<Verdict> {
    let of_payment = |frame: &&Frame| attempted.frames.contains(&frame.seq);
    let frames: Vec<&Frame> = transcript.frames().iter().filter(of_payment).collect();
    let crash = attempted.crash.unwrap_or(u64::MAX);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for call in frames.iter().filter(|frame| frame.direction == Direction::ToPlugin) {
        let id = call.envelope().and_then(|envelope| envelope.id());
        let answers = |frame: &&&Frame| {
            frame.direction == Direction::FromPlugin
                && frame.node_run == call.node_run
                && (frame.seq < crash) == (call.seq < crash)
                && frame.envelope().and_then(|envelope| envelope.id()) == id
        };
        let answer = frames.iter().find(answers).map(|frame| (*frame).clone());
        let (hook, about) =
            (call.topic.clone().unwrap_or_default(), about(&call.params().unwrap_or_default(), aliases));
        let is_same = |earlier: &Verdict| earlier.hook == hook && earlier.about == about;
        verdicts.push(Verdict {
            again: call.seq > crash && verdicts.iter().any(is_same),
            said: answer.as_ref().map(|answer| said(answer, aliases)),
            call: (*call).clone(),
            hook,
            about,
            answer,
        });
    }
    verdicts
}

/// What a call is about: the same words for the same thing.
fn about(params: &Value, aliases: &mut Aliases<'_>) -> String {
    let htlc = &params["htlc"];
    let mut alias =
        |name: &str, value: &Value| aliases.value(&value.to_string(), name).compact().replace('"', "");
    if htlc["id"].is_u64() {
        return format!("HTLC {} of {}", htlc["id"], alias("short_channel_id", &htlc["short_channel_id"]));
    }
    if htlc["payment_hash"].is_string() {
        return format!("the HTLC for {}", alias("payment_hash", &htlc["payment_hash"]));
    }
    if params["payment"]["preimage"].is_string() {
        return format!("the invoice of {}", alias("preimage", &params["payment"]["preimage"]));
    }
    format!("the commitment {}", alias("commitment_txid", &params["commitment_txid"]))
}

/// The result or error of an answer.
fn said(answer: &Frame, aliases: &mut Aliases<'_>) -> String {
    let envelope = answer.envelope();
    let said = envelope.and_then(|envelope| envelope.result.or(envelope.error));
    said.map_or_else(
        || "nothing that can be understood".to_owned(),
        |said| aliases.value(said, "result").compact(),
    )
}

impl Verdict {
    /// The answer as a value: equal answers may be written differently.
    fn result(&self) -> Option<Value> {
        let answer = self.answer.as_ref()?;
        Some(answer.result().unwrap_or_else(|| answer.text().unwrap_or_default().into()))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hook, about, again, said, .. } = self;
        let again = if *again { ", asked again" } else { "" };
        write!(f, "{hook}, {about}{again}: {}", said.as_deref().unwrap_or("no answer"))
    }
}

impl Attempt {
    fn two_verdicts(&self, aliases: &mut Aliases<'_>) -> Vec<Mistake> {
        let mut first: BTreeMap<(&str, &str), &Verdict> = BTreeMap::new();
        let mut mistakes = Vec::new();
        let deciding = |verdict: &&Verdict| DECIDING.contains(&&*verdict.hook) && verdict.answer.is_some();
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
        let last = self.verdicts.iter().rev().find(|verdict| DECIDING.contains(&&*verdict.hook));
        let unanswered = last.filter(|verdict| verdict.answer.is_none());
        let frame = unanswered.map(|verdict| verdict.call.print(aliases));
        Some(Mistake::Open { what: what.clone(), frame })
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
