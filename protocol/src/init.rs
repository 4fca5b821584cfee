//! The `init` request: what a plugin is told about the node it runs in
//! (`lightningd/plugin.c:plugin_populate_init_request`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::{IpAddr, SocketAddr};

/// The parameters of `init`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// The plugin's options that are set or have a default, in manifest order.
    pub options: Map<String, Value>,
    /// The node.
    pub configuration: Configuration,
}

/// The node, as told to a plugin. The order of the members is lightningd's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Configuration {
    /// The network directory, absolute.
    pub lightning_dir: String,
    /// The RPC socket, relative to `lightning_dir` unless configured otherwise.
    pub rpc_file: String,
    /// True until every plugin of the node's start has answered `init`.
    pub startup: bool,
    /// `regtest`, `bitcoin`, …
    pub network: String,
    /// `--proxy`. This and the following are absent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Address>,
    /// Always true since v23.02, and by default before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torv3_enabled: Option<bool>,
    /// `--always-use-proxy`.
    #[serde(rename = "always_use_proxy", default, skip_serializing_if = "Option::is_none")]
    pub always_use_proxy: Option<bool>,
    /// The same, as it was called up to v0.10.1.
    #[serde(rename = "use_proxy_always", default, skip_serializing_if = "Option::is_none")]
    pub use_proxy_always: Option<bool>,
    /// The features that the node announces, by place.
    #[serde(rename = "feature_set")]
    pub feature_set: FeatureSet,
}

/// An address on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `ipv4` or `ipv6`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number.
    pub address: String,
    /// The port.
    pub port: u16,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let kind = match address.ip() {
            IpAddr::V4(_) => "ipv4",
            IpAddr::V6(_) => "ipv6",
        };
        Self { kind: kind.to_owned(), address: address.ip().to_string(), port: address.port() }
    }
}

/// Feature bits by the place where they are shown, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FeatureSet {
    /// The `init` message.
    pub init: String,
    /// The `node_announcement`.
    pub node: String,
    /// The `channel_announcement`.
    pub channel: String,
    /// A BOLT 11 invoice.
    pub invoice: String,
    /// A BOLT 12 offer. This and the following are absent up to v23.02.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bolt12_offer: Option<String>,
    /// A BOLT 12 invoice request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bolt12_invreq: Option<String>,
    /// A BOLT 12 invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bolt12_invoice: Option<String>,
    /// The channel types that can be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<String>,
}
