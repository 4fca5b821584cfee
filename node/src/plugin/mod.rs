//! Plugins (`lightningd/plugin.c`).
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`lifecycle`] | from registration to death | `plugin.c` |
//! | [`options`] | the values of plugins' options | `plugin.c:plugin_opt_add` |
//! | [`request`] | requests to plugins and who waits for them | `jsonrpc.c:jsonrpc_request_start` |
//! | [`hook`] | hooks: order, chains, verdicts | `plugin_hook.c` |
//! | [`db_write`] | what answers to `db_write` mean | `plugin_hook.c:db_hook_response` |
//! | [`notification`] | notifications, to and from plugins | `notification.c` |
//! | [`control`] | the `plugin` command | `plugin_control.c` |
//! | [`stdio`] | the I/O task of one plugin | |

pub(crate) mod control;
pub(crate) mod db_write;
pub(crate) mod hook;
pub(crate) mod lifecycle;
pub(crate) mod notification;
pub(crate) mod options;
pub(crate) mod request;
pub(crate) mod stdio;

use crate::input::PluginId;
use crate::jsonrpc::Client;
use leyden_protocol::option::OptionValue;
use leyden_protocol::{FrameReader, Manifest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How far a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PluginState {
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
    pub(crate) manifest: Manifest,
    /// The options that were set, in no order; `init` lists them in that of the manifest.
    pub(crate) values: BTreeMap<String, Vec<OptionValue>>,
    pub(crate) reader: FrameReader,
    /// The `plugin start` that waits for it.
    pub(crate) start: Option<RuntimeStart>,
    /// The `plugin stop` that waits for it to exit.
    pub(crate) stop: Option<Client>,
}

/// What `plugin start` asked for.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeStart {
    pub(crate) client: Client,
    /// Option values given with it.
    pub(crate) options: Vec<(String, String)>,
}

impl Plugin {
    fn new(path: &Path, important: bool, start: Option<RuntimeStart>) -> Self {
        Self {
            path: path.to_owned(),
            shortname: crate::host::shortname(path),
            state: PluginState::AwaitingGetmanifest,
            important,
            manifest: Manifest { dynamic: false, nonnumericids: None, ..Manifest::default() },
            values: BTreeMap::new(),
            reader: FrameReader::new(),
            start,
            stop: None,
        }
    }

    /// The source of its lines in the log.
    pub(crate) fn log_source(&self) -> String {
        format!("plugin-{}", self.shortname)
    }

    /// Whether `name` means it: a name with a slash is compared with the path, one without with the last
    /// part (`plugin.c:plugin_paths_match`).
    pub(crate) fn is_called(&self, name: &str) -> bool {
        if name.contains('/') { self.path == Path::new(name) } else { self.shortname == name }
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

    /// The plugin that `name` means.
    pub(crate) fn called(&self, name: &str) -> Option<(PluginId, &Plugin)> {
        self.iter().find(|(_, plugin)| plugin.is_called(name))
    }

    /// The plugin that brings the RPC method `name`.
    pub(crate) fn method(&self, name: &str) -> Option<(PluginId, &Plugin)> {
        self.iter().find(|(_, plugin)| plugin.manifest.rpcmethods.iter().any(|method| method.name == name))
    }

    /// Whether some plugin declares the option `name`.
    pub(crate) fn has_option(&self, name: &str) -> bool {
        self.iter().any(|(_, plugin)| plugin.manifest.options.iter().any(|option| option.name == name))
    }

    /// Whether every plugin is at least as far as `state`.
    pub(crate) fn all_at_least(&self, state: PluginState) -> bool {
        self.all.values().all(|plugin| plugin.state >= state)
    }
}
