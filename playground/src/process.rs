//! Starts other programs, the only module that may: cargo, and the one that has the net, which outlives the command that asked for it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

use crate::home::Home;

/// What tells the harness that this process is a test below a runner, whose end would be the end of the net.
const MARKS_OF_RUNNERS: [&str; 2] = ["CARGO", "NEXTEST"];

/// Runs the tests of a target of this workspace that a filter chooses, with additions to the environment; their output is ours.
///
/// As `cargo test --workspace` builds them: a package alone would be built with other features, and anew.
#[expect(clippy::disallowed_methods, reason = "the one place that starts a process")]
pub(crate) fn cargo_test(target: &str, filter: &str, env: &[(&str, &str)]) -> io::Result<ExitStatus> {
    let mut cargo = Command::new(crate::env::cargo());
    cargo.args(["test", "--workspace", "--test", target, "--", filter]).envs(env.iter().copied());
    cargo.status()
}

/// Runs this program again with other arguments, in the background and beyond the reach of the terminal's Ctrl-C. It may say something on
/// its standard output until that is closed; what it complains of goes into the home's log.
///
/// # Errors
/// If it cannot be run.
#[expect(clippy::disallowed_methods, reason = "the one place that starts a process")]
pub(crate) fn start_host(home: &Home, args: &[String]) -> io::Result<ChildStdout> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).process_group(0);
    for mark in MARKS_OF_RUNNERS {
        command.env_remove(mark);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(home.log())?);
    let mut child = command.spawn()?;
    Ok(child.stdout.take().expect("it was asked for"))
}
