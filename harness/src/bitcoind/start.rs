//! Starting and ending bitcoind with the crate `bitcoind` as runner.
//!
//! The crate hides the child's process id, lets it inherit standard error, looks only every 200 ms whether it is ready, and notices
//! only after 15 s that it has died. So it is given a launcher, a shell script that notes its process id and arguments, redirects and
//! becomes bitcoind; readiness and death are watched here, while the crate takes its time on a thread.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tokio::sync::oneshot;

use super::rpc;
use crate::error::{Error, Result};
use crate::process::{Charge, Watchdog, is_dead, last_lines};
use crate::wait::{Deadline, block_until, eventually};

/// How often to try when another process was in the way.
const ATTEMPTS: usize = 5;

/// bitcoind is slow to start on a machine under load; the crate has time-outs of its own, 15 s each.
const LONGEST_START: Duration = Duration::from_secs(120);

const KILL_TAKES: Duration = Duration::from_secs(5);

/// What regtest and its many clients need; `-datadir`, `-rpcport` and `-listen=0` come from the crate.
const ARGS: [&str; 10] = [
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
    // To make the caches for signatures as large as usual takes 15 ms.
    "-maxsigcachesize=1",
];

/// What only some bitcoinds know, and others pass over in a file. Knots relays no transaction with the lock time 21, which lightningd may draw.
const CONF: &str = "rejectparasites=0\n";

/// A running bitcoind process.
#[derive(Debug)]
pub(super) struct Runner {
    running: Running,
    charge: Charge,
    dir: PathBuf,
    watchdog: Arc<Watchdog>,
}

/// A bitcoind that answers.
#[derive(Debug)]
struct Running {
    pid: Pid,
    port: u16,
    /// Dropped, it makes the crate's thread give up its handle of the process.
    _hold: mpsc::Sender<()>,
}

