//! The `plugin` command (`lightningd/plugin_control.c`).

use super::{PluginState, RuntimeStart, file};
use crate::command::params::{Params, Shape, invalid};
use crate::event::LogLevel;
use crate::input::{PluginId, Timer};
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use crate::strerror::strerror;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

impl State {
    /// `plugin start|stop|startdir|rescan|list`.
    pub(crate) fn command_plugin(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let subcommand =
            Params::parse(request, &[Shape::required("subcommand")], true)?.string("subcommand")?;
        match subcommand.as_str() {
            "start" => self.plugin_start(request),
            "stop" => self.plugin_stop(request),
            "startdir" => self.plugin_startdir(request),
            "rescan" => self.plugin_rescan(request),
            "list" => {
                Params::parse(request, &[Shape::required("subcommand")], false)?;
                let list = self.plugin_list("list");
                self.reply(&request.client, &list);
                Ok(())
            }
            other => Err(invalid(format!("Unknown subcommand '{other}'"))),
        }
    }

    fn plugin_start(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("subcommand"), Shape::required("plugin")];
        let params = Params::parse(request, &shape, true)?;
        let given = params.string("plugin")?;
        if params.is_positional() && params.len() > shape.len() {
            return Err(invalid("Extra parameters must be in object"));
        }
        let path = self.find_executable(&given)?;
        let extras = params.extras(&shape);
        let text = |(name, value): (String, String)| (name, json::content(&value).to_owned());
        let options = extras.into_iter().map(text).collect();
        let start = RuntimeStart { client: request.client.clone(), path: path.clone(), options };
        let id = self
            .register_plugin(&path, false, Some(start))
            .map_err(|why| invalid(format!("{}: {why}", path.display())))?;
        self.launch_plugin(id, Some(request.client.id.clone()));
        Ok(())
    }

    /// The path as given, if that can be executed, else in the default plugin directory.
    fn find_executable(&self, given: &str) -> Result<PathBuf, RpcError> {
        let may_execute = |path: &Path| file::may_execute(&self.config.network_dir().join(path));
        let given = PathBuf::from(given);
        let path = match may_execute(&given) {
            Ok(()) => return Ok(given),
            Err(_) if self.profile.starts_from_default_dir() => self.default_plugin_dir().join(given),
            Err(_) => given,
        };
        match may_execute(&path) {
            Ok(()) => Ok(path),
            Err(error) => {
                let why = strerror(&error);
                Err(invalid(format!("{} is not executable: {why}", path.display())))
            }
        }
    }

    fn plugin_startdir(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("subcommand"), Shape::required("directory")];
        let given = PathBuf::from(Params::parse(request, &shape, false)?.string("directory")?);
        if !self.config.network_dir().join(&given).exists() {
            return Err(invalid(format!("Could not open {}", given.display())));
        }
        self.register_directory(&given, false).map_err(invalid)?;
        self.launch_for("startdir", request);
        Ok(())
    }

    fn plugin_rescan(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        Params::parse(request, &[Shape::required("subcommand")], false)?;
        self.register_default_directory();
        self.launch_for("rescan", request);
        Ok(())
    }

    /// Runs what was registered; the request is answered when every plugin has answered `init`.
    fn launch_for(&mut self, subcommand: &'static str, request: &RpcRequest) {
        self.plugins.waiting.push((request.client.clone(), subcommand));
        self.launch_plugins(Some(&request.client.id));
        self.answer_waiting();
    }

    /// Answers those that wait for every plugin, if every plugin has answered `init`.
    pub(crate) fn answer_waiting(&mut self) {
        if !self.plugins.all_initialised() {
            return;
        }
        for (client, subcommand) in std::mem::take(&mut self.plugins.waiting) {
            let list = self.plugin_list(subcommand);
            self.reply(&client, &list);
        }
    }

    fn plugin_stop(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = [Shape::required("subcommand"), Shape::required("plugin")];
        let name = Params::parse(request, &shape, false)?.string("plugin")?;
        let Some((id, plugin)) = self.plugins.called(&name, &self.config.network_dir()) else {
            return Err(invalid(format!("Could not find plugin {name}")));
        };
        if !plugin.manifest.dynamic {
            return Err(invalid(format!("{name} cannot be managed when lightningd is up")));
        }
        let shown = if self.profile.stop_echoes_name() { name } else { plugin.shortname.clone() };
        if let Some(plugin) = self.plugins.get_mut(id) {
            plugin.important = false;
            plugin.stops.push((request.client.clone(), shown));
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
    pub(crate) fn reply_stopped(&mut self, client: &Client, name: &str) {
        let result = json!({ "command": "stop", "result": format!("Successfully stopped {name}.") });
        self.reply(client, &result);
    }

    /// The result of `plugin <subcommand>`: every plugin, in order of registration.
    pub(crate) fn plugin_list(&self, subcommand: &str) -> Value {
        let entry = |(_, plugin): (PluginId, &super::Plugin)| {
            let mut entry = json!({
                "name": plugin.path.display().to_string(),
                "active": plugin.state == PluginState::InitComplete,
            });
            if self.profile.lists_dynamic() {
                entry["dynamic"] = plugin.manifest.dynamic.into();
            }
            entry
        };
        json!({ "command": subcommand, "plugins": self.plugins.iter().map(entry).collect::<Vec<_>>() })
    }
}
