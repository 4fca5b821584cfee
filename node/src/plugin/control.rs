//! The `plugin` command (`lightningd/plugin_control.c`).

use super::lifecycle::executable;
use super::{PluginState, RuntimeStart};
use crate::command::params::{Params, Shape};
use crate::event::LogLevel;
use crate::input::{PluginId, Timer};
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use leyden_protocol::message::{RpcError, code};
use leyden_protocol::{Id, json};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

impl State {
    /// `plugin start|stop|list`.
    pub(crate) fn command_plugin(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let subcommand =
            Params::parse(request, &[Shape::required("subcommand")], true)?.string("subcommand")?;
        match subcommand.as_str() {
            "start" => self.plugin_start(request),
            "stop" => self.plugin_stop(request),
            "list" => {
                let list = self.plugin_list("list");
                self.reply(&request.client, &list);
                Ok(())
            }
            other => Err(RpcError::new(code::INVALID_PARAMS, format!("Unknown subcommand '{other}'"))),
        }
    }

    fn plugin_start(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("subcommand"), Shape::required("plugin")];
        let params = Params::parse(request, &shape, true)?;
        let given = params.string("plugin")?;
        if params.is_positional() && params.len() > shape.len() {
            return Err(RpcError::new(code::INVALID_PARAMS, "Extra parameters must be in object"));
        }
        let path = self.find_executable(&given)?;
        if self.plugins.called(&path.display().to_string()).is_some() {
            // v26.06.6 means "already registered" and says what errno happens to hold.
            let text = format!("{}: Invalid argument", path.display());
            return Err(RpcError::new(code::INVALID_PARAMS, text));
        }
        let extras = params.extras(&shape);
        let options = extras.into_iter().map(|(name, value)| (name, json::bare(&value))).collect();
        let start = RuntimeStart { client: request.client.clone(), options };
        self.register_plugin(&path, false, Some(start));
        Ok(())
    }

    /// The file as given, else in the default plugin directory.
    fn find_executable(&self, given: &str) -> Result<PathBuf, RpcError> {
        executable(Path::new(given)).or_else(|_| {
            let path = self.config.lightning_dir.join("plugins").join(given);
            executable(&path).map_err(|why| {
                let text = format!("{} is not executable: {why}", path.display());
                RpcError::new(code::INVALID_PARAMS, text)
            })
        })
    }

    fn plugin_stop(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("subcommand"), Shape::required("plugin")];
        let name = Params::parse(request, &shape, false)?.string("plugin")?;
        let invalid = |text: String| Err(RpcError::new(code::INVALID_PARAMS, text));
        let Some((id, plugin)) = self.plugins.called(&name) else {
            return invalid(format!("Could not find plugin {name}"));
        };
        if !plugin.manifest.dynamic {
            return invalid(format!("{name} cannot be managed when lightningd is up"));
        }
        if let Some(plugin) = self.plugins.get_mut(id) {
            plugin.important = false;
            plugin.stop = Some(request.client.clone());
        }
        if self.notify_shutdown(id) {
            let after = self.config.plugin_shutdown_timeout.unwrap_or(self.profile.shutdown_timeout());
            self.out.push(Output::SetTimer(Timer::PluginStop(id), after));
        } else {
            self.kill_plugin(id, LogLevel::Info, "stopped by lightningd via RPC");
        }
        Ok(())
    }

    /// A plugin that was told to exit has not.
    pub(crate) fn plugin_stop_timeout(&mut self, id: PluginId) {
        let Some(source) = self.plugins.get(id).map(super::Plugin::log_source) else { return };
        self.log(LogLevel::Unusual, &source, "Timeout on shutdown: killing anyway");
        self.kill_plugin(id, LogLevel::Info, "stopped by lightningd via RPC");
    }

    /// Answers `plugin stop`.
    pub(crate) fn reply_stopped(&mut self, client: &Client, shortname: &str) {
        let result = json!({ "command": "stop", "result": format!("Successfully stopped {shortname}.") });
        self.reply(client, &result);
    }

    /// The result of `plugin <subcommand>`: every plugin, in order of registration.
    pub(crate) fn plugin_list(&self, subcommand: &str) -> Value {
        let entry = |(_, plugin): (PluginId, &super::Plugin)| {
            json!({
                "name": plugin.path.display().to_string(),
                "active": plugin.state == PluginState::InitComplete,
                "dynamic": plugin.manifest.dynamic,
            })
        };
        json!({ "command": subcommand, "plugins": self.plugins.iter().map(entry).collect::<Vec<_>>() })
    }

    /// The id that a plugin's `getmanifest` names as its cause.
    pub(crate) fn start_cause(&self, id: PluginId) -> Option<Id> {
        self.plugins.get(id)?.start.as_ref().map(|start| start.client.id.clone())
    }
}
