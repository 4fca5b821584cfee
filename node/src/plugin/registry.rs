//! What a manifest is held against, and what comes of it for the node: names that are taken, features.

use crate::chain::bitcoind::{BUILT_IN, METHODS};
use crate::input::PluginId;
use crate::options;
use crate::state::{Phase, State};
use leyden_bolt::FeatureSet;
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::manifest::{FeatureBits, Refusal, Registry};
use leyden_protocol::{Manifest, Profile};

impl State {
    /// Reads the answer to `getmanifest`. What features it adds are the node's from now on.
    ///
    /// # Errors
    /// How lightningd refuses it.
    pub(crate) fn read_manifest(&mut self, id: PluginId, response: &str) -> Result<Manifest, Refusal> {
        let manifest = Manifest::parse(response, &mut Newcomer { state: self, id })?;
        self.register_hooks(id, &manifest)?;
        // That they are new has been checked.
        drop(self.features.add(&feature_set(&manifest.featurebits)));
        Ok(manifest)
    }

    /// A plugin that has disabled itself in its answer to `init` takes its features along.
    pub(crate) fn remove_features(&mut self, id: PluginId) {
        let Some(plugin) = self.plugins.get(id) else { return };
        self.features.remove(&feature_set(&plugin.manifest.featurebits));
    }
}

/// A plugin whose manifest is read.
struct Newcomer<'a> {
    state: &'a mut State,
    id: PluginId,
}

impl Registry for Newcomer<'_> {
    fn profile(&self) -> Profile {
        self.state.profile
    }

    fn is_starting(&self) -> bool {
        self.state.phase < Phase::Running
    }

    fn deprecated_ok(&self) -> bool {
        self.state.config.allow_deprecated_apis
    }

    fn path(&self) -> String {
        let plugin = self.state.plugins.get(self.id);
        plugin.map_or_else(String::new, |plugin| plugin.path.display().to_string())
    }

    fn has_option(&self, name: &str) -> bool {
        options::is_taken(name) || self.state.option(name).is_some()
    }

    fn method_owner(&self, name: &str) -> Option<String> {
        let loaded = self.state.plugins.method(name).map(|(_, plugin)| plugin.path.clone());
        match loaded.or_else(|| self.state.bundled_owner(name)) {
            Some(path) => Some(format!("plugin {}", path.display())),
            None if METHODS.contains(&name) => {
                // Which are left for the built-in backend is settled when the node has started.
                (self.state.phase > Phase::Manifests).then(|| format!("plugin {BUILT_IN}"))
            }
            None => self.state.is_lightningds(name).then(|| "lightningd".to_owned()),
        }
    }

    fn offers_any(&self, features: &FeatureBits) -> bool {
        self.state.features.clone().add(&feature_set(features)).is_err()
    }

    fn allows_option(&mut self, name: &str, deprecated: &Deprecated) -> bool {
        let plugin = self.state.plugins.get(self.id).map(|plugin| plugin.shortname.clone());
        self.state.allows_option(&plugin.unwrap_or_default(), name, deprecated)
    }
}

/// Features in the words of BOLT 9.
fn feature_set(bits: &FeatureBits) -> FeatureSet {
    let places = bits.places().map(|(name, hex)| (name, hex.as_deref().unwrap_or_default()));
    FeatureSet::from_hex(&places).expect("the hex was checked when it was read")
}
