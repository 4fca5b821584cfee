//! A plugin's life: registration, manifest, `init`, death (`lightningd/plugin.c`).

use super::request::Awaiting;
use super::{Plugin, PluginState, RuntimeStart};
use crate::event::{Exit, LogLevel};
use crate::host::Launch;
use crate::input::{PluginId, PluginInput, Timer};
use crate::output::Output;
use crate::state::{Phase, State};
use leyden_protocol::init::{Configuration, FeatureSet, Init};
use leyden_protocol::message::{RpcError, code};
use leyden_protocol::{Envelope, Manifest, json};
use std::path::{Path, PathBuf};

impl State {
    /// Registers a plugin and runs it.
    pub(crate) fn register_plugin(&mut self, path: &Path, important: bool, start: Option<RuntimeStart>) {
        let id = self.plugins.add(Plugin::new(path, important, start));
        let mut args = Vec::new();
        if self.config.developer && self.profile.tells_plugins_of_developer() {
            args.push("--developer".to_owned());
        }
        let env = vec![
            ("LIGHTNINGD_PLUGIN".to_owned(), "1".to_owned()),
            ("LIGHTNINGD_VERSION".to_owned(), self.profile.version().to_owned()),
        ];
        let launch = Launch { path: path.to_owned(), args, env, cwd: self.config.network_dir() };
        self.out.push(Output::LaunchPlugin(id, launch));
    }

    /// The plugin runs, or could not be run.
    pub(crate) fn plugin_launched(&mut self, id: PluginId, result: Result<Option<u32>, String>) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let path = plugin.path.display().to_string();
        match result {
            Ok(pid) => {
                let pid = pid.map_or_else(|| "in process".to_owned(), |pid| pid.to_string());
                self.log(LogLevel::Debug, "plugin-manager", &format!("started({pid}) {path}"));
                let allowed = self.config.allow_deprecated_apis;
                let params = format!(r#"{{"allow-deprecated-apis":{allowed}}}"#);
                let cause = self.start_cause(id);
                self.request(id, "getmanifest", &params, cause.as_ref(), Awaiting::Manifest);
                self.set_startup_timer(id);
            }
            Err(why) if plugin.start.is_none() => {
                self.fatal(&format!("error starting plugin '{path}': opening pipe: {why}"));
            }
            Err(why) => {
                self.fail_start(id, &format!("opening pipe: {why}"));
                self.destroy_plugin(id);
            }
        }
    }

    fn set_startup_timer(&mut self, id: PluginId) {
        let after = self.config.plugin_startup_timeout.unwrap_or(self.profile.startup_timeout());
        self.out.push(Output::SetTimer(Timer::PluginStartup(id), after));
    }

    /// The plugin wrote something.
    pub(crate) fn plugin_bytes(&mut self, id: PluginId, bytes: &[u8]) {
        for input in self.plugin_frames(id, bytes) {
            // Any message may be the last: it may have killed the plugin or the node.
            if self.exit.is_some() {
                return;
            }
            match input {
                PluginInput::NotJson(unread) => self.plugin_not_json(id, &unread),
                PluginInput::Frame { frame, unread } => self.plugin_frame(id, &frame, &unread),
                PluginInput::Launched(_) | PluginInput::Bytes(_) | PluginInput::Closed => {}
            }
        }
    }

    /// The messages that are complete with these bytes: frames, and at last perhaps what is no JSON.
    pub(crate) fn plugin_frames(&mut self, id: PluginId, bytes: &[u8]) -> Vec<PluginInput> {
        let Some(plugin) = self.plugins.get_mut(id) else { return Vec::new() };
        plugin.reader.push(bytes);
        let mut inputs = Vec::new();
        loop {
            let unread = String::from_utf8_lossy(plugin.reader.unread()).into_owned();
            match plugin.reader.next_frame() {
                Ok(Some(frame)) => inputs.push(PluginInput::Frame { frame, unread }),
                Ok(None) => return inputs,
                Err(_) => {
                    inputs.push(PluginInput::NotJson(unread));
                    return inputs;
                }
            }
        }
    }

    /// The plugin wrote what cannot be JSON.
    pub(crate) fn plugin_not_json(&mut self, id: PluginId, unread: &str) {
        let why = format!("Failed to parse RPC JSON response '{unread}'");
        self.kill_plugin(id, LogLevel::Unusual, &why);
    }

