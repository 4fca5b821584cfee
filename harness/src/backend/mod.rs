//! Which lightningd: the embedded node, or a real one. What both can do is the trait `Daemon`; all else goes over their RPC socket.

mod embedded;
mod lightningd;
mod log_tail;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leyden_protocol::Profile;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::alias::Names;
use crate::crash::CrashRules;
use crate::env::Settings;
use crate::error::{Error, Result};
use crate::last_error::LastError;
use crate::plugin::on_command_line;
use crate::process::{Watchdog, command, run_to_end};
use crate::relay::Relays;
use crate::timeline::Timeline;
use crate::wire::WireRules;

/// The program that plays the Lightning nodes of a net.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The node of this workspace, in the test process. There is nothing to install.
    #[default]
    Embedded,
    /// A real lightningd: `LIGHTNINGD_EXE`, or `lightningd` on `PATH`.
    Lightningd,
}

/// Something that not every backend can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Be any release that [`Profile`] knows. A real lightningd is only itself.
    AnyProfile,
    /// Stay alive when two plugins in a chain modify the same `rpc_command`.
    TwoModifiers,
}

impl Backend {
    /// What `LEYDEN_BACKEND` names, `embedded` or `lightningd`; the embedded node if it is not set.
    ///
    /// # Errors
    /// If it names something else.
    #[track_caller]
    pub fn from_env() -> Result<Self> {
        Self::from_settings(&Settings::from_env())
    }

    #[track_caller]
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self> {
        match settings.backend.as_deref() {
            None | Some("embedded") => Ok(Self::Embedded),
            Some("lightningd") => Ok(Self::Lightningd),
            Some(other) => Err(Error::environment("reading LEYDEN_BACKEND")
                .expected("`embedded` or `lightningd`")
                .came(format!("it is `{other}`"))),
        }
    }

    /// Why this backend cannot be used here, in words; `None` if it can.
    pub fn missing(self, settings: &Settings) -> Option<String> {
        match self {
            Self::Embedded => None,
            Self::Lightningd => match &settings.lightningd {
                None => Some("there is no lightningd on PATH, and LIGHTNINGD_EXE is not set".into()),
                Some(exe) if !exe.is_file() => Some(format!("there is no lightningd at {}", exe.display())),
                Some(_) => None,
            },
        }
    }

    /// The version that its nodes say they are, such as `v26.06.6`.
    ///
    /// # Errors
    /// If the program cannot be asked.
    #[track_caller]
    pub fn version(self, settings: &Settings) -> Result<String> {
        let Self::Lightningd = self else { return Ok(Profile::default().version().to_owned()) };
        let mut asked = command(settings.lightningd.as_deref().unwrap_or(Path::new("lightningd")));
        asked.arg("--version");
        let said = run_to_end(asked, settings.timeout);
        said.map(|said| said.trim().to_owned()).map_err(|came| {
            Error::environment("asking lightningd for its version")
                .expected("`lightningd --version`")
                .came(came)
        })
    }

    /// Why this backend lacks a capability, in words; `None` if it has it.
    pub fn lacks(self, capability: Capability) -> Option<&'static str> {
        match (self, capability) {
            (Self::Lightningd, Capability::AnyProfile) => Some("an installed lightningd is of one release"),
            (Self::Lightningd, Capability::TwoModifiers) => {
                Some("v26.06.6 frees the first verdict twice and crashes")
            }
            (Self::Embedded, Capability::AnyProfile | Capability::TwoModifiers) => None,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Lightningd => "lightningd",
        })
    }
}

/// What a backend needs of the net.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) settings: Settings,
    pub(crate) timeline: Timeline,
    pub(crate) relays: Arc<Relays>,
    pub(crate) watchdog: Arc<Watchdog>,
    pub(crate) runtime: Handle,
    pub(crate) last_error: LastError,
    /// What transcripts call the directories of the net.
    pub(crate) names: Names,
}

