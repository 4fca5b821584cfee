//! What a node costs: `cargo bench -p leyden` prints ratios, each measured in one run against the bare thing beside it.
//!
//! Both sides of a ratio take turns, round by round, so that a busy machine slows both; what is printed is the median of the
//! rounds' ratios and the quartiles. Under `cargo test` everything runs once, to see that it works, and no time is judged.
//!
//! It lives here because it needs the node and the recorder, and nothing of the scenarios. It plays its own children too: cargo gives a
//! benchmark no other binary.

mod contest;
mod crash;
mod event_loop;
mod memory;
mod node;
mod payment;
mod process;
mod round_trip;
mod start;

use contest::Effort;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// A benchmark: its name, and what it does with as much effort.
type Benchmark = (&'static str, fn(Effort) -> leyden::Result);

const BENCHMARKS: [Benchmark; 7] = [
    ("round_trip", round_trip::compare),
    ("node_start", start::of_a_node),
    ("net_start", start::of_a_net),
    ("channel", start::of_a_channel),
    ("crash", crash::and_restart),
    ("payments", payment::sequential),
    ("memory", memory::per_node),
];

fn main() -> ExitCode {
    if let Some(role) = process::role() {
        return process::play(&role);
    }
    let arguments = Arguments::from_args();
    if !arguments.bench {
        let tests = BENCHMARKS.map(|(name, run)| {
            Trial::test(name, move || run(Effort::Once).map_err(|error| Failed::from(error.to_string())))
        });
        return libtest_mimic::run(&arguments, tests.into()).exit_code();
    }
    let wanted = |name: &str| arguments.filter.as_deref().is_none_or(|filter| name.contains(filter));
    for (name, run) in BENCHMARKS.into_iter().filter(|(name, _)| wanted(name)) {
        contest::title(name);
        if let Err(error) = run(Effort::Full) {
            contest::say(&error.to_string());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
