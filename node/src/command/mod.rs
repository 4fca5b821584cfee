//! The commands of the node itself.
//!
//! | module | subject |
//! |---|---|
//! | [`params`] | parameters, by name or by place |
//! | [`general`] | `getinfo`, `help`, `notifications`, `check` |
//!
//! `plugin` lives in [`crate::plugin::control`], `stop` in [`crate::shutdown`], the commands about peers in
//! [`crate::peer`].

pub(crate) mod general;
pub(crate) mod params;

use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;

/// A command: it answers by itself, now or later, unless it gives an error.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The parameters, as `help` shows them.
    pub(crate) usage: &'static str,
    pub(crate) run: fn(&mut State, &RpcRequest) -> Result<(), RpcError>,
}

/// Every command, by name.
pub(crate) const COMMANDS: &[Command] = &[
    Command { name: "check", usage: "command_to_check", run: State::command_check },
    Command { name: "connect", usage: "id [host] [port]", run: State::command_connect },
    Command { name: "disconnect", usage: "id [force]", run: State::command_disconnect },
    Command { name: "getinfo", usage: "", run: State::command_getinfo },
    Command { name: "help", usage: "[command]", run: State::command_help },
    Command { name: "listpeers", usage: "[id] [level]", run: State::command_listpeers },
    Command { name: "notifications", usage: "enable", run: State::command_notifications },
    Command { name: "ping", usage: "id [len] [pongbytes]", run: State::command_ping },
    Command {
        name: "plugin",
        usage: "subcommand [plugin] [directory] [options] [...]",
        run: State::command_plugin,
    },
    Command { name: "sendcustommsg", usage: "node_id msg", run: State::command_sendcustommsg },
    Command { name: "stop", usage: "", run: State::command_stop },
];

/// The command called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
