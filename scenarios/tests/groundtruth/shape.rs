//! A frame without what differs from run to run.

use crate::kind::Kind;
use crate::recording::Run;
use crate::writes;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Texts that are known by their form, and what stands in their place.
static FORMS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        ("^0[23][0-9a-f]{64}$", "<node>"),
        ("^[0-9a-f]{64}$", "<hash>"),
        (r"^\d{10}\.\d{9}$", "<seconds.nanoseconds>"),
        (r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", "<iso time>"),
        (r"^keysend-[\d.]+$", "keysend-<seconds.nanoseconds>"),
        (r"^127\.0\.0\.1:\d+$", "127.0.0.1:<port>"),
        (r"^(\$|/).*/regtest$", "<directory>/regtest"),
    ]
    .map(|(form, alias)| (Regex::new(form).expect("it is a regular expression"), alias))
    .into()
});

/// The same of frames about channels and payments, in which every amount and every id is of one run.
static OF_CHANNELS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"^\d+msat$", "<number>msat"),
        (r"^\d+x\d+x\d+$", "<short channel id>"),
        (r"^[0-9a-f]{64}:\d+$", "<outpoint>"),
        ("^lnbcrt", "<bolt11>"),
        ("^([0-9a-f]{2}){3,}$", "<hex>"),
    ]
    .map(|(form, alias)| (Regex::new(form).expect("it is a regular expression"), alias))
    .into()
});

/// What stands within texts.
static IN_TEXTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [(r"\b[0-9a-f]{64}\b", "<hash>"), (r"chan#\d+", "chan#<n>")]
        .map(|(form, alias)| (Regex::new(form).expect("it is a regular expression"), alias))
        .into()
});

/// Members whose values are of one run only.
const MEMBERS: [&str; 8] =
    ["port", "height", "blockheight", "timestamp", "payload", "message", "plugin_name", "plugin_path"];

/// What a client sends: not lightningd's words.
const REQUEST: [&str; 4] = ["jsonrpc", "method", "id", "params"];

/// A frame as text, so that equal frames of two runs are equal texts.
pub(crate) fn of_frame(frame: &Value) -> String {
    let is_of_channels = Kind::of(frame).is_of_channels();
    let mut shape = Map::new();
    for (name, value) in frame.as_object().expect("a frame is an object") {
        let value = match (name.as_str(), frame["method"].as_str()) {
            ("id", Some(_)) => json!(of_id(value)),
            ("params", Some("db_write")) => writes::of_params(value),
            ("params", _) if is_of_channels => without_numbers(of_value(name, value)),
            _ => of_value(name, value),
        };
        shape.insert(name.clone(), value);
    }
    Value::Object(shape).to_string()
}

/// How a plugin was run: arguments behind its path, what lightningd added to the environment, the working directory.
pub(crate) fn of_start(run: &Run) -> String {
    let arguments: Vec<&Value> = run.start["argv"].as_array().into_iter().flatten().skip(1).collect();
    let mut env = run.start["env"].as_object().cloned().unwrap_or_default();
    // pyln-testing sets it for lightningd.
    env.remove("LIGHTNINGD_DEV_MEMLEAK");
    env.sort_keys();
    let cwd = run.start["cwd_tail"].as_array().and_then(|parts| parts.last());
    json!({ "arguments": arguments, "env": env, "cwd": cwd }).to_string()
}

/// `10` becomes `<n>`, and `"-c:connect#8/cln:peer_connected#126"` `<cause>/cln:peer_connected#<n>`.
fn of_id(id: &Value) -> String {
    let Some(text) = id.as_str() else { return "<number>".to_owned() };
    let (cause, own) = text.rsplit_once("/cln:").map_or((false, text), |(_, own)| (true, own));
    let own = own.trim_start_matches("cln:").trim_end_matches(|digit: char| digit.is_ascii_digit());
    format!("{}cln:{own}<n>", if cause { "<cause>/" } else { "" })
}

fn of_value(name: &str, value: &Value) -> Value {
    let of_one_run = MEMBERS.contains(&name);
    match value {
        Value::Object(members) => of_object(members),
        Value::Array(elements) => elements.iter().map(|element| of_value(name, element)).collect(),
        Value::Number(_) if of_one_run => json!("<number>"),
        Value::String(text) => match FORMS.iter().find(|(form, _)| form.is_match(text)) {
            Some((_, alias)) => json!(alias),
            None if of_one_run => json!("<text>"),
            None => json!(without_ids(text)),
        },
        other => other.clone(),
    }
}

/// A text with ids in it.
fn without_ids(text: &str) -> String {
    IN_TEXTS.iter().fold(text.to_owned(), |text, (form, alias)| form.replace_all(&text, *alias).into_owned())
}

fn without_numbers(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, without_numbers(value))).collect()
        }
        Value::Array(elements) => elements.into_iter().map(without_numbers).collect(),
        Value::Number(_) => json!("<number>"),
        Value::String(text) => {
            let alias = OF_CHANNELS.iter().find(|(form, _)| form.is_match(&text)).map(|(_, alias)| *alias);
            json!(alias.unwrap_or(&text))
        }
        other => other,
    }
}

fn of_object(members: &Map<String, Value>) -> Value {
    let is_request = REQUEST.iter().all(|name| members.contains_key(*name));
    let mut shape = Map::new();
    for (name, value) in members {
        if is_request && REQUEST.contains(&name.as_str()) {
            shape.insert("<request>".to_owned(), Value::Null);
        } else {
            shape.insert(name.clone(), of_value(name, value));
        }
    }
    Value::Object(shape)
}