    /// The plugin wrote one JSON value.
    pub(crate) fn plugin_frame(&mut self, id: PluginId, frame: &str, unread: &str) {
        match Envelope::parse(frame).filter(|message| message.jsonrpc.is_some()) {
            None => {
                let why = format!(r#"JSON-RPC message does not contain "jsonrpc" field: '{unread}'"#);
                self.kill_plugin(id, LogLevel::Unusual, &why);
            }
            Some(message) if message.id.is_some() => self.plugin_response(id, &message),
            Some(message) => self.plugin_notification(id, &message),
        }
    }

    /// The manifest is in, or an error.
    pub(crate) fn manifest_answered(&mut self, id: PluginId, response: &Envelope<'_>) {
        self.out.push(Output::CancelTimer(Timer::PluginStartup(id)));
        let manifest = Manifest::parse(response.text).and_then(|manifest| self.check_manifest(id, manifest));
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(why) => return self.kill_plugin(id, LogLevel::Unusual, &why),
        };
        let disabled = manifest.disable.clone();
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        plugin.manifest = manifest;
        plugin.state = PluginState::NeedsInit;
        if let Some(why) = disabled {
            plugin.important = false;
            return self.kill_plugin(id, LogLevel::Info, &format!("disabled itself: {why}"));
        }
        if let Err(why) = self.apply_start(id) {
            return self.kill_plugin(id, LogLevel::Unusual, &why);
        }
        self.manifests_may_be_settled();
    }

    /// What of a manifest only the node can check: names that others have taken.
    fn check_manifest(&mut self, id: PluginId, manifest: Manifest) -> Result<Manifest, String> {
        for option in &manifest.options {
            if self.plugins.has_option(&option.name) || crate::options::is_builtin(&option.name) {
                let path = self.plugins.get(id).map(|plugin| plugin.path.display().to_string());
                if self.phase == Phase::Manifests {
                    let (path, name) = (path.unwrap_or_default(), &option.name);
                    self.fatal(&format!(
                        "error starting plugin '{path}': option name '{name}' is already taken"
                    ));
                }
                return Err(format!(r#"Option "{}" already registered"#, option.name));
            }
        }
        for method in &manifest.rpcmethods {
            let owner = match self.plugins.method(&method.name) {
                Some((_, plugin)) => format!("plugin {}", plugin.path.display()),
                None if crate::command::find(&method.name).is_some() => "lightningd".to_owned(),
                None => continue,
            };
            let name = &method.name;
            return Err(format!(
                r#"Could not register method "{name}", a method with that name is already registered by {owner}"#
            ));
        }
        Ok(manifest)
    }

    /// What `plugin start` asks of the manifest: that the plugin is dynamic and has the options given.
    fn apply_start(&mut self, id: PluginId) -> Result<(), String> {
        let Some(plugin) = self.plugins.get_mut(id) else { return Ok(()) };
        let Some(start) = plugin.start.clone() else { return Ok(()) };
        for (name, value) in &start.options {
            plugin.set_option_from_rpc(name, value).map_err(|why| match why.as_str() {
                "unknown option" => format!("unknown parameter {name}"),
                _ => why,
            })?;
        }
        if plugin.manifest.dynamic { Ok(()) } else { Err("Not a dynamic plugin".to_owned()) }
    }

    /// Every manifest may be in now: at the start the node goes on, later the newcomers get `init`.
    pub(crate) fn manifests_may_be_settled(&mut self) {
        if !self.plugins.all_at_least(PluginState::NeedsInit) || self.stopping() {
            return;
        }
        self.order_hooks();
        self.complain_about_topics();
        match self.phase {
            Phase::Manifests => self.manifests_settled(),
            Phase::Database | Phase::Topology => {}
            Phase::Inits | Phase::Running => self.send_inits(),
            Phase::Stopping => {}
        }
    }

    /// Sends `init` to every plugin that has not got it.
    pub(crate) fn send_inits(&mut self) {
        for id in self.plugins.ids() {
            let Some(plugin) = self.plugins.get_mut(id) else { continue };
            if plugin.state != PluginState::NeedsInit {
                continue;
            }
            plugin.state = PluginState::AwaitingInit;
            let options = plugin.init_options();
            let init = Init { options, configuration: self.configuration() };
            let params = serde_json::to_string(&init).expect("init is JSON");
            self.request(id, "init", &params, None, Awaiting::Init);
            self.set_startup_timer(id);
        }
    }

    fn configuration(&self) -> Configuration {
        let place = |name: &str| {
            let places = self.features.places();
            places
                .iter()
                .find(|(place, _)| *place == name)
                .map_or_else(String::new, |(_, bits)| bits.to_string())
        };
        let newer = |name: &str| self.profile.has_newer_feature_places().then(|| place(name));
        Configuration {
            lightning_dir: self.config.network_dir().display().to_string(),
            rpc_file: "lightning-rpc".to_owned(),
            startup: self.phase < Phase::Running,
            network: "regtest".to_owned(),
            feature_set: FeatureSet {
                init: place("init"),
                node: place("node"),
                channel: place("channel"),
                invoice: place("invoice"),
                bolt12_offer: newer("bolt12_offer"),
                bolt12_invreq: newer("bolt12_invreq"),
                bolt12_invoice: newer("bolt12_invoice"),
                channel_type: newer("channel_type"),
            },
        }
    }

    /// `init` is answered. Only `disable` counts; an error is as good as a result.
    pub(crate) fn init_answered(&mut self, id: PluginId, response: &Envelope<'_>) {
        self.out.push(Output::CancelTimer(Timer::PluginStartup(id)));
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        if let Some(why) = response.result.and_then(|result| json::member(result, "disable")) {
            plugin.important = false;
            let why = format!("disabled itself at init: {}", json::bare(why));
            return self.kill_plugin(id, LogLevel::Debug, &why);
        }
        plugin.state = PluginState::InitComplete;
        let start = plugin.start.take();
        if let Some(start) = start {
            let list = self.plugin_list("start");
            self.reply(&start.client, &list);
        }
        self.notify_of_plugin("plugin_started", id);
        self.inits_may_be_complete();
    }

    /// The plugin took too long to answer `getmanifest` or `init`.
    pub(crate) fn plugin_startup_timeout(&mut self, id: PluginId) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let why = format!("timed out {}", plugin.state.description());
        self.kill_plugin(id, LogLevel::Unusual, &why);
        if self.phase < Phase::Running {
            self.fatal("Can't recover from plugin failure, terminating.");
        }
    }

    /// The plugin closed its output: it has exited, or is as good as gone.
    pub(crate) fn plugin_closed(&mut self, id: PluginId) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let why = format!("exited {}", plugin.state.description());
        let level = if self.phase == Phase::Stopping { LogLevel::Debug } else { LogLevel::Info };
        self.kill_plugin(id, level, &why);
    }

