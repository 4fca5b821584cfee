//! A plugin's death, and what it owed (`plugin.c:plugin_kill`, `destroy_plugin`).

use super::{Plugin, PluginState};
use crate::event::LogLevel;
use crate::input::{PluginId, Timer};
use crate::output::Output;
use crate::state::{Phase, State};
use leyden_protocol::message::{RpcError, code};
use std::path::Path;

impl State {
    /// The plugin took too long to answer `getmanifest` or `init`.
    pub(crate) fn plugin_startup_timeout(&mut self, id: PluginId) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let why = format!("timed out {}", plugin.state.description());
        if self.phase < Phase::Running {
            // First, so that nobody goes on without the plugin.
            self.fatal("Can't recover from plugin failure, terminating.");
        }
        self.kill_plugin(id, LogLevel::Unusual, &why);
    }

    /// The plugin closed its output: it has exited, or is as good as gone.
    pub(crate) fn plugin_closed(&mut self, id: PluginId) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let why = format!("exited {}", plugin.state.description());
        let level = if self.phase == Phase::Stopping { LogLevel::Debug } else { LogLevel::Info };
        self.kill_plugin(id, level, &why);
    }

    /// Kills a plugin and says why.
    pub(crate) fn kill_plugin(&mut self, id: PluginId, level: LogLevel, why: &str) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let (source, path) = (plugin.log_source(), plugin.path.clone());
        self.log_killing(&source, level, why);
        self.out.push(Output::KillPlugin(id));
        self.fail_start(id, &path, why);
        self.destroy_plugin(id);
    }

    pub(crate) fn log_killing(&mut self, source: &str, level: LogLevel, why: &str) {
        self.log(level, source, &format!("Killing plugin: {why}"));
    }

    /// Answers the `plugin start` that waits for it.
    pub(crate) fn fail_start(&mut self, id: PluginId, path: &Path, why: &str) {
        let Some(start) = self.plugins.get_mut(id).and_then(|plugin| plugin.start.take()) else { return };
        let error = RpcError::new(code::PLUGIN_ERROR, format!("{}: {why}", path.display()));
        self.reply_error(&start.client, &error);
    }

    /// Forgets a plugin and settles everything it owed.
    pub(crate) fn destroy_plugin(&mut self, id: PluginId) {
        if self.is_backend(id) && self.phase != Phase::Stopping {
            return self.fatal("The Bitcoin backend died.");
        }
        let Some(plugin) = self.plugins.remove(id) else { return };
        if plugin.important && self.phase != Phase::Stopping {
            self.leave.get_or_insert(1);
        }
        self.out.push(Output::CancelTimer(Timer::PluginStartup(id)));
        self.out.push(Output::CancelTimer(Timer::PluginStop(id)));
        self.forget_start_options(&plugin);
        self.fail_requests_of(id, &plugin);
        for (client, name) in &plugin.stops {
            self.reply_stopped(client, name);
        }
        if plugin.state == PluginState::AwaitingGetmanifest {
            self.manifests_may_be_settled("lightningd");
        }
        if self.phase == Phase::Stopping {
            return self.shutdown_may_be_complete();
        }
        if plugin.important {
            let source = plugin.log_source();
            self.log(LogLevel::Broken, &source, "Plugin marked as important, shutting down lightningd!");
        }
        self.inits_may_be_complete();
        self.notify_of_dead_plugin("plugin_stopped", &plugin);
    }

    /// The request for its manifest is answered in its name, and that answer is no manifest: lightningd
    /// kills it a second time.
    pub(crate) fn manifest_failed(&mut self, plugin: &Plugin, response: &str) {
        let why = format!("Invalid/missing result tok in '{response}'");
        self.log_killing(&plugin.log_source(), LogLevel::Unusual, &why);
    }
}
