//! The answer to `getmanifest`: what a plugin brings along.
//!
//! [`Manifest::parse`] checks it in lightningd's order and with lightningd's words; the first error counts.
//! What it needs to know of the node for that, a [`Registry`] tells.

mod read;
mod registry;

use crate::deprecation::Deprecated;
use crate::hook::HookRegistration;
use crate::option::PluginOption;
pub use registry::{EmptyNode, Refusal, Registry};
use serde::Serialize;

/// What a plugin declares. Serialises as the `result` of `getmanifest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Its options.
    pub options: Vec<PluginOption>,
    /// Its RPC methods.
    pub rpcmethods: Vec<RpcMethod>,
    /// The topics it wants to hear of; `*` is all.
    pub subscriptions: Vec<String>,
    /// The hooks it wants to be asked in.
    pub hooks: Vec<HookRegistration>,
    /// Topics of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<OwnTopic>,
    /// Peer messages of even type that it understands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custommessages: Vec<u16>,
    /// Feature bits it adds, in hex.
    #[serde(skip_serializing_if = "FeatureBits::is_empty")]
    pub featurebits: FeatureBits,
    /// Whether it may be started and stopped while the node runs.
    pub dynamic: bool,
    /// Whether it takes string ids. `Some(false)` cannot be said; absent is the old default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonnumericids: Option<bool>,
    /// Whether it takes `check` for its methods.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancheck: bool,
    /// Why it does not want to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable: Option<String>,
}

impl Default for Manifest {
    /// A dynamic plugin that brings nothing and takes string ids.
    fn default() -> Self {
        Self {
            options: Vec::new(),
            rpcmethods: Vec::new(),
            subscriptions: Vec::new(),
            hooks: Vec::new(),
            notifications: Vec::new(),
            custommessages: Vec::new(),
            featurebits: FeatureBits::default(),
            dynamic: true,
            nonnumericids: Some(true),
            cancheck: false,
            disable: None,
        }
    }
}

/// An RPC method of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RpcMethod {
    /// Its name.
    pub name: String,
    /// Its parameters, as `help` shows them.
    pub usage: String,
    /// What it does. lightningd has ignored this since v24.08; before, it was mandatory.
    pub description: String,
    /// What it does, at length: for the `help` of older releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_description: Option<String>,
    /// The kind of method, `plugin` by default: for the `help` of older releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether it is deprecated.
    #[serde(skip_serializing_if = "Deprecated::is_never")]
    pub deprecated: Deprecated,
}

impl RpcMethod {
    /// A method that is not deprecated.
    #[must_use]
    pub fn new(name: &str, usage: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            usage: usage.to_owned(),
            description: description.to_owned(),
            long_description: None,
            category: None,
            deprecated: Deprecated::Never,
        }
    }
}

/// A topic that a plugin sends notifications of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnTopic {
    /// The topic.
    pub method: String,
}

/// Feature bits that a plugin adds, by place, as hex of a big-endian bit field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FeatureBits {
    /// In the `init` message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// In `node_announcement`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// In `channel_announcement`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// In BOLT 11 invoices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// In BOLT 12 offers. This and the following mean nothing up to v23.02.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bolt12_offer: Option<String>,
    /// In BOLT 12 invoice requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bolt12_invreq: Option<String>,
    /// In BOLT 12 invoices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bolt12_invoice: Option<String>,
    /// In the types of channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<String>,
}

impl FeatureBits {
    /// Each place with its name, in the order in which they are read: the first four are the older ones.
    #[must_use]
    pub const fn places(&self) -> [(&'static str, &Option<String>); 8] {
        [
            ("init", &self.init),
            ("node", &self.node),
            ("channel", &self.channel),
            ("invoice", &self.invoice),
            ("bolt12_offer", &self.bolt12_offer),
            ("bolt12_invreq", &self.bolt12_invreq),
            ("bolt12_invoice", &self.bolt12_invoice),
            ("channel_type", &self.channel_type),
        ]
    }

    const fn places_mut(&mut self) -> [&mut Option<String>; 8] {
        [
            &mut self.init,
            &mut self.node,
            &mut self.channel,
            &mut self.invoice,
            &mut self.bolt12_offer,
            &mut self.bolt12_invreq,
            &mut self.bolt12_invoice,
            &mut self.channel_type,
        ]
    }

    /// Whether nothing is said, not even that there are no bits.
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there are bytes anywhere.
    #[must_use]
    pub fn any(&self) -> bool {
        self.places().into_iter().any(|(_, bits)| bits.as_ref().is_some_and(|bits| !bits.is_empty()))
    }
}
