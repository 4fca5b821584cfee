//! `help`: the commands, and until v24.08 what they are about (`lightningd/jsonrpc.c:json_help`).

use super::params::{Params, Shape};
use super::{COMMANDS, Command, Row};
use crate::jsonrpc::{Barred, RpcRequest};
use crate::state::State;
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::manifest::RpcMethod;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

/// `help [command]`.
pub(crate) struct Help {
    /// The one command that is asked about.
    wanted: Option<String>,
}

/// A command.
struct Entry {
    name: String,
    /// What stands behind the name of a deprecated command.
    mark: &'static str,
    usage: String,
    category: String,
    description: String,
    verbose: String,
}

impl Command for Help {
    const NAME: &'static str = "help";
    const TAKES: &'static [Shape] = &[Shape::optional("command")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let wanted = params.optional_string("command");
        match &wanted {
            Some(name) if node.own_command(name).is_none() && node.plugins.method(name).is_none() => {
                Err(RpcError::new(code::METHOD_NOT_FOUND, node.profile.unknown_to_help(name)))
            }
            _ => Ok(Self { wanted }),
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let barred =
            self.wanted.as_deref().and_then(|name| Some((name, node.barred(name, &request.client)?)));
        if let Some((name, barred)) = barred {
            let why = match barred {
                Barred::Deprecated => "Deprecated",
                Barred::ForDevelopers => "Developer-only",
            };
            return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("{why} command {name}")));
        }
        let ok = node.deprecated_for(&request.client);
        let shown = |method: &&RpcMethod| node.deprecated_shown(&method.name, &method.deprecated, ok);
        let of_plugins = node.plugins.iter().flat_map(|(_, plugin)| &plugin.manifest.rpcmethods);
        let own = COMMANDS.iter().filter(|command| node.own_command(command.name).is_some());
        let own = own.filter(|command| node.deprecated_shown(command.name, &command.deprecated(), ok));
        let own = own.map(Entry::own);
        let mut entries: Vec<Entry> = own.chain(of_plugins.filter(shown).map(Entry::of_plugin)).collect();
        entries.retain(|entry| self.wanted.as_ref().is_none_or(|wanted| *wanted == entry.name));
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let describes = node.profile.help_describes();
        let help: Vec<Value> = entries.into_iter().map(|entry| entry.shown(describes)).collect();
        node.reply(&request.client, &json!({ "help": help, "format-hint": "simple" }));
        Ok(())
    }
}

impl Entry {
    fn own(command: &Row) -> Self {
        let name = command.name;
        let known = ABOUT.iter().find(|(known, ..)| *known == name);
        let (category, description) = known.map_or(("utility", ""), |(_, category, about)| (category, about));
        Self {
            name: name.to_owned(),
            mark: mark(&command.deprecated()),
            usage: command.usage(),
            category: category.to_owned(),
            description: description.to_owned(),
            verbose: description.to_owned(),
        }
    }

    fn of_plugin(method: &RpcMethod) -> Self {
        Self {
            name: method.name.clone(),
            mark: mark(&method.deprecated),
            usage: method.usage.clone(),
            category: method.category.clone().unwrap_or_else(|| "plugin".to_owned()),
            description: method.description.clone(),
            verbose: method.long_description.clone().unwrap_or_else(|| method.description.clone()),
        }
    }

    fn shown(self, describes: bool) -> Value {
        let command = format!("{}{} {}", self.name, self.mark, self.usage);
        if describes {
            let (category, description, verbose) = (self.category, self.description, self.verbose);
            json!({ "command": command, "category": category, "description": description, "verbose": verbose })
        } else {
            json!({ "command": command })
        }
    }
}

fn mark(deprecated: &Deprecated) -> &'static str {
    if deprecated.is_never() { "" } else { " (DEPRECATED!)" }
}

/// The node's own commands: name, category as lightningd has it, and what it does, in our words.
const ABOUT: &[(&str, &str, &str)] = &[
    ("addgossip", "utility", "Takes a message about the network"),
    ("check", "utility", "Tells whether a command would take its parameters"),
    ("checkmessage", "utility", "Tells who has signed a message"),
    ("connect", "network", "Connects to a node"),
    ("createonion", "payment", "Makes an onion of payloads"),
    ("datastore", "utility", "Keeps a value"),
    ("decode", "utility", "Takes apart what begins with ln"),
    ("deldatastore", "utility", "Forgets a value"),
    ("delinvoice", "payment", "Forgets an invoice"),
    ("delpay", "payment", "Forgets a payment"),
    ("deprecations", "utility", "Allows deprecated APIs on this connection, or not"),
    ("dev", "utility", "Serves developers"),
    ("disconnect", "network", "Lets go of a peer"),
    ("feerates", "bitcoin", "Tells what fees are thought to be right"),
    ("getinfo", "utility", "Tells of this node"),
    ("getroute", "channels", "Finds the cheapest route"),
    ("getroutes", "utility", "Finds routes that carry a payment together"),
    ("help", "utility", "Lists the commands, or tells of one"),
    ("invoice", "payment", "Makes an invoice"),
    ("listchannels", "channels", "Lists the channels of the network"),
    ("listconfigs", "utility", "Lists the options and their values"),
    ("listdatastore", "utility", "Lists the values that are kept"),
    ("listincoming", "channels", "Lists the channels over which this node can be paid"),
    ("listinvoices", "payment", "Lists the invoices"),
    ("listnodes", "network", "Lists the nodes of the network"),
    ("keysend", "plugin", "Pays without an invoice"),
    ("listpays", "payment", "Lists payments, their parts together"),
    ("listpeers", "network", "Lists the peers"),
    ("listsendpays", "payment", "Lists the parts of payments"),
    ("makesecret", "utility", "Derives a secret of this node"),
    ("newaddr", "bitcoin", "Makes an address"),
    ("notifications", "utility", "Wants to be told how a command gets on, or not"),
    ("pay", "plugin", "Pays an invoice"),
    ("ping", "network", "Asks a peer for an answer of some length"),
    ("plugin", "plugin", "Starts, stops and lists plugins"),
    ("preapproveinvoice", "payment", "Asks the signer about an invoice"),
    ("preapprovekeysend", "payment", "Asks the signer about a payment without invoice"),
    ("sendonion", "payment", "Sends a payment with a ready onion"),
    ("sendpay", "payment", "Sends a payment over a route"),
    ("sendcustommsg", "utility", "Sends a peer what only plugins understand"),
    ("setconfig", "utility", "Changes an option"),
    ("signmessage", "utility", "Signs a message"),
    ("stop", "utility", "Ends this node"),
    ("wait", "utility", "Waits for a count to be reached"),
    ("waitanyinvoice", "payment", "Waits for the next invoice that is paid"),
    ("waitblockheight", "utility", "Waits for a block"),
    ("waitinvoice", "payment", "Waits until an invoice is paid"),
    ("waitsendpay", "payment", "Waits for the end of a part of a payment"),
    ("xkeysend", "plugin", "Pays without an invoice"),
    ("xpay", "plugin", "Pays an invoice"),
    ("xpay-as-pay", "plugin", "Pays an invoice, with the answer of pay"),
];
