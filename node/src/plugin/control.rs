//! The `plugin` command (`lightningd/plugin_control.c`).

use super::{PluginState, RuntimeStart, file};
use crate::command::Command;
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

/// `plugin start|stop|startdir|rescan|list`.
pub(crate) enum Control {
    Start { path: PathBuf, options: Vec<(String, String)> },
    Stop(String),
    Startdir(PathBuf),
    Rescan,
    List,
}

impl Command for Control {
    const NAME: &'static str = "plugin";
    const TAKES: &'static [Shape] = &[Shape::required("subcommand")];
    const TAKES_MORE: bool = true;
    const USAGE: Option<&'static str> = Some("subcommand=start|stop|startdir|rescan|list");

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let subcommand = params.string("subcommand")?;
        let plugin = [Shape::required("subcommand"), Shape::required("plugin")];
        match subcommand.as_str() {
            "start" => {
                let params = params.again(&plugin, true)?;
                if params.is_positional() && params.len() > plugin.len() {
                    return Err(invalid("Extra parameters must be in object"));
                }
                let options = params.extras(&plugin).into_iter();
                let options = options.map(|(name, value)| (name, json::content(&value).to_owned())).collect();
                Ok(Self::Start { path: node.find_executable(&params.string("plugin")?)?, options })
            }
            "stop" => Ok(Self::Stop(params.again(&plugin, false)?.string("plugin")?)),
            "startdir" => {
                let shape = [Shape::required("subcommand"), Shape::required("directory")];
                let given = PathBuf::from(params.again(&shape, false)?.string("directory")?);
                if !node.config.network_dir().join(&given).exists() {
                    return Err(invalid(format!("Could not open {}", given.display())));
                }
                Ok(Self::Startdir(given))
            }
            "rescan" => params.again(Self::TAKES, false).map(|_| Self::Rescan),
            "list" => params.again(Self::TAKES, false).map(|_| Self::List),
            other => Err(invalid(format!("Unknown subcommand '{other}'"))),
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        match self {
            Self::Start { path, options } => return node.plugin_start(&path, options, request),
            Self::Stop(name) => return node.plugin_stop(&name, request),
            Self::Startdir(directory) => {
                node.register_directory(&directory, false).map_err(invalid)?;
                node.launch_for("startdir", request);
            }
            Self::Rescan => {
                node.register_default_directory();
                node.launch_for("rescan", request);
            }
            Self::List => {
                let list = node.plugin_list("list");
                node.reply(&request.client, &list);
            }
        }
        Ok(())
    }
}

impl State {
    fn plugin_start(
        &mut self,
        path: &Path,
        options: Vec<(String, String)>,
        request: &RpcRequest,
    ) -> Result<(), RpcError> {
        let start = RuntimeStart { client: request.client.clone(), path: path.to_owned(), options };
        let id = self
            .register_plugin(path, false, Some(start))
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

    fn plugin_stop(&mut self, name: &str, request: &RpcRequest) -> Result<(), RpcError> {
        let Some((id, plugin)) = self.plugins.called(name, &self.config.network_dir()) else {
            return Err(invalid(format!("Could not find plugin {name}")));
        };
        if !plugin.manifest.dynamic {
            return Err(invalid(format!("{name} cannot be managed when lightningd is up")));
        }
        let shown = if self.profile.stop_echoes_name() { name.to_owned() } else { plugin.shortname.clone() };
        if let Some(plugin) = self.plugins.get_mut(id) {
            plugin.important = false;
            plugin.stops.push((request.client.clone(), shown));
        }
        if self.notify_shutdown(id) {
            let after = self
                .config
                .plugin_shutdown_timeout
                .unwrap_or(self.shortened(self.profile.shutdown_timeout()));
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
