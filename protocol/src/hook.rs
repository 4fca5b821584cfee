//! A plugin's registration for a hook: which hook, before and behind whom, and for which calls
//! (`lightningd/plugin.c:plugin_hooks_add`).

use crate::catalogue::{self, FilterKind};
use crate::json;
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
    pub(crate) fn parse(element: &str) -> Result<Self, String> {
        let name = match json::string(element) {
            Some(name) => name,
            None => json::member(element, "name")
                .map(json::bare)
                .ok_or_else(|| format!("no name in hook obj {element}"))?,
        };
        let hook = catalogue::hook_named(&name).ok_or_else(|| format!("Unknown hook name {name}"))?;
        let names = |member| {
            let elements = json::member(element, member).and_then(json::elements).unwrap_or_default();
            elements.into_iter().map(json::bare).collect()
        };
        let filters = match json::member(element, "filters") {
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
