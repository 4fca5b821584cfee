//! The report of what was expected and did not come: values first, text from them.

use crate::call::{Call, CallKind};
use crate::plugin::Miss;
use crate::times::Times;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How many of the calls that a clause did not match are shown.
const NEAREST_MISSES: usize = 5;

/// How many received calls are shown: a busy node sends hundreds.
const LONGEST_LIST: usize = 20;

/// A call, and what the clauses made of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) call: Call,
    /// The clause that it belongs to.
    pub(crate) matched: Option<usize>,
    /// Clauses about the same name that it does not fulfil.
    pub(crate) misses: Vec<Miss>,
}

impl Received {
    /// Whether there should perhaps have been a clause for it.
    pub(crate) fn is_unmatched(&self) -> bool {
        self.matched.is_none() && matches!(self.call.kind(), CallKind::Hook | CallKind::Method)
    }
}

/// What a mock expected and did not get.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    pub(crate) plugin: String,
    pub(crate) failures: Vec<Failure>,
    pub(crate) received: Vec<Received>,
}

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Too many or too few calls.
    Count {
        /// Such as `hook peer_connected`.
        subject: String,
        /// File and line of the clause.
        origin: String,
        /// How many calls it wants.
        expected: Times,
        /// How many it got.
        actual: usize,
        /// Calls of the name that it did not match, and why; the nearest first.
        misses: Vec<String>,
    },
    /// A call that came after one that it should have come before.
    Order {
        /// Such as `notification connect #1`.
        late: String,
        /// The call that it came after.
        after: String,
        /// File and line of the late call's clause.
        origin: String,
    },
}

impl Unmet {
    /// The mock's name.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// The expectations, in the order of the clauses.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Everything that the mock received, in order.
    pub fn received(&self) -> impl Iterator<Item = &Call> {
        self.received.iter().map(|received| &received.call)
    }
}

impl std::error::Error for Unmet {}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "mock '{}' did not get what it expected", self.plugin)?;
        for failure in &self.failures {
            write!(formatter, "{failure}")?;
        }
        list(formatter, &self.received, |call| self.failures.iter().any(|failure| failure.is_about(call)))
    }
}

impl Failure {
    fn is_about(&self, call: &Call) -> bool {
        match self {
            Self::Count { subject, .. } => *subject == format!("{} {}", call.kind(), call.name()),
            // The order is a matter of all that matched.
            Self::Order { .. } => true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { subject, origin, expected, actual, misses } => {
                writeln!(formatter, "  {subject}: expected {expected}, received {actual} ({origin})")?;
                let shown = misses.iter().take(NEAREST_MISSES);
                shown.into_iter().try_for_each(|miss| writeln!(formatter, "    not counted: {miss}"))?;
                match misses.len().saturating_sub(NEAREST_MISSES) {
                    0 => Ok(()),
                    more => writeln!(formatter, "    not counted: {more} more"),
                }
            }
            Self::Order { late, after, origin } => {
                writeln!(formatter, "  {late}: expected before {after}, came after it ({origin})")
            }
        }
    }
}

/// A wait for calls that did not come.
#[derive(Debug, Clone, PartialEq)]
pub struct TooFew {
    pub(crate) plugin: String,
    pub(crate) name: String,
    pub(crate) expected: usize,
    pub(crate) actual: usize,
    pub(crate) limit: Duration,
    pub(crate) received: Vec<Received>,
}

impl std::error::Error for TooFew {}

impl fmt::Display for TooFew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, name, expected, actual, limit, .. } = self;
        let wanted = Times::from(*expected..);
        writeln!(formatter, "mock '{plugin}' waited {limit:?} for {wanted} of {name}, received {actual}")?;
        list(formatter, &self.received, |call| call.name() == name)
    }
}

/// Everything received, a line each, without a newline at the end. Of a long record, the last of what the report
/// is about; of the rest, how much there was.
fn list(
    formatter: &mut fmt::Formatter<'_>,
    received: &[Received],
    is_about: impl Fn(&Call) -> bool,
) -> fmt::Result {
    if received.is_empty() {
        return write!(formatter, "received nothing");
    }
    let all = received.len() <= LONGEST_LIST;
    let (shown, rest): (Vec<&Received>, Vec<&Received>) =
        received.iter().partition(|one| all || one.is_unmatched() || is_about(&one.call));
    let cut = shown.len().saturating_sub(LONGEST_LIST);
    count(formatter, shown[..cut].iter().chain(&rest).map(|one| &one.call))?;
    write!(formatter, "received, in order:")?;
    for one in &shown[cut..] {
        write!(formatter, "\n  {}", one.call)?;
        if one.is_unmatched() {
            write!(formatter, "\n    no clause matched")?;
            for Miss { origin, why, .. } in &one.misses {
                write!(formatter, "; {why} ({origin})")?;
            }
        }
    }
    Ok(())
}

/// How many calls of each name there were that are not shown.
fn count<'a>(formatter: &mut fmt::Formatter<'_>, calls: impl Iterator<Item = &'a Call>) -> fmt::Result {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls {
        *counts.entry(format!("{} {}", call.kind(), call.name())).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} × {name}")).collect();
    writeln!(formatter, "received, and not shown: {}", counts.join(", "))
}
