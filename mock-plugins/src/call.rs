//! What a plugin receives: one request or notification of lightningd.

use leyden_protocol::{Envelope, Id, catalogue};
use serde_json::Value;
use std::fmt;

/// What a call is to the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// `getmanifest` or `init`.
    Lifecycle,
    /// A hook asks.
    Hook,
    /// Somebody calls an RPC method of the plugin.
    Method,
    /// A notification, which has no answer.
    Notification,
}

impl fmt::Display for CallKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Lifecycle => "lifecycle",
            Self::Hook => "hook",
            Self::Method => "method",
            Self::Notification => "notification",
        })
    }
}

/// A request or notification that the plugin received.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub(crate) kind: CallKind,
    pub(crate) name: String,
    pub(crate) id: Option<Id>,
    pub(crate) params: Value,
    pub(crate) text: String,
    pub(crate) nth: usize,
    /// In which life of the plugin it came.
    pub(crate) life: usize,
}

impl Call {
    /// Reads a frame. `None` if it is not a request or a notification.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let envelope = Envelope::parse(text)?;
        let name = envelope.method_name()?;
        let id = envelope.id();
        let params = envelope.params.map_or(Some(Value::Null), |params| serde_json::from_str(params).ok())?;
        let kind = match name.as_str() {
            _ if id.is_none() => CallKind::Notification,
            "getmanifest" | "init" => CallKind::Lifecycle,
            name if catalogue::hook_named(name).is_some() => CallKind::Hook,
            _ => CallKind::Method,
        };
        Some(Self { kind, name, id, params, text: text.to_owned(), nth: 1, life: 0 })
    }

    /// The moment before anything is received, for a mock that misbehaves as soon as it is started.
    pub(crate) fn start() -> Self {
        let (name, text) = ("start".to_owned(), String::new());
        Self { kind: CallKind::Lifecycle, name, id: None, params: Value::Null, text, nth: 1, life: 0 }
    }

    /// What it is to the plugin.
    #[must_use]
    pub fn kind(&self) -> CallKind {
        self.kind
    }

    /// The hook, method or topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id; a notification has none.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// `params`; `null` if there are none. A native notification's are wrapped in a member called as the topic.
    #[must_use]
    pub fn params(&self) -> &Value {
        &self.params
    }

    /// A parameter of an RPC method: the member `name`, or, if the caller passed an array, the element at
    /// `position`. `null` if it was not passed.
    #[must_use]
    pub fn argument(&self, position: usize, name: &str) -> &Value {
        let found = match &self.params {
            Value::Array(elements) => elements.get(position),
            other => other.get(name),
        };
        found.unwrap_or(&Value::Null)
    }

    /// The frame as it came, byte for byte.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The how-manieth call of this name it is, from 1, over all restarts.
    #[must_use]
    pub fn nth(&self) -> usize {
        self.nth
    }
}

/// One line for a report; long parameters are cut.
impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 400;
        let params = self.params.to_string();
        write!(formatter, "{} {} #{} ", self.kind, self.name, self.nth)?;
        match params.char_indices().nth(LONGEST) {
            None => formatter.write_str(&params),
            Some((cut, _)) => write!(formatter, "{}… ({} bytes)", &params[..cut], params.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str) -> Call {
        Call::parse(text).expect("a call")
    }

    #[test]
    fn a_call_is_what_its_name_and_id_say() {
        let kind = |text| call(text).kind();
        assert_eq!(kind(r#"{"id":1,"method":"getmanifest","params":{}}"#), CallKind::Lifecycle);
        assert_eq!(kind(r#"{"id":"a","method":"peer_connected","params":{}}"#), CallKind::Hook);
        assert_eq!(kind(r#"{"id":null,"method":"hello"}"#), CallKind::Method);
        assert_eq!(kind(r#"{"method":"invoice_payment","params":{}}"#), CallKind::Notification);
        assert_eq!(Call::parse(r#"{"id":1,"result":{}}"#), None);
    }

    #[test]
    fn an_argument_is_found_by_name_or_by_position() {
        let by_name = call(r#"{"id":1,"method":"hello","params":{"name":"ann"}}"#);
        let by_position = call(r#"{"id":1,"method":"hello","params":["ann"]}"#);
        assert_eq!(by_name.argument(0, "name"), "ann");
        assert_eq!(by_position.argument(0, "name"), "ann");
        assert_eq!(by_position.argument(1, "greeting"), &Value::Null);
    }

    #[test]
    fn a_long_call_is_cut_in_a_report() {
        let text = format!(r#"{{"method":"log","params":["{}"]}}"#, "é".repeat(1000));
        let line = call(&text).to_string();
        assert!(
            line.starts_with(r#"notification log #1 ["éé"#) && line.ends_with("… (2004 bytes)"),
            "{line}"
        );
    }
}
