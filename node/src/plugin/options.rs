//! The values of plugins' options (`plugin.c:plugin_opt_add`, `json_add_plugin_options`).

use super::Plugin;
use crate::input::PluginId;
use crate::state::State;
use leyden_protocol::option::{OptionType, OptionValue, PluginOption};
use serde_json::{Map, Value};

impl Plugin {
    /// Sets an option of this plugin from text. A flag has no text.
    ///
    /// # Errors
    /// lightningd's text behind the option's name, such as `'x' is not a number`.
    pub(crate) fn set_option(&mut self, name: &str, text: Option<&str>) -> Result<(), String> {
        let option = self.option(name).ok_or_else(|| "unknown option".to_owned())?;
        let multi = option.multi;
        let value = match (option.option_type, text) {
            (OptionType::Flag, None) => OptionValue::Set,
            (_, None) => return Err("requires an argument".to_owned()),
            (option_type, Some(text)) => option_type.parse(text)?,
        };
        let values = self.values.entry(name.to_owned()).or_default();
        if !multi {
            values.clear();
        }
        values.push(value);
        Ok(())
    }

    /// Sets an option as `plugin start` does: there a flag is a boolean.
    pub(crate) fn set_option_from_rpc(&mut self, name: &str, text: &str) -> Result<(), String> {
        let is_flag = self.option(name).is_some_and(|option| option.option_type == OptionType::Flag);
        match text {
            "true" if is_flag => self.set_option(name, None),
            "false" if is_flag => Ok(()),
            _ => self.set_option(name, Some(text)),
        }
    }

    fn option(&self, name: &str) -> Option<&PluginOption> {
        self.manifest.options.iter().find(|option| option.name == name)
    }

    /// The `options` of `init`: what is set or has a default, in manifest order.
    pub(crate) fn init_options(&self) -> Map<String, Value> {
        let mut options = Map::new();
        for option in &self.manifest.options {
            let default = || option.default.as_deref().and_then(|text| option.option_type.parse(text).ok());
            let values = match self.values.get(&option.name) {
                Some(values) => values.clone(),
                None => default().into_iter().collect(),
            };
            let mut values = values.iter().map(OptionValue::to_json);
            let value = if option.multi { Some(values.collect()) } else { values.next() };
            match value {
                Some(Value::Array(all)) if all.is_empty() => {}
                Some(value) => drop(options.insert(option.name.clone(), value)),
                None => {}
            }
        }
        options
    }
}

impl State {
    /// Gives the command line's option values to the plugins that declare them. The first that is wrong
    /// ends the node, as `lightningd: --<name>=<value>: <why>`.
    pub(crate) fn set_configured_options(&mut self) {
        for (name, value) in self.config.plugin_options.clone() {
            let owner = self.plugins.ids().into_iter().find(|id| self.declares(*id, &name));
            let result = match owner.and_then(|id| self.plugins.get_mut(id)) {
                Some(plugin) => plugin.set_option(&name, value.as_deref()),
                None if crate::options::is_ignored(&name) => Ok(()),
                None => Err("unknown option".to_owned()),
            };
            if let Err(why) = result {
                let given = value.map_or_else(String::new, |value| format!("={value}"));
                return self.fatal(&format!("lightningd: --{name}{given}: {why}"));
            }
        }
    }

    fn declares(&self, plugin: PluginId, name: &str) -> bool {
        self.plugins.get(plugin).is_some_and(|plugin| plugin.option(name).is_some())
    }
}
