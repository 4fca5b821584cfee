//! What came of all the scenarios that this process has played.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use leyden::Backend;
use leyden_scenarios::{Checked, scenarios};
use leyden_snapshots::Difference;

use crate::comparison::Comparison;

#[derive(Default)]
pub(crate) struct Summary(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    begun: usize,
    equal: usize,
    listed: usize,
    unexplained: usize,
    frames: usize,
    answers: usize,
    validated: usize,
    explained: BTreeSet<Difference>,
    /// Why, and which.
    skipped: BTreeMap<String, Vec<&'static str>>,
}

impl Summary {
    /// A scenario is played; if it fails on one of the nodes, there is nothing to compare.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).begun += 1;
    }

    pub(crate) fn add(&self, comparison: &Comparison, checked: &Checked) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.frames += comparison.frames;
        counts.answers += comparison.answers;
        counts.validated += checked.valid.values().sum::<usize>();
        counts.explained.extend(comparison.explained.iter().cloned());
        if !comparison.unexplained.is_empty() {
            counts.unexplained += 1;
        } else if comparison.explained.is_empty() {
            counts.equal += 1;
        } else {
            counts.listed += 1;
        }
    }

    /// What is listed for any scenario and was seen in none, if all that a real one can play were played.
    pub(crate) fn stale(&self) -> Vec<Difference> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all =
            scenarios().iter().filter(|scenario| scenario.skipped(Backend::Lightningd).is_none()).count();
        if counts.equal + counts.listed + counts.unexplained < all {
            return Vec::new();
        }
        let anywhere = Difference::all().into_iter().filter(|one| one.scenario().is_none());
        anywhere.filter(|one| !counts.explained.contains(one)).collect()
    }

    pub(crate) fn skip(&self, scenario: &'static str, because: String) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.skipped.entry(because).or_default().push(scenario);
    }

    /// Prints it; `println!` would be kept from who runs the tests.
    pub(crate) fn print(&self) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { begun, equal, listed, unexplained, frames, answers, validated, explained, skipped } =
            &*counts;
        let (played, reasons) = (equal + listed + unexplained, explained.len());
        for (because, scenarios) in skipped {
            let few =
                if scenarios.len() > 5 { String::new() } else { format!(" ({})", scenarios.join(", ")) };
            writeln!(std::io::stdout(), "{} scenarios skipped{few}, because {because}", scenarios.len())
                .expect("stdout is there");
        }
        if *begun > played {
            let failed = begun - played;
            writeln!(std::io::stdout(), "{failed} scenarios failed on one of the nodes: not compared")
                .expect("stdout is there");
        }
        writeln!(
            std::io::stdout(),
            "{played} scenarios on both nodes: {equal} equal, {listed} differ by {reasons} listed reasons, {unexplained} unexplained; \
             {frames} frames and {answers} RPC answers compared, \
             {validated} messages validated against CLN's schemas"
        )
        .expect("stdout is there");
    }
}
