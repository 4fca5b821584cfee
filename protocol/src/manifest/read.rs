//! Reading a manifest as lightningd does (`lightningd/plugin.c:plugin_parse_getmanifest_response`): member
//! by member in its order, with its words. Names of CLN's functions say which.

use super::{FeatureBits, Manifest, OwnTopic, Refusal, Registry, RpcMethod};
use crate::deprecation::Deprecated;
use crate::hook::HookRegistration;
use crate::json;
use crate::option::{OptionType, PluginOption};
use crate::profile::TakenOption;

impl Manifest {
    /// Reads the whole response to `getmanifest`.
    ///
    /// # Errors
    /// The text with which lightningd kills the plugin, or ends.
    pub fn parse(response: &str, registry: &mut dyn Registry) -> Result<Self, Refusal> {
        let result = json::member(response, "result").filter(|result| json::members(result).is_some());
        let result = result.ok_or_else(|| format!("Invalid/missing result tok in '{response}'"))?;
        let manifest = Self { dynamic: false, nonnumericids: None, ..Self::default() };
        if let Some(why) = json::member(result, "disable") {
            return Ok(Self { disable: Some(json::bare(why)), ..manifest });
        }
        let mut reader = Reader { result, registry, manifest };
        reader.general()?;
        reader.ids()?;
        reader.manifest.notifications = reader.own_topics()?;
        reader.options()?;
        reader.methods()?;
        reader.manifest.subscriptions = reader.subscriptions()?;
        reader.hooks()?;
        Ok(reader.manifest)
    }
}

/// A manifest that is being read.
struct Reader<'a> {
    result: &'a str,
    registry: &'a mut dyn Registry,
    /// What has been read.
    manifest: Manifest,
}

