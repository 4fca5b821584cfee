//! What releases differ in about hooks.

use super::Profile;

/// v0.10.1 says so in every call, the odd quotation mark included.
const CUSTOMMSG_WARNING: &str = "The `message` field is deprecated and has been replaced with the payload` field which skips the \
     internal type and the length prefix. Please update to use that instead.";

impl Profile {
    /// Whether `hook` takes one plugin only: the manual's single mode. No release had it.
    #[must_use]
    pub fn single_hook(self, hook: &str) -> bool {
        matches!(self, Self::Manual) && !matches!(hook, "commitment_revocation" | "htlc_accepted")
    }

    /// Whether a registration may say for which calls it is (v25.12); older releases do not look at it.
    #[must_use]
    pub const fn hooks_have_filters(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether a hook's order changes only when no call is on its way, and calls on their way reach who
    /// registers meanwhile. In older releases each call keeps the chain with which it began.
    #[must_use]
    pub const fn hook_order_waits_for_calls(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Why a plugin is killed that registers for a hook that does not exist.
    #[must_use]
    pub fn unknown_hook(self, hook: &str) -> String {
        match self {
            Self::V26_06 => format!("Unknown hook name {hook}"),
            _ => self.hook_not_to_be_had(hook),
        }
    }

    /// Why a plugin is killed that registers for a hook twice.
    #[must_use]
    pub fn hook_registered_twice(self, hook: &str) -> String {
        match self {
            Self::V26_06 => format!("Registered for hook {hook} multiple times"),
            _ => self.hook_not_to_be_had(hook),
        }
    }

    /// Why a plugin is killed that registers for a hook that takes one plugin only, and has it.
    #[must_use]
    pub fn hook_not_to_be_had(self, hook: &str) -> String {
        format!(
            "could not register hook '{hook}', either the name doesn't exist or another plugin already registered it."
        )
    }

    /// The message with which a node ends when `plugin` answers `hook` without a result.
    #[must_use]
    pub fn hook_without_result(self, plugin: &str, hook: &str, response: &str) -> String {
        match self {
            Self::V26_06 => format!("Plugin {plugin} for {hook} returned non-result response {response}"),
            _ => format!("Plugin for {hook} returned non-result response {response}"),
        }
    }

    /// Whether an answer to `rpc_command` with a bad replacement is quoted to the client.
    #[must_use]
    pub const fn quotes_bad_replacement(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether the payload of `rpc_command` has the request twice: once as its members, before them whole.
    #[must_use]
    pub const fn rpc_command_is_doubled(self, deprecated_ok: bool) -> bool {
        matches!(self, Self::V0_10) && deprecated_ok
    }

    /// Whether `peer_connected` says who of the two connected.
    #[must_use]
    pub const fn peer_connected_has_direction(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether `peer_connected` says where the peer sees us.
    #[must_use]
    pub const fn peer_connected_has_remote_addr(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// The payload of `custommsg`: its members, all of them strings, in order. `message` is hex.
    #[must_use]
    pub fn custommsg_payload(
        self,
        deprecated_ok: bool,
        peer_id: &str,
        message: &str,
    ) -> Vec<(&'static str, String)> {
        let (peer_id, payload) = (("peer_id", peer_id.to_owned()), ("payload", message.to_owned()));
        match self {
            Self::Manual => vec![peer_id, ("message", message.to_owned())],
            // The message as connectd handed it on: its own type, and the length in two bytes.
            Self::V0_10 if deprecated_ok => vec![
                ("message", format!("0407{:04x}{message}", message.len() / 2)),
                ("warning", CUSTOMMSG_WARNING.to_owned()),
                payload,
                peer_id,
            ],
            _ => vec![payload, peer_id],
        }
    }

    /// Whether an answer to `custommsg` other than continue ends the node.
    #[must_use]
    pub const fn custommsg_must_continue(self) -> bool {
        !matches!(self, Self::Manual)
    }
}
