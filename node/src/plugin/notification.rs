//! Notifications: the node's own to plugins, and what plugins may send (`lightningd/notification.c`,
//! `plugin.c:plugin_notification_handle`).

use super::{Plugin, PluginState};
use crate::event::{LogLevel, LogLine};
use crate::input::PluginId;
use crate::output::Output;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::{Envelope, Id, catalogue, json, message};
use serde_json::{Map, Value, json};
use std::str::FromStr;
use std::time::UNIX_EPOCH;

impl State {
    /// Sends a native notification to everybody who subscribed: first those who named the topic, then
    /// those who subscribed to `*` (`plugin.c:plugins_notify`; who did both hears it twice). Topics that the
    /// release does not have are not sent.
    #[expect(clippy::needless_pass_by_value, reason = "fields are made for it, by json!")]
    pub(crate) fn notify(&mut self, topic: &str, fields: Value) {
        self.notify_text(topic, &fields.to_string());
    }

    /// The same, for fields that are JSON already: their numbers may have more digits than fit into a float.
    pub(crate) fn notify_text(&mut self, topic: &str, fields: &str) {
        let subscribers = self.subscribers(topic);
        if subscribers.is_empty() || !self.profile.has_topic(topic) {
            return;
        }
        let frame = self.native_frame(topic, fields);
        for plugin in subscribers {
            self.out.push(Output::ToPlugin(plugin, frame.clone()));
        }
    }

    /// Sends a notification that lightningd has from its plugin `cln-xpay`, in releases that have that.
    pub(crate) fn notify_of_xpay(&mut self, topic: &str, fields: &Value) {
        if self.profile.has_xpay() {
            self.notify_custom(topic, "cln-xpay", &json!({ topic: fields }).to_string());
        }
    }

    /// Sends a notification that lightningd has from its plugins `pay` and `keysend`: `origin` is the one.
    pub(crate) fn notify_of_pay(&mut self, origin: &str, topic: &str, fields: &Value) {
        let params = self.profile.pay_notification(topic, fields, self.config.allow_deprecated_apis);
        self.notify_custom(topic, origin, &params.to_string());
    }

