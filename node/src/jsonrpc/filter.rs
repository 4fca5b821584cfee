//! `filter`: which members of the node's own result a client wants (`common/json_filter.c`).

use crate::command::params::wrong_token;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is wanted of an object or an array. Without any members or elements it is everything inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    Object(BTreeMap<String, Filter>),
    Array(Box<Filter>),
}

/// An array was taken for an object, or the other way round: where, and what it is.
struct Misuse(String);

impl Filter {
    /// Reads the member `filter` of a request.
    ///
    /// # Errors
    /// lightningd's text about the token that does not do.
    pub(crate) fn parse(token: &str) -> Result<Self, RpcError> {
        if json::members(token).is_none() {
            return Err(wrong_token("filter", "Expected object", token));
        }
        Self::build(token)
    }

    fn build(token: &str) -> Result<Self, RpcError> {
        if let Some(elements) = json::elements(token) {
            return match elements[..] {
                [one] => Self::build(one).map(Box::new).map(Self::Array),
                _ => Err(wrong_token("filter", "Arrays can only have one element", token)),
            };
        }
        let mut wanted = BTreeMap::new();
        // What is neither object nor array is only met within an array, and passes for an empty object.
        for (name, value) in json::members(token).unwrap_or_default() {
            let below = match value {
                "true" => Self::everything(),
                _ if value.starts_with(['{', '[']) => Self::build(value)?,
                _ => return Err(wrong_token("filter", "value must be true", value)),
            };
            wanted.insert(name.into_owned(), below);
        }
        Ok(Self::Object(wanted))
    }

    fn everything() -> Self {
        Self::Object(BTreeMap::new())
    }

    fn is_everything(&self) -> bool {
        matches!(self, Self::Object(wanted) if wanted.is_empty())
    }

    /// Leaves of a result what is wanted. Misuse adds `warning_parameter_filter`.
    pub(crate) fn apply(&self, result: Value) -> Value {
        let Value::Object(members) = result else { return result };
        let mut misuse = BTreeMap::new();
        let mut members = self.members(members, "", &mut misuse);
        if let Some(Misuse(text)) = misuse.into_values().next() {
            members.insert("warning_parameter_filter".to_owned(), Value::from(text));
        }
        Value::Object(members)
    }

    /// As lightningd does: of a filter that wants everything only what is an object or an array is left.
    fn members(
        &self,
        members: Map<String, Value>,
        path: &str,
        misuse: &mut BTreeMap<String, Misuse>,
    ) -> Map<String, Value> {
        let mut left = Map::new();
        for (name, value) in members {
            let below = match self {
                Self::Object(wanted) => wanted.get(&name),
                Self::Array(_) => None,
            };
            let is_container = value.is_object() || value.is_array();
            match below {
                _ if is_container && self.is_everything() => drop(left.insert(name, value)),
                Some(below) if is_container => {
                    let value = below.inside(value, &format!("{path}.{name}"), misuse);
                    left.insert(name, value);
                }
                Some(_) => drop(left.insert(name, value)),
                None if is_container && matches!(self, Self::Array(_)) => {
                    misuse.insert(path.to_owned(), Misuse(format!("{path} is an object")));
                }
                None => {}
            }
        }
        left
    }

    fn inside(&self, value: Value, path: &str, misuse: &mut BTreeMap<String, Misuse>) -> Value {
        match value {
            Value::Object(members) => Value::Object(self.members(members, path, misuse)),
            Value::Array(elements) => Value::Array(self.elements(elements, path, misuse)),
            other => other,
        }
    }

    fn elements(
        &self,
        elements: Vec<Value>,
        path: &str,
        misuse: &mut BTreeMap<String, Misuse>,
    ) -> Vec<Value> {
        let mut left = Vec::new();
        let mut refused = false;
        for value in elements {
            let is_container = value.is_object() || value.is_array();
            match self {
                // Once an element was refused, numbers and strings behind it are, too.
                _ if !is_container && !refused => left.push(value),
                _ if !is_container => {}
                _ if self.is_everything() => left.push(value),
                Self::Array(below) => left.push(below.inside(value, &format!("{path}[]"), misuse)),
                Self::Object(_) => {
                    refused = true;
                    misuse.insert(path.to_owned(), Misuse(format!("{path} is an array")));
                }
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filtered(filter: &Value) -> String {
        let result = json!({
            "id": "02",
            "binding": [{ "type": "ipv4", "port": 7 }],
            "our_features": { "init": "08", "node": "80" },
            "help": [{ "command": "ping" }],
        });
        Filter::parse(&filter.to_string()).unwrap().apply(result).to_string()
    }

    /// Each was asked of lightningd v26.06.6 (with other members).
    #[test]
    fn what_is_wanted_is_left() {
        for (filter, left) in [
            (json!({ "id": true }), r#"{"id":"02"}"#),
            (json!({ "nope": true, "": true }), "{}"),
            (json!({ "binding": true }), r#"{"binding":[{"type":"ipv4","port":7}]}"#),
            (json!({ "binding": [{ "type": true }] }), r#"{"binding":[{"type":"ipv4"}]}"#),
            (json!({ "our_features": { "init": true } }), r#"{"our_features":{"init":"08"}}"#),
            // Oddities of lightningd.
            (json!({ "our_features": true, "id": true }), r#"{"id":"02","our_features":{}}"#),
            (json!({ "help": ["x"] }), r#"{"help":[{}]}"#),
            (json!({ "id": [true] }), r#"{"id":"02"}"#),
            (
                json!({ "binding": [{ "type": [{ "a": true }] }], "x": { "y": true } }),
                r#"{"binding":[{"type":"ipv4"}]}"#,
            ),
            (
                json!({}),
                r#"{"binding":[{"type":"ipv4","port":7}],"our_features":{"init":"08","node":"80"},"help":[{"command":"ping"}]}"#,
            ),
        ] {
            assert_eq!(filtered(&filter), left, "{filter}");
        }
    }

    #[test]
    fn misuse_is_told_in_the_result() {
        for (filter, left) in [
            (
                json!({ "help": { "x": true } }),
                r#"{"help":[],"warning_parameter_filter":".help is an array"}"#,
            ),
            (json!({ "help": [[{ "command": true }]] }), r#"{"help":[{}]}"#),
            (
                json!({ "binding": { "type": true }, "our_features": [{ "init": true }] }),
                r#"{"binding":[],"our_features":{},"warning_parameter_filter":".binding is an array"}"#,
            ),
        ] {
            assert_eq!(filtered(&filter), left, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_its_token() {
        for (filter, why) in [
            (r"[{}]", "Expected object: invalid token '[{}]'"),
            ("null", "Expected object: invalid token 'null'"),
            (r#"{"help": 5}"#, "value must be true: invalid token '5'"),
            (r#"{"help": false}"#, "value must be true: invalid token 'false'"),
            (r#"{"help": [{}, {}]}"#, "Arrays can only have one element: invalid token '[{}, {}]'"),
        ] {
            assert_eq!(Filter::parse(filter).unwrap_err().message, format!("filter: {why}"), "{filter}");
        }
    }
}
