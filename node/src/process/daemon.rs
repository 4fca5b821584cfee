//! `--daemon`: the program is started once more, and its starter returns when that one is ready (`lightningd/options.c:opt_start_daemon`).
//!
//! lightningd forks. Nothing may be forked here, so the second one is told on its command line that it is the daemon; it says on its standard
//! output, which is a pipe, that it is ready.

use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the daemon says when it is ready.
const READY: &[u8] = b"ready";

/// Starts this program again with these arguments, and waits until it is ready or has ended. Gives the exit code for this one.
///
/// # Errors
/// If it cannot be started; if a signal has ended it.
#[expect(clippy::disallowed_methods, reason = "the module that spawns")]
pub fn start_daemon(args: impl IntoIterator<Item = String>) -> io::Result<i32> {
    // By the name that it was called by: plugins look at the name of the process.
    let program = std::env::args_os().next().ok_or_else(|| io::Error::other("the program has no name"))?;
    let mut command = Command::new(program);
    let mut daemon = command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut said = Vec::new();
    if let Some(stdout) = daemon.stdout.take() {
        stdout.take(READY.len() as u64).read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(0);
    }
    let status = daemon.wait()?;
    status
        .code()
        .ok_or_else(|| io::Error::other(format!("Died with signal {}", status.signal().unwrap_or_default())))
}

/// The daemon is ready: it lets go of its starter and of its terminal.
///
/// # Errors
/// If there is no `/dev/null`.
pub fn complete() -> io::Result<()> {
    rustix::process::setsid()?;
    let null = OpenOptions::new().read(true).write(true).open(Path::new("/dev/null"))?;
    let mut stdout = io::stdout();
    stdout.write_all(READY)?;
    stdout.flush()?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}
