//! The recorded cases, and the exceptions from them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::outcome::{Answer, Outcome};

/// How many were recorded.
pub(crate) const COUNT: usize = 99;

const RECORDED: &str = include_str!("../../groundtruth/v26.06.6/misbehaviour.jsonl");
const EXCEPTIONS: &str = include_str!("../../groundtruth/v26.06.6/misbehaviour.exceptions.jsonl");

/// A plugin that misbehaves, and what is expected of the node.
pub(crate) struct Case {
    /// That of the plugin, too.
    pub(crate) name: String,
    /// How the plugin misbehaves, by method.
    pub(crate) spec: Value,
    /// It never answers: lightningd waits as long as it ever does.
    pub(crate) hangs: bool,
    /// What was recorded, or what is expected instead.
    outcome: Value,
}

impl Case {
    /// What is expected of the node.
    pub(crate) fn expected(&self) -> Outcome {
        if self.hangs { timed_out(&self.name, &self.outcome) } else { Outcome::read(&self.outcome) }
    }
}

/// Every case, in the order in which they were recorded.
pub(crate) fn all() -> Vec<Case> {
    let exceptions = exceptions();
    let case = |row: Value| {
        let name = text(&row["case"]);
        let hangs = row["exception"] == "no reply within 6 s";
        let spec = row["spec"].clone();
        let outcome = exceptions.get(&name).cloned().unwrap_or(row);
        Case { name, spec, hangs, outcome }
    };
    rows(RECORDED).map(case).collect()
}

/// What is expected instead of what was recorded, by case.
pub(crate) fn exceptions() -> BTreeMap<String, Value> {
    let reasoned = |row: Value| {
        let name = text(&row["case"]);
        assert!(row["because"].is_string(), "the exception from {name} has no reason");
        (name, row)
    };
    rows(EXCEPTIONS).map(reasoned).collect()
}

/// What follows when lightningd has waited long enough.
fn timed_out(name: &str, row: &Value) -> Outcome {
    let why = "timed out before replying to getmanifest";
    let mut outcome = Outcome::read(row);
    outcome.answer = Answer::Error { code: -3, message: format!("$DIR/{name}: {why}") };
    let terminated = r#"{"jsonrpc": "2.0","id": <id>,"error": {"code":-4, "message":"Plugin terminated before replying to RPC call."}}"#;
    outcome.log.push(format!("UNUSUAL plugin-{name}: Killing plugin: {why}"));
    outcome
        .log
        .push(format!("UNUSUAL plugin-{name}: Killing plugin: Invalid/missing result tok in '{terminated}'"));
    outcome
}

fn rows(lines: &str) -> impl Iterator<Item = Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("every line of the recording is JSON"))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
