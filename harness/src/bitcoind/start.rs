//! Starting and ending bitcoind with the crate `bitcoind` as runner.
//!
//! The crate hides the child's process id, lets it inherit standard error, and notices only after 15 s that it has died. So it is
//! given a launcher, a shell script that notes its process id, redirects and becomes bitcoind; and its death is watched here.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::process::{Charge, Watchdog, is_dead, last_lines};
use crate::wait::{Deadline, block_until, eventually};

/// Another process may take a port between the crate's choice and bitcoind's bind.
const PORT_ATTEMPTS: usize = 5;

/// bitcoind is slow to start on a machine under load; the crate has time-outs of its own, 15 s each.
const LONGEST_START: Duration = Duration::from_secs(120);

const KILL_TAKES: Duration = Duration::from_secs(5);

/// What regtest and its many clients need; `-datadir`, `-rpcport` and `-listen=0` come from the crate.
const ARGS: [&str; 9] = [
    "-regtest",
    "-fallbackfee=0.00001",
    "-connect=0",
    "-dnsseed=0",
    // Twenty nodes may ask at the same time.
    "-rpcthreads=16",
    "-rpcworkqueue=256",
    "-printtoconsole=0",
    "-persistmempool=0",
    // Transactions of tests are few: threads to check scripts cost more than they give.
    "-par=1",
];

/// A running bitcoind process.
#[derive(Debug)]
pub(super) struct Runner {
    /// `None` only while it is dropped.
    daemon: Option<bitcoind::BitcoinD>,
    pid: Pid,
    charge: Charge,
    dir: PathBuf,
    watchdog: Arc<Watchdog>,
}

impl Runner {
    pub(super) async fn start(program: &Path, dir: &Path, watchdog: &Arc<Watchdog>) -> Result<Self> {
        let launcher = Launcher::write(program, dir, watchdog)?;
        let charge = Charge::PidFile(launcher.pid_file.clone());
        watchdog.watch(charge.clone())?;
        let mut attempt = 1;
        loop {
            match launcher.launch().await {
                Ok((daemon, pid)) => {
                    let (dir, watchdog) = (dir.to_owned(), Arc::clone(watchdog));
                    return Ok(Self { daemon: Some(daemon), pid, charge, dir, watchdog });
                }
                Err(error) if attempt == PORT_ATTEMPTS || !launcher.port_was_taken() => {
                    watchdog.forget(&charge);
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        }
    }

    pub(super) fn rpc_port(&self) -> u16 {
        self.daemon.as_ref().map_or(0, |daemon| daemon.params.rpc_socket.port())
    }

    /// User and password from the cookie that bitcoind wrote.
    pub(super) fn credentials(&self) -> Result<(String, String)> {
        let cookie = std::fs::read_to_string(self.dir.join("regtest/.cookie"))?;
        let parts =
            cookie.trim().split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()));
        parts.ok_or_else(|| {
            Error::node("reading bitcoind's cookie").expected("USER:PASSWORD").came("no colon")
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn log_file(&self) -> PathBuf {
        log_file(&self.dir)
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The error to report if bitcoind has died.
    pub(super) fn death(&self) -> Option<Error> {
        is_dead(self.pid).then(|| {
            evidence(Error::node("bitcoind").expected("it to be running").came("it has ended"), &self.dir)
        })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // The crate would ask bitcoind to stop and wait for that. It first looks at the child, which is dead by then.
        _ = rustix::process::kill_process(self.pid, Signal::KILL);
        block_until(Deadline::after(KILL_TAKES), || is_dead(self.pid));
        drop(self.daemon.take());
        self.watchdog.forget(&self.charge);
    }
}

/// The script that the crate runs in place of bitcoind.
struct Launcher {
    script: PathBuf,
    pid_file: PathBuf,
    stderr: PathBuf,
    dir: PathBuf,
}

impl Launcher {
    fn write(program: &Path, dir: &Path, watchdog: &Watchdog) -> Result<Self> {
        let launcher = Self {
            script: dir.join("launch"),
            pid_file: dir.join("launch.pid"),
            stderr: dir.join("stderr"),
            dir: dir.to_owned(),
        };
        let (variable, id) = watchdog.marker().variable();
        let [pid_file, stderr, program] = [&launcher.pid_file, &launcher.stderr, program].map(quoted);
        let script = format!(
            "#!/bin/sh\necho $$ >{pid_file}\nexport {variable}={id}\nexec {program} \"$@\" </dev/null 2>{stderr}\n",
        );
        std::fs::create_dir_all(dir)?;
        std::fs::write(&launcher.script, script)?;
        std::fs::set_permissions(&launcher.script, std::fs::Permissions::from_mode(0o755))?;
        Ok(launcher)
    }

    async fn launch(&self) -> Result<(bitcoind::BitcoinD, Pid)> {
        // What an earlier attempt has left must not be taken for this one's.
        for file in [&self.pid_file, &self.stderr] {
            drop(std::fs::remove_file(file));
        }
        let (sender, receiver) = oneshot::channel();
        let (script, dir) = (self.script.clone(), self.dir.clone());
        // A thread of its own: a runtime would wait at its end for blocking work, and the crate may take 15 s to give up.
        std::thread::spawn(move || {
            // Nobody waits for it any more: the daemon comes back and is ended by its destructor.
            drop(sender.send(run_crate(&script, dir)));
        });
        let pid_file = &self.pid_file;
        let early_death =
            eventually("bitcoind dies", || async move { read_pid(pid_file).is_some_and(is_dead) })
                .within(LONGEST_START);
        let failed = |came: String| {
            let error = Error::environment("starting bitcoind").expected("an answer of its RPC").came(came);
            evidence(error, &self.dir).evidence("its standard error", last_lines(&self.stderr, 10))
        };
        tokio::select! {
            biased;
            daemon = receiver => match (daemon, read_pid(&self.pid_file)) {
                (Ok(Ok(daemon)), Some(pid)) => Ok((daemon, pid)),
                (Ok(Err(error)), _) => Err(failed(error)),
                _ => Err(failed("the launcher did not run".into())),
            },
            died = early_death.into_future() => {
                Err(failed(died.map_or_else(|_| format!("it took longer than {LONGEST_START:?}"), |()| "it ended".into())))
            }
        }
    }

    /// The one cause for which it is of use to try again: the next attempt gets other ports.
    fn port_was_taken(&self) -> bool {
        [&self.stderr, &log_file(&self.dir)].iter().any(|file| {
            last_lines(file, 30)
                .iter()
                .any(|line| line.contains("Unable to bind") || line.contains("unable to bind"))
        })
    }
}

fn run_crate(script: &Path, dir: PathBuf) -> std::result::Result<bitcoind::BitcoinD, String> {
    let mut conf = bitcoind::Conf::default();
    conf.args = ARGS.to_vec();
    conf.staticdir = Some(dir);
    // Creating a wallet takes longer than all the rest; coins are spent without one.
    conf.wallet = None;
    conf.attempts = 1;
    bitcoind::BitcoinD::with_conf(script, &conf).map_err(|error| format!("{error:#}"))
}

fn read_pid(file: &Path) -> Option<Pid> {
    Pid::from_raw(std::fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok()?)
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("regtest/debug.log")
}

fn evidence(error: Error, dir: &Path) -> Error {
    let log = log_file(dir);
    error.evidence(format!("last lines of {}", log.display()), last_lines(&log, 10)).fatal()
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
