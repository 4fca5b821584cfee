//! What a manifest is held against: the node into which the plugin comes.

use crate::deprecation::Deprecated;
use crate::manifest::FeatureBits;
use crate::profile::Profile;

/// Why a manifest is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The plugin is killed, and this is why.
    Kill(String),
    /// The node ends with this text.
    Fatal(String),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Kill(why)
    }
}

impl From<&str> for Refusal {
    fn from(why: &str) -> Self {
        Self::Kill(why.to_owned())
    }
}

/// What the reader of a manifest needs to know of the node.
pub trait Registry {
    /// The release.
    fn profile(&self) -> Profile;
    /// Whether it is starting, and not running yet.
    fn is_starting(&self) -> bool;
    /// Whether deprecated things are allowed.
    fn deprecated_ok(&self) -> bool;
    /// The path of the plugin whose manifest it is.
    fn path(&self) -> String;
    /// Whether the node or another plugin has the option `name`.
    fn has_option(&self, name: &str) -> bool;
    /// Who has the method `name`: `lightningd`, or `plugin <path>`.
    fn method_owner(&self, name: &str) -> Option<String>;
    /// Whether a feature of these is offered already.
    fn offers_any(&self, features: &FeatureBits) -> bool;
    /// Whether an option with this standing may be set; the node may complain.
    fn allows_option(&mut self, name: &str, deprecated: &Deprecated) -> bool;
}

/// A node of some release that runs, without plugins, and allows everything.
#[derive(Debug, Clone, Copy)]
pub struct EmptyNode(pub Profile);

impl Registry for EmptyNode {
    fn profile(&self) -> Profile {
        self.0
    }

    fn is_starting(&self) -> bool {
        false
    }

    fn deprecated_ok(&self) -> bool {
        true
    }

    fn path(&self) -> String {
        "plugin".to_owned()
    }

    fn has_option(&self, _: &str) -> bool {
        false
    }

    fn method_owner(&self, _: &str) -> Option<String> {
        None
    }

    fn offers_any(&self, _: &FeatureBits) -> bool {
        false
    }

    fn allows_option(&mut self, _: &str, _: &Deprecated) -> bool {
        true
    }
}
