//! The life of plugins: how they are found, started, listed, judged and ended (`lightningd/plugin.c`,
//! `lightningd/plugin_control.c`).

use super::Profile;

impl Profile {
    /// Whether a plugin is known by the canonical path of its file (else by the path that was given).
    #[must_use]
    pub const fn canonical_plugin_paths(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether a plugin that is named twice at the start of a node is loaded once (else the start is refused).
    #[must_use]
    pub const fn ignores_repeated_plugin(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }

    /// What is said of a plugin that is registered already. Later releases mean the same as v0.10.1, and
    /// say what errno happens to hold.
    #[must_use]
    pub const fn already_registered(self) -> &'static str {
        match self {
            Self::Manual | Self::V0_10 => "already registered",
            Self::V23_02 | Self::V26_06 => "Invalid argument",
        }
    }

    /// Whether `plugin start` also looks into the default plugin directory.
    #[must_use]
    pub const fn starts_from_default_dir(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether the node waits with everything else until plugins have answered `init`.
    #[must_use]
    pub const fn waits_for_init(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether `plugin list` and its like say which plugins are dynamic.
    #[must_use]
    pub const fn lists_dynamic(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether `plugin stop` names the plugin as its caller did (else by the last part of its path).
    #[must_use]
    pub const fn stop_echoes_name(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }

    /// Whether plugins that subscribed to `shutdown` are told, and given time, before they are ended.
    #[must_use]
    pub const fn has_shutdown_notification(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether it is worth a line for operators that a plugin's manifest disables it (else one for developers).
    #[must_use]
    pub const fn disable_is_info(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// What a plugin is told on its command line that is to wait for a debugger.
    #[must_use]
    pub const fn debugger_argument(self) -> &'static str {
        match self {
            Self::Manual | Self::V0_10 | Self::V23_02 => "--debugger",
            Self::V26_06 => "--dev-debug-self",
        }
    }

    /// What kills a plugin that wrote what is no JSON. `unread` is everything that was not read yet.
    #[must_use]
    pub fn not_json(self, unread: &str) -> String {
        match self {
            Self::Manual | Self::V0_10 | Self::V23_02 => format!("Failed to parse JSON response '{unread}'"),
            Self::V26_06 => format!("Failed to parse RPC JSON response '{unread}'"),
        }
    }

    /// What kills a plugin that wrote something else than an object with a member `jsonrpc`.
    #[must_use]
    pub fn not_json_rpc(self, is_object: bool, unread: &str) -> String {
        let lacks = r#"JSON-RPC message does not contain "jsonrpc" field"#;
        match self {
            Self::Manual | Self::V0_10 => lacks.to_owned(),
            Self::V23_02 if !is_object => "JSON-RPC message is not a valid JSON object type".to_owned(),
            Self::V23_02 => lacks.to_owned(),
            Self::V26_06 => format!("{lacks}: '{unread}'"),
        }
    }

    /// What kills a plugin that answered a request which nobody made; `None` if that is ignored.
    #[must_use]
    pub fn unknown_response(self, id: &str) -> Option<String> {
        let what = "Received a JSON-RPC response for non-existent request";
        match self {
            Self::Manual | Self::V0_10 if as_number(id).is_none() => {
                Some(r#"JSON-RPC response "id"-field is not a u64"#.to_owned())
            }
            Self::Manual | Self::V0_10 => Some(what.to_owned()),
            Self::V23_02 => Some(format!("{what} '{}'", id.trim_matches('"'))),
            Self::V26_06 => None,
        }
    }

    /// The id token of a response as it is looked for: the first releases read a number in a string as well.
    #[must_use]
    pub fn response_id(self, token: &str) -> &str {
        match self {
            Self::Manual | Self::V0_10 if as_number(token).is_some() => token.trim_matches('"'),
            _ => token,
        }
    }

    /// Whether it is known which methods the plugins bring that lightningd is installed with.
    #[must_use]
    pub const fn bundled_methods_are_known(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// After how many messages of one plugin others have their turn; `None` for never.
    #[must_use]
    pub const fn messages_at_once(self) -> Option<usize> {
        match self {
            Self::Manual | Self::V0_10 | Self::V23_02 => None,
            Self::V26_06 => Some(101),
        }
    }
}

fn as_number(token: &str) -> Option<u64> {
    token.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v0_10_reads_a_number_in_a_string() {
        assert_eq!(Profile::V0_10.response_id("\"12\""), "12");
        assert_eq!(Profile::V0_10.response_id("\"x\""), "\"x\"");
        assert_eq!(Profile::V26_06.response_id("\"12\""), "\"12\"");
    }

    #[test]
    fn what_kills_a_plugin_is_worded_as_each_release_did() {
        let said = |profile: Profile| {
            (profile.not_json("x}"), profile.not_json_rpc(false, "[{}]"), profile.unknown_response("\"x\""))
        };
        let lacks = r#"JSON-RPC message does not contain "jsonrpc" field"#;
        let unknown = "Received a JSON-RPC response for non-existent request";
        let old = "Failed to parse JSON response 'x}'";
        let not_u64 = r#"JSON-RPC response "id"-field is not a u64"#;
        assert_eq!(said(Profile::V0_10), (old.to_owned(), lacks.to_owned(), Some(not_u64.to_owned())));
        assert_eq!(Profile::V0_10.unknown_response("7").as_deref(), Some(unknown));
        assert_eq!(
            said(Profile::V23_02),
            (
                old.to_owned(),
                "JSON-RPC message is not a valid JSON object type".to_owned(),
                Some(format!("{unknown} 'x'"))
            )
        );
        let new = "Failed to parse RPC JSON response 'x}'";
        assert_eq!(said(Profile::V26_06), (new.to_owned(), format!("{lacks}: '[{{}}]'"), None));
    }
}