    fn notify_custom(&mut self, topic: &str, origin: &str, params: &str) {
        let origin = json::quoted(origin);
        let frame = if self.profile.custom_notification_origin_at_top() {
            let topic = json::quoted(topic);
            format!(r#"{{"jsonrpc":"2.0","method":{topic},"origin":{origin},"params":{params}}}"#)
        } else {
            message::notification(topic, &format!(r#"{{"origin":{origin},"payload":{params}}}"#))
        };
        for subscriber in self.subscribers(topic) {
            self.out.push(Output::ToPlugin(subscriber, frame.clone()));
        }
    }

    /// Sends a native notification to one plugin, if it subscribed. Says whether it did.
    #[expect(clippy::needless_pass_by_value, reason = "as above")]
    pub(crate) fn notify_one(&mut self, plugin: PluginId, topic: &str, fields: Value) -> bool {
        let star = self.profile.star_subscription();
        let wants = |plugin: &Plugin| plugin.subscribes(topic) || (star && plugin.subscribes("*"));
        let subscribed = self.profile.has_topic(topic) && self.plugins.get(plugin).is_some_and(wants);
        if subscribed {
            let frame = self.native_frame(topic, &fields.to_string());
            self.out.push(Output::ToPlugin(plugin, frame));
        }
        subscribed
    }

    fn native_frame(&self, topic: &str, fields: &str) -> String {
        if !self.profile.wraps(topic) {
            return message::notification(topic, fields);
        }
        let wrapper = json::quoted(self.profile.wrapper(topic));
        message::notification(topic, &format!("{{{wrapper}:{fields}}}"))
    }

    fn subscribers(&self, topic: &str) -> Vec<PluginId> {
        let ready = if self.profile.notifies_after_init_only() {
            PluginState::InitComplete
        } else {
            PluginState::NeedsInit
        };
        let in_star = catalogue::topic_named(topic).is_none_or(|topic| topic.in_star);
        let star = in_star && self.profile.star_subscription();
        let who_subscribed = |name: &str| {
            let wants = |(_, plugin): &(PluginId, &Plugin)| plugin.state >= ready && plugin.subscribes(name);
            self.plugins.iter().filter(wants).map(|(id, _)| id).collect::<Vec<_>>()
        };
        let mut subscribers = who_subscribed(topic);
        if star {
            subscribers.extend(who_subscribed("*"));
        }
        subscribers
    }

    /// `log` and `warning`, of a line that was just logged.
    pub(crate) fn notify_of_log(&mut self, line: &LogLine) {
        // Lines are many and those who want them few.
        if self.log.is_printed(line.level, &line.source) && !self.subscribers("log").is_empty() {
            self.notify("log", log_fields(line, line.level.name(), true));
        }
        let warning = match line.level {
            LogLevel::Unusual => Some("warn"),
            LogLevel::Broken => Some("error"),
            _ => None,
        };
        if let Some(level) = warning {
            self.notify("warning", log_fields(line, level, self.profile.warning_has_timestamp()));
        }
    }

    /// `plugin_started`.
    pub(crate) fn notify_of_plugin(&mut self, topic: &str, id: PluginId) {
        if let Some(fields) = self.plugins.get(id).map(plugin_fields) {
            self.notify(topic, fields);
        }
    }

    /// `plugin_started` or `plugin_stopped`, of a plugin that is no longer registered.
    pub(crate) fn notify_of_dead_plugin(&mut self, topic: &str, plugin: &Plugin) {
        self.notify(topic, plugin_fields(plugin));
    }

    /// Complains of subscriptions to topics that nobody sends. It is done every time manifests settle.
    pub(crate) fn complain_about_topics(&mut self) {
        let known = |topic: &str| {
            (topic == "*" && self.profile.star_subscription())
                || self.profile.has_topic(topic)
                || self.is_bundled_topic(topic)
                || self.plugins.iter().any(|(_, plugin)| plugin.declares_topic(topic))
        };
        let mut unknown = Vec::new();
        for (_, plugin) in self.plugins.iter() {
            for topic in plugin.manifest.subscriptions.iter().filter(|topic| !known(topic)) {
                unknown.push((plugin.log_source(), topic.clone()));
            }
        }
        for (source, topic) in unknown {
            let text = format!("topic '{topic}' is not a known notification topic");
            self.log(LogLevel::Unusual, &source, &text);
        }
    }

    /// A plugin sent a notification.
    ///
    /// # Errors
    /// Why the plugin is killed.
    pub(crate) fn plugin_notification(
        &mut self,
        id: PluginId,
        notification: &Envelope<'_>,
    ) -> Result<(), String> {
        let (Some(method), Some(params)) = (notification.method.map(json::bare), notification.params) else {
            let text = notification.text;
            return Err(format!(r#"Malformed JSON-RPC notification missing "method" or "params": {text}"#));
        };
        match method.as_str() {
            "log" => self.plugin_log(id, params)?,
            "message" | "progress" => self.plugin_progress(id, &method, notification)?,
            topic => self.forward_custom(id, topic, params),
        }
        Ok(())
    }

    fn plugin_log(&mut self, id: PluginId, params: &str) -> Result<(), String> {
        let Some(message) = json::member(params, "message").filter(|token| token.starts_with('"')) else {
            return Err(r#"Log notification from plugin doesn't have a string "message" field"#.to_owned());
        };
        let token = json::member(params, "level");
        let Some(level) = token.map_or(Some(LogLevel::Info), |token| self.plugin_log_level(token)) else {
            return Err(self.profile.unknown_log_level(token.unwrap_or_default()));
        };
        let Some(source) = self.plugins.get(id).map(Plugin::log_source) else { return Ok(()) };
        let raw = json::content(message);
        match json::unescaped(raw).filter(|_| self.profile.unescapes_log()) {
            Some(text) => text.split('\n').for_each(|line| self.log(level, &source, line)),
            None => self.log(level, &source, raw),
        }
        Ok(())
    }

    /// The level that a plugin may log at. Raw I/O is the node's own.
    fn plugin_log_level(&self, token: &str) -> Option<LogLevel> {
        let level = json::bare(token).parse().ok()?;
        let known = level != LogLevel::Io && (level != LogLevel::Trace || self.profile.has_trace_level());
        known.then_some(level)
    }

    /// `message` and `progress` go to the client whose command the plugin serves, if it asked for them.
    fn plugin_progress(
        &mut self,
        id: PluginId,
        method: &str,
        notification: &Envelope<'_>,
    ) -> Result<(), String> {
        let params = notification.params.unwrap_or_default();
        let Some(token) = json::member(params, "id") else {
            return Err(r#"JSON-RPC notify "id"-field is not present"#.to_owned());
        };
        let request = Id::from_token(self.profile.response_id(token));
        let Some(client) = self.requests.client_of(&request, id).cloned() else {
            return self.profile.unknown_notify(token).map_or(Ok(()), Err);
        };
        let start = token.as_ptr() as usize - params.as_ptr() as usize;
        let params = format!("{}{}{}", &params[..start], client.id, &params[start + token.len()..]);
        self.notify_client(&client, message::notification(method, &params));
        Ok(())
    }

    fn forward_custom(&mut self, id: PluginId, topic: &str, params: &str) {
        let Some(plugin) = self.plugins.get(id) else { return };
        let source = plugin.log_source();
        if !plugin.declares_topic(topic) {
            let text = format!(
                "Plugin attempted to send a notification to topic \"{topic}\" it hasn't declared in its \
                 manifest, not forwarding to subscribers."
            );
            return self.log(LogLevel::Unusual, &source, &text);
        }
        let origin = plugin.shortname.clone();
        self.notify_custom(topic, &origin, params);
    }

    /// Tells a plugin to exit. Says whether it wants to be told.
    pub(crate) fn notify_shutdown(&mut self, id: PluginId) -> bool {
        let up = self.plugins.get(id).is_some_and(|plugin| plugin.state == PluginState::InitComplete);
        up && self.profile.has_shutdown_notification() && self.notify_one(id, "shutdown", json!({}))
    }
}

impl Plugin {
    fn declares_topic(&self, topic: &str) -> bool {
        self.manifest.notifications.iter().any(|own| own.method == topic)
    }
}

fn log_fields(line: &LogLine, level: &str, has_timestamp: bool) -> Value {
    let since = line.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut fields = Map::from_iter([
        ("level".to_owned(), level.into()),
        ("time".to_owned(), format!("{}.{:09}", since.as_secs(), since.subsec_nanos()).into()),
    ]);
    if has_timestamp {
        let timestamp = humantime::format_rfc3339_millis(line.time).to_string();
        fields.insert("timestamp".to_owned(), timestamp.into());
    }
    fields.insert("source".to_owned(), without_peer(&line.source).into());
    fields.insert("log".to_owned(), line.text.clone().into());
    fields.into()
}

/// Plugins are not told about whose channel or connection it is.
fn without_peer(source: &str) -> &str {
    match source.split_once('-') {
        Some((peer, rest)) if PublicKey::from_str(peer).is_ok() => rest,
        _ => source,
    }
}

fn plugin_fields(plugin: &Plugin) -> Value {
    let methods: Vec<&str> = plugin.manifest.rpcmethods.iter().map(|method| method.name.as_str()).collect();
    json!({
        "plugin_name": plugin.shortname,
        "plugin_path": plugin.path.display().to_string(),
        "methods": methods,
    })
}
