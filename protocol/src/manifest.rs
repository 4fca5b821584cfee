//! The answer to `getmanifest`: what a plugin brings along.
//!
//! [`Manifest::parse`] checks it in lightningd's order and with lightningd's words
//! (`lightningd/plugin.c:plugin_parse_getmanifest_response` of v26.06.6); the first error counts. What
//! needs to know other plugins (a name already taken, say) is the node's to check.

use crate::catalogue;
use crate::hook::HookRegistration;
use crate::json;
use crate::option::{Deprecated, PluginOption};
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
    /// Whether it is deprecated.
    #[serde(skip_serializing_if = "never")]
    pub deprecated: Deprecated,
}

fn never(deprecated: &Deprecated) -> bool {
    *deprecated == Deprecated::Never
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
}

impl FeatureBits {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Manifest {
    /// Reads the whole response to `getmanifest`.
    ///
    /// # Errors
    /// The text with which lightningd kills the plugin.
    pub fn parse(response: &str) -> Result<Self, String> {
        let result = json::member(response, "result").filter(|result| json::members(result).is_some());
        let result = result.ok_or_else(|| format!("Invalid/missing result tok in '{response}'"))?;
        let field = |name| json::member(result, name);

        let mut manifest = Self { dynamic: false, nonnumericids: None, ..Self::default() };
        if let Some(why) = field("disable") {
            manifest.disable = Some(json::bare(why));
            return Ok(manifest);
        }
        if let Some(value) = field("dynamic") {
            manifest.dynamic = json::boolean(value)
                .ok_or_else(|| format!(r#"getmanifest: invalid "dynamic" field {}"#, json::content(value)))?;
        }
        if let Some(bits) = field("featurebits") {
            manifest.featurebits = featurebits(bits)?;
            if manifest.dynamic && !manifest.featurebits.is_empty() {
                return Err(format!(
                    "Custom featurebits only allows for non-dynamic plugins: dynamic=1, featurebits={bits}"
                ));
            }
        }
        if let Some(value) = field("custommessages") {
            manifest.custommessages = custommessages(value)?;
        }
        manifest.nonnumericids = match field("nonnumericids").map(|value| (value, json::boolean(value))) {
            None => None,
            Some((_, Some(true))) => Some(true),
            Some((_, Some(false))) => return Err("Plugin does not allow nonnumericids".to_owned()),
            Some((value, None)) => return Err(format!("Invalid nonnumericids: {}", json::content(value))),
        };
        if let Some(value) = field("cancheck") {
            manifest.cancheck =
                json::boolean(value).ok_or_else(|| format!("Invalid cancheck: {}", json::content(value)))?;
        }
        manifest.notifications = field("notifications").map_or(Ok(Vec::new()), own_topics)?;
        let options = field("options").ok_or(r#""result.options" was not found in the manifest"#)?;
        let options = json::elements(options).ok_or(r#""result.options" is not an array"#)?;
        manifest.options = options.into_iter().map(PluginOption::parse).collect::<Result<_, _>>()?;
        let methods = field("rpcmethods").ok_or(r#""result.rpcmethods" missing"#)?;
        let methods = json::elements(methods).ok_or(r#""result.rpcmethods" is not an array"#)?;
        manifest.rpcmethods = methods.into_iter().map(RpcMethod::parse).collect::<Result<_, _>>()?;
        manifest.subscriptions = field("subscriptions").map_or(Ok(Vec::new()), subscriptions)?;
        for hook in field("hooks").and_then(json::elements).unwrap_or_default() {
            let hook = HookRegistration::parse(hook)?;
            if manifest.hooks.iter().any(|other| other.name == hook.name) {
                return Err(format!("Registered for hook {} multiple times", hook.name));
            }
            manifest.hooks.push(hook);
        }
        Ok(manifest)
    }
}

fn featurebits(object: &str) -> Result<FeatureBits, String> {
    let place = |name| match json::member(object, name) {
        None => Ok(None),
        Some(value) => {
            let hex = json::bare(value);
            let good = hex.len().is_multiple_of(2) && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
            let why = || format!("Featurebits returned by plugin is not a valid hexadecimal string: {value}");
            if good { Ok(Some(hex)) } else { Err(why()) }
        }
    };
    Ok(FeatureBits {
        init: place("init")?,
        node: place("node")?,
        channel: place("channel")?,
        invoice: place("invoice")?,
    })
}

fn custommessages(value: &str) -> Result<Vec<u16>, String> {
    let elements =
        json::elements(value).ok_or_else(|| format!("custommessages must be array, not '{value}'"))?;
    let number = |(index, text): (usize, &str)| {
        text.parse().map_err(|_| format!("custommessages {index} not a u16: '{text}'"))
    };
    elements.into_iter().enumerate().map(number).collect()
}

fn own_topics(value: &str) -> Result<Vec<OwnTopic>, String> {
    let elements = json::elements(value).ok_or(r#""result.notifications" is not an array"#)?;
    let topic = |(index, element): (usize, &str)| {
        if json::members(element).is_none() {
            return Err(format!(r#""result.notifications[{index}]" is not an object"#));
        }
        let method = json::member(element, "method")
            .and_then(json::string)
            .ok_or_else(|| format!(r#""result.notifications[{index}].name" missing or not a string."#))?;
        if catalogue::topic_named(&method).is_some() {
            return Err(format!(
                "plugin attempted to register a native notification topic \"{method}\", these may however \
                 only be sent by lightningd"
            ));
        }
        Ok(OwnTopic { method })
    };
    elements.into_iter().enumerate().map(topic).collect()
}

fn subscriptions(value: &str) -> Result<Vec<String>, String> {
    let elements = json::elements(value).ok_or(r#""result.subscriptions" is not an array"#)?;
    let topic = |(index, element): (usize, &str)| {
        json::string(element)
            .ok_or_else(|| format!("result.subscriptions[{index}] is not a string: '{element}'"))
    };
    elements.into_iter().enumerate().map(topic).collect()
}

impl RpcMethod {
    fn parse(element: &str) -> Result<Self, String> {
        let field = |name| json::member(element, name);
        let name = field("name")
            .and_then(json::string)
            .ok_or_else(|| format!(r#"rpcmethod does not have a string "name": {element}"#))?;
        let usage = field("usage").ok_or(r#""usage" not provided by plugin"#)?;
        let usage = json::string(usage).ok_or_else(|| format!(r#""usage" is not a string: {element}"#))?;
        let description = field("description").map(json::bare).unwrap_or_default();
        let deprecated = Deprecated::parse(field("deprecated"))?;
        Ok(Self { name, usage, description, deprecated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::OptionType;
    use proptest::prelude::*;

    fn parse(result: &str) -> Result<Manifest, String> {
        Manifest::parse(&format!(r#"{{"jsonrpc":"2.0","id":"cln:getmanifest#0","result":{result}}}"#))
    }

    #[test]
    fn refusals_are_lightningd_s() {
        let with = |more: &str| format!(r#"{{"options":[],"rpcmethods":[],{more}}}"#);
        let cases = [
            (r#"{"rpcmethods":[]}"#.to_owned(), r#""result.options" was not found in the manifest"#),
            (r#"{"options":[]}"#.to_owned(), r#""result.rpcmethods" missing"#),
            (with(r#""dynamic":"yes""#), r#"getmanifest: invalid "dynamic" field yes"#),
            (with(r#""custommessages":[1,-2]"#), "custommessages 1 not a u16: '-2'"),
            (with(r#""nonnumericids":false"#), "Plugin does not allow nonnumericids"),
            (with(r#""hooks":["nope"]"#), "Unknown hook name nope"),
            (
                with(r#""hooks":["rpc_command","rpc_command"]"#),
                "Registered for hook rpc_command multiple times",
            ),
            (with(r#""hooks":[{"name":"db_write","filters":[]}]"#), "Hook db_write does not allow filters"),
            (
                with(r#""notifications":[{"method":"connect"}]"#),
                "plugin attempted to register a native notification topic \"connect\", these may however only be \
                 sent by lightningd",
            ),
            (
                r#"{"options":[{"name":"n","type":"int","description":"d","default":"x"}],"rpcmethods":[]}"#
                    .to_owned(),
                "Invalid default 'x': 'x' is not a number",
            ),
            (r#"{"options":[],"rpcmethods":[{"name":"a"}]}"#.to_owned(), r#""usage" not provided by plugin"#),
        ];
        for (result, expected) in cases {
            assert_eq!(parse(&result), Err(expected.to_owned()), "{result}");
        }
    }

    #[test]
    fn a_disabled_plugin_is_not_looked_at_further() {
        let manifest = parse(r#"{"disable":"no database","options":7}"#).unwrap();
        assert_eq!(manifest.disable.as_deref(), Some("no database"));
    }

    #[test]
    fn an_error_response_has_no_result() {
        let text = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}"#;
        assert_eq!(Manifest::parse(text), Err(format!("Invalid/missing result tok in '{text}'")));
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-z][a-z0-9_-]{0,12}"
    }

    fn option() -> impl Strategy<Value = PluginOption> {
        (name(), ".*", any::<bool>(), 0..4usize, any::<i64>()).prop_map(
            |(name, about, multi, kind, number)| {
                let kinds = [OptionType::String, OptionType::Int, OptionType::Bool, OptionType::Flag];
                let mut option = PluginOption::new(&name, kinds[kind], &about);
                option.default = match option.option_type {
                    OptionType::Int => Some(number.to_string()),
                    OptionType::String if multi => Some(about),
                    _ => None,
                };
                option.multi = multi && matches!(option.option_type, OptionType::String | OptionType::Int);
                option
            },
        )
    }

    fn method() -> impl Strategy<Value = RpcMethod> {
        (name(), ".*", ".*").prop_map(|(name, usage, description)| RpcMethod {
            name,
            usage,
            description,
            deprecated: Deprecated::Never,
        })
    }

    proptest! {
        #[test]
        fn what_a_plugin_writes_is_what_the_node_reads(
            options in prop::collection::vec(option(), 0..4),
            rpcmethods in prop::collection::vec(method(), 0..4),
            subscriptions in prop::collection::vec(".*", 0..4),
            before in prop::collection::vec(name(), 0..3),
            custommessages in prop::collection::vec(any::<u16>(), 0..4),
            dynamic in any::<bool>(),
        ) {
            let hooks = vec![HookRegistration { before, ..HookRegistration::new("htlc_accepted") }];
            let manifest = Manifest {
                options, rpcmethods, subscriptions, hooks, custommessages, dynamic, ..Manifest::default()
            };
            let written = serde_json::to_string(&manifest).unwrap();
            prop_assert_eq!(parse(&written), Ok(manifest));
        }
    }
}
