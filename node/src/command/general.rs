//! Commands about the node as a whole: `getinfo`, `help`, `notifications`, `check`.

use super::params::{Params, Shape};
use super::{COMMANDS, find};
use crate::jsonrpc::RpcRequest;
use crate::peer::PeerState;
use crate::peer::control::address_json;
use crate::state::State;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

impl State {
    /// `getinfo` (`lightningd/peer_control.c:json_getinfo`).
    pub(crate) fn command_getinfo(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        Params::parse(request, &[], false)?;
        let features = &self.features;
        let peers = self.peers.iter().filter(|(_, peer)| peer.state >= PeerState::InHook).count();
        let binding: Vec<Value> = self.binding.into_iter().map(address_json).collect();
        let result = json!({
            "id": self.node_id.to_string(),
            "alias": self.alias(),
            "color": self.color(),
            "num_peers": peers,
            "num_pending_channels": 0,
            "num_active_channels": 0,
            "num_inactive_channels": 0,
            "address": [],
            "binding": binding,
            "version": self.profile.version(),
            "blockheight": self.topology.height(),
            "network": "regtest",
            "fees_collected_msat": 0,
            "lightning-dir": self.config.network_dir().display().to_string(),
            "our_features": {
                "init": features.init.to_string(),
                "node": features.node.to_string(),
                "channel": features.channel.to_string(),
                "invoice": features.invoice.to_string(),
            },
        });
        self.reply(&request.client, &result);
        Ok(())
    }

    /// `help [command]` (`lightningd/jsonrpc.c:json_help`).
    pub(crate) fn command_help(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let wanted =
            Params::parse(request, &[Shape::optional("command")], false)?.optional_string("command")?;
        let own = COMMANDS.iter().map(|command| (command.name.to_owned(), command.usage.to_owned()));
        let plugins = self.plugins.iter().flat_map(|(_, plugin)| &plugin.manifest.rpcmethods);
        let mut all: Vec<(String, String)> =
            own.chain(plugins.map(|method| (method.name.clone(), method.usage.clone()))).collect();
        all.sort();
        if let Some(wanted) = wanted {
            all.retain(|(name, _)| *name == wanted);
            if all.is_empty() {
                return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("Unknown command {wanted}")));
            }
        }
        let entry = |(name, usage): (String, String)| json!({ "command": format!("{name} {usage}") });
        let help: Vec<Value> = all.into_iter().map(entry).collect();
        self.reply(&request.client, &json!({ "help": help, "format-hint": "simple" }));
        Ok(())
    }

    /// `notifications enable`: whether `progress` and `message` are wanted on this connection. The answer
    /// is short because CLN's own client reads it into a small buffer.
    pub(crate) fn command_notifications(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let params = Params::parse(request, &[Shape::required("enable")], false)?;
        let enable = params.optional_bool("enable")?.unwrap_or(false);
        self.connections.set_notifications(request.client.connection, enable);
        self.reply(&request.client, &json!({}));
        Ok(())
    }

    /// `check command_to_check …`: whether the command is known. Nothing is executed.
    pub(crate) fn command_check(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let params = Params::parse(request, &[Shape::required("command_to_check")], true)?;
        let name = params.string("command_to_check")?;
        if find(&name).is_none() && self.plugins.method(&name).is_none() {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("Unknown command '{name}'")));
        }
        if name == "setconfig" {
            return self.check_setconfig(request);
        }
        self.reply(&request.client, &json!({ "command_to_check": name }));
        Ok(())
    }
}
