//! The configuration of a node: lightningd's options as values.

pub mod channels;

use crate::event::LogLevel;
use crate::options::configvar::ConfigVars;
use leyden_protocol::Profile;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that is decided before a node starts. The binary fills it from the command line.
#[derive(Debug, Clone)]
pub struct Config {
    /// `--lightning-dir`. The node lives in its sub-directory `regtest`.
    pub lightning_dir: PathBuf,
    /// `--rpc-file`: the Unix socket for commands. A relative path starts at the directory of the network.
    pub rpc_file: PathBuf,
    /// `--pid-file`: a file that keeps a second node away. `None` where several nodes share a process.
    pub pid_file: Option<PathBuf>,
    /// The release to be.
    pub profile: Profile,
    /// `--alias`; the default is made from the node id, as CLN makes it.
    pub alias: Option<String>,
    /// `--rgb`: the colour of the node; the default is made from the node id.
    pub rgb: Option<[u8; 3]>,
    /// `--addr`: where to take peers. Port 0 lets the system choose. `None` takes no peers.
    pub addr: Option<SocketAddr>,
    /// Whether others are told of that address, if it is one that they could reach (`--addr`, not `--bind-addr`).
    pub announces_addr: bool,
    /// `--recover`: the secret of a lost node, as it was given. Such a node takes no peers.
    pub recover: Option<String>,
    /// The bitcoind behind the built-in Bitcoin backend, which serves the methods that no plugin brings. `None`,
    /// or `--disable-plugin=bcli`, leaves all five to plugins.
    pub bitcoind: Option<Bitcoind>,
    /// `--dev-bitcoind-poll`: how often to ask the Bitcoin backend for a new block and for fees.
    pub bitcoind_poll: Duration,
    /// How long the built-in backend waits at the start for a bitcoind that does not answer, or is not ready.
    pub bitcoind_patience: Duration,
    /// `--rescan`: how many blocks before the last one known to look at again; below 0, minus the height to
    /// begin at.
    pub rescan: i32,
    /// Which plugins to run, in the order in which it was said.
    pub plugins: Vec<PluginChoice>,
    /// Without `--dev-no-plugin-checksum`: start a plugin anew, when it is named again, if its file has changed.
    pub plugin_checksum: bool,
    /// Everything that was given, on the command line and in configuration files: plugins' options are among it.
    pub vars: ConfigVars,
    /// `--conf`: the configuration file to read instead of the default ones.
    pub conf: Option<PathBuf>,
    /// The file that `setconfig` writes, once there is one.
    pub setconfig_file: Option<PathBuf>,
    /// `--help`: tell what options there are, and end.
    pub help: bool,
    /// `--allow-deprecated-apis`.
    pub allow_deprecated_apis: bool,
    /// `--i-promise-to-fix-broken-api-user`: what may be used although it is to be removed.
    pub begged: Vec<String>,
    /// `--min-capacity-sat`: the smallest channel to take.
    pub min_capacity_sat: u64,
    /// What the node asks of its channels.
    pub channels: channels::Channels,
    /// `--accept-htlc-tlv-type`: even types that payloads may have though the node does not know them.
    pub accept_htlc_tlv_types: Vec<u64>,
    /// `--proxy`. Plugins are told; peers are reached without it.
    pub proxy: Option<SocketAddr>,
    /// `--always-use-proxy`, likewise.
    pub always_use_proxy: bool,
    /// `--developer`.
    pub developer: bool,
    /// `--dev-allow-localhost`: believe what peers tell of this node's address, though it is a loopback address.
    pub allow_localhost: bool,
    /// `--log-level`: quieter lines are not printed.
    pub log_level: LogLevel,
    /// `--log-file`; a line goes to each.
    pub log_files: Vec<PathBuf>,
    /// `--daemon`: the program runs in the background.
    pub daemon: bool,
    /// `--wallet`: the database, if it is not in its usual place.
    pub wallet: Option<PathBuf>,
    /// Where the database keeps what undoes a transaction.
    pub journal: Journal,
    /// `--log-level` with a part of the names of sources.
    pub log_filters: Vec<LogFilter>,
    /// `--log-prefix`.
    pub log_prefix: String,
    /// `--log-timestamps`: begin every line with its time.
    pub log_timestamps: bool,
    /// `--dev-plugin-startup-timeout`: how long a plugin may take for `getmanifest`, and again for `init`; default by profile.
    pub plugin_startup_timeout: Option<Duration>,
    /// `--dev-plugin-shutdown-timeout`: how long plugins may take to exit; default by profile.
    pub plugin_shutdown_timeout: Option<Duration>,
    /// `--dev-debugger`: plugins whose path ends so are to wait for a debugger, and have all the time that it takes.
    pub debugged: Option<String>,
    /// How many times less time plugins have than the release gives them.
    pub plugin_timeout_divisor: NonZeroU32,
}

