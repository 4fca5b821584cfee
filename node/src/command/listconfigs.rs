//! `listconfigs`: every option with its value and where it was given
//! (`lightningd/configs.c:json_listconfigs`).

use super::Command;
use super::params::{Params, Shape as Param, invalid};
use crate::input::PluginId;
use crate::jsonrpc::RpcRequest;
use crate::options::Shape;
use crate::options::configvar::ConfigVar;
use crate::options::entry::Entry;
use crate::plugin::Plugin;
use crate::state::State;
use leyden_protocol::message::RpcError;
use leyden_protocol::option::PluginOption;
use serde_json::{Map, Value, json};

/// `listconfigs [config]`.
pub(crate) struct Listconfigs {
    configs: Map<String, Value>,
}

impl Command for Listconfigs {
    const NAME: &'static str = "listconfigs";
    const TAKES: &'static [Param] = &[Param::optional("config")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let wanted = params.optional_string("config");
        if !node.profile.listconfigs_tells_sources() {
            let configs = node.older_configs(wanted.as_deref()).ok_or_else(|| {
                invalid(format!("Unknown config option {}", wanted.as_deref().unwrap_or_default()))
            })?;
            return Ok(Self { configs });
        }
        let mut configs = Map::new();
        match wanted {
            Some(name) => {
                let entry = node.option(&name);
                let entry = entry.ok_or_else(|| params.wrong("config", "Unknown config option"))?;
                configs.extend(node.config_of(&entry).map(|shown| (name, shown.into())));
            }
            None => {
                let listed = |entry: &Entry<'_>| !entry.is_hidden() || node.config.vars.has(entry.name());
                for entry in node.options().filter(listed) {
                    let shown = node.config_of(&entry);
                    configs.extend(shown.map(|shown| (entry.name().to_owned(), shown.into())));
                }
            }
        }
        Ok(Self { configs: Map::from_iter([("configs".to_owned(), configs.into())]) })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &self.configs);
        Ok(())
    }
}

impl State {
    /// What is told of an option; `None` if it has no value to be told of.
    pub(crate) fn config_of(&self, entry: &Entry<'_>) -> Option<Map<String, Value>> {
        if entry.ends_the_program() {
            return None;
        }
        let given = self.given(entry);
        let source = |var: Option<&&ConfigVar>| {
            Value::from(var.map_or_else(|| "default".to_owned(), |var| var.source.to_string()))
        };
        let mut shown = Map::new();
        if entry.shape() == Shape::Flag {
            shown.insert("set".to_owned(), (!given.is_empty()).into());
            shown.insert("source".to_owned(), source(given.first()));
        } else if entry.is_multi() {
            let values = given.iter().filter_map(|var| self.shown_value(entry, Some(var)));
            shown.insert(format!("values_{}", kind(entry.shape())), values.collect());
            shown.insert("sources".to_owned(), given.iter().map(|var| source(Some(var))).collect());
        } else {
            let value = self.shown_value(entry, given.first().copied())?;
            shown.insert(format!("value_{}", kind(entry.shape())), value);
            shown.insert("source".to_owned(), source(given.first()));
        }
        if let Entry::Plugin(_, plugin, _) = entry {
            shown.insert("plugin".to_owned(), plugin.path.display().to_string().into());
        }
        if entry.is_dynamic() {
            shown.insert("dynamic".to_owned(), true.into());
        }
        Some(shown)
    }

    fn shown_value(&self, entry: &Entry<'_>, given: Option<&ConfigVar>) -> Option<Value> {
        if entry.shape() == Shape::Concealed {
            return Some("...".into());
        }
        entry.text(&self.config, given).map(|text| entry.json(&text, self.profile))
    }
}

/// `listconfigs` as it was up to v23.05 (`lightningd/options.c:json_listconfigs`): a member for each option,
/// without its source; plugins with their options in two lists.
impl State {
    fn older_configs(&self, wanted: Option<&str>) -> Option<Map<String, Value>> {
        let mut configs = Map::new();
        if wanted.is_none() {
            configs.insert("# version".to_owned(), self.profile.version().into());
        }
        let mut found = wanted.is_none();
        for entry in self.options().filter(|entry| wanted.is_none_or(|wanted| entry.name() == wanted)) {
            found = true;
            match entry.name() {
                "plugin" => {
                    configs.insert("plugins".to_owned(), self.older_plugins(false));
                    configs.insert("important-plugins".to_owned(), self.older_plugins(true));
                }
                "important-plugin" => {}
                name => configs.extend(self.older_value(&entry).map(|value| (name.to_owned(), value))),
            }
        }
        found.then_some(configs)
    }

    /// Numbers and booleans are literals, whatever the option's type. Plugins' options are listed with the plugins.
    fn older_value(&self, entry: &Entry<'_>) -> Option<Value> {
        if matches!(entry, Entry::Plugin(..)) || entry.is_hidden() || entry.ends_the_program() {
            return None;
        }
        let given = self.given(entry);
        // Not each of these is in every release.
        if entry.is_ignored() && given.is_empty() {
            return None;
        }
        if entry.shape() == Shape::Flag {
            return Some((!given.is_empty()).into());
        }
        let text = entry.text(&self.config, given.last().copied())?;
        if entry.shape() == Shape::Msat {
            return Some(format!("{text}msat").into());
        }
        let literal = serde_json::from_str(&text).ok();
        Some(literal.filter(|value: &Value| value.is_number() || value.is_boolean()).unwrap_or(text.into()))
    }

    fn older_plugins(&self, important: bool) -> Value {
        let plugins = self.plugins.iter().filter(|(_, plugin)| plugin.important == important);
        let entry = |(id, plugin): (PluginId, &Plugin)| {
            let mut entry = json!({ "path": plugin.path.display().to_string(), "name": plugin.shortname });
            if !plugin.manifest.options.is_empty() {
                entry["options"] = self.older_options(id, plugin).into();
            }
            entry
        };
        plugins.map(entry).collect()
    }

    fn older_options(&self, id: PluginId, plugin: &Plugin) -> Map<String, Value> {
        let (mut told, deprecated_ok) = (self.init_options(id, plugin), self.config.allow_deprecated_apis);
        let shown =
            plugin.manifest.options.iter().filter(|option| deprecated_ok || option.deprecated.is_never());
        let value = |option: &PluginOption| {
            let none = if option.multi { Some(json!([])) } else { deprecated_ok.then_some(Value::Null) };
            Some((option.name.clone(), told.shift_remove(&option.name).or(none)?))
        };
        shown.filter_map(value).collect()
    }
}

fn kind(shape: Shape) -> &'static str {
    match shape {
        Shape::Int => "int",
        Shape::Msat => "msat",
        Shape::Bool => "bool",
        Shape::Flag | Shape::Text | Shape::Concealed => "str",
    }
}
