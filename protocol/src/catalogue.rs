//! Every hook and every notification topic of lightningd, with the releases that have it.
//!
//! Sources: the hooks declared with `REGISTER_PLUGIN_HOOK` and the topics with `REGISTER_NOTIFICATION` in
//! the trees of v0.10.1, v23.02.2 and v26.06.6.

use crate::profile::Profile;

/// What a hook's registration may filter on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// Nothing.
    None,
    /// Method names.
    Method,
    /// Peer message types.
    MessageType,
}

/// A hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: &'static str,
    /// What a registration may filter on.
    pub filters: FilterKind,
    /// The first profile that has it.
    pub since: Profile,
    /// The last profile that has it.
    pub until: Profile,
}

/// A native notification topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: &'static str,
    /// The first profile that has it.
    pub since: Profile,
    /// Whether a subscription to `*` includes it.
    pub in_star: bool,
}

const fn hook(name: &'static str, since: Profile) -> Hook {
    Hook { name, filters: FilterKind::None, since, until: Profile::V26_06 }
}

const fn topic(name: &'static str, since: Profile) -> Topic {
    Topic { name, since, in_star: true }
}

/// Every hook of any release.
pub const HOOKS: [Hook; 17] = {
    use Profile::{Manual, V0_10, V23_02, V26_06};
    [
        hook("commitment_revocation", Manual),
        Hook { filters: FilterKind::MessageType, ..hook("custommsg", Manual) },
        hook("db_write", Manual),
        hook("htlc_accepted", Manual),
        hook("invoice_payment", Manual),
        Hook { until: V0_10, ..hook("onion_message", V0_10) },
        Hook { until: V0_10, ..hook("onion_message_blinded", V0_10) },
        hook("onion_message_recv", V23_02),
        hook("onion_message_recv_secret", V23_02),
        hook("openchannel", Manual),
        hook("openchannel2", V0_10),
        hook("openchannel2_changed", V0_10),
        hook("openchannel2_sign", V0_10),
        hook("peer_connected", Manual),
        hook("rbf_channel", V0_10),
        hook("recover", V26_06),
        Hook { filters: FilterKind::Method, ..hook("rpc_command", Manual) },
    ]
};

/// Every native topic of any release.
pub const TOPICS: [Topic; 22] = {
    use Profile::{Manual, V23_02, V26_06};
    [
        topic("balance_snapshot", V23_02),
        topic("block_added", V23_02),
        topic("channel_open_failed", Manual),
        topic("channel_opened", Manual),
        topic("channel_state_changed", Manual),
        topic("coin_movement", Manual),
        topic("connect", Manual),
        topic("custommsg", V26_06),
        topic("deprecated_oneshot", V26_06),
        topic("disconnect", Manual),
        topic("forward_event", Manual),
        topic("invoice_creation", Manual),
        topic("invoice_payment", Manual),
        Topic { in_star: false, ..topic("log", V26_06) },
        topic("onionmessage_forward_fail", V26_06),
        topic("openchannel_peer_sigs", Manual),
        topic("plugin_started", V26_06),
        topic("plugin_stopped", V26_06),
        topic("sendpay_failure", Manual),
        topic("sendpay_success", Manual),
        topic("shutdown", V23_02),
        topic("warning", Manual),
    ]
};

/// The hook called `name`, in whatever release.
#[must_use]
pub fn hook_named(name: &str) -> Option<&'static Hook> {
    HOOKS.iter().find(|hook| hook.name == name)
}

/// The native topic called `name`, in whatever release.
#[must_use]
pub fn topic_named(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The hook called `name`, if a node of `profile` has it.
#[must_use]
pub fn hook_of(profile: Profile, name: &str) -> Option<&'static Hook> {
    hook_named(name).filter(|hook| (hook.since..=hook.until).contains(&profile))
}

/// The native topic called `name`, if a node of `profile` has it.
#[must_use]
pub fn topic_of(profile: Profile, name: &str) -> Option<&'static Topic> {
    topic_named(name).filter(|topic| topic.since <= profile)
}