/// Where a database keeps what undoes a transaction that is not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// In a file beside it: the process may end at any moment.
    File,
    /// In memory, which takes half of the time. If the process is killed while a transaction is being written, the database is lost.
    Memory,
}

impl Config {
    /// A node in `lightning_dir`, on regtest, that takes peers on a loopback port of the system's choice.
    #[must_use]
    pub fn new(lightning_dir: PathBuf, bitcoind: Option<Bitcoind>) -> Self {
        Self {
            lightning_dir,
            rpc_file: PathBuf::from("lightning-rpc"),
            pid_file: None,
            profile: Profile::default(),
            alias: None,
            rgb: None,
            addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            recover: None,
            announces_addr: false,
            bitcoind,
            bitcoind_poll: Duration::from_secs(30),
            bitcoind_patience: Duration::from_secs(30),
            journal: Journal::File,
            rescan: 30,
            plugins: Vec::new(),
            plugin_checksum: true,
            vars: ConfigVars::default(),
            conf: None,
            setconfig_file: None,
            help: false,
            allow_deprecated_apis: false,
            begged: Vec::new(),
            min_capacity_sat: 10_000,
            channels: channels::Channels::default(),
            accept_htlc_tlv_types: Vec::new(),
            proxy: None,
            always_use_proxy: false,
            developer: true,
            allow_localhost: false,
            log_level: LogLevel::Trace,
            log_files: Vec::new(),
            daemon: false,
            wallet: None,
            log_filters: Vec::new(),
            log_prefix: String::new(),
            log_timestamps: true,
            plugin_startup_timeout: None,
            plugin_shutdown_timeout: None,
            debugged: None,
            plugin_timeout_divisor: NonZeroU32::MIN,
        }
    }

    /// The directory of the network, where the database, the RPC socket and `hsm_secret` are.
    #[must_use]
    pub fn network_dir(&self) -> PathBuf {
        self.lightning_dir.join("regtest")
    }

    /// The file in which plugins find the gossip.
    #[must_use]
    pub fn gossip_store_path(&self) -> PathBuf {
        self.network_dir().join("gossip_store")
    }

    /// The file of the database.
    #[must_use]
    pub(crate) fn database(&self) -> PathBuf {
        self.network_dir().join(self.wallet.as_deref().unwrap_or(Path::new("lightningd.sqlite3")))
    }

    /// The Unix socket for commands.
    #[must_use]
    pub fn rpc_path(&self) -> PathBuf {
        self.network_dir().join(&self.rpc_file)
    }
}

/// Where bitcoind answers JSON-RPC over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitcoind {
    /// `--bitcoin-rpcconnect` and `--bitcoin-rpcport`.
    pub rpc: SocketAddr,
    /// `--bitcoin-rpcuser`.
    pub user: String,
    /// `--bitcoin-rpcpassword`.
    pub password: String,
}

/// An option that says which plugins to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginChoice {
    /// `--plugin`, or `--important-plugin`: this one.
    Register {
        /// Its executable. A relative path starts at the directory of the network.
        path: PathBuf,
        /// Whether the node ends with it.
        important: bool,
    },
    /// `--plugin-dir`: those in this directory.
    Directory(PathBuf),
    /// `--disable-plugin`: not those with this name or path, wherever they are named.
    Disable(String),
    /// `--clear-plugins`: none of those named so far.
    Clear,
}

impl fmt::Display for PluginChoice {
    /// The option.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { path, important: false } => write!(formatter, "--plugin={}", path.display()),
            Self::Register { path, important: true } => {
                write!(formatter, "--important-plugin={}", path.display())
            }
            Self::Directory(dir) => write!(formatter, "--plugin-dir={}", dir.display()),
            Self::Disable(name) => write!(formatter, "--disable-plugin={name}"),
            Self::Clear => formatter.write_str("--clear-plugins"),
        }
    }
}

/// `--log-level=<level>:<part>[:<file>]`: what is printed of some sources, in all files or in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// The least level that is printed.
    pub level: LogLevel,
    /// What the name of the source has in it, such as `plugin-` or the beginning of a node id.
    pub part: String,
    /// The file, as it was named to `--log-file`.
    pub file: Option<PathBuf>,
}