impl<'a> Reader<'a> {
    fn field(&self, name: &str) -> Option<&'a str> {
        json::member(self.result, name)
    }

    /// `dynamic`, `featurebits` and `custommessages`.
    fn general(&mut self) -> Result<(), Refusal> {
        let profile = self.registry.profile();
        if let Some(value) = self.field("dynamic") {
            self.manifest.dynamic = json::boolean(value).ok_or_else(|| profile.bad_dynamic(value))?;
        }
        let names = profile.featurebits_members();
        if let Some(object) = names.iter().find_map(|name| self.field(name)) {
            self.manifest.featurebits = self.featurebits(object)?;
        }
        if let Some(value) = self.field("custommessages").filter(|_| profile.has_newer_manifest_members()) {
            self.manifest.custommessages = custommessages(value)?;
        }
        Ok(())
    }

    fn featurebits(&self, object: &str) -> Result<FeatureBits, Refusal> {
        let mut features = FeatureBits::default();
        let names = FeatureBits::default().places().map(|(name, _)| name);
        let known = if self.registry.profile().has_newer_feature_places() { 8 } else { 4 };
        for (name, place) in names.into_iter().zip(features.places_mut()).take(known) {
            let Some(value) = json::member(object, name).map(json::content) else { continue };
            if value.len() % 2 != 0 || !value.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                let why = "Featurebits returned by plugin is not a valid hexadecimal string";
                return Err(format!("{why}: {value}").into());
            }
            *place = Some(value.to_owned());
        }
        if self.manifest.dynamic && features.any() {
            let why = "Custom featurebits only allows for non-dynamic plugins: dynamic=1";
            return Err(format!("{why}, featurebits={object}").into());
        }
        if self.registry.offers_any(&features) {
            return Err("Custom featurebits already present".into());
        }
        Ok(features)
    }

    /// `nonnumericids` and `cancheck`.
    fn ids(&mut self) -> Result<(), Refusal> {
        let profile = self.registry.profile();
        let numeric_ok = profile.numeric_ids_allowed(self.registry.deprecated_ok());
        if profile.reads_nonnumericids() {
            let said = self.field("nonnumericids").map(|value| (value, json::boolean(value)));
            self.manifest.nonnumericids = match said {
                None => None,
                Some((_, Some(false))) if !numeric_ok => {
                    return Err("Plugin does not allow nonnumericids".into());
                }
                Some((_, Some(value))) => Some(value),
                Some((value, None)) => return Err(format!("Invalid nonnumericids: {value}").into()),
            };
        }
        if let Some(value) = self.field("cancheck").filter(|_| profile.has_newer_manifest_members()) {
            self.manifest.cancheck =
                json::boolean(value).ok_or_else(|| format!("Invalid cancheck: {value}"))?;
        }
        Ok(())
    }

    /// `plugin_notifications_add`.
    fn own_topics(&self) -> Result<Vec<OwnTopic>, Refusal> {
        let Some(value) = self.field("notifications") else { return Ok(Vec::new()) };
        let elements = json::elements(value).ok_or(r#""result.notifications" is not an array"#)?;
        let topic = |(index, element): (usize, &str)| {
            if json::members(element).is_none() {
                return Err(format!(r#""result.notifications[{index}]" is not an object"#).into());
            }
            let method = json::member(element, "method")
                .and_then(json::string)
                .ok_or_else(|| format!(r#""result.notifications[{index}].name" missing or not a string."#))?;
            if self.registry.profile().has_topic(&method) {
                return Err(format!(
                    "plugin attempted to register a native notification topic \"{method}\", these may however \
                     only be sent by lightningd"
                )
                .into());
            }
            Ok(OwnTopic { method })
        };
        elements.into_iter().enumerate().map(topic).collect()
    }

    /// `plugin_opts_add`.
    fn options(&mut self) -> Result<(), Refusal> {
        let options = self.field("options").ok_or(r#""result.options" was not found in the manifest"#)?;
        for element in json::elements(options).ok_or(r#""result.options" is not an array"#)? {
            let option = self.option(element)?;
            self.manifest.options.push(option);
        }
        Ok(())
    }

    /// `plugin_opt_add`.
    fn option(&mut self, element: &str) -> Result<PluginOption, Refusal> {
        let profile = self.registry.profile();
        let field = |name: &str| json::member(element, name);
        let (Some(name), Some(type_name), Some(description)) =
            (field("name"), field("type"), field("description"))
        else {
            return Err(r#"An option is missing either "name", "description" or "type""#.into());
        };
        let name = json::content(name).to_owned();
        if let Some(why) = profile.bad_option_name(&name) {
            return Err(why.into());
        }
        self.option_is_new(&name)?;
        let deprecated = Deprecated::parse(field("deprecated"), &format!("--{name}"), profile)?;
        let flag = |member: &str| match field(member) {
            None => Ok(false),
            Some(value) => json::boolean(value)
                .ok_or_else(|| format!("--{name}: invalid \"{member}\" field {}", json::content(value))),
        };
        let multi = flag("multi")?;
        let newer = profile.has_newer_manifest_members();
        let dynamic = newer && flag("dynamic")?;
        let option_type = OptionType::from_name(json::content(type_name))
            .filter(|found| newer || *found != OptionType::StringConceal)
            .ok_or(r#"Only "string", "int", "bool", and "flag" options are supported"#)?;
        let description = json::bare(description);
        let option =
            PluginOption { name, option_type, description, default: None, multi, dynamic, deprecated };
        self.with_default(option, field("default"))
    }

    fn option_is_new(&self, name: &str) -> Result<(), Refusal> {
        let profile = self.registry.profile();
        let taken = self.manifest.options.iter().any(|other| other.name == name);
        if !taken && !self.registry.has_option(name) {
            return Ok(());
        }
        match (profile.taken_option(), self.registry.is_starting()) {
            (TakenOption::Unnoticed, _) | (TakenOption::RefusedAtStart, false) => Ok(()),
            (TakenOption::Refused, false) => Err(format!(r#"Option "{name}" already registered"#).into()),
            (TakenOption::Refused | TakenOption::RefusedAtStart, true) => {
                let (path, name) = (self.registry.path(), profile.taken_option_name(name));
                let text = format!("error starting plugin '{path}': option name '{name}' is already taken");
                Err(Refusal::Fatal(text))
            }
        }
    }

    /// The option with its default, once the type is known.
    fn with_default(&mut self, option: PluginOption, default: Option<&str>) -> Result<PluginOption, Refusal> {
        let profile = self.registry.profile();
        let (name, option_type) = (&option.name, option.option_type);
        let is_flag = option_type == OptionType::Flag;
        if let Some(token) = default.filter(|token| is_flag && *token != "false")
            && profile.flag_default_is_checked()
        {
            return Err(format!("--{name} type flag default must be 'false' not {token}").into());
        }
        if option.multi && (is_flag || option_type == OptionType::Bool) {
            return Err(profile.cannot_be_multi(name, option_type.name()).into());
        }
        let is_none = |token: &str| token == "null" && profile.null_is_no_default();
        let Some(token) = default.filter(|token| !is_flag && !is_none(token)) else { return Ok(option) };
        // Escapes stay: what they stand for is not lightningd's concern, and `init` escapes them once more.
        let text = json::content(token);
        let mut why = option_type.parse(text, profile).err();
        let used = why.is_none() && profile.default_is_use();
        if used && !self.registry.allows_option(name, &option.deprecated) {
            why = Some("deprecated option (will be removed!)".to_owned());
        }
        match why {
            Some(why) => Err(profile.bad_default(token, option_type.name(), &why).into()),
            None => Ok(PluginOption { default: Some(text.to_owned()), ..option }),
        }
    }

    /// `plugin_rpcmethods_add`.
    fn methods(&mut self) -> Result<(), Refusal> {
        let methods = self.field("rpcmethods").ok_or(r#""result.rpcmethods" missing"#)?;
        for element in json::elements(methods).ok_or(r#""result.rpcmethods" is not an array"#)? {
            let method = self.method(element)?;
            self.manifest.rpcmethods.push(method);
        }
        Ok(())
    }

    /// `plugin_rpcmethod_add`.
    fn method(&self, element: &str) -> Result<RpcMethod, Refusal> {
        let profile = self.registry.profile();
        let field = |name: &str| json::member(element, name);
        let quoted = json::content(element);
        let missing = |member: &str| format!(r#"rpcmethod does not have a string "{member}": {quoted}"#);
        let text_or_none = |member: &str| match field(member) {
            None => Ok(None),
            Some(value) => json::string(value)
                .map(Some)
                .ok_or_else(|| Refusal::Kill(format!(r#""{member}" is not a string: {quoted}"#))),
        };
        let name = field("name").and_then(json::string).ok_or_else(|| missing("name"))?;
        let (description, long_description) = if profile.method_needs_description() {
            let description = field("description").and_then(json::string);
            (description.ok_or_else(|| missing("description"))?, text_or_none("long_description")?)
        } else {
            let text = |member| field(member).map(json::bare);
            (text("description").unwrap_or_default(), text("long_description"))
        };
        let stand_in = profile.missing_usage(self.registry.deprecated_ok()).map(str::to_owned);
        let usage = text_or_none("usage")?.or(stand_in).ok_or(r#""usage" not provided by plugin"#)?;
        let category = field("category").map(json::bare);
        let deprecated = Deprecated::parse(field("deprecated"), &name, profile)?;
        self.method_is_new(&name)?;
        Ok(RpcMethod { name, usage, description, long_description, category, deprecated })
    }

    fn method_is_new(&self, name: &str) -> Result<(), Refusal> {
        let own = self.manifest.rpcmethods.iter().any(|method| method.name == name);
        let owner = if own {
            Some(format!("plugin {}", self.registry.path()))
        } else {
            self.registry.method_owner(name)
        };
        let Some(owner) = owner else { return Ok(()) };
        let text = format!(
            r#"Could not register method "{name}", a method with that name is already registered by {owner}"#
        );
        if self.registry.profile().taken_method_ends_start() && self.registry.is_starting() {
            return Err(Refusal::Fatal(format!("error starting plugin '{}': {text}", self.registry.path())));
        }
        Err(text.into())
    }

    /// `plugin_subscriptions_add`.
    fn subscriptions(&self) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.field("subscriptions") else { return Ok(Vec::new()) };
        let elements = json::elements(value).ok_or(r#""result.subscriptions" is not an array"#)?;
        let topic = |(index, element): (usize, &str)| {
            let why = || format!("result.subscriptions[{index}] is not a string: '{element}'").into();
            json::string(element).ok_or_else(why)
        };
        elements.into_iter().enumerate().map(topic).collect()
    }

    /// `plugin_hooks_add`, which does not look whether it has an array: of an object it sees the names.
    fn hooks(&mut self) -> Result<(), Refusal> {
        let profile = self.registry.profile();
        let hooks = self.field("hooks").unwrap_or_default();
        let names = json::members(hooks).unwrap_or_default().into_iter();
        let names = names.map(|(name, _)| HookRegistration::parse(&format!("\"{name}\""), profile));
        let elements = json::elements(hooks).unwrap_or_default().into_iter();
        for hook in names.chain(elements.map(|element| HookRegistration::parse(element, profile))) {
            let hook = hook?;
            if self.manifest.hooks.iter().any(|other| other.name == hook.name) {
                return Err(profile.hook_registered_twice(&hook.name).into());
            }
            self.manifest.hooks.push(hook);
        }
        Ok(())
    }
}

fn custommessages(value: &str) -> Result<Vec<u16>, Refusal> {
    let elements =
        json::elements(value).ok_or_else(|| format!("custommessages must be array, not '{value}'"))?;
    let number = |(index, token): (usize, &str)| {
        let why = || format!("custommessages {index} not a u16: '{token}'").into();
        json::content(token).parse().map_err(|_| why())
    };
    elements.into_iter().enumerate().map(number).collect()
}
