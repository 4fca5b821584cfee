//! Events as lines of JSON, lossless: what is kept beside a printed transcript.
//!
//! Frames stand there as they were sent, without aliases. Each line has `at` (seconds since the net began), `node`,
//! and `dir`, which says what it is: `start` (a plugin is run), `host->plugin`, `plugin->host`, `eof`, `log`, ….

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::event::{Direction, Event, EventKind};

/// Writes the events into a new file.
///
/// # Errors
/// Those of the file.
pub fn write<'a>(path: &Path, events: impl IntoIterator<Item = &'a Event>) -> io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for event in events {
        writeln!(file, "{}", line(event))?;
    }
    file.flush()
}

/// The fields that only some events have follow those that every event has.
#[derive(Serialize)]
struct Line<'a> {
    at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    dir: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<Box<RawValue>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One event as one line, without its end.
pub fn line(event: &Event) -> String {
    let (dir, rest) = describe(&event.kind);
    let rest = match rest {
        Value::Object(rest) => rest,
        _ => Map::new(),
    };
    let frame = match &event.kind {
        // Newlines in JSON are only space between tokens; where there were any, `raw` keeps them.
        EventKind::Frame { text, .. } => RawValue::from_string(text.replace(['\n', '\r'], " ")).ok(),
        _ => None,
    };
    let at = event.at.as_micros() as f64 / 1e6;
    let line = Line { at, node: event.node.as_deref(), plugin: event.kind.plugin(), dir, frame, rest };
    serde_json::to_string(&line).expect("an event has only string keys")
}

fn describe(kind: &EventKind) -> (&'static str, Value) {
    match kind {
        EventKind::NodeLaunched => ("node-launched", json!({})),
        EventKind::NodeStarted { id, port } => ("node-started", json!({"id": id, "port": port})),
        EventKind::NodeExited { code, message } => ("node-exited", json!({"code": code, "message": message})),
        EventKind::Crash(point) => ("crash", json!({"point": point})),
        EventKind::Log(log) => {
            ("log", json!({"level": log.level.name(), "source": log.source, "text": log.text}))
        }
        EventKind::PluginLaunched { path, args, env, cwd, .. } => {
            let env: Map<String, Value> =
                env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            (
                "start",
                json!({"path": path.to_string_lossy(), "args": args, "env": env, "cwd": cwd.to_string_lossy()}),
            )
        }
        EventKind::Frame { direction, text, .. } => {
            let raw = if text.contains(['\n', '\r']) { json!({"raw": text}) } else { json!({}) };
            (way(*direction), raw)
        }
        EventKind::Garbage { direction, bytes, .. } => {
            let garbage = match std::str::from_utf8(bytes) {
                Ok(text) => json!({"garbage": text}),
                Err(_) => json!({"garbage_hex": hex::encode(bytes)}),
            };
            (way(*direction), garbage)
        }
        EventKind::PluginGone { .. } => ("eof", json!({})),
        EventKind::RpcAnswered { method, params, answer } => {
            let (word, answer) = match answer {
                Ok(result) => ("result", result),
                Err(error) => ("error", error),
            };
            ("rpc", json!({"method": method, "params": value(params), word: value(answer)}))
        }
        EventKind::DbWrite(write) => {
            ("db-write", json!({"data_version": write.data_version, "writes": write.writes}))
        }
        EventKind::ChannelFunded { scid, from, to } => {
            ("channel-funded", json!({"scid": scid, "from": from, "to": to}))
        }
        EventKind::Block { height, hash } => ("block", json!({"height": height, "hash": hash})),
        EventKind::Step(step) => ("step", json!({"step": step})),
    }
}

/// What the harness itself wrote as JSON.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::ToPlugin => "host->plugin",
        Direction::FromPlugin => "plugin->host",
    }
}
