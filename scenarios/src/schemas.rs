//! CLN's published JSON schemas, for whoever has a tree of its sources: `LEYDEN_SCHEMAS` is its `doc/schemas`.
//!
//! They are JSON Schema of draft 7 with types of CLN's own, such as `msat`. What these types mean is what pyln-testing makes of them in
//! answers; they are replaced by what the draft knows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use jsonschema::Validator;
use leyden::env::Settings;
use serde_json::{Value, json};

/// What one of lightningd's messages is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The result of an RPC method.
    Method(String),
    /// The parameters of a hook.
    Hook(String),
    /// What a notification tells, without the name around it.
    Notification(String),
}

/// The schemas of one release.
#[derive(Debug)]
pub struct Schemas {
    dir: PathBuf,
    /// Those that were asked for; `None` where CLN has published none.
    read: RefCell<BTreeMap<Subject, Option<Validator>>>,
}

impl Schemas {
    /// Those that this machine has.
    ///
    /// # Panics
    /// If they are not where the environment says.
    pub fn at_hand() -> Option<Self> {
        let dir = Settings::from_env().schemas?;
        assert!(dir.join("getinfo.json").is_file(), "LEYDEN_SCHEMAS: no getinfo.json in {}", dir.display());
        Some(Self { dir, read: RefCell::default() })
    }

    /// What is wrong with a value, a line each; `None` if there is no schema for it.
    ///
    /// # Panics
    /// If a schema is none.
    pub fn complaints(&self, subject: &Subject, value: &Value) -> Option<Vec<String>> {
        let mut read = self.read.borrow_mut();
        let validator = read.entry(subject.clone()).or_insert_with(|| self.read(subject)).as_ref()?;
        let complaints = validator.iter_errors(value);
        Some(complaints.map(|error| format!("{}: {error}", error.instance_path())).collect())
    }

    fn read(&self, subject: &Subject) -> Option<Validator> {
        let (file, part) = match subject {
            Subject::Method(name) => (format!("{name}.json"), "response"),
            Subject::Hook(name) => (format!("hook/{name}.json"), "request"),
            Subject::Notification(name) => (format!("notification/{name}.json"), "response"),
        };
        let text = fs::read_to_string(self.dir.join(&file)).ok()?;
        let whole: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let schema = in_plain_words(whole.get(part)?);
        Some(jsonschema::draft7::new(&schema).unwrap_or_else(|error| panic!("{file}: {error}")))
    }
}

/// A schema without what only CLN's documentation knows.
fn in_plain_words(schema: &Value) -> Value {
    let Some(members) = schema.as_object() else {
        return match schema.as_array() {
            Some(schemas) => schemas.iter().map(in_plain_words).collect(),
            None => schema.clone(),
        };
    };
    let mut plain = serde_json::Map::new();
    for (word, value) in members {
        match word.as_str() {
            "type" => {
                let types = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                let any: Vec<Value> = types.iter().filter_map(Value::as_str).map(type_called).collect();
                // Beside it may stand the limits of a string.
                plain.insert("anyOf".to_owned(), json!(any));
            }
            "properties" => {
                let named = value.as_object().into_iter().flatten();
                let named = named.map(|(name, schema)| (name.clone(), in_plain_words(schema)));
                plain.insert(word.clone(), named.collect());
            }
            "anyOf" => {
                plain.insert("allOf".to_owned(), json!([{"anyOf": in_plain_words(value)}]));
            }
            "allOf" | "oneOf" | "if" | "then" | "else" | "items" | "additionalProperties" => {
                plain.insert(word.clone(), in_plain_words(value));
            }
            "required" | "enum" | "minLength" | "maxLength" | "minItems" | "maxItems" => {
                plain.insert(word.clone(), value.clone());
            }
            _ => {}
        }
    }
    Value::Object(plain)
}

/// One of CLN's types, as pyln-testing checks it in an answer.
fn type_called(name: &str) -> Value {
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let below = |limit: u64| json!({"type": "integer", "minimum": 0, "maximum": limit});
    match name {
        "hex" => text("^[0-9a-fA-F]*$"),
        "hash" | "secret" | "txid" => text("^[0-9a-fA-F]{64}$"),
        "pubkey" => text("^0[23][0-9a-fA-F]{64}$"),
        "signature" => text("^[0-9a-fA-F]{0,144}$"),
        "bip340sig" => text("^[0-9a-fA-F]{128}$"),
        "short_channel_id" => text("^[0-9]+x[0-9]+x[0-9]+$"),
        "short_channel_id_dir" => text("^[0-9]+x[0-9]+x[0-9]+/[01]$"),
        "outpoint" => text("^[0-9a-fA-F]{64}:[0-9]+$"),
        "currency" => text(r"^[0-9]+(\.[0-9]+)?[A-Z]{3}$"),
        "u8" => below(u8::MAX.into()),
        "u16" => below(u16::MAX.into()),
        "u32" => below(u32::MAX.into()),
        "u64" | "msat" => below(u64::MAX),
        "sat" | "sat_or_all" | "msat_or_any" | "feerate" => json!({"type": ["integer", "string"]}),
        "outputdesc" => json!({"type": "object"}),
        of_the_draft => json!({"type": of_the_draft}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(schema: &Value, value: &Value) -> usize {
        jsonschema::draft7::new(&in_plain_words(schema)).expect("it is a schema").iter_errors(value).count()
    }

    #[test]
    fn types_of_clns_own_are_checked() {
        let schema = json!({
            "description": ["lines"],
            "required": ["id"],
            "additionalProperties": false,
            "properties": {"id": {"type": "pubkey"}, "type": {"type": ["u8", "null"]}, "sum": {"type": "msat", "added": "v1"}},
        });
        let id = format!("02{}", "ab".repeat(32));
        assert_eq!(complaints(&schema, &json!({"id": id, "type": null, "sum": u64::MAX})), 0);
        assert_eq!(complaints(&schema, &json!({"id": &id[2..], "type": 256, "sum": "1msat"})), 3);
        assert_eq!(complaints(&schema, &json!({"other": 1})), 2);
    }
}
