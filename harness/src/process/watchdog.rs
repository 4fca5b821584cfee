//! The watchdog: a small shell per net that reads a pipe held by the test process, and kills all when the pipe closes.
//!
//! It covers what no destructor can: a test process that is killed by SIGKILL. Every Unix closes the pipe then.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::orphans::{self, Marker, Orphan};
use crate::error::{Error, Result};
use crate::wait::{Deadline, block_until};

/// The watchdog needs one second at the very most when something does not want to die.
const LONGEST_END: Duration = Duration::from_secs(10);

/// Something that must not outlive the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// One process.
    Pid(u32),
    /// A process group, by the id of its leader.
    Group(u32),
    /// The process whose id stands in a file, or will soon.
    PidFile(PathBuf),
}

impl Charge {
    fn line(&self) -> String {
        match self {
            Charge::Pid(pid) => format!("pid {pid}"),
            Charge::Group(leader) => format!("group {leader}"),
            Charge::PidFile(path) => format!("pidfile {}", path.display()),
        }
    }

    /// The id of the process if it lives; of a group, its leader.
    pub(super) fn living_pid(&self) -> Option<u32> {
        let pid = match self {
            Charge::Pid(pid) | Charge::Group(pid) => *pid,
            Charge::PidFile(path) => std::fs::read_to_string(path).ok()?.trim().parse().ok()?,
        };
        let known = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
        rustix::process::test_kill_process(known).ok().map(|()| pid)
    }
}

/// Kills a net's processes when the test process is gone, and is gone itself when it is dropped.
///
/// It runs in a process group of its own, ignores the signals of a terminal and holds none of the test's output.
#[derive(Debug)]
pub struct Watchdog {
    marker: Marker,
    child: Child,
    pipe: Mutex<Pipe>,
}

#[derive(Debug)]
struct Pipe {
    /// `None` once closed.
    writer: Option<ChildStdin>,
    charges: Vec<Charge>,
}

impl Watchdog {
    /// Starts one for the net with this mark.
    ///
    /// # Errors
    /// If no shell can be started.
    #[track_caller]
    pub fn start(marker: Marker) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::environment("starting the watchdog of a net")
                .expected("a POSIX shell `sh` on PATH")
                .came(error.to_string())
        };
        let mut child = super::command("sh")
            .args(["-c", include_str!("watchdog.sh"), "leyden-watchdog"])
            .current_dir("/")
            .env_remove(marker.variable().0)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let writer = child.stdin.take();
        let watchdog = Self { child, pipe: Mutex::new(Pipe { writer, charges: Vec::new() }), marker };
        watchdog.tell(&format!("marker {}", watchdog.marker))?;
        Ok(watchdog)
    }

    /// The mark that this net's processes must carry.
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Puts something in its charge.
    ///
    /// # Errors
    /// If the watchdog is gone.
    #[track_caller]
    pub fn watch(&self, charge: Charge) -> Result {
        self.tell(&charge.line())?;
        self.lock().charges.push(charge);
        Ok(())
    }

    /// Takes back what was put in its charge, once that has ended.
    pub fn forget(&self, charge: &Charge) {
        self.lock().charges.retain(|known| known != charge);
        // A watchdog that is gone has nothing to forget.
        drop(self.tell(&format!("no-{}", charge.line())));
    }

    /// Lets it remove the run directory too, if it has to do its work.
    ///
    /// # Errors
    /// If the watchdog is gone.
    #[track_caller]
    pub fn remove_dir(&self, run_dir: &Path) -> Result {
        self.tell(&format!("dir {}", run_dir.display()))
    }

    /// Lets it leave the run directory alone.
    ///
    /// # Errors
    /// If the watchdog is gone.
    #[track_caller]
    pub fn keep_dir(&self) -> Result {
        self.tell("no-dir")
    }

    /// What is still alive of this net: on Linux every process that carries its mark, grandchildren included; elsewhere those that
    /// are in its charge.
    pub fn orphans(&self) -> Vec<Orphan> {
        orphans::find(&self.marker, &self.lock().charges)
    }

    #[track_caller]
    fn tell(&self, line: &str) -> Result {
        let written = match &mut self.lock().writer {
            _ if line.contains('\n') => Err(std::io::Error::other("a path with a line break")),
            Some(writer) => writer.write_all(format!("{line}\n").as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| {
            Error::environment(format!("telling the watchdog of a net: {line}"))
                .came(error.to_string())
                .advice("see what killed the process `leyden-watchdog`")
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.lock().writer = None;
        if !block_until(Deadline::after(LONGEST_END), || !matches!(self.child.try_wait(), Ok(None))) {
            // It cannot hang, as far as anybody knows; a test must not hang with it.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
