//! A real lightningd as a node: its command line, its log, its end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leyden_protocol::Profile;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::log_tail::LogTail;
use super::{BitcoindAccess, Daemon, NodeConfig, Surroundings, as_in_pyln_testing, command_line};
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::process::{Launch, Process, last_lines};
use crate::timeline::Timeline;
use crate::wait::every;

/// How much of its standard error goes into the event of its end.
const LAST_WORDS: usize = 10;

/// How often its log file is read. Nothing tells when a file has grown, on every Unix.
const LOG_PACE: Duration = Duration::from_millis(4);

/// A running lightningd. The process is kept until this is dropped, so that what it leaves behind can be seen, and is killed then.
struct Lightningd(Arc<Process>);

impl Daemon for Lightningd {
    fn kill(&self) {
        kill(&self.0);
    }

    fn poke_chain(&self) {
        // It polls by itself, once a second at best.
    }
}

fn kill(process: &Process) {
    if let Some(group) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        // An error means that nothing of the group is left.
        _ = kill_process_group(group, Signal::KILL);
    }
}

pub(super) fn start(config: NodeConfig, surroundings: &Surroundings) -> Result<Box<dyn Daemon>> {
    let exe = program(surroundings)?;
    if config.profile != Profile::default() {
        return Err(Error::test(format!("starting {} as {:?}", config.name, config.profile))
            .came(format!("the backend is lightningd, and {} is of one release", exe.display()))
            .advice("use Backend::Embedded for other releases"));
    }
    let port = config.port;
    // The file may be there from an earlier start: lightningd appends.
    let log = LogTail::open(&config.dir.join("log"))?;
    let launch = Launch::new("lightningd", exe, &config.dir).args(arguments(&config, port)?);
    surroundings.timeline.record(Some(&config.name), EventKind::NodeLaunched);
    let process = Arc::new(launch.spawn(&surroundings.watchdog)?);
    let stopped = Arc::downgrade(&process);
    config.crash.stoppable(move || {
        if let Some(process) = stopped.upgrade() {
            kill(&process);
        }
    });
    let follower =
        Follower { node: config.name, port, timeline: surroundings.timeline.clone(), process, log };
    let process = Arc::clone(&follower.process);
    surroundings.runtime.spawn(follower.run());
    Ok(Box::new(Lightningd(process)))
}

fn program(surroundings: &Surroundings) -> Result<&Path> {
    surroundings.settings.lightningd.as_deref().ok_or_else(|| {
        Error::environment("looking for lightningd")
            .came("it is not on PATH")
            .advice("set LIGHTNINGD_EXE, or use Backend::Embedded, which needs no installation")
            .evidence("the environment", surroundings.settings.to_string().lines())
    })
}

/// What pyln-testing passes, more or less: quick to notice blocks, alone in its world, strict about what is deprecated.
fn arguments(config: &NodeConfig, port: u16) -> Result<Vec<String>> {
    let chain = match &config.bitcoind {
        Some(bitcoind) => bitcoind_options(bitcoind)?,
        None => vec![("disable-plugin", "bcli".into())],
    };
    let mut options: Vec<(&str, Value)> = vec![
        ("developer", Value::Null),
        ("network", "regtest".into()),
        ("lightning-dir", config.dir.display().to_string().into()),
        ("log-file", config.dir.join("log").display().to_string().into()),
        ("log-level", "trace".into()),
        ("addr", format!("127.0.0.1:{port}").into()),
        ("disable-dns", Value::Null),
        ("autoconnect-seeker-peers", 0.into()),
        ("announce-addr-discovered", false.into()),
        ("allow-deprecated-apis", false.into()),
        ("rescan", 1.into()),
        ("dev-bitcoind-poll", 1.into()),
        ("dev-fast-gossip", Value::Null),
        ("dev-allow-localhost", Value::Null),
        ("dev-fail-on-subdaemon-fail", Value::Null),
    ];
    options.extend(as_in_pyln_testing());
    options.extend(chain);
    Ok(command_line(&options, config))
}

/// How CLN's own Bitcoin backend finds bitcoind.
fn bitcoind_options(bitcoind: &BitcoindAccess) -> Result<Vec<(&'static str, Value)>> {
    let cli = bitcoind.cli.as_ref().ok_or_else(|| {
        Error::environment("looking for bitcoin-cli, which lightningd calls")
            .expected("it beside bitcoind or on PATH")
            .came("it is at neither place")
            .advice("set BITCOIND_EXE to a bitcoind that has bitcoin-cli beside it")
    })?;
    Ok(vec![
        ("bitcoin-cli", cli.display().to_string().into()),
        ("bitcoin-datadir", bitcoind.dir.display().to_string().into()),
        ("bitcoin-rpcconnect", bitcoind.rpc.ip().to_string().into()),
        ("bitcoin-rpcport", bitcoind.rpc.port().into()),
        ("bitcoin-rpcuser", bitcoind.user.clone().into()),
        ("bitcoin-rpcpassword", bitcoind.password.clone().into()),
    ])
}

/// Brings what lightningd logs, and its end, to the timeline.
struct Follower {
    node: String,
    port: u16,
    timeline: Timeline,
    process: Arc<Process>,
    log: LogTail,
}

impl Follower {
    async fn run(mut self) {
        let mut tick = every(LOG_PACE);
        let process = Arc::clone(&self.process);
        let exit = loop {
            tokio::select! {
                exit = process.ended() => break exit,
                _ = tick.tick() => self.read_log(),
            }
        };
        self.read_log();
        let said = last_lines(self.process.stderr(), LAST_WORDS).join("\n");
        let message = Some(said).filter(|said| !said.is_empty());
        self.timeline.record(Some(&self.node), EventKind::NodeExited { code: exit.code(), message });
    }

    fn read_log(&mut self) {
        for line in self.log.read() {
            let started = line.text.strip_prefix("Server started with public key ").map(|rest| {
                let id = rest.split([',', ' ']).next().unwrap_or_default().to_owned();
                EventKind::NodeStarted { id, port: self.port }
            });
            self.timeline.record(Some(&self.node), EventKind::Log(Arc::new(line)));
            if let Some(started) = started {
                self.timeline.record(Some(&self.node), started);
            }
        }
    }
}
