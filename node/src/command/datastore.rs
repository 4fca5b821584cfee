//! `datastore`, `listdatastore`, `deldatastore`: what plugins keep in the node's database
//! (`lightningd/datastore.c`).

use super::Command;
use super::params::{Params, Shape, invalid, wrong_token};
use crate::db::Db;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// Codes of `common/jsonrpc_errors.h`.
mod datastore_code {
    pub(super) const DEL_DOES_NOT_EXIST: i64 = 1200;
    pub(super) const DEL_WRONG_GENERATION: i64 = 1201;
    pub(super) const UPDATE_ALREADY_EXISTS: i64 = 1202;
    pub(super) const UPDATE_DOES_NOT_EXIST: i64 = 1203;
    pub(super) const UPDATE_WRONG_GENERATION: i64 = 1204;
    pub(super) const UPDATE_HAS_CHILDREN: i64 = 1205;
    pub(super) const UPDATE_NO_CHILDREN: i64 = 1206;
}

/// A path of one part or more. Parts are kept as they were sent, escapes not resolved, as lightningd does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key(Vec<String>);

impl Key {
    /// A string or an array of them. Bare tokens count as strings.
    fn parse(token: &str) -> Result<Self, RpcError> {
        let Some(elements) = json::elements(token) else {
            return match token.starts_with('{') {
                true => Err(wrong_token("key", "should be string or array", token)),
                false => Ok(Self(vec![json::content(token).to_owned()])),
            };
        };
        if elements.is_empty() {
            return Err(wrong_token("key", "should not be empty", token));
        }
        let part = |element: &&str| match element.starts_with(['{', '[']) {
            true => Err(wrong_token("key", "should be string", element)),
            false => Ok(json::content(element).to_owned()),
        };
        elements.iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// As it is stored: the parts, a zero byte between each two.
    fn stored(&self) -> Vec<u8> {
        self.0.join("\0").into_bytes()
    }

    fn from_stored(stored: &[u8]) -> Self {
        Self(String::from_utf8_lossy(stored).split('\0').map(str::to_owned).collect())
    }

    /// Every key above this one.
    fn parents(&self) -> impl Iterator<Item = Self> {
        (1..self.0.len()).map(|length| Self(self.0[..length].to_vec()))
    }

    /// Everything below this key is stored at or above the first of these and below the second.
    fn children(&self) -> (Vec<u8>, Vec<u8>) {
        let stored = self.stored();
        ([&stored[..], &[0]].concat(), [&stored[..], &[1]].concat())
    }
}

/// A key with data.
struct Entry {
    key: Key,
    data: Vec<u8>,
    generation: i64,
}

impl Entry {
    fn json(&self) -> Value {
        let mut json = json!({
            "key": self.key.0,
            "generation": self.generation,
            "hex": hex::encode(&self.data),
        });
        if let Some(text) = str::from_utf8(&self.data).ok().filter(|text| !text.contains('\0')) {
            json["string"] = Value::from(text);
        }
        json
    }

    fn is_generation(&self, wanted: Option<u64>) -> bool {
        wanted.is_none_or(|wanted| i64::try_from(wanted) == Ok(self.generation))
    }
}

/// `mode` of `datastore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    MustCreate,
    MustReplace,
    CreateOrReplace,
    MustAppend,
    CreateOrAppend,
}

impl Mode {
    fn parse(params: &Params) -> Result<Self, RpcError> {
        Ok(match params.raw("mode").map(json::content) {
            None | Some("must-create") => Self::MustCreate,
            Some("must-replace") => Self::MustReplace,
            Some("create-or-replace") => Self::CreateOrReplace,
            Some("must-append") => Self::MustAppend,
            Some("create-or-append") => Self::CreateOrAppend,
            Some(_) => {
                let what = "should be 'must-create', 'must-replace', 'create-or-replace', 'must-append', or \
                            'create-or-append'";
                return Err(params.wrong("mode", what));
            }
        })
    }

    /// Whether the key has to be there.
    const fn must_exist(self) -> bool {
        matches!(self, Self::MustReplace | Self::MustAppend)
    }

    const fn appends(self) -> bool {
        matches!(self, Self::MustAppend | Self::CreateOrAppend)
    }
}

/// `datastore key [string] [hex] [mode] [generation]`.
pub(crate) struct Datastore {
    key: Key,
    data: Vec<u8>,
    /// What is there already.
    old: Option<Entry>,
    mode: Mode,
}

impl Command for Datastore {
    const NAME: &'static str = "datastore";
    const TAKES: &'static [Shape] = &[
        Shape::required("key"),
        Shape::optional("string"),
        Shape::optional("hex"),
        Shape::optional("mode"),
        Shape::optional("generation"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let key = Key::parse(params.required_raw("key")?)?;
        let string = params.optional_escaped_string("string")?;
        let hex = params.optional_hex("hex");
        let mode = Mode::parse(params)?;
        let generation = params.optional_u64("generation")?;
        let data = match (string, hex) {
            (Some(_), Some(_)) => return Err(invalid("Cannot have both hex and string")),
            (Some(string), None) => string.into_bytes(),
            (None, Some(hex)) => hex,
            (None, None) => return Err(invalid("Must have either hex or string")),
        };
        if generation.is_some() && !mode.must_exist() {
            return Err(invalid("generation only valid with must-replace or must-append"));
        }
        let old = writable(node.stored(), &key, mode, generation)?;
        Ok(Self { key, data, old, mode })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let entry = self.store(node.db());
        node.reply(&request.client, &entry.json());
        Ok(())
    }
}

