//! Commands about the node as a whole: `getinfo`, `notifications`, `deprecations`, `check`.

use super::params::{Params, Shape};
use super::{Command, find};
use crate::event::LogLevel;
use crate::gossip::listing::announced_address;
use crate::input::PluginId;
use crate::jsonrpc::RpcRequest;
use crate::peer::PeerState;
use crate::peer::control::address_json;
use crate::state::State;
use leyden_protocol::json::content;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

/// `getinfo` (`lightningd/peer_control.c:json_getinfo`).
pub(crate) struct Getinfo;

impl Command for Getinfo {
    const NAME: &'static str = "getinfo";

    fn parse(_: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let features = &node.features;
        let connected = node.peers.iter().filter(|(_, peer)| peer.state >= PeerState::InHook).count();
        let peers = connected + node.absent_peers(None).len();
        let addresses: Vec<Value> = node.announced_addresses().iter().map(announced_address).collect();
        let binding: Vec<Value> = node.binding.into_iter().map(address_json).collect();
        let [pending, active, inactive] = node.channel_counts();
        let mut result = json!({
            "id": node.node_id.to_string(),
            "alias": node.alias(),
            "color": node.color(),
            "num_peers": peers,
            "num_pending_channels": pending,
            "num_active_channels": active,
            "num_inactive_channels": inactive,
            "address": addresses,
            "binding": binding,
            "version": node.profile.version(),
            "blockheight": node.topology.height(),
            "network": "regtest",
            "fees_collected_msat": node.amount(node.forward_fees_msat()),
            "lightning-dir": node.config.network_dir().display().to_string(),
        });
        if let Some((name, warning)) = node.topology.sync.warning() {
            result[name] = warning.into();
        }
        result["our_features"] = json!({
            "init": features.init.to_string(),
            "node": features.node.to_string(),
            "channel": features.channel.to_string(),
            "invoice": features.invoice.to_string(),
        });
        node.reply(&request.client, &result);
        Ok(())
    }
}

/// `notifications enable`: whether `progress` and `message` are wanted on this connection. The answer is
/// short because CLN's own client reads it into a small buffer.
pub(crate) struct Notifications {
    enable: bool,
}

impl Command for Notifications {
    const NAME: &'static str = "notifications";
    const TAKES: &'static [Shape] = &[Shape::required("enable")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { enable: params.boolean("enable")? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        if let Some(connection) = node.connections.get_mut(request.client.connection) {
            connection.notified = self.enable;
        }
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

/// `deprecations enable`: whether what is deprecated may be used on this connection (v24.02).
pub(crate) struct Deprecations {
    enable: bool,
}

impl Command for Deprecations {
    const NAME: &'static str = "deprecations";
    const TAKES: &'static [Shape] = &[Shape::required("enable")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { enable: params.boolean("enable")? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        if let Some(connection) = node.connections.get_mut(request.client.connection) {
            connection.deprecated_ok = Some(self.enable);
        }
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

/// `check command_to_check …`: whether the command would take its parameters. Nothing is executed.
pub(crate) struct Check {
    name: String,
    /// The command's parameters, as JSON.
    params: String,
}

impl Command for Check {
    const NAME: &'static str = "check";
    const TAKES: &'static [Shape] = &[Shape::required("command_to_check")];
    const TAKES_MORE: bool = true;

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let name = content(params.required_raw("command_to_check")?);
        if node.own_command(name).is_none() && node.plugins.method(name).is_none() {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, node.no_command(name)));
        }
        Ok(Self { name: name.to_owned(), params: params.without("command_to_check") })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        if let Some((id, plugin)) = node.plugins.method(&self.name) {
            let (can_check, source) = (plugin.manifest.cancheck, plugin.log_source());
            node.check_method(id, can_check, &source, &self.name, request);
            return Ok(());
        }
        find(&self.name).map_or(Ok(()), |command| (command.check)(node, &self.params, request))
    }

    fn check(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        self.run(node, request)
    }
}

impl State {
    /// Answers a `check` with success.
    pub(crate) fn reply_checked(&mut self, request: &RpcRequest, name: &str) {
        self.reply(&request.client, &json!({ "command_to_check": name }));
    }

    /// A plugin that can check its methods is asked; what others say to parameters is not known.
    fn check_method(
        &mut self,
        id: PluginId,
        can_check: bool,
        source: &str,
        name: &str,
        request: &RpcRequest,
    ) {
        if self.profile.passes_check_on() {
            if can_check {
                return self.pass_through(id, Check::NAME, request);
            }
            let id = &request.client.id;
            let text = format!("Plugin does not support check command for {name} (id {id})");
            self.log(LogLevel::Unusual, source, &text);
        }
        self.reply_checked(request, name);
    }
}
