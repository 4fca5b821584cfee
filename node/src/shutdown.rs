//! The end of a node (`lightningd.c:main` behind `stop:`, `plugin.c:shutdown_plugins`).

use crate::command::Command;
use crate::command::params::Params;
use crate::event::{Exit, LogLevel};
use crate::input::Timer;
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::{Phase, State};
use leyden_protocol::message::RpcError;
use serde_json::json;

/// The end of a node.
#[derive(Default)]
pub(crate) struct Shutdown {
    /// The exit code to be.
    code: i32,
    /// The `stop` to be answered last.
    client: Option<Client>,
}

/// `stop`: answered last, when every plugin is gone.
pub(crate) struct Stop;

impl Command for Stop {
    const NAME: &'static str = "stop";

    fn parse(_: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.shutdown.client.get_or_insert(request.client.clone());
        // Where plugins are not told of their end, they do not hear of this line either.
        let plugins_hear = node.profile.has_shutdown_notification();
        if plugins_hear {
            node.log_main(LogLevel::Unusual, "JSON-RPC shutdown");
        }
        node.shut_down();
        if !plugins_hear {
            node.log_main(LogLevel::Unusual, "JSON-RPC shutdown");
        }
        Ok(())
    }
}

impl State {
    /// Something happened with which the node cannot go on, but which is no crash: an important plugin is gone.
    pub(crate) fn leave_main_loop(&mut self, code: i32) {
        if self.phase == Phase::Manifests {
            return self.fatal("Could not initialize the plugins, see above for details.");
        }
        self.shutdown.code = code;
        self.shut_down();
    }

    /// Takes no new clients, and sees every plugin off: those that subscribed to `shutdown` have time to exit by themselves.
    fn shut_down(&mut self) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.out.push(Output::StopListeningRpc);
        self.requests.forget_all();
        for id in self.plugins.ids() {
            if !self.notify_shutdown(id) {
                self.out.push(Output::ReleasePlugin(id));
                self.destroy_plugin(id);
            }
        }
        let after =
            self.config.plugin_shutdown_timeout.unwrap_or(self.shortened(self.profile.shutdown_timeout()));
        self.out.push(Output::SetTimer(Timer::Shutdown, after));
        self.shutdown_may_be_complete();
    }

    /// Plugins have had their time.
    pub(crate) fn shutdown_timeout(&mut self) {
        for id in self.plugins.ids() {
            let Some(plugin) = self.plugins.get(id) else { continue };
            let text = format!("{}: failed to self-terminate in time, killing.", plugin.shortname);
            self.log_main(LogLevel::Debug, &text);
            self.out.push(Output::ReleasePlugin(id));
            self.destroy_plugin(id);
        }
        self.shutdown_may_be_complete();
    }

    /// Once no plugin is left, `stop` is answered and the node ends.
    pub(crate) fn shutdown_may_be_complete(&mut self) {
        if self.phase != Phase::Stopping || !self.plugins.is_empty() {
            return;
        }
        if let Some(client) = self.shutdown.client.take() {
            let done = "Shutdown complete";
            if self.profile.stop_answers_with_object() {
                self.reply(&client, &json!({ "result": done }));
            } else {
                self.reply(&client, &done);
            }
        }
        if let Some(file) = self.pid_file.take() {
            file.remove();
        }
        self.out.push(Output::Exit(Exit { code: self.shutdown.code, message: None }));
    }
}
