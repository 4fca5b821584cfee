//! What releases differ in on the RPC socket.

use super::Profile;
use crate::json;

impl Profile {
    /// Whether the result of `stop` is an object with a `result`, not a bare string.
    #[must_use]
    pub const fn stop_answers_with_object(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether an RPC request must have a `jsonrpc` member.
    #[must_use]
    pub const fn rpc_needs_jsonrpc(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// lightningd's text about a client whose words are no JSON: everything of it that is unread.
    #[must_use]
    pub fn rpc_not_json(self, unread: &str) -> String {
        match self {
            Self::V26_06 => format!("Failed to parse RPC JSON response '{unread}'"),
            _ => format!("Invalid token in json input: '{unread}'"),
        }
    }

    /// Whether a request's `filter` means something (v22.11).
    #[must_use]
    pub const fn rpc_filters(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether a token that does not do stands in the log and not in the answer, unless developers ask (v24.08).
    #[must_use]
    pub const fn hides_bad_tokens(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `check` of a plugin's method is the plugin's to answer if it can (v24.05).
    #[must_use]
    pub const fn passes_check_on(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// What kills a plugin that told of the progress of a request that nobody made; `None` if that is ignored.
    #[must_use]
    pub fn unknown_notify(self, token: &str) -> Option<String> {
        let text = "Received a JSON-RPC notify for non-existent request";
        match self {
            Self::V26_06 => None,
            Self::V23_02 => Some(format!("{text} '{}'", json::content(token))),
            Self::Manual | Self::V0_10 => Some(text.to_owned()),
        }
    }

    /// Whether `help` tells what commands are about (until v24.08), and not only how they are used.
    #[must_use]
    pub const fn help_describes(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// What `help` says of a command that is not there.
    #[must_use]
    pub fn unknown_to_help(self, command: &str) -> String {
        match self {
            Self::Manual | Self::V0_10 | Self::V23_02 => format!("Unknown command '{command}'"),
            Self::V26_06 => format!("Unknown command {command}"),
        }
    }
}
