//! Where two values part.

use serde_json::Value;

/// A member that differs, with both values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// Such as `result.channels[0].state`.
    pub(crate) path: String,
    pub(crate) real: String,
    pub(crate) embedded: String,
}

impl Divergence {
    /// The member, wherever in a list it stands.
    pub(crate) fn field(&self) -> String {
        let mut field = String::new();
        let mut in_index = false;
        for character in self.path.chars() {
            in_index &= character != ']';
            if !in_index {
                field.push(character);
            }
            in_index |= character == '[';
        }
        field
    }
}

/// All that differs between two values, in the order in which it stands.
pub(crate) fn divergences(real: &Value, embedded: &Value) -> Vec<Divergence> {
    let mut found = Vec::new();
    compare("", Some(real), Some(embedded), &mut found);
    found
}

fn compare(path: &str, real: Option<&Value>, embedded: Option<&Value>, found: &mut Vec<Divergence>) {
    let print = |value: Option<&Value>| value.map_or("(nothing)".to_owned(), Value::to_string);
    match (real, embedded) {
        (Some(Value::Object(real)), Some(Value::Object(embedded))) => {
            let before = found.len();
            for (name, value) in real {
                compare(&below(path, name), Some(value), embedded.get(name), found);
            }
            for (name, value) in embedded.iter().filter(|(name, _)| !real.contains_key(*name)) {
                compare(&below(path, name), None, Some(value), found);
            }
            // The order of members is what is left to differ.
            let names = |members: &serde_json::Map<String, Value>| {
                members.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            };
            if found.len() == before && !real.keys().eq(embedded.keys()) {
                let (real, embedded) = (names(real), names(embedded));
                found.push(Divergence { path: below(path, "(order)"), real, embedded });
            }
        }
        (Some(Value::Array(real)), Some(Value::Array(embedded))) => {
            for index in 0..real.len().max(embedded.len()) {
                compare(&format!("{path}[{index}]"), real.get(index), embedded.get(index), found);
            }
        }
        (real, embedded) if real == embedded => {}
        (real, embedded) => {
            found.push(Divergence { path: path.to_owned(), real: print(real), embedded: print(embedded) });
        }
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
