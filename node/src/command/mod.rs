//! The commands of the node itself.
//!
//! | module | subject |
//! |---|---|
//! | [`params`] | parameters, by name or by place |
//! | [`amount`] | amounts of money as clients write them |
//! | [`general`] | `getinfo`, `help`, `notifications`, `check` |
//! | [`invoice`] | `invoice`, `listinvoices` |
//! | [`decode`] | `decode` |
//! | [`newaddr`] | `newaddr` |
//! | [`listconfigs`] | `listconfigs` |
//! | [`setconfig`] | `setconfig`, and `check setconfig` |
//! | [`datastore`] | `datastore`, `listdatastore`, `deldatastore` |
//!
//! `plugin` lives in [`crate::plugin::control`], `stop` in [`crate::shutdown`], the commands about peers in
//! [`crate::peer`].

mod amount;
mod datastore;
mod decode;
pub(crate) mod general;
mod invoice;
mod listconfigs;
mod newaddr;
pub(crate) mod params;
pub(crate) mod setconfig;

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
    Command {
        name: "datastore",
        usage: "key [string] [hex] [mode] [generation]",
        run: State::command_datastore,
    },
    Command { name: "decode", usage: "string", run: State::command_decode },
    Command { name: "deldatastore", usage: "key [generation]", run: State::command_deldatastore },
    Command { name: "disconnect", usage: "id [force]", run: State::command_disconnect },
    Command { name: "getinfo", usage: "", run: State::command_getinfo },
    Command { name: "help", usage: "[command]", run: State::command_help },
    Command {
        name: "invoice",
        usage: "amount_msat label description [expiry] [fallbacks] [preimage] [exposeprivatechannels] [cltv] \
                [deschashonly]",
        run: State::command_invoice,
    },
    Command { name: "listconfigs", usage: "[config]", run: State::command_listconfigs },
    Command { name: "listdatastore", usage: "[key]", run: State::command_listdatastore },
    Command {
        name: "listinvoices",
        usage: "[label] [invstring] [payment_hash] [offer_id] [index] [start] [limit]",
        run: State::command_listinvoices,
    },
    Command { name: "listpeers", usage: "[id] [level]", run: State::command_listpeers },
    Command { name: "newaddr", usage: "[addresstype]", run: State::command_newaddr },
    Command { name: "notifications", usage: "enable", run: State::command_notifications },
    Command { name: "ping", usage: "id [len] [pongbytes]", run: State::command_ping },
    Command {
        name: "plugin",
        usage: "subcommand [plugin] [directory] [options] [...]",
        run: State::command_plugin,
    },
    Command { name: "sendcustommsg", usage: "node_id msg", run: State::command_sendcustommsg },
    Command { name: "setconfig", usage: "config [val] [transient]", run: State::command_setconfig },
    Command { name: "stop", usage: "", run: State::command_stop },
];

/// The command called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
