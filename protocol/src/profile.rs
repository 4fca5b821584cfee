//! The releases that Leyden speaks, as values.
//!
//! A [`Profile`] answers every question in which releases differ; code asks the profile and never compares
//! releases itself. Where a row of the protocol differs between releases, it gets a method here, or in the
//! module of its subject: `life` is about the life of plugins.

mod amount;
mod chain;
pub mod channel;
mod coin_mvts;
mod command;
mod database;
mod features;
mod hook;
mod htlc;
mod life;
mod manifest;
mod notification;
mod payment;
mod rpc;
mod wire;

use crate::id::IdForm;
pub use coin_mvts::CoinMovementForm;
pub use manifest::TakenOption;
pub use payment::PaymentMember;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A release of lightningd, or the plugin manual of about v0.10.1 taken to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Profile {
    /// The plugin manual's own text, which differs from what v0.10.1 did.
    Manual,
    /// What a real v0.10.1 did.
    V0_10,
    /// v23.02.
    V23_02,
    /// v26.06, the default.
    #[default]
    V26_06,
}

impl Profile {
    /// Every profile, oldest first.
    pub const ALL: [Self; 4] = [Self::Manual, Self::V0_10, Self::V23_02, Self::V26_06];

    /// The name by which users choose it: `manual`, `v0.10`, `v23.02`, `v26.06`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::V0_10 => "v0.10",
            Self::V23_02 => "v23.02",
            Self::V26_06 => "v26.06",
        }
    }

    /// The version that such a node says it is (`getinfo`, `LIGHTNINGD_VERSION`).
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Manual | Self::V0_10 => "v0.10.1",
            Self::V23_02 => "v23.02.2",
            Self::V26_06 => "v26.06.6",
        }
    }

    /// The day on which that version was released, by CLN's CHANGELOG.
    #[must_use]
    pub const fn release_date(self) -> &'static str {
        match self {
            Self::Manual | Self::V0_10 => "2021-08-09",
            Self::V23_02 => "2023-03-14",
            Self::V26_06 => "2026-07-20",
        }
    }

    /// The form of the id of a request to a plugin. `nonnumericids` is what its manifest says; `None`
    /// before the manifest.
    #[must_use]
    pub const fn id_form(self, nonnumericids: Option<bool>) -> IdForm {
        match (self, nonnumericids) {
            (Self::V26_06, _) | (Self::V23_02, Some(true)) => IdForm::Text,
            _ => IdForm::Integer,
        }
    }

    /// How long a plugin may take to answer `getmanifest`, and again to answer `init`.
    #[must_use]
    pub const fn startup_timeout(self) -> Duration {
        match self {
            Self::Manual | Self::V0_10 | Self::V23_02 => Duration::from_secs(60),
            Self::V26_06 => Duration::from_secs(120),
        }
    }

    /// How long a plugin that subscribed to `shutdown` may take to exit.
    #[must_use]
    pub const fn shutdown_timeout(self) -> Duration {
        Duration::from_secs(30)
    }

    /// Whether notifications wait until the plugin has answered `init`.
    #[must_use]
    pub const fn notifies_after_init_only(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether the fields of a native notification stand in an object named after the topic.
    #[must_use]
    pub fn wraps(self, topic: &str) -> bool {
        match self {
            Self::V26_06 => true,
            Self::V23_02 | Self::V0_10 | Self::Manual => {
                !matches!(topic, "connect" | "disconnect" | "shutdown")
            }
        }
    }

    /// The name of the object in which the fields of a native notification stand.
    #[must_use]
    pub fn wrapper(self, topic: &str) -> &str {
        match (self, topic) {
            (Self::V23_02, "block_added") => "block",
            _ => topic,
        }
    }

    /// Whether `connect` says who connected to whom, and gives the address as an object. Else it is the bare IP address.
    #[must_use]
    pub const fn connect_is_detailed(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether the notification `connect` is also of a peer that comes back to a channel.
    #[must_use]
    pub const fn connect_is_of_channel_peers(self) -> bool {
        !matches!(self, Self::Manual | Self::V0_10)
    }

    /// Whether a `warning` has its time twice, the second time in a form for people.
    #[must_use]
    pub const fn warning_has_timestamp(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// Whether a custom notification carries `origin` beside `params` (else within them, with a `payload`).
    #[must_use]
    pub const fn custom_notification_origin_at_top(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether a subscription to `*` means every topic.
    #[must_use]
    pub const fn star_subscription(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether plugins of a developer's node are started with `--developer`.
    #[must_use]
    pub const fn tells_plugins_of_developer(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// The first byte of the file `gossip_store`: the version of its format.
    #[must_use]
    pub const fn gossip_store_version(self) -> u8 {
        match self {
            Self::Manual | Self::V0_10 => 9,
            Self::V23_02 => 12,
            Self::V26_06 => 16,
        }
    }

    /// Whether a `gossip_store` begins with a record that tells it from others.
    #[must_use]
    pub const fn gossip_store_has_uuid(self) -> bool {
        matches!(self, Self::V26_06)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile { name: name.to_owned() })
    }
}

/// No profile has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no release profile '{name}': choose manual, v0.10, v23.02 or v26.06")]
pub struct UnknownProfile {
    /// What was asked for.
    pub name: String,
}
