//! `setconfig`: changing an option while the node runs, for good or until it ends
//! (`lightningd/configs.c:json_setconfig`, `plugin.c:plugin_set_dynamic_opt`).

use super::Command;
use super::params::{Params, Shape as Param, invalid};
use crate::event::LogLevel;
use crate::jsonrpc::{Client, RpcRequest};
use crate::options::Shape;
use crate::options::configvar::{ConfigVar, Source};
use crate::options::entry::Entry;
use crate::options::setconfig_file::{self, Saved};
use crate::plugin::request::Awaiting;
use crate::state::State;
use leyden_protocol::message::{RpcError, code};
use leyden_protocol::{Envelope, json};
use serde_json::{Map, Value, json};

/// `setconfig config [val] [transient]`.
#[derive(Debug, Clone)]
pub(crate) struct Setconfig {
    /// The option.
    name: String,
    multi: bool,
    /// None for a flag, one, or any number for an option that takes several.
    values: Vec<String>,
    /// Whether it is not written into a file.
    transient: bool,
}

impl Command for Setconfig {
    const NAME: &'static str = "setconfig";
    const TAKES: &'static [Param] =
        &[Param::required("config"), Param::optional("val"), Param::optional("transient")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let name = params.string("config")?;
        let entry = node.option(&name).ok_or_else(|| params.wrong("config", "Unknown config option"))?;
        if !entry.is_dynamic() {
            return Err(params.wrong("config", "Not a dynamic config option"));
        }
        let transient = params.optional_bool("transient")?.unwrap_or(false);
        let multi = entry.is_multi();
        let values = asked_values(&entry, params)?;
        if !transient {
            let given = node.given(&entry);
            if let Some(file) = setconfig_file::not_writable(&node.config, given.first().copied()) {
                return Err(invalid(format!("Cannot write to config file {}", file.display())));
            }
            for var in given {
                setconfig_file::check_unchanged(var).map_err(invalid)?;
            }
        }
        Ok(Self { name, multi, values, transient })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.change_option(SetConfig { client: request.client.clone(), asked: self, check: false })
    }

    fn check(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.change_option(SetConfig { client: request.client.clone(), asked: self, check: true })
    }
}

/// A change on its way.
#[derive(Debug, Clone)]
pub(crate) struct SetConfig {
    client: Client,
    asked: Setconfig,
    /// Whether it is only asked whether it could be done.
    check: bool,
}

impl SetConfig {
    /// Who wants it.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The option and its values as configuration files have them.
    fn lines(&self) -> Vec<String> {
        match &self.asked.values[..] {
            [] if !self.asked.multi => vec![self.asked.name.clone()],
            values => values.iter().map(|value| format!("{}={value}", self.asked.name)).collect(),
        }
    }

    /// The parameters of the request to the plugin.
    fn params(&self) -> String {
        let mut params = Map::new();
        if self.check {
            params.insert("command_to_check".to_owned(), "setconfig".into());
        }
        params.insert("config".to_owned(), self.asked.name.as_str().into());
        if self.asked.multi {
            params.insert("val".to_owned(), self.asked.values.clone().into());
        } else if let Some(value) = self.asked.values.first() {
            params.insert("val".to_owned(), value.as_str().into());
        }
        Value::Object(params).to_string()
    }
}

impl State {
    /// Changes an option of the node, or asks the plugin whose option it is.
    fn change_option(&mut self, change: SetConfig) -> Result<(), RpcError> {
        match self.option(&change.asked.name) {
            Some(Entry::Plugin(_, plugin, _)) if change.check && !plugin.manifest.cancheck => {
                self.reply(&change.client, &json!({ "command_to_check": "setconfig" }));
            }
            Some(Entry::Plugin(plugin, ..)) => {
                let method = if change.check { "check" } else { "setconfig" };
                let (cause, params) = (change.client.id.clone(), change.params());
                self.request(plugin, method, &params, Some(&cause), Awaiting::SetConfig(change));
            }
            Some(Entry::Node(option)) => {
                let mut config = self.config.clone();
                option
                    .set(&mut config, change.asked.values.first().map(String::as_str))
                    .map_err(|why| invalid(format!("Error setting {}: {why}", change.asked.name)))?;
                if !change.check {
                    self.config = config;
                }
                self.option_changed(&change)?;
            }
            None => return Err(missing(&change.asked.name)),
        }
        Ok(())
    }

    /// The plugin has answered whether it takes the change.
    pub(crate) fn setconfig_answered(&mut self, change: &SetConfig, response: &Envelope<'_>) {
        let outcome = match (response.error, response.result) {
            (Some(error), _) => match refusal(error) {
                Some(refusal) => Err(refusal),
                None => Err(self.malformed(change, response)),
            },
            (None, Some(_)) => self.option_changed(change),
            (None, None) => Err(self.malformed(change, response)),
        };
        if let Err(error) = outcome {
            self.reply_error(&change.client, &error);
        }
    }

