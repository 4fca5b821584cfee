//! `help`: the commands, and until v24.08 what they are about (`lightningd/jsonrpc.c:json_help`).

use super::params::{Params, Shape};
use super::{COMMANDS, Command};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::deprecation::{Deprecated, Standing};
use leyden_protocol::manifest::RpcMethod;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

/// `help [command]`.
pub(crate) struct Help {
    entries: Vec<Entry>,
}

/// A command.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    usage: String,
    category: String,
    description: String,
    verbose: String,
}

impl Command for Help {
    const NAME: &'static str = "help";
    const TAKES: &'static [Shape] = &[Shape::optional("command")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let own = COMMANDS.iter().map(|command| Entry::own(command.name, command.usage()));
        let of_plugins = || node.plugins.iter().flat_map(|(_, plugin)| &plugin.manifest.rpcmethods);
        let shown = of_plugins().filter(|method| node.shows_method(&method.deprecated));
        let mut entries: Vec<Entry> = own.chain(shown.map(Entry::of_plugin)).collect();
        entries.sort();
        if let Some(wanted) = params.optional_string("command") {
            entries.retain(|entry| entry.name == wanted);
            if entries.is_empty() && of_plugins().any(|method| method.name == wanted) {
                return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("Deprecated command {wanted}")));
            }
            if entries.is_empty() {
                return Err(RpcError::new(code::METHOD_NOT_FOUND, node.profile.unknown_to_help(&wanted)));
            }
        }
        Ok(Self { entries })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let describes = node.profile.help_describes();
        let help: Vec<Value> = self.entries.into_iter().map(|entry| entry.shown(describes)).collect();
        node.reply(&request.client, &json!({ "help": help, "format-hint": "simple" }));
        Ok(())
    }
}

impl State {
    /// Whether `help` shows a method that is, or is not, deprecated.
    fn shows_method(&self, deprecated: &Deprecated) -> bool {
        match deprecated.standing(self.profile) {
            Standing::Fine => true,
            Standing::Deprecated | Standing::Complained => self.config.allow_deprecated_apis,
            Standing::Begged => false,
        }
    }
}

impl Entry {
    fn own(name: &str, usage: String) -> Self {
        let known = ABOUT.iter().find(|(known, ..)| *known == name);
        let (category, description) = known.map_or(("utility", ""), |(_, category, about)| (category, about));
        Self {
            name: name.to_owned(),
            usage,
            category: category.to_owned(),
            description: description.to_owned(),
            verbose: description.to_owned(),
        }
    }

    fn of_plugin(method: &RpcMethod) -> Self {
        Self {
            name: method.name.clone(),
            usage: method.usage.clone(),
            category: method.category.clone().unwrap_or_else(|| "plugin".to_owned()),
            description: method.description.clone(),
            verbose: method.long_description.clone().unwrap_or_else(|| method.description.clone()),
        }
    }

    fn shown(self, describes: bool) -> Value {
        let command = format!("{} {}", self.name, self.usage);
        if describes {
            let (category, description, verbose) = (self.category, self.description, self.verbose);
            json!({ "command": command, "category": category, "description": description, "verbose": verbose })
        } else {
            json!({ "command": command })
        }
    }
}

/// The node's own commands: name, category as lightningd has it, and what it does, in our words.
const ABOUT: &[(&str, &str, &str)] = &[
    ("check", "utility", "Tells whether a command would take its parameters"),
    ("checkmessage", "utility", "Tells who has signed a message"),
    ("connect", "network", "Connects to a node"),
    ("datastore", "utility", "Keeps a value"),
    ("decode", "utility", "Takes apart what begins with ln"),
    ("deldatastore", "utility", "Forgets a value"),
    ("delinvoice", "payment", "Forgets an invoice"),
    ("deprecations", "utility", "Allows deprecated APIs on this connection, or not"),
    ("disconnect", "network", "Lets go of a peer"),
    ("feerates", "bitcoin", "Tells what fees are thought to be right"),
    ("getinfo", "utility", "Tells of this node"),
    ("help", "utility", "Lists the commands, or tells of one"),
    ("invoice", "payment", "Makes an invoice"),
    ("listconfigs", "utility", "Lists the options and their values"),
    ("listdatastore", "utility", "Lists the values that are kept"),
    ("listinvoices", "payment", "Lists the invoices"),
    ("listnodes", "network", "Lists the nodes of the network"),
    ("listpeers", "network", "Lists the peers"),
    ("makesecret", "utility", "Derives a secret of this node"),
    ("newaddr", "bitcoin", "Makes an address"),
    ("notifications", "utility", "Wants to be told how a command gets on, or not"),
    ("ping", "network", "Asks a peer for an answer of some length"),
    ("plugin", "plugin", "Starts, stops and lists plugins"),
    ("sendcustommsg", "utility", "Sends a peer what only plugins understand"),
    ("setconfig", "utility", "Changes an option"),
    ("signmessage", "utility", "Signs a message"),
    ("stop", "utility", "Ends this node"),
    ("waitanyinvoice", "payment", "Waits for the next invoice that is paid"),
    ("waitblockheight", "utility", "Waits for a block"),
    ("waitinvoice", "payment", "Waits until an invoice is paid"),
];
