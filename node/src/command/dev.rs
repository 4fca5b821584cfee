//! `dev`, for developers (`lightningd/jsonrpc.c:json_dev`).
//!
//! Of lightningd's other commands for developers there are those that a plugin can tell from what happens, and `dev-memleak`, which
//! pyln-testing calls at the end of each test. The others look into lightningd itself, or have it do to a peer what a test does on the wire.

use super::Command;
use super::params::{Params, Shape, invalid};
use crate::input::Timer;
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use leyden_protocol::message::RpcError;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long `slowcmd` takes if it is not told, in ms.
const SLOWLY: u32 = 1000;

/// The calls of `dev slowcmd` that are under way.
#[derive(Default)]
pub(crate) struct SlowCommands {
    clients: BTreeMap<u64, (Client, u32)>,
    next: u64,
}

/// `dev crash`, `dev rhash secret`, `dev slowcmd [msec]`.
pub(crate) enum Dev {
    Crash,
    Rhash([u8; 32]),
    Slowcmd(u32),
}

impl Command for Dev {
    const NAME: &'static str = "dev";
    const TAKES: &'static [Shape] = &[Shape::required("subcommand")];
    const TAKES_MORE: bool = true;
    const USAGE: Option<&'static str> = Some("subcommand=crash|rhash|slowcmd");

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        match params.string("subcommand")?.as_str() {
            "crash" => params.again(Self::TAKES, false).map(|_| Self::Crash),
            "rhash" => {
                let shape = [Shape::required("subcommand"), Shape::required("secret")];
                params.again(&shape, false)?.sha256("secret").map(Self::Rhash)
            }
            "slowcmd" => {
                let shape = [Shape::required("subcommand"), Shape::optional("msec")];
                let msec = params.again(&shape, false)?.optional_integer("msec")?;
                Ok(Self::Slowcmd(msec.unwrap_or(SLOWLY)))
            }
            other => Err(invalid(format!("Unknown subcommand '{other}'"))),
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        match self {
            Self::Crash => node.fatal("Crash at user request"),
            Self::Rhash(secret) => {
                let rhash = sha256::Hash::hash(&secret).to_string();
                node.reply(&request.client, &json!({ "rhash": rhash }));
            }
            Self::Slowcmd(msec) => {
                let slow = &mut node.slow_commands;
                let number = slow.next;
                slow.next += 1;
                slow.clients.insert(number, (request.client.clone(), msec));
                let delay = Duration::from_millis(msec.into());
                node.out.push(Output::SetTimer(Timer::SlowCommand(number), delay));
            }
        }
        Ok(())
    }
}

/// `dev-memleak`: nothing that this node forgets to free, for the compiler sees to that.
pub(crate) struct DevMemleak;

impl Command for DevMemleak {
    const NAME: &'static str = "dev-memleak";

    fn parse(_: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({ "leaks": [] }));
        Ok(())
    }
}

impl State {
    /// A `dev slowcmd` has taken as long as it was to take.
    pub(crate) fn slow_command_done(&mut self, number: u64) {
        if let Some((client, msec)) = self.slow_commands.clients.remove(&number) {
            self.reply(&client, &json!({ "msec": msec }));
        }
    }
}
