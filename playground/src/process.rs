//! Running cargo: the only module that may start a process.

use std::process::{Command, ExitStatus};

/// Runs the tests of a target of this workspace that a filter chooses, with additions to the environment; their output is ours.
///
/// As `cargo test --workspace` builds them: a package alone would be built with other features, and anew.
#[expect(clippy::disallowed_methods, reason = "the one place that starts a process")]
pub(crate) fn cargo_test(target: &str, filter: &str, env: &[(&str, &str)]) -> std::io::Result<ExitStatus> {
    let mut cargo = Command::new(crate::env::cargo());
    cargo.args(["test", "--workspace", "--test", target, "--", filter]).envs(env.iter().copied());
    cargo.status()
}