impl Runner {
    /// Gives the process, and a client that has had an answer from it.
    pub(super) async fn start(
        program: &Path,
        dir: &Path,
        watchdog: &Arc<Watchdog>,
    ) -> Result<(Self, rpc::Client)> {
        let launcher = Launcher::write(program, dir, watchdog)?;
        let charge = Charge::PidFile(launcher.pid_file.clone());
        watchdog.watch(charge.clone())?;
        let mut attempt = 1;
        loop {
            match launcher.launch().await {
                Ok((running, client)) => {
                    let (dir, watchdog) = (dir.to_owned(), Arc::clone(watchdog));
                    return Ok((Self { running, charge, dir, watchdog }, client));
                }
                Err(error) if attempt == ATTEMPTS || !launcher.others_were_in_the_way(&error) => {
                    watchdog.forget(&charge);
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        }
    }

    pub(super) fn rpc_port(&self) -> u16 {
        self.running.port
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn log_file(&self) -> PathBuf {
        log_file(&self.dir)
    }

    pub(super) fn pid(&self) -> u32 {
        self.running.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The error to report if bitcoind has died.
    pub(super) fn death(&self) -> Option<Error> {
        let error = || Error::node("bitcoind").expected("it to be running").came("it has ended").fatal();
        is_dead(self.running.pid).then(|| with_log(error(), &self.dir))
    }
}

impl Drop for Runner {
    /// The crate's thread collects the process afterwards: its destructor asks bitcoind to stop, and finds it dead.
    fn drop(&mut self) {
        _ = rustix::process::kill_process(self.running.pid, Signal::KILL);
        block_until(Deadline::after(KILL_TAKES), || is_dead(self.running.pid));
        self.watchdog.forget(&self.charge);
    }
}

/// The script that the crate runs in place of bitcoind.
struct Launcher {
    script: PathBuf,
    pid_file: PathBuf,
    args: PathBuf,
    stderr: PathBuf,
    dir: PathBuf,
}

impl Launcher {
    fn write(program: &Path, dir: &Path, watchdog: &Watchdog) -> Result<Self> {
        let launcher = Self {
            script: dir.join("launch"),
            pid_file: dir.join("launch.pid"),
            args: dir.join("launch.args"),
            stderr: dir.join("stderr"),
            dir: dir.to_owned(),
        };
        let (variable, id) = watchdog.marker().variable();
        let [pid_file, args] = [&launcher.pid_file, &launcher.args].map(|file| quoted(file));
        let [stderr, program] = [&launcher.stderr, program].map(quoted);
        let script = format!(
            "#!/bin/sh\necho $$ >{pid_file}\nprintf '%s\\n' \"$@\" >{args}\nexport {variable}={id}\nexec {program} \"$@\" </dev/null 2>{stderr}\n",
        );
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("bitcoin.conf"), CONF)?;
        std::fs::write(&launcher.script, script)?;
        std::fs::set_permissions(&launcher.script, std::fs::Permissions::from_mode(0o755))?;
        Ok(launcher)
    }

    async fn launch(&self) -> Result<(Running, rpc::Client)> {
        // What an earlier attempt has left must not be taken for this one's.
        for file in [&self.pid_file, &self.args, &self.stderr, &self.cookie()] {
            drop(std::fs::remove_file(file));
        }
        let (failed, failure) = oneshot::channel();
        let (hold, released) = mpsc::channel::<()>();
        let (script, dir) = (self.script.clone(), self.dir.clone());
        // A thread of its own: a runtime would wait at its end for blocking work, and the crate may take 15 s to give up.
        std::thread::spawn(move || match run_crate(&script, dir) {
            Ok(daemon) => {
                // Until the runner is dropped, or the start was given up.
                _ = released.recv();
                drop(daemon);
            }
            Err(why) => drop(failed.send(why)),
        });
        let ready = eventually("bitcoind answers", || self.look()).within(LONGEST_START).into_future();
        tokio::select! {
            biased;
            answered = ready => match answered {
                Ok((pid, port, client)) => Ok((Running { pid, port, _hold: hold }, client)),
                Err(error) => Err(self.failure().because(error)),
            },
            Ok(why) = failure => Err(self.failure().because(why)),
        }
    }

    /// Whether bitcoind answers by now.
    async fn look(&self) -> Result<Option<(Pid, u16, rpc::Client)>> {
        let Some(pid) = read_pid(&self.pid_file) else { return Ok(None) };
        if is_dead(pid) {
            return Err(Error::environment("bitcoind").came("it has ended").fatal());
        }
        let (Some(port), Some(credentials)) = (self.port(), self.credentials()) else { return Ok(None) };
        let client = rpc::Client::new(port, credentials);
        client.call("getblockcount".into(), Value::Null).await?;
        Ok(Some((pid, port, client)))
    }

    /// The port that the crate has chosen.
    fn port(&self) -> Option<u16> {
        let args = std::fs::read_to_string(&self.args).ok()?;
        args.lines().find_map(|arg| arg.strip_prefix("-rpcport=")?.parse().ok())
    }

    /// User and password, once bitcoind has written its cookie, which it does under another name first.
    fn credentials(&self) -> Option<(String, String)> {
        let cookie = std::fs::read_to_string(self.cookie()).ok()?;
        cookie.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    fn cookie(&self) -> PathBuf {
        self.dir.join("regtest/.cookie")
    }

    fn failure(&self) -> Error {
        let error = Error::environment("starting bitcoind")
            .expected("an answer of its RPC")
            .came("none came")
            .fatal();
        with_log(error, &self.dir).evidence("its standard error", last_lines(&self.stderr, 10))
    }

    /// The causes for which it is of use to try again: another process has taken the port between the crate's choice and bitcoind's
    /// bind, or was started, and so held the script open, just when the script was written.
    fn others_were_in_the_way(&self, error: &Error) -> bool {
        let said = [&self.stderr, &log_file(&self.dir)].map(|file| last_lines(file, 30).join("\n"));
        said.iter().any(|text| text.contains("nable to bind")) || error.to_string().contains("Text file busy")
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

fn with_log(error: Error, dir: &Path) -> Error {
    let log = log_file(dir);
    error.evidence(format!("last lines of {}", log.display()), last_lines(&log, 10))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
