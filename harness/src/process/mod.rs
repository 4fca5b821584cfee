//! Processes: the only module that spawns, and the one that sees to it that nothing outlives its test.
//!
//! * `daemon`: [`Process`], a daemon in a process group of its own, whose death is noticed at once.
//! * `watchdog`: [`Watchdog`], which kills what a net has started when the test process is gone, even by SIGKILL.
//! * `orphans`: [`Marker`], found in the environment of everything that a net has started.
//! * `parent`: [`ParentWatch`], which ends the test process when its runner is gone.
//! * `run`: a program that is run to its end.

mod daemon;
mod orphans;
mod parent;
mod run;
mod watchdog;

pub(crate) use daemon::is_dead;
pub use daemon::{Exit, Launch, Process};
pub use orphans::{Marker, Orphan};
pub use parent::ParentWatch;
pub(crate) use run::run_to_end;
pub use watchdog::{Charge, Watchdog};

use std::ffi::OsStr;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::wait::{Deadline, block_until};

/// How long a program may be busy: until another process, started just when the program was written, has executed its own.
const BUSY_AT_MOST: Duration = Duration::from_secs(5);

/// A command with nothing inherited but the environment: no terminal, no output of the test.
#[expect(clippy::disallowed_methods, reason = "the one place that makes commands")]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    use std::process::Stdio;
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Spawns, and tries again while the program is open for writing: a child that another thread has forked holds all files open until
/// it executes its own program.
pub(crate) fn spawn_when_free<T>(mut spawn: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut spawned = spawn();
    block_until(Deadline::after(BUSY_AT_MOST), || match &spawned {
        Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
            spawned = spawn();
            false
        }
        _ => true,
    });
    spawned
}

/// The last lines of a file; none if it cannot be read.
pub(crate) fn last_lines(file: &std::path::Path, count: usize) -> Vec<String> {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}
