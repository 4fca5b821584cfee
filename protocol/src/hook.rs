//! A plugin's registration for a hook: which hook, before and behind whom, and for which calls
//! (`lightningd/plugin.c:plugin_hooks_add`).

use crate::catalogue::{self, FilterKind};
use crate::json;
use crate::profile::Profile;
use serde::Serialize;

/// A registration for a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookRegistration {
    /// The hook.
    pub name: String,
    /// Plugins that must be asked later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Plugins that must be asked earlier.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Only calls that match one of these; `None` is every call, an empty list is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<Filter>>,
}

impl HookRegistration {
    /// A registration for every call of `name`, in order of registration.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), before: Vec::new(), after: Vec::new(), filters: None }
    }
}

/// One filter of a hook: a method name for `rpc_command`, a message type for `custommsg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Filter {
    /// A method name.
    Method(String),
    /// A message type.
    MessageType(u64),
}

impl HookRegistration {
    /// Reads one element of the manifest's `hooks`.
    ///
    /// # Errors
    /// lightningd's text; [`crate::Manifest::parse`] passes it on.
    pub(crate) fn parse(element: &str, profile: Profile) -> Result<Self, String> {
        let name = if json::members(element).is_some() {
            let name = json::member(element, "name").map(json::bare);
            name.ok_or_else(|| format!("no name in hook obj {element}"))?
        } else {
            json::bare(element)
        };
        let hook = catalogue::hook_of(profile, &name).ok_or_else(|| profile.unknown_hook(&name))?;
        let names = |member| {
            let elements = json::member(element, member).and_then(json::elements).unwrap_or_default();
            elements.into_iter().map(json::bare).collect()
        };
        let filters = match json::member(element, "filters").filter(|_| profile.hooks_have_filters()) {
            None => None,
            Some(_) if hook.filters == FilterKind::None => {
                return Err(format!("Hook {name} does not allow filters"));
            }
            Some(filters) => Some(Filter::parse_all(hook.filters, filters)?),
        };
        Ok(Self { before: names("before"), after: names("after"), filters, name })
    }
}

impl Filter {
    fn parse_all(kind: FilterKind, filters: &str) -> Result<Vec<Self>, String> {
        let elements = json::elements(filters).ok_or("filters token must be an array")?;
        let filter = |element: &str| match kind {
            FilterKind::MessageType => element
                .parse()
                .map(Self::MessageType)
                .map_err(|_| format!("filters must be array of unsigned integers, not '{element}'")),
            _ => json::string(element)
                .map(Self::Method)
                .ok_or_else(|| format!("filters must be array of strings, not '{element}'")),
        };
        elements.into_iter().map(filter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_releases_have_one_text_for_a_hook_that_is_none_and_know_no_filters() {
        let filtered = r#"{"name":"rpc_command","filters":[7]}"#;
        for profile in [Profile::Manual, Profile::V0_10, Profile::V23_02] {
            let refused = HookRegistration::parse(r#""recover""#, profile).unwrap_err();
            assert_eq!(refused, profile.hook_not_to_be_had("recover"));
            assert_eq!(profile.hook_registered_twice("recover"), refused);
            let expected = HookRegistration::new("rpc_command");
            assert_eq!(HookRegistration::parse(filtered, profile), Ok(expected), "{profile}");
        }
        assert_eq!(HookRegistration::parse("5", Profile::V26_06), Err("Unknown hook name 5".to_owned()));
        assert!(HookRegistration::parse(filtered, Profile::V26_06).is_err());
    }

    #[test]
    fn a_hook_that_was_renamed_is_known_to_the_releases_that_have_it() {
        let known = |profile| HookRegistration::parse(r#""onion_message""#, profile).is_ok();
        assert_eq!(Profile::ALL.map(known), [false, true, false, false]);
    }
}
