//! The values of plugins' options: what was given for them, and what `init` tells
//! (`lightningd/plugin.c:plugin_add_params`, `json_add_plugin_options`).

use super::Plugin;
use crate::input::PluginId;
use crate::options::configvar::{ConfigVar, Source};
use crate::options::entry::Entry;
use crate::options::{find, ignored};
use crate::state::State;
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::option::{OptionType, PluginOption};
use serde_json::{Map, Value};

impl State {
    /// Checks what the command line and the configuration files say for plugins, now that their options are
    /// known. The first value that is wrong ends the node.
    pub(crate) fn check_configured_options(&mut self) {
        for var in self.config.vars.iter_mut().filter(|var| find(&var.name).is_none()) {
            var.trim();
        }
        let given: Vec<ConfigVar> = self.config.vars.iter().cloned().collect();
        for var in given {
            let refused = match self.option(&var.name) {
                Some(Entry::Node(_)) => None,
                Some(Entry::Plugin(_, plugin, option)) => {
                    let (shortname, option) = (plugin.shortname.clone(), option.clone());
                    self.check_value(&shortname, &option, var.value.as_deref()).err()
                }
                None if ignored::needs_value(&var.name).is_some() => None,
                None => Some("unknown option".to_owned()),
            };
            if let Some(why) = refused {
                return self.fatal(&format!("lightningd: {}", var.complaint(&why)));
            }
        }
    }

    /// Checks a value for an option of a plugin. A flag has none.
    ///
    /// # Errors
    /// lightningd's text behind the option's name, such as `'x' is not a number`.
    fn check_value(&mut self, plugin: &str, option: &PluginOption, text: Option<&str>) -> Result<(), String> {
        match (option.option_type, text) {
            (OptionType::Flag, None) => {}
            (_, None) => return Err("requires an argument".to_owned()),
            (option_type, Some(text)) => drop(option_type.parse(text, self.profile)?),
        }
        if self.allows_option(plugin, &option.name, &option.deprecated) {
            Ok(())
        } else {
            Err("deprecated option (will be removed!)".to_owned())
        }
    }

    /// Whether an option with this standing may be set.
    pub(crate) fn allows_option(&mut self, plugin: &str, name: &str, deprecated: &Deprecated) -> bool {
        let (feature, ok) = (format!("{plugin}.--{name}"), self.config.allow_deprecated_apis);
        self.deprecated_ok("plugin-manager", &feature, deprecated, ok)
    }

    /// Takes the options that came with `plugin start`. A flag is set, whatever the value.
    ///
    /// # Errors
    /// lightningd's text about the first that cannot be used.
    pub(crate) fn set_start_options(&mut self, id: PluginId) -> Result<(), String> {
        let Some(plugin) = self.plugins.get(id) else { return Ok(()) };
        let shortname = plugin.shortname.clone();
        for (name, text) in plugin.start.clone().map(|start| start.options).unwrap_or_default() {
            let declared = self.plugins.get(id).and_then(|plugin| plugin.option(&name)).cloned();
            let option = declared.ok_or_else(|| format!("unknown parameter {name}"))?;
            let line = match option.option_type {
                OptionType::Flag => name,
                _ => format!("{name}={text}"),
            };
            let mut var = ConfigVar::new(Source::PluginStart, &line);
            var.trim();
            self.check_value(&shortname, &option, var.value.as_deref())?;
            self.config.vars.push(var);
        }
        Ok(())
    }

    /// Forgets what came with the `plugin start` of a plugin that is gone.
    pub(crate) fn forget_start_options(&mut self, plugin: &Plugin) {
        let is_its =
            |var: &ConfigVar| var.source == Source::PluginStart && plugin.option(&var.name).is_some();
        self.config.vars.forget(is_its);
    }

    /// The `options` of `init`: what is set or has a default, in manifest order.
    pub(crate) fn init_options(&self, id: PluginId, plugin: &Plugin) -> Map<String, Value> {
        let mut options = Map::new();
        for option in &plugin.manifest.options {
            let entry = Entry::Plugin(id, plugin, option);
            let json = |text: &str| entry.json(text, self.profile);
            let given = self.given(&entry);
            let mut values = given.iter().map(|var| var.value.as_deref().map_or(Value::Bool(true), json));
            let default = option.default.as_deref().map(json);
            let value = match (given.is_empty(), option.multi) {
                (true, false) => default,
                (true, true) => default.map(|value| Value::Array(vec![value])),
                (false, false) => values.next(),
                (false, true) => Some(values.collect()),
            };
            if let Some(value) = value {
                options.insert(option.name.clone(), value);
            }
        }
        options
    }
}

impl Plugin {
    /// The option `name`, if the plugin has declared it.
    pub(crate) fn option(&self, name: &str) -> Option<&PluginOption> {
        self.manifest.options.iter().find(|option| option.name == name)
    }
}
