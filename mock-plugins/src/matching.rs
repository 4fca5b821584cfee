//! Which calls a clause is about.

use crate::call::Call;
use serde_json::Value;

/// A condition on a call. Closures `Fn(&Call) -> bool` are conditions.
///
/// It is asked while the mock's record is locked, so that recording and matching cannot disagree: it must
/// not look at the [`MockPlugin`](crate::MockPlugin) itself.
pub trait Match: Send + Sync {
    /// Whether `call` fulfils it.
    fn matches(&self, call: &Call) -> bool;

    /// Why `call` does not, for the report: what was asked for, and what came.
    fn miss(&self, call: &Call) -> String {
        let _: &Call = call;
        "the closure given to `when` said no".to_owned()
    }
}

impl<F: Fn(&Call) -> bool + Send + Sync> Match for F {
    fn matches(&self, call: &Call) -> bool {
        self(call)
    }
}

/// The parameters have `value` at `pointer`, a JSON pointer such as `/peer/id`.
pub fn member(pointer: &str, value: impl Into<Value>) -> Member {
    Member { pointer: pointer.to_owned(), value: value.into() }
}

/// See [`member`].
#[derive(Debug, Clone)]
pub struct Member {
    pointer: String,
    value: Value,
}

impl Match for Member {
    fn matches(&self, call: &Call) -> bool {
        call.params().pointer(&self.pointer) == Some(&self.value)
    }

    fn miss(&self, call: &Call) -> String {
        let Self { pointer, value } = self;
        match call.params().pointer(pointer) {
            Some(actual) => format!("{pointer} is {actual}, not {value}"),
            None => format!("{pointer} is missing, not {value}"),
        }
    }
}

/// The parameters are exactly `params`.
pub fn params(params: impl Into<Value>) -> Params {
    Params(params.into())
}

/// See [`params`].
#[derive(Debug, Clone)]
pub struct Params(Value);

impl Match for Params {
    fn matches(&self, call: &Call) -> bool {
        *call.params() == self.0
    }

    fn miss(&self, call: &Call) -> String {
        let (at, actual, expected) = first_difference("", call.params(), &self.0);
        let text = |value: Option<&Value>| value.map_or_else(|| "missing".to_owned(), Value::to_string);
        let at = if at.is_empty() { "params" } else { &at };
        format!("{at} is {}, not {}", text(actual), text(expected))
    }
}

type Difference<'a> = (String, Option<&'a Value>, Option<&'a Value>);

/// The smallest part in which two different values differ, with a JSON pointer to it.
fn first_difference<'a>(at: &str, actual: &'a Value, expected: &'a Value) -> Difference<'a> {
    let parts: Vec<Difference<'a>> = match (actual, expected) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
            let part = |key: &String| {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                (format!("{at}/{escaped}"), left.get(key), right.get(key))
            };
            keys.map(part).collect()
        }
        (Value::Array(left), Value::Array(right)) => {
            let part = |index| (format!("{at}/{index}"), left.get(index), right.get(index));
            (0..left.len().max(right.len())).map(part).collect()
        }
        _ => Vec::new(),
    };
    match parts.into_iter().find(|(_, left, right)| left != right) {
        Some((at, Some(left), Some(right))) => first_difference(&at, left, right),
        Some(part) => part,
        None => (at.to_owned(), Some(actual), Some(expected)),
    }
}

/// It is the `nth` call of its name, from 1, counted over restarts.
pub fn nth(nth: usize) -> Nth {
    Nth(nth)
}

/// See [`nth`].
#[derive(Debug, Clone)]
pub struct Nth(usize);

impl Match for Nth {
    fn matches(&self, call: &Call) -> bool {
        call.nth() == self.0
    }

    fn miss(&self, call: &Call) -> String {
        format!("it is call {} of {}, not call {}", call.nth(), call.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call() -> Call {
        Call::parse(r#"{"id":1,"method":"peer_connected","params":{"peer":{"id":"02","addr":["a",1]}}}"#)
            .expect("a call")
    }

    #[test]
    fn a_member_is_found_by_pointer() {
        assert!(member("/peer/id", "02").matches(&call()));
        assert!(!member("/peer/id", "03").matches(&call()));
        assert_eq!(member("/peer/id", "03").miss(&call()), r#"/peer/id is "02", not "03""#);
        assert_eq!(member("/peer/x", 3).miss(&call()), "/peer/x is missing, not 3");
    }

    #[test]
    fn the_smallest_differing_part_of_the_parameters_is_named() {
        let same = json!({"peer": {"id": "02", "addr": ["a", 1]}});
        assert!(params(same).matches(&call()));
        let cases = [
            (json!({"peer": {"id": "02", "addr": ["a", 2]}}), "/peer/addr/1 is 1, not 2"),
            (json!({"peer": {"id": "02", "addr": ["a"]}}), "/peer/addr/1 is 1, not missing"),
            (json!({"peer": {"id": "02", "addr": ["a", 1], "b/c": 1}}), "/peer/b~1c is missing, not 1"),
            (json!([]), r#"params is {"peer":{"id":"02","addr":["a",1]}}, not []"#),
        ];
        for (expected, miss) in cases {
            assert!(!params(expected.clone()).matches(&call()), "{expected}");
            assert_eq!(params(expected).miss(&call()), miss);
        }
    }

    #[test]
    fn the_nth_call_counts_from_one() {
        assert!(nth(1).matches(&call()));
        assert_eq!(nth(2).miss(&call()), "it is call 1 of peer_connected, not call 2");
    }
}
