//! The plugin that misbehaves as a case says, in the words of the recorder's `bad.py`: by method `result`, `error`, `raw` text, members of the
//! envelope to `patch` and to `drop`, the ends `exit` and `then_exit`, or nothing at all.

use std::io;

use leyden::{Mock, Reply};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value, json};

/// The plugin of a case.
pub(crate) fn misbehaving(name: &str, spec: &Value) -> Mock {
    let mock = Mock::hook("rpc_command").reply(reply(spec, "rpc_command")).named(name);
    let mock = mock.on_getmanifest(reply(spec, "getmanifest")).on_init(reply(spec, "init"));
    match exit_code(&spec["exit_at_start"]) {
        Some(code) => mock.on_start(Reply::exit(code)),
        None => mock,
    }
}

fn reply(spec: &Value, method: &str) -> Reply {
    let usual = json!({"result": {}});
    let said = spec.get(method).or(spec.get("*")).unwrap_or(&usual);
    if let Some(code) = exit_code(&said["exit"]) {
        return Reply::exit(code);
    }
    let reply = match said["raw"].as_str() {
        Some(raw) => Reply::raw(raw),
        None => Reply::raw(envelope(said)),
    };
    match exit_code(&said["then_exit"]) {
        Some(code) => reply.then_exit(code),
        None => reply,
    }
}

fn exit_code(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|code| code.try_into().ok())
}

/// The answer as Python writes it, `%ID%` for the id: lightningd quotes parts of it, spaces and all.
fn envelope(said: &Value) -> String {
    const ID: &str = "the id of the request";
    let mut members = Map::from_iter([("jsonrpc".to_owned(), json!("2.0")), ("id".to_owned(), json!(ID))]);
    members.extend(said["patch"].as_object().cloned().unwrap_or_default());
    for member in ["result", "error"] {
        members.extend(said.get(member).map(|value| (member.to_owned(), value.clone())));
    }
    for dropped in said["drop"].as_array().into_iter().flatten() {
        members.shift_remove(dropped.as_str().expect("what is dropped is named"));
    }
    let mut written = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut written, Python);
    members.serialize(&mut serializer).expect("a map of JSON is JSON");
    let text = String::from_utf8(written).expect("JSON is UTF-8");
    text.replace(&format!("{ID:?}"), "%ID%") + "\n\n"
}

/// `json.dumps`: a blank behind each comma and colon.
struct Python;

impl Formatter for Python {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