    /// Kills a plugin and says why (`plugin.c:plugin_kill`).
    pub(crate) fn kill_plugin(&mut self, id: PluginId, level: LogLevel, why: &str) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let source = plugin.log_source();
        self.log(level, &source, &format!("Killing plugin: {why}"));
        self.out.push(Output::KillPlugin(id));
        self.fail_start(id, why);
        self.destroy_plugin(id);
    }

    fn fail_start(&mut self, id: PluginId, why: &str) {
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        let Some(start) = plugin.start.take() else { return };
        let error = RpcError::new(code::PLUGIN_ERROR, format!("{}: {why}", plugin.path.display()));
        self.reply_error(&start.client, &error);
    }

    /// Forgets a plugin and settles everything it owed (`plugin.c:destroy_plugin`).
    pub(crate) fn destroy_plugin(&mut self, id: PluginId) {
        let Some(plugin) = self.plugins.remove(id) else { return };
        self.out.push(Output::CancelTimer(Timer::PluginStartup(id)));
        self.out.push(Output::CancelTimer(Timer::PluginStop(id)));
        self.hooks.forget(id);
        self.fail_requests_of(id);
        if let Some(client) = &plugin.stop {
            self.reply_stopped(client, &plugin.shortname);
        }
        if self.stopping() {
            return self.shutdown_may_be_complete();
        }
        if plugin.important {
            let source = plugin.log_source();
            self.log(LogLevel::Broken, &source, "Plugin marked as important, shutting down lightningd!");
            let message = (self.phase == Phase::Manifests)
                .then(|| "Could not initialize the plugins, see above for details.".to_owned());
            self.exit.get_or_insert(Exit { code: 1, message });
            return;
        }
        self.notify_plugin_stopped(&plugin);
        self.manifests_may_be_settled();
        self.inits_may_be_complete();
    }
}

/// The canonical path of an executable file.
///
/// # Errors
/// Why it is none, in lightningd's words.
pub(crate) fn executable(path: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt;
    let explain = |error: std::io::Error| {
        let text = error.to_string();
        text.split(" (os error").next().unwrap_or_default().to_owned()
    };
    let canonical = path.canonicalize().map_err(explain)?;
    let metadata = canonical.metadata().map_err(explain)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        Ok(canonical)
    } else {
        Err("Permission denied".to_owned())
    }
}

/// The input that says how launching went.
pub(crate) fn launched(result: std::io::Result<Option<u32>>) -> PluginInput {
    PluginInput::Launched(
        result.map_err(|error| error.to_string().split(" (os error").next().unwrap_or_default().to_owned()),
    )
}
