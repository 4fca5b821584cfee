//! The list of known differences, `differences.toml`.

use serde::Deserialize;

/// Something in which the embedded node differs from the real one, and may.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Whose: `scenario.node.plugin`; `*.rpc` is each whose name ends so.
    pub transcript: String,
    /// The method, hook or topic of the frame.
    pub frame: String,
    /// The member, such as `params.htlc.amount_msat`; elements of a list are `[]`.
    pub field: String,
    /// The profile that it belongs to.
    pub profile: String,
    /// Why.
    pub because: String,
}

impl Difference {
    /// Whether it is about a transcript.
    pub fn is_of(&self, transcript: &str) -> bool {
        match self.transcript.strip_prefix('*') {
            Some(end) => transcript.ends_with(end),
            None => transcript == self.transcript,
        }
    }

    /// The one scenario that it is about; `None` if it may be about any.
    pub fn scenario(&self) -> Option<&str> {
        self.transcript.split('.').next().filter(|scenario| *scenario != "*")
    }

    /// All that are listed.
    ///
    /// # Panics
    /// If the list is not as it says at its head.
    pub fn all() -> Vec<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Listed {
            #[serde(default)]
            difference: Vec<Difference>,
        }
        let listed: Listed =
            toml::from_str(include_str!("../differences.toml")).expect("differences.toml is as it says");
        listed.difference
    }
}
