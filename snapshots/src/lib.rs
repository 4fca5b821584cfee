//! What it looks like: the transcripts of the scenarios, kept as goldens in `tests/snapshots`.
//!
//! Each golden says what it was recorded from: a real lightningd, whose words the embedded node must reproduce. Where it cannot,
//! `differences.toml` says why. `cargo leyden record` records the goldens, `cargo leyden diff` plays both nodes side by side; the tests
//! `goldens` and `differential` are what they run.

mod difference;
mod real;

pub use difference::Difference;
pub use real::skipped;
