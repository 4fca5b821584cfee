//! What releases differ in about notifications.

use super::Profile;
use crate::catalogue;

impl Profile {
    /// Whether the node itself sends notifications of `topic`.
    #[must_use]
    pub fn has_topic(self, topic: &str) -> bool {
        catalogue::topic_of(self, topic).is_some()
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
