//! A daemon of a net: started in a process group of its own, watched, and stopped with everything it has started.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::watch;

use super::last_lines;
use super::watchdog::{Charge, Watchdog};
use crate::error::{Error, Result};
use crate::wait::{Deadline, block_until};

/// How many lines of a dead daemon's output go into an error.
const EVIDENCE_LINES: usize = 20;

/// How long a killed process may take to be gone: longer only if the kernel is stuck.
const KILL_TAKES: Duration = Duration::from_secs(5);

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: PathBuf,
}

impl Launch {
    /// A program under a name for messages, with `dir` as its working directory. Its output goes to `NAME.stdout` and
    /// `NAME.stderr` there.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: dir.into(),
        }
    }

    /// One more argument.
    #[must_use = "gives the launch with the argument"]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use = "gives the launch with the arguments"]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment, on top of those of the test.
    #[must_use = "gives the launch with the variable"]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it in the watchdog's charge. Needs a tokio runtime.
    ///
    /// # Errors
    /// If it cannot be started, or if its output files cannot be made.
    #[track_caller]
    pub fn spawn(self, watchdog: &Arc<Watchdog>) -> Result<Process> {
        let failed = |error: std::io::Error| {
            Error::environment(format!("starting {} as {}", self.program.display(), self.name))
                .came(error.to_string())
                .advice("see that the program exists, can be executed and is for this machine")
        };
        let [stdout, stderr] = ["stdout", "stderr"].map(|end| self.dir.join(format!("{}.{end}", self.name)));
        let (marker, id) = watchdog.marker().variable();
        let mut command = tokio::process::Command::from(super::command(&self.program));
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env(marker, id)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).map_err(failed)?)
            .stderr(File::create(&stderr).map_err(failed)?)
            .process_group(0);
        let mut child = super::spawn_when_free(|| command.spawn()).map_err(failed)?;
        // It has not been waited for, so it has an id, if only a zombie's.
        let pid = child
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
            .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        let (died, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.ok();
            died.send_replace(Some(Exit { status }));
        });
        // From here on `Drop` kills it, also when the watchdog cannot be told.
        let process = Process { name: self.name, pid, exit, stdout, stderr, watchdog: Arc::clone(watchdog) };
        watchdog.watch(process.charge())?;
        Ok(process)
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    status: Option<ExitStatus>,
}

impl Exit {
    /// Whether it exited with status 0.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The status it exited with; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "it ended with {status}"),
            None => f.write_str("it ended, nobody knows how"),
        }
    }
}

/// A running daemon. Dropped, it is killed together with its process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    exit: watch::Receiver<Option<Exit>>,
    stdout: PathBuf,
    stderr: PathBuf,
    watchdog: Arc<Watchdog>,
}

impl Process {
    /// Its id, and that of its process group.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The name it was launched under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that has its standard output.
    pub fn stdout(&self) -> &Path {
        &self.stdout
    }

    /// The file that has its standard error.
    pub fn stderr(&self) -> &Path {
        &self.stderr
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its end, however long that takes.
    pub async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit { status: None }),
            // The task that waits for the child is gone with its runtime.
            Err(_) => Exit { status: None },
        }
    }

    /// Awaits a future for as long as this process lives.
    ///
    /// # Errors
    /// [Fatal](Error::fatal), with the last lines of its standard error, if it ends first.
    #[track_caller]
    pub fn outlives<F: Future>(
        &self,
        doing: impl Into<String>,
        future: F,
    ) -> impl Future<Output = Result<F::Output>> {
        let (doing, at) = (doing.into(), Location::caller());
        async move {
            tokio::select! {
                biased;
                output = future => Ok(output),
                exit = self.ended() => Err(self.death(doing, exit).at(at)),
            }
        }
    }

    /// Fails if it has ended; for the looks of a wait.
    ///
    /// # Errors
    /// As [`Process::outlives`].
    #[track_caller]
    pub fn check_alive(&self, doing: impl Into<String>) -> Result {
        match self.exit() {
            None => Ok(()),
            Some(exit) => Err(self.death(doing.into(), exit)),
        }
    }

    #[track_caller]
    fn death(&self, doing: String, exit: Exit) -> Error {
        Error::node(doing)
            .expected(format!("{} to be running", self.name))
            .came(exit.to_string())
            .evidence(
                format!("last lines of {}", self.stderr.display()),
                last_lines(&self.stderr, EVIDENCE_LINES),
            )
            .fatal()
    }

    /// Asks its process group to end (SIGTERM), waits so long, then kills what is left of the group.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.signal_group(Signal::TERM);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            self.signal_group(Signal::KILL);
        }
        let exit = self.ended().await;
        // Members of the group that took no notice of SIGTERM outlive their leader.
        self.signal_group(Signal::KILL);
        self.watchdog.forget(&self.charge());
        exit
    }

    /// Kills its process group and waits until the process is gone.
    pub async fn kill(&self) -> Exit {
        self.signal_group(Signal::KILL);
        self.stop(Duration::ZERO).await
    }

    fn charge(&self) -> Charge {
        Charge::Group(self.id())
    }

    /// A group that is gone needs no signal. While it has members, its id is not given to another.
    fn signal_group(&self, signal: Signal) {
        _ = rustix::process::kill_process_group(self.pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        if self.exit().is_none() {
            // The task above collects it, if its runtime is still there; here it only has to be dead.
            block_until(Deadline::after(KILL_TAKES), || is_dead(self.pid));
        }
        self.watchdog.forget(&self.charge());
    }
}

/// Whether a child of this process has ended, be it collected or not.
pub(crate) fn is_dead(child: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::Pid(child), look), Ok(None))
}
