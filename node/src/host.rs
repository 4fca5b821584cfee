//! What a node needs from the program around it: plugin processes, an ear for its events, perhaps a tap on its wire and on its commits.

mod crash;
mod wire;

use crate::event::Event;
use crate::process::ChildProcess;
use crate::world::{Clock, system_clock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use crash::Death;
pub use crash::{CrashTap, KillSwitch, Phase};
pub use wire::{Verdict, Way, WireMessage, WireTap, message_name};

/// The surroundings of a node. [`Host::default`] is right for a program that only wants nodes.
#[derive(Clone)]
pub struct Host {
    /// Makes plugins run.
    pub launcher: Arc<dyn PluginLauncher>,
    /// Hears everything that happens to the node, if anybody listens.
    pub events: Option<Ear>,
    /// Judges the messages to and from peers, if anybody does.
    pub wire: Option<Arc<dyn WireTap>>,
    /// Says where the node stops dead, if anybody does.
    pub crash: Option<Arc<dyn CrashTap>>,
    /// Tells the time.
    pub clock: Clock,
    /// The seed of every secret that the node draws; `None` is a random one.
    pub seed: Option<[u8; 32]>,
}

/// Is told events on the node's thread, as they happen; it must not block.
pub type Ear = Arc<dyn Fn(Event) + Send + Sync>;

impl Default for Host {
    fn default() -> Self {
        Self {
            launcher: Arc::new(ChildProcess::default()),
            events: None,
            wire: None,
            crash: None,
            clock: system_clock(),
            seed: None,
        }
    }
}

/// How a plugin is to be run: what lightningd passes to `execvp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The canonical path of the executable.
    pub path: PathBuf,
    /// Arguments after the path.
    pub args: Vec<String>,
    /// Variables added to the node's own environment.
    pub env: Vec<(String, String)>,
    /// The working directory: the network directory.
    pub cwd: PathBuf,
}

impl Launch {
    /// The name by which logs and other plugins call it: the last part of the path.
    #[must_use]
    pub fn shortname(&self) -> String {
        shortname(&self.path)
    }
}

/// The last part of a plugin's path.
#[must_use]
pub fn shortname(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Makes plugins run. The test harness has its own: it records, and serves mocks without a process.
pub trait PluginLauncher: Send + Sync {
    /// Starts a plugin.
    ///
    /// # Errors
    /// Whatever `exec` failed with; the node reports it as `opening pipe: <error>`.
    fn launch(&self, launch: &Launch) -> io::Result<RunningPlugin>;
}

/// A running plugin: its two pipes and the means to end it.
pub struct RunningPlugin {
    /// Bytes written here are its standard input.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// The process, if there is one. Dropping it must kill it.
    pub process: Box<dyn PluginProcess>,
}

/// The process behind a plugin.
pub trait PluginProcess: Send {
    /// Its id, for the log.
    fn pid(&self) -> Option<u32>;
    /// SIGKILL.
    fn kill(&mut self);
    /// Lets it live on although the node lets go of it; it ends when it notices its closed pipes.
    fn release(self: Box<Self>);
}
