//! A row of the table of options: one of the node, or one that a plugin has declared.

use super::configvar::ConfigVar;
use super::{Action, Opt, Shape, find, is_for_developers, table};
use crate::command::amount::parse_msat;
use crate::config::Config;
use crate::input::PluginId;
use crate::plugin::Plugin;
use crate::state::State;
use leyden_protocol::Profile;
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::option::{OptionType, PluginOption};
use serde_json::Value;

/// An option, whoever has it.
#[derive(Clone, Copy)]
pub(crate) enum Entry<'a> {
    Node(&'static Opt),
    Plugin(PluginId, &'a Plugin, &'a PluginOption),
}

impl<'a> Entry<'a> {
    pub(crate) fn name(&self) -> &'a str {
        match self {
            Self::Node(option) => option.name,
            Self::Plugin(_, _, option) => &option.name,
        }
    }

    pub(crate) fn about(&self) -> &'a str {
        match self {
            Self::Node(option) => option.about,
            Self::Plugin(_, _, option) => &option.description,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Node(option) => option.shape,
            Self::Plugin(_, _, option) => match option.option_type {
                OptionType::String => Shape::Text,
                OptionType::StringConceal => Shape::Concealed,
                OptionType::Int => Shape::Int,
                OptionType::Bool => Shape::Bool,
                OptionType::Flag => Shape::Flag,
            },
        }
    }

    pub(crate) fn is_multi(&self) -> bool {
        match self {
            Self::Node(option) => option.multi,
            Self::Plugin(_, _, option) => option.multi,
        }
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        match self {
            Self::Node(option) => option.dynamic,
            Self::Plugin(_, _, option) => option.dynamic,
        }
    }

    /// Whether it is listed only if it was given, or asked for by name.
    pub(crate) fn is_hidden(&self) -> bool {
        match self {
            Self::Node(option) => option.hidden || is_for_developers(option.name),
            Self::Plugin(_, _, option) => option.deprecated != Deprecated::Never,
        }
    }

    /// Whether it is one of lightningd's that changes nothing here.
    pub(crate) fn is_ignored(&self) -> bool {
        matches!(self, Self::Node(Opt { action: Action::Nothing | Action::Refuse(_), .. }))
    }

    /// Whether no node runs with it.
    pub(crate) fn ends_the_program(&self) -> bool {
        match self {
            Self::Node(option) => matches!(option.action, Action::Instead(_)) || option.name == "help",
            Self::Plugin(..) => false,
        }
    }

    /// Its value as text: what was given, or the default. `None` if it has neither.
    pub(crate) fn text(&self, config: &Config, given: Option<&ConfigVar>) -> Option<String> {
        let given = given.and_then(|var| var.value.clone());
        match self {
            Self::Node(Opt { show: Some(show), .. }) => show(config),
            Self::Node(option) => given.or_else(|| option.default.map(str::to_owned)),
            Self::Plugin(_, _, option) => given.or_else(|| option.default.clone()),
        }
    }

    /// A value as JSON. One that was given has been checked.
    pub(crate) fn json(&self, text: &str, profile: Profile) -> Value {
        match self {
            Self::Plugin(_, _, option) => {
                option.option_type.parse(text, profile).map_or(Value::Null, |value| value.to_json())
            }
            Self::Node(option) => match option.shape {
                Shape::Bool => leyden_protocol::option::boolean(text).unwrap_or_default().into(),
                Shape::Int => serde_json::from_str(text).unwrap_or(Value::Null),
                Shape::Msat => parse_msat(text).map_or(Value::Null, Value::from),
                Shape::Flag | Shape::Text | Shape::Concealed => text.into(),
            },
        }
    }
}

impl State {
    /// The whole table: the node's options, then those of each plugin.
    pub(crate) fn options(&self) -> impl Iterator<Item = Entry<'_>> {
        let plugins = self.plugins.iter().flat_map(|(id, plugin)| {
            plugin.manifest.options.iter().map(move |option| Entry::Plugin(id, plugin, option))
        });
        table().map(Entry::Node).chain(plugins)
    }

    /// The option `name`.
    pub(crate) fn option(&self, name: &str) -> Option<Entry<'_>> {
        let in_plugins = || self.options().find(|entry| entry.name() == name);
        find(name).map(Entry::Node).or_else(in_plugins)
    }

    /// What was given for an option and counts.
    pub(crate) fn given(&self, entry: &Entry<'_>) -> Vec<&ConfigVar> {
        self.config.vars.in_force(entry.name(), entry.is_multi())
    }
}
