//! A plugin's life, from launch over manifest to `init` (`lightningd/plugin.c`).

use super::PluginState;
use super::request::Awaiting;
use crate::event::LogLevel;
use crate::host::Launch;
use crate::input::{PluginId, PluginInput, Timer};
use crate::log::Direction;
use crate::output::Output;
use crate::state::{Phase, State};
use crate::strerror::strerror;
use leyden_protocol::manifest::Refusal;
use leyden_protocol::{Envelope, Id, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

impl State {
    /// What plugins have of the time that the release gives them.
    pub(crate) fn shortened(&self, time: Duration) -> Duration {
        time / self.config.plugin_timeout_divisor.get()
    }

    /// Runs every plugin that is registered and does not run yet. `cause` is the request that led to it.
    pub(crate) fn launch_plugins(&mut self, cause: Option<&Id>) {
        for id in self.plugins.ids() {
            self.launch_plugin(id, cause.cloned());
        }
    }

    pub(crate) fn launch_plugin(&mut self, id: PluginId, cause: Option<Id>) {
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        if plugin.state != PluginState::Unconfigured {
            return;
        }
        (plugin.state, plugin.cause) = (PluginState::AwaitingGetmanifest, cause);
        let cwd = self.config.network_dir();
        let path = cwd.join(&plugin.path);
        let mut args = Vec::new();
        if self.is_debugged(&path) {
            args.push(self.profile.debugger_argument().to_owned());
        }
        if self.config.developer && self.profile.tells_plugins_of_developer() {
            args.push("--developer".to_owned());
        }
        let env = vec![
            ("LIGHTNINGD_PLUGIN".to_owned(), "1".to_owned()),
            ("LIGHTNINGD_VERSION".to_owned(), self.profile.version().to_owned()),
        ];
        self.out.push(Output::LaunchPlugin(id, Launch { path, args, env, cwd }));
    }

    /// The plugin runs, or could not be run.
    pub(crate) fn plugin_launched(&mut self, id: PluginId, result: Result<Option<u32>, String>) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let path = plugin.path.display().to_string();
        match result {
            Ok(pid) => {
                let cause = plugin.cause.clone();
                let pid = pid.map_or_else(|| "in process".to_owned(), |pid| pid.to_string());
                self.log(LogLevel::Debug, "plugin-manager", &format!("started({pid}) {path}"));
                let allowed = self.config.allow_deprecated_apis;
                let params = format!(r#"{{"allow-deprecated-apis":{allowed}}}"#);
                self.request(id, "getmanifest", &params, cause.as_ref(), Awaiting::Manifest);
                self.set_startup_timer(id);
            }
            Err(why) => {
                let asked = plugin.start.as_ref().map(|start| start.path.clone());
                match asked {
                    Some(asked) => self.fail_start(id, &asked, &format!("opening pipe: {why}")),
                    None if self.phase < Phase::Running => {
                        return self.fatal(&format!("error starting plugin '{path}': opening pipe: {why}"));
                    }
                    None => {}
                }
                self.destroy_plugin(id);
            }
        }
    }

    /// Whether a debugger is wanted for the plugin at this path.
    fn is_debugged(&self, path: &Path) -> bool {
        let debugged = self.config.debugged.as_deref();
        debugged.is_some_and(|end| path.as_os_str().as_encoded_bytes().ends_with(end.as_bytes()))
    }

    fn set_startup_timer(&mut self, id: PluginId) {
        if self.plugins.get(id).is_some_and(|plugin| self.is_debugged(&plugin.path)) {
            return;
        }
        let after =
            self.config.plugin_startup_timeout.unwrap_or(self.shortened(self.profile.startup_timeout()));
        self.out.push(Output::SetTimer(Timer::PluginStartup(id), after));
    }

    /// Something came from a plugin.
    pub(crate) fn plugin_input(&mut self, id: PluginId, input: PluginInput) {
        match input {
            PluginInput::Launched(result) => self.plugin_launched(id, result),
            // The actor has them cut into messages, so that each is a transaction.
            PluginInput::Bytes(_) => {}
            PluginInput::Frame { frame, unread, start } => self.plugin_frame(id, &frame, &unread[start..]),
            PluginInput::Many(messages) => self.plugin_flooding(id, messages),
            PluginInput::NotJson(unread) => self.plugin_not_json(id, &unread),
            PluginInput::Closed => self.plugin_closed(id),
        }
    }

    /// The messages that are complete with these bytes: frames, and at last perhaps what is no JSON.
    pub(crate) fn plugin_frames(&mut self, id: PluginId, bytes: &[u8]) -> Vec<PluginInput> {
        let at_once = self.profile.messages_at_once();
        let Some(plugin) = self.plugins.get_mut(id) else { return Vec::new() };
        if self.log.wants_bytes() {
            self.log.bytes(&plugin.log_source(), Direction::In, bytes);
        }
        plugin.reader.push(bytes);
        let length = plugin.reader.unread().len();
        let unread: Arc<str> = String::from_utf8_lossy(plugin.reader.unread()).into();
        let mut inputs = Vec::new();
        loop {
            // What was read is JSON, and of the same length here.
            let start = length - plugin.reader.unread().len();
            match plugin.reader.next_frame() {
                Ok(Some(frame)) => {
                    inputs.push(PluginInput::Frame { frame, unread: Arc::clone(&unread), start });
                    if Some(inputs.len()) == at_once {
                        inputs.push(PluginInput::Many(inputs.len()));
                    }
                }
                Ok(None) => return inputs,
                Err(_) => {
                    inputs.push(PluginInput::NotJson(unread[start..].to_owned()));
                    return inputs;
                }
            }
        }
    }

    /// The plugin wrote what cannot be JSON.
    pub(crate) fn plugin_not_json(&mut self, id: PluginId, unread: &str) {
        self.kill_plugin(id, LogLevel::Unusual, &self.profile.not_json(unread));
    }

    /// The plugin writes faster than others get their turn.
    pub(crate) fn plugin_flooding(&mut self, id: PluginId, messages: usize) {
        let Some(source) = self.plugins.get(id).map(super::Plugin::log_source) else { return };
        let text = format!("Pausing response parsing after {messages} response");
        self.log(LogLevel::Debug, &source, &text);
    }

    /// The plugin wrote one JSON value.
    pub(crate) fn plugin_frame(&mut self, id: PluginId, frame: &str, unread: &str) {
        let heard = self.rpc_frame(frame, unread).and_then(|message| match message.id {
            Some(_) => self.plugin_response(id, &message),
            None => self.plugin_notification(id, &message),
        });
        if let Err(why) = heard {
            self.kill_plugin(id, LogLevel::Unusual, &why);
        }
    }

    /// A JSON value as a message of JSON-RPC. `Err` is why the plugin that wrote it is killed.
    pub(crate) fn rpc_frame<'a>(&self, frame: &'a str, unread: &str) -> Result<Envelope<'a>, String> {
        match Envelope::parse(frame) {
            Some(message) if message.jsonrpc.is_some() => Ok(message),
            message => Err(self.profile.not_json_rpc(message.is_some(), unread)),
        }
    }

    /// The manifest is in, or an error.
    pub(crate) fn manifest_answered(&mut self, id: PluginId, response: &Envelope<'_>) {
        self.out.push(Output::CancelTimer(Timer::PluginStartup(id)));
        let manifest = match self.read_manifest(id, response.text) {
            Ok(manifest) => manifest,
            Err(Refusal::Kill(why)) => return self.kill_plugin(id, LogLevel::Unusual, &why),
            Err(Refusal::Fatal(why)) => return self.fatal(&why),
        };
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        let source = plugin.log_source();
        if let Some(why) = &manifest.disable {
            plugin.important = false;
            let level = if self.profile.disable_is_info() { LogLevel::Info } else { LogLevel::Debug };
            return self.kill_plugin(id, level, &format!("disabled itself: {why}"));
        }
        plugin.manifest = manifest;
        if let Err(why) = self.set_start_options(id) {
            return self.kill_plugin(id, LogLevel::Unusual, &why);
        }
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        plugin.state = PluginState::NeedsInit;
        if self.phase >= Phase::Running && !plugin.manifest.dynamic {
            self.kill_plugin(id, LogLevel::Info, "Not a dynamic plugin");
        }
        // Also if it was killed: v26.06.6 forgets the others then, and they wait for ever.
        self.manifests_may_be_settled(&source);
    }

    /// No manifest may be missing now: at the start the node goes on, later the newcomers get `init`. `source`
    /// is whose manifest was the last, or lightningd.
    pub(crate) fn manifests_may_be_settled(&mut self, source: &str) {
        if self.plugins.any_in(PluginState::AwaitingGetmanifest) || self.stopping() {
            return;
        }
        self.order_hooks(source);
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
            if self.plugins.get(id).is_some_and(|plugin| plugin.state == PluginState::NeedsInit) {
                self.send_init(id, Awaiting::Init);
                self.set_startup_timer(id);
            }
        }
    }

    /// Sends `init` to one plugin.
    pub(crate) fn send_init(&mut self, id: PluginId, awaiting: Awaiting) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let params = serde_json::to_string(&self.init_of(id, plugin)).expect("init is JSON");
        if let Some(plugin) = self.plugins.get_mut(id) {
            plugin.state = PluginState::AwaitingInit;
        }
        self.request(id, "init", &params, None, awaiting);
    }

    /// `init` is answered. Only `disable` counts; an error is as good as a result.
    pub(crate) fn init_answered(&mut self, id: PluginId, response: &Envelope<'_>) {
        self.out.push(Output::CancelTimer(Timer::PluginStartup(id)));
        let Some(plugin) = self.plugins.get_mut(id) else { return };
        if let Some(why) = response.result.and_then(|result| json::member(result, "disable")) {
            plugin.important = false;
            self.remove_features(id);
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
}

/// The input that says how launching went.
pub(crate) fn launched(result: std::io::Result<Option<u32>>) -> PluginInput {
    PluginInput::Launched(result.map_err(|error| strerror(&error)))
}
