//! CLN's published JSON schemas, for whoever has a tree of its sources: `LEYDEN_SCHEMAS` is its `doc/schemas`.
//!
//! They are JSON Schema of draft 7 with types of CLN's own, such as `msat`. What these types mean is what pyln-testing makes of them in
//! answers; they are replaced by what the draft knows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use jsonschema::Validator;
use leyden::env::Settings;
use serde_json::{Value, json};

/// What lightningd v26.06.6 says and its own schemas have forgotten: the file, a member that is listed there, the one that should be beside it,
/// and its type.
const FORGOTTEN: [(&str, &str, &str, &str); 7] = [
    ("sendpay.json", "payment_hash", "description", "string"),
    ("waitsendpay.json", "payment_hash", "description", "string"),
    ("delpay.json", "payment_hash", "description", "string"),
    ("notification/forward_event.json", "payment_hash", "created_index", "u64"),
    ("notification/forward_event.json", "payment_hash", "updated_index", "u64"),
    ("notification/forward_event.json", "payment_hash", "in_htlc_id", "u64"),
    ("notification/forward_event.json", "payment_hash", "preimage", "secret"),
];

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

impl Subject {
    /// Where CLN keeps its schema.
    fn file(&self) -> String {
        match self {
            Self::Method(name) => format!("{name}.json"),
            Self::Hook(name) => format!("hook/{name}.json"),
            Self::Notification(name) => format!("notification/{name}.json"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(name) => write!(f, "{name}"),
            Self::Hook(name) => write!(f, "hook {name}"),
            Self::Notification(name) => write!(f, "notification {name}"),
        }
    }
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

    /// Whether there is one for a subject.
    pub fn publish(&self, subject: &Subject) -> bool {
        self.dir.join(subject.file()).is_file()
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
        let file = subject.file();
        let part = match subject {
            Subject::Method(_) | Subject::Notification(_) => "response",
            Subject::Hook(_) => "request",
        };
        let text = fs::read_to_string(self.dir.join(&file)).ok()?;
        let whole: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut schema = whole.get(part)?.clone();
        if let (Subject::Notification(_), Some(members)) = (subject, schema.as_object_mut()) {
            // Its files say outside of this part that nothing else may be told.
            members.insert("additionalProperties".to_owned(), whole["additionalProperties"].clone());
        }
        for (_, beside, member, called) in FORGOTTEN.iter().filter(|(forgetful, ..)| *forgetful == file) {
            let remembered = remember(&mut schema, beside, member, called);
            assert!(remembered > 0, "{file} has not forgotten {member} beside {beside}");
        }
        let schema = in_plain_words(&schema);
        Some(jsonschema::draft7::new(&schema).unwrap_or_else(|error| panic!("{file}: {error}")))
    }
}

/// Lists a member wherever its neighbour is listed, and gives how often it was missing there.
fn remember(schema: &mut Value, beside: &str, member: &str, called: &str) -> usize {
    let mut remembered = 0;
    if let Some(listed) = schema.get_mut("properties").and_then(Value::as_object_mut)
        && listed.contains_key(beside)
    {
        remembered += usize::from(listed.insert(member.to_owned(), json!({"type": called})).is_none());
    }
    let parts: Vec<&mut Value> = match schema {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(elements) => elements.iter_mut().collect(),
        _ => Vec::new(),
    };
    remembered + parts.into_iter().map(|part| remember(part, beside, member, called)).sum::<usize>()
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
    fn a_forgotten_member_is_put_beside_its_neighbour_alone() {
        let listed = json!({"additionalProperties": false, "properties": {"payment_hash": {}}});
        let mut schema = json!({"properties": {"parts": {"items": listed}, "total": {}}});
        assert_eq!(remember(&mut schema, "payment_hash", "description", "string"), 1);
        assert_eq!(complaints(&schema, &json!({"parts": [{"description": "for what"}]})), 0);
        assert_eq!(complaints(&schema, &json!({"parts": [{"description": 1}, {"label": ""}]})), 2);
        assert_eq!(remember(&mut schema, "payment_hash", "description", "string"), 0);
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
