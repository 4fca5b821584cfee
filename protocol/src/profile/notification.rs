//! What releases differ in about notifications.

use super::Profile;
use crate::catalogue;
use serde_json::{Map, Value, json};

impl Profile {
    /// Whether the node itself sends notifications of `topic`.
    #[must_use]
    pub fn has_topic(self, topic: &str) -> bool {
        catalogue::topic_of(self, topic).is_some()
    }

    /// Whether a plugin that comes with lightningd declares `topic`.
    #[must_use]
    pub fn has_bundled_topic(self, topic: &str) -> bool {
        match topic {
            "pay_success" | "pay_failure" => true,
            "pay_part_start" | "pay_part_end" | "channel_hint_update" => matches!(self, Self::V26_06),
            _ => false,
        }
    }

    /// The parameters of `pay_success` and `pay_failure` (`plugins/libplugin-pay.c`). With what is deprecated there are the fields in
    /// the form of before, too (v25.09).
    #[must_use]
    pub fn pay_notification(self, topic: &str, fields: &Value, deprecated_ok: bool) -> Value {
        if !matches!(self, Self::V26_06) {
            return fields.clone();
        }
        let mut params = Map::new();
        if deprecated_ok {
            // Of keysend as well.
            params.insert("origin".to_owned(), json!("pay"));
            params.insert("payload".to_owned(), fields.clone());
        }
        params.insert(topic.to_owned(), fields.clone());
        params.into()
    }

    /// Whether what a plugin logs has its escapes resolved, and is split at newlines (v25.05); older releases
    /// print it as it was sent.
    #[must_use]
    pub const fn unescapes_log(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether there is the log level `trace`.
    #[must_use]
    pub const fn has_trace_level(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Why a plugin is killed that logs at a level that does not exist; `token` is what it sent.
    #[must_use]
    pub fn unknown_log_level(self, token: &str) -> String {
        let trace = if self.has_trace_level() { r#""trace", "# } else { "" };
        format!(r#"Unknown log-level {token}, valid values are {trace}"debug", "info", "warn", or "error"."#)
    }
}
