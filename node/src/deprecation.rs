//! Using what is deprecated (`lightningd/lightningd.c:lightningd_deprecated_in_ok`).

use crate::event::LogLevel;
use crate::input::PluginId;
use crate::jsonrpc::{Client, RpcRequest};
use crate::plugin::Plugin;
use crate::state::State;
use leyden_protocol::deprecation::{Deprecated, Standing};
use serde_json::json;

impl State {
    /// Whether `feature`, such as `<plugin>.--<option>`, may be used, and what the log says about it.
    /// `ok` is whether deprecated things are allowed here, by `--allow-deprecated-apis` for example.
    pub(crate) fn deprecated_ok(
        &mut self,
        source: &str,
        feature: &str,
        deprecated: &Deprecated,
        ok: bool,
    ) -> bool {
        let allowed = self.deprecated_shown(feature, deprecated, ok);
        if !allowed {
            self.log(LogLevel::Debug, source, &format!("Note: disallowing deprecated {feature}"));
        } else if deprecated.standing(self.profile) == Standing::Complained {
            self.log(LogLevel::Broken, source, &format!("DEPRECATED API USED {feature} "));
        }
        allowed
    }

    /// The same, of what is only shown.
    pub(crate) fn deprecated_shown(&self, feature: &str, deprecated: &Deprecated, ok: bool) -> bool {
        match deprecated.standing(self.profile) {
            Standing::Fine => true,
            Standing::Deprecated | Standing::Complained => ok,
            Standing::Begged => self.config.begged.iter().any(|begged| begged == feature),
        }
    }

    /// Whether what is deprecated is allowed to the client of a request.
    pub(crate) fn deprecated_for(&self, client: &Client) -> bool {
        let said = self.connections.get(client.connection).and_then(|connection| connection.deprecated_ok);
        said.unwrap_or(self.config.allow_deprecated_apis)
    }

    /// Tells a plugin, before a command, that its client wants other than everybody else.
    pub(crate) fn notify_deprecated_oneshot(&mut self, plugin: PluginId, request: &RpcRequest) {
        let ok = self.deprecated_for(&request.client);
        if ok == self.config.allow_deprecated_apis
            || self.notify_one(plugin, "deprecated_oneshot", json!({ "deprecated_ok": ok }))
        {
            return;
        }
        let Some(source) = self.plugins.get(plugin).map(Plugin::log_source) else { return };
        let (method, id) = (&request.method, &request.client.id);
        let text = format!("Plugin does not support deprecation setting for cmd {method} (id {id})");
        self.log(LogLevel::Debug, &source, &text);
    }
}
