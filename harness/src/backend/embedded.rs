//! The embedded node: in this process, with mocks in memory and plugins as children of this process.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leyden_node::config::{Bitcoind, Config, Journal};
use leyden_node::event::Event;
use leyden_node::host::{Ear, Launch, PluginLauncher, PluginProcess, RunningPlugin};
use leyden_node::process::ChildProcess;
use leyden_node::{Host, Node, options};
use serde_json::Value;

use super::{BitcoindAccess, Daemon, NodeConfig, Surroundings, as_in_pyln_testing, command_line};
use crate::backup::DbWrite;
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::fault::Kill;
use crate::process::{Charge, Watchdog};
use crate::served::{Behind, Served};
use crate::timeline::Timeline;

/// The net tells the node of new blocks; this is for a test that goes on without one.
const POLL: Duration = Duration::from_secs(1);

/// A running embedded node.
struct Embedded(Mutex<Node>);

impl Daemon for Embedded {
    fn kill(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    fn poke_chain(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poke_chain();
    }
}

pub(super) fn start(config: NodeConfig, surroundings: &Surroundings) -> Result<Box<dyn Daemon>> {
    let launcher = Launcher { surroundings: surroundings.clone() };
    let (name, wire, crash) = (config.name.clone(), config.wire.clone(), config.crash.clone());
    let config = node_config(config)?;
    surroundings.timeline.record(Some(&name), EventKind::NodeLaunched);
    let events = ear(name, surroundings.timeline.clone());
    let host = Host {
        launcher: Arc::new(launcher),
        events: Some(events),
        wire: Some(Arc::new(wire)),
        crash: Some(Arc::new(crash)),
        ..Host::default()
    };
    Ok(Box::new(Embedded(Mutex::new(Node::start(config, host)))))
}

fn node_config(given: NodeConfig) -> Result<Config> {
    let args = arguments(&given);
    let NodeConfig { name, dir, bitcoind, profile, .. } = given;
    let bitcoind = bitcoind.map(|access| {
        let BitcoindAccess { rpc, user, password, .. } = access;
        Bitcoind { rpc, user, password }
    });
    let mut config = Config::new(dir, bitcoind);
    config.bitcoind_poll = POLL;
    // No other process starts the node again.
    config.journal = Journal::Memory;
    config.profile = profile;
    let refused = |came: String| {
        Error::test(format!("configuring {name} with {}", args.join(" ")))
            .came(came)
            .advice("options of lightningd that the embedded node does not know need Backend::Lightningd")
    };
    if options::parse(&mut config, &args).map_err(refused)?.is_some() {
        return Err(refused("it asks for something else than a node".into()));
    }
    Ok(config)
}

/// The part of a real lightningd's command line that an embedded node needs.
fn arguments(config: &NodeConfig) -> Vec<String> {
    let addr = format!("127.0.0.1:{}", config.port);
    let mut defaults: Vec<(&str, Value)> = vec![
        ("developer", Value::Null),
        ("lightning-dir", config.dir.display().to_string().into()),
        ("log-file", config.dir.join("log").display().to_string().into()),
        ("addr", addr.into()),
        ("rescan", 1.into()),
        ("dev-allow-localhost", Value::Null),
    ];
    defaults.extend(as_in_pyln_testing());
    command_line(&defaults, config)
}

/// Records what happens to a node, in its place among what its plugins say and hear.
fn ear(node: String, timeline: Timeline) -> Ear {
    Arc::new(move |event| {
        let kind = match event {
            Event::Log(line) => EventKind::Log(line),
            Event::Started { id, port } => EventKind::NodeStarted { id, port },
            Event::DbWrite { data_version, writes } => EventKind::DbWrite(DbWrite { data_version, writes }),
            Event::Exited(exit) => {
                let code = (!exit.is_signal()).then_some(exit.code);
                EventKind::NodeExited { code, message: exit.message }
            }
        };
        timeline.record(Some(&node), kind);
    })
}

/// Runs what stands behind a relay's path, recorded: the relay itself is for other processes.
struct Launcher {
    surroundings: Surroundings,
}

impl PluginLauncher for Launcher {
    fn launch(&self, launch: &Launch) -> io::Result<RunningPlugin> {
        let Some(served) = self.surroundings.relays.find(&launch.path) else {
            // Started by `rpc("plugin", ..)` with a path of the test's own.
            return self.marked(launch.clone());
        };
        served.launched(launch);
        match &served.behind {
            Behind::Exe(exe) => {
                let running = self.marked(Launch { path: exe.clone(), ..launch.clone() })?;
                let kill = Kill::process(running.process.pid());
                let (stdin, stdout) = served.tap(kill).wrap(running.stdin, running.stdout);
                Ok(RunningPlugin {
                    stdin: Box::new(stdin),
                    stdout: Box::new(stdout),
                    process: running.process,
                })
            }
            Behind::Mock(_) => self.mock(&served),
        }
    }
}

impl Launcher {
    /// Starts a process that bears the net's mark and is in the watchdog's charge.
    fn marked(&self, mut launch: Launch) -> io::Result<RunningPlugin> {
        let watchdog = &self.surroundings.watchdog;
        let (name, value) = watchdog.marker().variable();
        launch.env.push((name.to_owned(), value.to_owned()));
        // Where a real lightningd's standard error is.
        let stderr = launch.cwd.parent().map(|dir| dir.join("lightningd.stderr"));
        let mut running = ChildProcess { stderr }.launch(&launch)?;
        if let Some(pid) = running.process.pid() {
            let charge = Charge::Pid(pid);
            watchdog.watch(charge.clone()).map_err(io::Error::other)?;
            running.process =
                Box::new(Watched { process: Some(running.process), charge, watchdog: Arc::clone(watchdog) });
        }
        Ok(running)
    }

    fn mock(&self, served: &Served) -> io::Result<RunningPlugin> {
        let (stdin, stdout, run) = served.mock_in_memory().ok_or_else(|| io::Error::other("not a mock"))?;
        let running = self.surroundings.runtime.spawn(run).abort_handle();
        let (stdin, stdout) = served.tap(Kill::new(move || running.abort())).wrap(stdin, stdout);
        Ok(RunningPlugin { stdin: Box::new(stdin), stdout: Box::new(stdout), process: Box::new(InMemory) })
    }
}

/// A plugin's process, which the watchdog may forget when it is gone.
struct Watched {
    /// `None` once it was released: it may live as long as the net.
    process: Option<Box<dyn PluginProcess>>,
    charge: Charge,
    watchdog: Arc<Watchdog>,
}

impl PluginProcess for Watched {
    fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(|process| process.pid())
    }

    fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
    }

    fn release(mut self: Box<Self>) {
        if let Some(process) = self.process.take() {
            process.release();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.process.take().is_some() {
            self.watchdog.forget(&self.charge);
        }
    }
}

/// A mock that this process serves. When the node lets go of its pipes it reads what lies in them, then their end: what the timeline says it was told
/// it was told, and what is expected of it does not depend on who was faster.
struct InMemory;

impl PluginProcess for InMemory {
    fn pid(&self) -> Option<u32> {
        None
    }

    fn kill(&mut self) {}

    fn release(self: Box<Self>) {}
}