/// How a node reaches bitcoind.
#[derive(Clone, Debug)]
pub(crate) struct BitcoindAccess {
    pub(crate) rpc: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) dir: PathBuf,
    pub(crate) cli: Option<PathBuf>,
}

/// A node to be started, for the first time or again.
#[derive(Clone, Debug)]
pub(crate) struct NodeConfig {
    /// `l1`.
    pub(crate) name: String,
    /// Its lightning-dir.
    pub(crate) dir: PathBuf,
    /// `None` if a plugin is the Bitcoin backend.
    pub(crate) bitcoind: Option<BitcoindAccess>,
    pub(crate) profile: Profile,
    pub(crate) plugins: Vec<ConfiguredPlugin>,
    /// Options of lightningd itself, by the author.
    pub(crate) options: Vec<(String, Value)>,
    /// What the test does to the messages between it and its peers; only an embedded node asks.
    pub(crate) wire: WireRules,
    /// Where the test wants it to crash.
    pub(crate) crash: CrashRules,
    /// The port that it must take.
    pub(crate) port: u16,
}

/// A plugin with which a node starts.
#[derive(Clone, Debug)]
pub(crate) struct ConfiguredPlugin {
    pub(crate) path: PathBuf,
    pub(crate) important: bool,
    pub(crate) options: Vec<(String, Value)>,
}

impl ConfiguredPlugin {
    /// The plugin and its options, as lightningd's command line has them.
    fn on_command_line(&self) -> Vec<String> {
        let option = if self.important { "important-plugin" } else { "plugin" };
        let plugin = format!("--{option}={}", self.path.display());
        let options = self.options.iter().map(|(name, value)| on_command_line(name, value));
        std::iter::once(plugin).chain(options).collect()
    }
}

/// What pyln-testing passes to every node, so that numbers in tests for it are the same here.
fn as_in_pyln_testing() -> [(&'static str, Value); 4] {
    [
        ("cltv-delta", 6.into()),
        ("cltv-final", 5.into()),
        ("watchtime-blocks", 5.into()),
        ("dev-no-reconnect", Value::Null),
    ]
}

/// A node's command line: what a net says of its own accord, the plugins, and what the author of the test says. The author's word counts: his value replaces
/// the net's, and `false` takes back a flag.
fn command_line(defaults: &[(&str, Value)], config: &NodeConfig) -> Vec<String> {
    let given = |name: &str| config.options.iter().any(|(given, _)| given == name);
    let is_taken_back = |name: &str, value: &Value| {
        *value == Value::Bool(false)
            && defaults.iter().any(|(known, default)| *known == name && default.is_null())
    };
    let own = defaults.iter().filter(|(name, _)| !given(name));
    let own = own.map(|(name, value)| on_command_line(name, value));
    let plugins = config.plugins.iter().flat_map(ConfiguredPlugin::on_command_line);
    let by_author = config.options.iter().filter(|(name, value)| !is_taken_back(name, value));
    own.chain(plugins).chain(by_author.map(|(name, value)| on_command_line(name, value))).collect()
}

/// A node that was started. Its life can be followed on the timeline: [`NodeStarted`] when it is ready, [`NodeExited`] when it has ended.
///
/// Dropped, it is killed.
///
/// [`NodeStarted`]: crate::event::EventKind::NodeStarted
/// [`NodeExited`]: crate::event::EventKind::NodeExited
pub(crate) trait Daemon: Send + Sync {
    /// Stops it dead; nothing further is committed or sent.
    fn kill(&self);

    /// Tells it that bitcoind has a new block, if it can be told.
    fn poke_chain(&self);
}

/// Starts a node; it is ready when the timeline says so. Must be called on the net's runtime.
pub(crate) fn start(
    backend: Backend,
    config: NodeConfig,
    surroundings: &Surroundings,
) -> Result<Box<dyn Daemon>> {
    match backend {
        Backend::Embedded => embedded::start(config, surroundings),
        Backend::Lightningd => lightningd::start(config, surroundings),
    }
}
