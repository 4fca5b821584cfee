//! The `init` request: what a plugin is told of its options and of the node
//! (`lightningd/plugin.c:plugin_populate_init_request`).

use super::Plugin;
use crate::input::PluginId;
use crate::state::{Phase, State};
use leyden_protocol::init::{Address, Configuration, FeatureSet, Init};

impl State {
    /// The parameters of `init` for a plugin.
    pub(crate) fn init_of(&self, id: PluginId, plugin: &Plugin) -> Init {
        Init { options: self.init_options(id, plugin), configuration: self.configuration() }
    }

    fn configuration(&self) -> Configuration {
        let proxy = self.config.proxy;
        let (always, older_name) = (self.config.always_use_proxy, self.profile.has_use_proxy_always());
        Configuration {
            lightning_dir: self.config.network_dir().display().to_string(),
            rpc_file: self.config.rpc_file.display().to_string(),
            startup: self.phase < Phase::Running,
            network: "regtest".to_owned(),
            proxy: proxy.map(Address::from),
            torv3_enabled: proxy.map(|_| true),
            always_use_proxy: proxy.filter(|_| !older_name).map(|_| always),
            use_proxy_always: proxy.filter(|_| older_name).map(|_| always),
            feature_set: self.feature_set(),
        }
    }

    fn feature_set(&self) -> FeatureSet {
        let features = &self.features;
        let newer = self.profile.has_newer_feature_places();
        let newer = |features: &leyden_bolt::Features| newer.then(|| features.to_string());
        FeatureSet {
            init: features.init.to_string(),
            node: features.node.to_string(),
            channel: features.channel.to_string(),
            invoice: features.invoice.to_string(),
            bolt12_offer: newer(&features.bolt12_offer),
            bolt12_invreq: newer(&features.bolt12_invreq),
            bolt12_invoice: newer(&features.bolt12_invoice),
            channel_type: newer(&features.channel_type),
        }
    }
}