    fn malformed(&mut self, change: &SetConfig, response: &Envelope<'_>) -> RpcError {
        let source = change.client.connection.log_source();
        let text = format!("Invalid setconfig {} response from plugin: {}", change.asked.name, response.text);
        self.log(LogLevel::Broken, &source, &text);
        RpcError::new(code::LIGHTNINGD, format!("Malformed setvalue {} plugin return", change.asked.name))
    }

    /// Whoever has the option has taken the change: it is kept, and answered.
    fn option_changed(&mut self, change: &SetConfig) -> Result<(), RpcError> {
        if change.check {
            self.reply(&change.client, &json!({ "command_to_check": "setconfig" }));
            return Ok(());
        }
        let Some(entry) = self.option(&change.asked.name) else { return Err(missing(&change.asked.name)) };
        // A real node takes what the plugin takes, and dies of a number that is none when it prints it.
        if let Entry::Plugin(_, _, option) = entry {
            for value in &change.asked.values {
                let checked = option.option_type.parse(value, self.profile);
                checked.map_err(|why| invalid(format!("Error setting {}: {why}", change.asked.name)))?;
            }
        }
        if let Err(why) = self.keep(change) {
            self.fatal(&why);
            return Ok(());
        }
        let mut shown = Map::from_iter([("config".to_owned(), Value::from(&*change.asked.name))]);
        shown.extend(
            self.option(&change.asked.name).and_then(|entry| self.config_of(&entry)).unwrap_or_default(),
        );
        self.reply(&change.client, &json!({ "config": shown }));
        Ok(())
    }

    /// Notes the new values, in a file if they are to stay.
    fn keep(&mut self, change: &SetConfig) -> Result<(), String> {
        let lines = change.lines();
        if change.asked.multi {
            // What was set for the time being is over in any case.
            let name = &change.asked.name;
            self.config.vars.forget(|var| var.name == *name && var.source == Source::Transient);
        }
        let saved = if change.asked.transient {
            Saved { sources: vec![Source::Transient; lines.len()], log: Vec::new() }
        } else {
            self.save(change, &lines)?
        };
        for text in saved.log {
            self.log_main(LogLevel::Info, &text);
        }
        for (source, line) in saved.sources.into_iter().zip(&lines) {
            let var = ConfigVar::new(source, line);
            let place = match &var.source {
                Source::File(..) => var.source.to_string(),
                _ => "NULL:0".to_owned(),
            };
            let value = var.value.as_deref().unwrap_or("SET");
            self.log_main(LogLevel::Info, &format!("setconfig: {} {value} (updated {place})", var.name));
            self.config.vars.push(var);
        }
        Ok(())
    }

    fn save(&mut self, change: &SetConfig, lines: &[String]) -> Result<Saved, String> {
        let now = humantime::format_rfc3339_seconds((self.clock)()).to_string();
        let name = &change.asked.name;
        if !change.asked.multi {
            let old = self.config.vars.in_force(name, false).first().copied().cloned();
            return setconfig_file::save(&mut self.config, &now, old.as_ref(), &lines[0]);
        }
        let old: Vec<ConfigVar> = self.config.vars.iter().filter(|var| var.name == *name).cloned().collect();
        let saved = setconfig_file::save_all(&mut self.config, &now, &old, lines)?;
        self.config.vars.forget(|var| var.name == *name && var.is_of_network_file());
        Ok(saved)
    }
}

/// The values that were asked for, in the shape that the option takes.
fn asked_values(entry: &Entry<'_>, params: &Params) -> Result<Vec<String>, RpcError> {
    let name = entry.name();
    let text = |token: &str| json::content(token).to_owned();
    // lightningd looks for an array by name only.
    let array = params.raw("val").filter(|token| token.starts_with('[') && !params.is_positional());
    let value = params.raw("val").filter(|token| *token != "null");
    if entry.is_multi() {
        return match (array, value) {
            (Some(array), _) => Ok(json::elements(array).unwrap_or_default().into_iter().map(text).collect()),
            (None, Some(_)) if !params.is_positional() => {
                Err(invalid(format!("{name} is a multi option: val must be an array")))
            }
            (None, _) => Ok(Vec::new()),
        };
    }
    if array.is_some() {
        return Err(invalid(format!("{name} is not a multi option: val must not be an array")));
    }
    match (entry.shape(), value) {
        (Shape::Flag, None) => Ok(Vec::new()),
        (Shape::Flag, Some(_)) => Err(invalid(format!("{name} does not take a value"))),
        (_, None) => Err(invalid(format!("{name} requires a value"))),
        (_, Some(value)) => Ok(vec![text(value)]),
    }
}

/// The plugin's error for the client: its code, and its message with the escapes that it sent.
fn refusal(error: &str) -> Option<RpcError> {
    let number = json::member(error, "code")?.parse().ok()?;
    Some(RpcError::new(number, json::content(json::member(error, "message")?)))
}

fn missing(name: &str) -> RpcError {
    RpcError::new(code::LIGHTNINGD, format!("Missing opt {name} on plugin return?"))
}
