//! Every scenario on the embedded node and on a real lightningd, and all that both said side by side.
//!
//! `cargo leyden diff` runs this. Where no lightningd is at hand (`LIGHTNINGD_EXE`, or on PATH), it says so.

mod comparison;
mod divergence;
mod noise;
mod summary;

use std::process::ExitCode;
use std::sync::Arc;

use leyden::Backend;
use leyden_scenarios::{Scenario, scenarios};
use leyden_snapshots::{Difference, skipped};
use libtest_mimic::{Arguments, Failed, Trial};

use comparison::Comparison;
use summary::Summary;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each scenario plays two nets; more at once would only wait for each other.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let summary = Arc::new(Summary::default());
    let trials = scenarios().into_iter().map(|scenario| {
        let summary = Arc::clone(&summary);
        Trial::test(scenario.name, move || compare(&scenario, &summary))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if arguments.list {
        return conclusion.exit_code();
    }
    if conclusion.num_passed + conclusion.num_failed == 0 {
        complain("no scenario is called so; `cargo leyden diff` without a name plays all of them");
        return ExitCode::FAILURE;
    }
    summary.print();
    let stale = summary.stale();
    for Difference { transcript, frame, field, .. } in &stale {
        complain(&format!("differences.toml: {transcript} {frame} {field} no longer differs: delete it"));
    }
    if stale.is_empty() { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn compare(scenario: &Scenario, summary: &Summary) -> Result<(), Failed> {
    if let Some(because) = skipped(scenario, Backend::Lightningd) {
        summary.skip(scenario.name, because);
        return Ok(());
    }
    summary.begin();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let real = runtime.block_on(scenario.play(Backend::Lightningd))?;
    let embedded = runtime.block_on(scenario.play(Backend::Embedded))?;
    let listed =
        Difference::all().into_iter().filter(|one| one.scenario().is_none_or(|name| name == scenario.name));
    let comparison = Comparison::new(&real, &embedded, listed.collect());
    summary.add(&comparison, &embedded.checked);
    comparison.verdict()
}

#[expect(clippy::print_stderr, reason = "what is wrong with the list belongs to no test")]
fn complain(text: &str) {
    eprintln!("{text}");
}
