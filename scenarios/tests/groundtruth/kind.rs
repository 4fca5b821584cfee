//! What a frame is about.

use serde_json::Value;
use std::fmt;

/// What is about channels, coins and payments.
const OF_CHANNELS: [&str; 11] = [
    "balance_snapshot",
    "channel_opened",
    "channel_state_changed",
    "coin_movement",
    "commitment_revocation",
    "forward_event",
    "htlc_accepted",
    "invoice_payment",
    "openchannel",
    "sendpay_failure",
    "sendpay_success",
];

/// A request of a method, or a notification of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    word: &'static str,
    name: String,
}

impl Kind {
    pub(crate) fn of(frame: &Value) -> Self {
        let word = if frame.get("id").is_some() { "request" } else { "notification" };
        Self { word, name: frame["method"].as_str().unwrap_or_default().to_owned() }
    }

    /// How a plugin is run, which is no frame.
    pub(crate) fn start() -> Self {
        Self { word: "process", name: "start".to_owned() }
    }

    pub(crate) fn is_of_channels(&self) -> bool {
        OF_CHANNELS.contains(&self.name.as_str())
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word, self.name)
    }
}
