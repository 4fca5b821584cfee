//! Plugins (`lightningd/plugin.c`).
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`registration`], [`file`] | which plugins there are, and their files | `plugin.c:plugin_register` |
//! | [`bundled`] | what lightningd's own plugins have taken | |
//! | [`lifecycle`] | from launch to `init` | `plugin.c` |
//! | [`death`] | a plugin's end, and what it owed | `plugin.c:destroy_plugin` |
//! | [`registry`] | what a manifest is held against | `plugin.c:plugin_parse_getmanifest_response` |
//! | [`options`] | the values of plugins' options | `plugin.c:plugin_add_params` |
//! | [`init`] | what `init` tells | `plugin.c:plugin_populate_init_request` |
//! | [`request`] | requests to plugins and who waits for them | `jsonrpc.c:jsonrpc_request_start` |
//! | [`hook`] | hooks: order, chains, verdicts | `plugin_hook.c` |
//! | [`db_write`] | what answers to `db_write` mean | `plugin_hook.c:db_hook_response` |
//! | [`notification`] | notifications, to and from plugins | `notification.c` |
//! | [`control`] | the `plugin` command | `plugin_control.c` |
//! | [`stdio`] | the I/O task of one plugin | |

mod bundled;
pub(crate) mod control;
pub(crate) mod db_write;
mod death;
mod file;
pub(crate) mod hook;
mod init;
pub(crate) mod lifecycle;
pub(crate) mod notification;
mod options;
mod registration;
mod registry;
pub(crate) mod request;
pub(crate) mod stdio;

use crate::input::PluginId;
use crate::jsonrpc::Client;
use leyden_protocol::{FrameReader, Id, Manifest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How far a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PluginState {
    /// It is registered, and does not run yet.
    Unconfigured,
    /// `getmanifest` is sent.
    AwaitingGetmanifest,
    /// The manifest is in, `init` is not sent yet.
    NeedsInit,
    /// `init` is sent.
    AwaitingInit,
    /// It works.
    InitComplete,
}

impl PluginState {
    /// As it stands in lightningd's complaints (`plugin.c:state_desc`).
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Unconfigured => "unconfigured",
            Self::AwaitingGetmanifest => "before replying to getmanifest",
            Self::NeedsInit => "before we sent init",
            Self::AwaitingInit => "before replying to init",
            Self::InitComplete => "during normal operation",
        }
    }
}

/// A plugin.
pub(crate) struct Plugin {
    pub(crate) path: PathBuf,
    pub(crate) shortname: String,
    pub(crate) state: PluginState,
    pub(crate) important: bool,
    /// Of its file, when it was registered.
    checksum: u32,
    /// The request that led to its start; its `getmanifest` names it.
    cause: Option<Id>,
    pub(crate) manifest: Manifest,
    pub(crate) reader: FrameReader,
    /// The `plugin start` that waits for it.
    pub(crate) start: Option<RuntimeStart>,
    /// Each `plugin stop` that waits for it to exit, and the name to answer with.
    pub(crate) stops: Vec<(Client, String)>,
}

/// What `plugin start` asked for.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeStart {
    pub(crate) client: Client,
    /// Its path, as it was asked for.
    pub(crate) path: PathBuf,
    /// Option values given with it: the text of their tokens.
    pub(crate) options: Vec<(String, String)>,
}

impl Plugin {
    fn new(path: &Path, important: bool, checksum: u32, start: Option<RuntimeStart>) -> Self {
        Self {
            path: path.to_owned(),
            shortname: crate::host::shortname(path),
            state: PluginState::Unconfigured,
            important,
            checksum,
            cause: None,
            manifest: Manifest { dynamic: false, nonnumericids: None, ..Manifest::default() },
            reader: FrameReader::new(),
            start,
            stops: Vec::new(),
        }
    }

    /// The source of its lines in the log.
    pub(crate) fn log_source(&self) -> String {
        format!("plugin-{}", self.shortname)
    }

    /// Whether `name` means it: one with a slash is a path, which may start at `dir`.
    pub(crate) fn is_called(&self, name: &str, dir: &Path) -> bool {
        file::is_called(&self.path, name, dir)
    }

    /// Whether it subscribed to `topic` by name.
    pub(crate) fn subscribes(&self, topic: &str) -> bool {
        self.manifest.subscriptions.iter().any(|subscription| subscription == topic)
    }
}

/// Every plugin that is registered, by order of registration.
#[derive(Default)]
pub(crate) struct Plugins {
    next: u64,
    /// Names and paths of plugins that are not to be registered.
    disabled: Vec<String>,
    /// `--clear-plugins` has removed the bundled ones as well.
    cleared: bool,
    /// Commands that wait until every plugin has answered `init`, each with its subcommand.
    waiting: Vec<(Client, &'static str)>,
    all: BTreeMap<PluginId, Plugin>,
}

impl Plugins {
    pub(crate) fn add(&mut self, plugin: Plugin) -> PluginId {
        let id = PluginId(self.next);
        self.next += 1;
        self.all.insert(id, plugin);
        id
    }

    pub(crate) fn remove(&mut self, id: PluginId) -> Option<Plugin> {
        self.all.remove(&id)
    }

    pub(crate) fn get(&self, id: PluginId) -> Option<&Plugin> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: PluginId) -> Option<&mut Plugin> {
        self.all.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PluginId, &Plugin)> {
        self.all.iter().map(|(id, plugin)| (*id, plugin))
    }

    pub(crate) fn ids(&self) -> Vec<PluginId> {
        self.all.keys().copied().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The plugin that `name` means; a relative path starts at `dir`.
    pub(crate) fn called(&self, name: &str, dir: &Path) -> Option<(PluginId, &Plugin)> {
        self.iter().find(|(_, plugin)| plugin.is_called(name, dir))
    }

    /// The plugin with this path.
    fn at(&mut self, path: &Path) -> Option<(PluginId, &mut Plugin)> {
        self.all.iter_mut().find(|(_, plugin)| plugin.path == path).map(|(id, plugin)| (*id, plugin))
    }

    /// The plugin that brings the RPC method `name`.
    pub(crate) fn method(&self, name: &str) -> Option<(PluginId, &Plugin)> {
        self.iter().find(|(_, plugin)| plugin.manifest.rpcmethods.iter().any(|method| method.name == name))
    }

    /// Whether some plugin is in `state`.
    pub(crate) fn any_in(&self, state: PluginState) -> bool {
        self.all.values().any(|plugin| plugin.state == state)
    }

    /// Whether every plugin has answered `init`.
    pub(crate) fn all_initialised(&self) -> bool {
        self.all.values().all(|plugin| plugin.state == PluginState::InitComplete)
    }
}
