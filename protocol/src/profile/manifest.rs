//! What releases differ in about manifests, options and `init`.

use super::Profile;
use crate::option;

/// Who notices that an option has been declared before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenOption {
    /// The node ends if it is starting, and else kills the plugin.
    Refused,
    /// The node ends if it is starting, and else takes the option.
    RefusedAtStart,
    /// Nobody.
    Unnoticed,
}

impl Profile {
    /// The release that ranges of deprecation are held against: CLN's `CLN_NEXT_VERSION` of that build.
    #[must_use]
    pub const fn deprecation_version(self) -> &'static str {
        match self {
            Self::Manual | Self::V0_10 => "v0.10",
            Self::V23_02 => "v23.02",
            Self::V26_06 => "v26.06",
        }
    }

    /// Whether `deprecated` may be a range of releases (v24.02); it is a boolean in any case.
    #[must_use]
    pub const fn deprecation_has_range(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// lightningd's text about a manifest whose `dynamic` is no boolean.
    #[must_use]
    pub fn bad_dynamic(self, token: &str) -> String {
        match self {
            Self::V26_06 => {
                format!(r#"getmanifest: invalid "dynamic" field {}"#, crate::json::content(token))
            }
            _ => format!("Bad 'dynamic' field ('{token}')"),
        }
    }

    /// The names under which a manifest may bring its feature bits.
    #[must_use]
    pub const fn featurebits_members(self) -> &'static [&'static str] {
        match self {
            // The manual's text says featurebits; its example says features.
            Self::Manual => &["featurebits", "features"],
            _ => &["featurebits"],
        }
    }

    /// Whether there are features of BOLT 12 and of channel types, in manifests and in `init`.
    #[must_use]
    pub const fn has_newer_feature_places(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `custommessages`, `cancheck` and options of the type `string-conceal`, or which are
    /// `dynamic`, mean something.
    #[must_use]
    pub const fn has_newer_manifest_members(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `nonnumericids` is read at all.
    #[must_use]
    pub const fn reads_nonnumericids(self) -> bool {
        matches!(self, Self::V23_02 | Self::V26_06)
    }

    /// Whether a plugin may refuse ids that are strings. Deprecated since v22.11, gone in v25.05.
    #[must_use]
    pub const fn numeric_ids_allowed(self, deprecated_ok: bool) -> bool {
        matches!(self, Self::V23_02) && deprecated_ok
    }

    /// Why an option must not have this name.
    #[must_use]
    pub fn bad_option_name(self, name: &str) -> Option<String> {
        let is_plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'-');
        match self {
            Self::V26_06 if !name.bytes().all(is_plain) => {
                Some(r#"Option "name" must be lowercase alphanumeric, plus _ or -'"#.to_owned())
            }
            Self::V23_02 if name.contains('|') => Some(r#"Option "name" may not contain '|'"#.to_owned()),
            _ => None,
        }
    }

    /// What becomes of an option that the node or another plugin has.
    #[must_use]
    pub const fn taken_option(self) -> TakenOption {
        match self {
            Self::Manual | Self::V26_06 => TakenOption::Refused,
            Self::V23_02 => TakenOption::RefusedAtStart,
            Self::V0_10 => TakenOption::Unnoticed,
        }
    }

    /// Such an option in the words with which a starting node ends.
    #[must_use]
    pub fn taken_option_name(self, name: &str) -> String {
        match self {
            Self::V23_02 => format!("--{name}"),
            _ => name.to_owned(),
        }
    }

    /// Whether a node ends when a plugin brings a method that is taken, instead of killing the plugin.
    #[must_use]
    pub const fn taken_method_ends_start(self) -> bool {
        matches!(self, Self::Manual)
    }

    /// Whether the default of a flag must be `false` (v25.02); older releases do not look at it.
    #[must_use]
    pub const fn flag_default_is_checked(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Why an option of this type cannot be `multi`.
    #[must_use]
    pub fn cannot_be_multi(self, name: &str, option_type: &str) -> String {
        match self {
            Self::V26_06 => format!("{option_type} type cannot be multi"),
            _ => format!(r#"--{name} type "{option_type}" cannot have multi"#),
        }
    }

    /// Whether the default of a deprecated option is a use of it.
    #[must_use]
    pub const fn default_is_use(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether the default `null` is no default. In v0.10.1 it is the text `null`.
    #[must_use]
    pub const fn null_is_no_default(self) -> bool {
        !matches!(self, Self::V0_10)
    }

    /// lightningd's text about a default: the token and its text, the type, and why it cannot be.
    #[must_use]
    pub fn bad_default(self, token: &str, option_type: &str, why: &str) -> String {
        match self {
            Self::V26_06 => format!("Invalid default '{}': {why}", crate::json::content(token)),
            _ => format!("default {token} is not a valid {option_type}"),
        }
    }

    /// A boolean option's value.
    #[must_use]
    pub fn option_bool(self, text: &str) -> Option<bool> {
        match (self, text) {
            (Self::V26_06, _) => option::boolean(text).ok(),
            (_, "true" | "True" | "1") => Some(true),
            (_, "false" | "False" | "0") => Some(false),
            _ => None,
        }
    }

    /// Whether an empty text is the number 0.
    #[must_use]
    pub const fn empty_is_zero(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// lightningd's text about a value that is not of its option's type. `why` is what v26.06 says.
    #[must_use]
    pub fn bad_option_value(self, text: &str, option_type: &str, why: String) -> String {
        match self {
            Self::V26_06 => why,
            _ => format!("{text} does not parse as type {option_type}"),
        }
    }

    /// Whether a method must say what it does (until v24.08).
    #[must_use]
    pub const fn method_needs_description(self) -> bool {
        !matches!(self, Self::V26_06)
    }

    /// What stands in for a method's missing `usage`, if anything may.
    #[must_use]
    pub const fn missing_usage(self, deprecated_ok: bool) -> Option<&'static str> {
        match self {
            Self::V0_10 if deprecated_ok => Some("[params]"),
            _ => None,
        }
    }

    /// Whether `listconfigs` tells where values come from (v23.08), in a `configs` of its own, and `setconfig`
    /// is there to change them.
    #[must_use]
    pub const fn listconfigs_tells_sources(self) -> bool {
        matches!(self, Self::V26_06)
    }

    /// Whether `init` calls `--always-use-proxy` by its older name, `use_proxy_always`.
    #[must_use]
    pub const fn has_use_proxy_always(self) -> bool {
        matches!(self, Self::Manual | Self::V0_10)
    }
}