impl Datastore {
    /// Writes, and gives what is there now.
    fn store(self, db: &mut Db) -> Entry {
        let Self { key, data, old, mode } = self;
        let Some(old) = old else {
            db.exec("INSERT INTO datastore VALUES (?, ?, ?);", &[&key.stored(), &data, &0]);
            return Entry { key, data, generation: 0 };
        };
        let data = if mode.appends() { [old.data, data].concat() } else { data };
        let update = "UPDATE datastore SET data=?, generation=generation+1 WHERE key=?;";
        db.exec(update, &[&data, &key.stored()]);
        Entry { key, data, generation: old.generation + 1 }
    }
}

/// `listdatastore [key]`: the key itself, or what is right below it.
pub(crate) struct Listdatastore {
    key: Option<Key>,
}

impl Command for Listdatastore {
    const NAME: &'static str = "listdatastore";
    const TAKES: &'static [Shape] = &[Shape::optional("key")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { key: params.raw("key").map(Key::parse).transpose()? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let entries = list(node.stored(), self.key.as_ref());
        node.reply(&request.client, &json!({ "datastore": entries }));
        Ok(())
    }
}

/// `deldatastore key [generation]`.
pub(crate) struct Deldatastore {
    entry: Entry,
}

impl Command for Deldatastore {
    const NAME: &'static str = "deldatastore";
    const TAKES: &'static [Shape] = &[Shape::required("key"), Shape::optional("generation")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let key = Key::parse(params.required_raw("key")?)?;
        let generation = params.optional_u64("generation")?;
        let entry = find(node.stored(), &key)
            .ok_or_else(|| RpcError::new(datastore_code::DEL_DOES_NOT_EXIST, "Key does not exist"))?;
        if !entry.is_generation(generation) {
            return Err(RpcError::new(datastore_code::DEL_WRONG_GENERATION, "generation is different"));
        }
        Ok(Self { entry })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.db().exec("DELETE FROM datastore WHERE key = ?", &[&self.entry.key.stored()]);
        node.reply(&request.client, &self.entry.json());
        Ok(())
    }
}

/// Whether the key may be written, and what is there. Complaints come in lightningd's order.
fn writable(db: &Db, key: &Key, mode: Mode, generation: Option<u64>) -> Result<Option<Entry>, RpcError> {
    if let Some(parent) = key.parents().find(|parent| find(db, parent).is_some()) {
        let text = format!("Parent key [{}] exists", parent.0.join(","));
        return Err(RpcError::new(datastore_code::UPDATE_NO_CHILDREN, text));
    }
    if has_children(db, key) {
        return Err(RpcError::new(datastore_code::UPDATE_HAS_CHILDREN, "Key has children already"));
    }
    let old = find(db, key);
    match &old {
        None if mode.must_exist() => {
            Err(RpcError::new(datastore_code::UPDATE_DOES_NOT_EXIST, "Key does not exist"))
        }
        Some(_) if mode == Mode::MustCreate => {
            Err(RpcError::new(datastore_code::UPDATE_ALREADY_EXISTS, "Key already exists"))
        }
        Some(old) if !old.is_generation(generation) => {
            Err(RpcError::new(datastore_code::UPDATE_WRONG_GENERATION, "generation is different"))
        }
        _ => Ok(old),
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let key: Vec<u8> = row.get(0)?;
    Ok(Entry { key: Key::from_stored(&key), data: row.get(1)?, generation: row.get(2)? })
}

fn find(db: &Db, key: &Key) -> Option<Entry> {
    db.rows("SELECT key, data, generation FROM datastore WHERE key = ?", &[&key.stored()], read).pop()
}

fn has_children(db: &Db, key: &Key) -> bool {
    let (from, to) = key.children();
    let any = "SELECT 1 FROM datastore WHERE key >= ? AND key < ? LIMIT 1";
    !db.rows(any, &[&from, &to], |_| Ok(())).is_empty()
}

/// What is at `key`, or the first level below it; keys that only have something below them come without data.
fn list(db: &Db, key: Option<&Key>) -> Vec<Value> {
    let columns = "SELECT key, data, generation FROM datastore";
    let entries = match key {
        None => db.rows(&format!("{columns} ORDER BY key"), &[], read),
        Some(key) => {
            let (from, to) = key.children();
            let sql = format!("{columns} WHERE key = ? OR (key >= ? AND key < ?) ORDER BY key");
            db.rows(&sql, &[&key.stored(), &from, &to], read)
        }
    };
    let level = key.map_or(1, |key| key.0.len() + 1);
    let mut listed = Vec::new();
    for entry in entries {
        if entry.key.0.len() <= level {
            listed.push(entry.json());
            continue;
        }
        let branch = json!({ "key": entry.key.0[..level] });
        if listed.last() != Some(&branch) {
            listed.push(branch);
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &str) -> Key {
        Key::parse(token).unwrap()
    }

    #[test]
    fn a_key_is_stored_with_zero_bytes_between_its_parts() {
        assert_eq!(key(r#"["p", "q2", 7]"#).stored(), b"p\0q2\x007");
        assert_eq!(key(r#""p""#), key(r#"["p"]"#));
        assert_eq!(Key::from_stored(b"p\0\0q"), key(r#"["p", "", "q"]"#));
    }

    #[test]
    fn escapes_in_a_key_are_not_resolved() {
        assert_eq!(key(r#""q\"q""#).stored(), br#"q\"q"#);
    }

    #[test]
    fn the_children_of_a_key_are_not_those_of_a_longer_name() {
        let (from, to) = key(r#""a""#).children();
        let within = |other: &str| (from.clone()..to.clone()).contains(&key(other).stored());
        assert!(within(r#"["a", "b"]"#) && within(r#"["a", ""]"#));
        assert!(!within(r#""a""#) && !within(r#""ab""#) && !within(r#"["a b", "c"]"#));
    }
}
