//! What a plugin and its node said to each other, for people and snapshots.
//!
//! A transcript is a view of the timeline: it can be narrowed, it prints with aliases, and the raw frames stay behind it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leyden_protocol::{Envelope, json};
use serde_json::Value;

use crate::alias::{Aliases, Names};
use crate::event::{Direction, Event, EventKind};
use crate::jsonl;
use crate::timeline::Timeline;

/// The frames between a node and one or all of its plugins, in order.
///
/// `Display` prints one line a frame, or a block where a line would be too long:
///
/// ```text
/// lightningd -> my-plugin  getmanifest "cln:getmanifest#<1>" {"allow-deprecated-apis":false}
/// my-plugin -> lightningd  result "cln:getmanifest#<1>" {"options":[],"rpcmethods":[]}
/// lightningd -> my-plugin  notification disconnect {"disconnect":{"id":"<l2>"}}
/// ```
///
/// Everything of a frame is shown but the order of its outermost members and a `"jsonrpc":"2.0"`; members that JSON-RPC
/// does not know follow at the end. Parameters and results keep the sender's order, numbers and escapes.
///
/// A real lightningd promises no order between frames that have different causes. Choose with [`only`](Self::only).
#[derive(Clone, Debug)]
pub struct Transcript {
    names: Arc<Names>,
    /// Everything about the plugins, whatever is shown: for the raw file.
    events: Arc<[Arc<Event>]>,
    frames: Vec<Frame>,
}

/// One frame of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its place in the timeline of the net.
    pub seq: u64,
    /// When, since the net began.
    pub at: Duration,
    /// How often the node had been launched by then. It counts its requests from 0 again each time.
    pub node_run: usize,
    /// The plugin that sent or received it.
    pub plugin: String,
    /// Which way it went.
    pub direction: Direction,
    /// What it is about: the method of a request or notification; of a response, the method of the request that it
    /// answers. `None` if that cannot be told.
    pub topic: Option<String>,
    /// What was sent.
    pub content: Content,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole JSON value, as it was sent.
    Json(String),
    /// Bytes that are no JSON, or the beginning of a frame whose end never came.
    Garbage(Vec<u8>),
}

impl Transcript {
    /// What `node` and its plugins have said to each other so far, or only `plugin` if one is named. `names` has the net's directories; the
    /// rest is learnt from the timeline.
    pub fn of(timeline: &Timeline, node: &str, plugin: Option<&str>, mut names: Names) -> Self {
        let is_ours = |event: &Event| {
            event.node.as_deref() == Some(node)
                && event.kind.plugin().is_some_and(|name| plugin.is_none_or(|wanted| wanted == name))
        };
        let all = timeline.events();
        for event in &all {
            // What others said is not shown, and must not change what is.
            if is_ours(event) || !event.kind.is_said() {
                names.learn(event);
            }
        }
        let launches: Vec<u64> = all
            .iter()
            .filter(|event| event.kind == EventKind::NodeLaunched && event.node.as_deref() == Some(node))
            .map(|event| event.seq)
            .collect();
        let events: Arc<[Arc<Event>]> = all.into_iter().filter(|event| is_ours(event)).collect();
        Self { names: Arc::new(names), frames: frames_of(&events, &launches), events }
    }

    /// What tests have called over a node's RPC so far, and its answers, as what a plugin called `client` says and hears.
    pub fn of_rpc(timeline: &Timeline, node: &str, mut names: Names) -> Self {
        let is_ours = |event: &Event| {
            event.node.as_deref() == Some(node) && matches!(event.kind, EventKind::RpcAnswered { .. })
        };
        let all = timeline.events();
        for event in &all {
            if is_ours(event) || !event.kind.is_said() {
                names.learn(event);
            }
        }
        let events: Arc<[Arc<Event>]> = all.into_iter().filter(|event| is_ours(event)).collect();
        let frames = events.iter().flat_map(|event| calls(event)).collect();
        Self { names: Arc::new(names), frames, events }
    }

    /// Only the frames about these methods, hooks and topics, and the answers to them.
    #[must_use]
    pub fn only<S: AsRef<str>>(self, topics: impl IntoIterator<Item = S>) -> Self {
        let topics: Vec<S> = topics.into_iter().collect();
        self.keep(|frame| topics.iter().any(|topic| frame.topic.as_deref() == Some(topic.as_ref())))
    }

    /// Without the frames about these methods, hooks and topics, and the answers to them.
    #[must_use]
    pub fn without<S: AsRef<str>>(self, topics: impl IntoIterator<Item = S>) -> Self {
        let topics: Vec<S> = topics.into_iter().collect();
        self.keep(|frame| topics.iter().all(|topic| frame.topic.as_deref() != Some(topic.as_ref())))
    }

    /// Only the frames of this direction.
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        self.keep(|frame| frame.direction == direction)
    }

    /// Only the frames from this place of the timeline on.
    #[must_use]
    pub fn since(self, seq: u64) -> Self {
        self.keep(|frame| frame.seq >= seq)
    }

    /// Only the frames of which `keep` is true.
    #[must_use]
    pub fn keep(mut self, keep: impl FnMut(&Frame) -> bool) -> Self {
        self.frames.retain(keep);
        self
    }

    /// The frames that are shown.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The frames that are shown, each with its print.
    pub fn lines(&self) -> Vec<(&Frame, String)> {
        let mut aliases = Aliases::new(&self.names);
        self.frames.iter().map(|frame| (frame, frame.print(&mut aliases))).collect()
    }

    /// The names for its aliases.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The frames that are shown, each as a value in which strings stand for what has an alias: for programs that compare.
    pub fn values(&self) -> Vec<(&Frame, Value)> {
        let mut aliases = Aliases::new(&self.names);
        self.frames.iter().map(|frame| (frame, frame.value(&mut aliases))).collect()
    }

    /// Writes every frame, shown or not, as it was sent, and when the plugins came and went: one JSON object a line.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write_jsonl(&self, path: &Path) -> io::Result<()> {
        jsonl::write(path, self.events.iter().map(|event| &**event))
    }
}

fn frames_of(events: &[Arc<Event>], launches: &[u64]) -> Vec<Frame> {
    // Which method a request called, by its sender, the node's run and its id.
    let mut asked: HashMap<(String, Direction, usize, String), String> = HashMap::new();
    let mut frames = Vec::new();
    for event in events {
        let node_run = launches.partition_point(|launch| *launch < event.seq);
        let (plugin, direction, content, topic) = match &event.kind {
            EventKind::Frame { plugin, direction, text } => {
                let envelope = Envelope::parse(text);
                let method = envelope.and_then(|envelope| envelope.method_name());
                let id = envelope.and_then(|envelope| envelope.id).map(str::to_owned);
                let topic = match (method, id) {
                    (Some(method), Some(id)) => {
                        asked.insert((plugin.clone(), *direction, node_run, id), method.clone());
                        Some(method)
                    }
                    (None, Some(id)) => {
                        asked.get(&(plugin.clone(), direction.reverse(), node_run, id)).cloned()
                    }
                    (method, None) => method,
                };
                (plugin, *direction, Content::Json(text.clone()), topic)
            }
            EventKind::Garbage { plugin, direction, bytes } => {
                (plugin, *direction, Content::Garbage(bytes.clone()), None)
            }
            _ => continue,
        };
        let (seq, at, plugin) = (event.seq, event.at, plugin.clone());
        frames.push(Frame { seq, at, node_run, plugin, direction, topic, content });
    }
    frames
}

/// An RPC call and its answer as frames.
fn calls(event: &Event) -> Vec<Frame> {
    let EventKind::RpcAnswered { method, params, answer } = &event.kind else { return Vec::new() };
    let (word, answer) = match answer {
        Ok(result) => ("result", result),
        Err(error) => ("error", error),
    };
    let frame = |direction, text| Frame {
        seq: event.seq,
        at: event.at,
        node_run: 0,
        plugin: "client".to_owned(),
        direction,
        topic: Some(method.clone()),
        content: Content::Json(text),
    };
    // Which id a client chooses says nothing; here it is the place in the timeline.
    let (id, method_token) = (event.seq, json::quoted(method));
    let called = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method_token},"params":{params}}}"#);
    let answered = format!(r#"{{"jsonrpc":"2.0","id":{id},"{word}":{answer}}}"#);
    vec![frame(Direction::FromPlugin, called), frame(Direction::ToPlugin, answered)]
}

impl Frame {
    /// The JSON text that was sent; `None` for garbage.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Json(text) => Some(text),
            Content::Garbage(_) => None,
        }
    }

    /// The message taken apart; `None` for garbage and for JSON that is no object.
    pub fn envelope(&self) -> Option<Envelope<'_>> {
        Envelope::parse(self.text()?)
    }

    /// `params`, decoded.
    pub fn params(&self) -> Option<Value> {
        serde_json::from_str(self.envelope()?.params?).ok()
    }

    /// `result`, decoded.
    pub fn result(&self) -> Option<Value> {
        serde_json::from_str(self.envelope()?.result?).ok()
    }

    fn value(&self, aliases: &mut Aliases<'_>) -> Value {
        aliases.enter_run(self.node_run);
        let text = match &self.content {
            Content::Garbage(bytes) => return Value::String(bytes.escape_ascii().to_string()),
            Content::Json(text) => text,
        };
        let Some(members) = json::members(text) else { return aliases.value(text, "").to_value() };
        let value = |(name, value): (Cow<'_, str>, &str)| match &*name {
            "id" => (name.into_owned(), Value::String(aliases.request_id(value))),
            _ => (name.clone().into_owned(), aliases.value(value, &name).to_value()),
        };
        members.into_iter().map(value).collect()
    }

    pub(crate) fn print(&self, aliases: &mut Aliases<'_>) -> String {
        aliases.enter_run(self.node_run);
        let arrow = format!("{}  ", self.direction.of(&self.plugin));
        match &self.content {
            Content::Garbage(bytes) => format!("{arrow}garbage \"{}\"", bytes.escape_ascii()),
            Content::Json(text) => match json::members(text) {
                Some(members) => message(&arrow, &members, aliases),
                None => aliases.value(text, "").behind(&format!("{arrow}value")),
            },
        }
    }
}

/// A message: what it is, its id, its content, and what JSON-RPC does not know.
fn message(arrow: &str, members: &[(Cow<'_, str>, &str)], aliases: &mut Aliases<'_>) -> String {
    let mut parts = Parts::default();
    let mut others = Vec::new();
    for (name, value) in members {
        let slot = match &**name {
            "jsonrpc" => &mut parts.jsonrpc,
            "id" => &mut parts.id,
            "method" => &mut parts.method,
            "params" => &mut parts.params,
            "result" => &mut parts.result,
            "error" => &mut parts.error,
            _ => {
                others.push((name, *value));
                continue;
            }
        };
        // A second member of the same name is not what counts, but it is shown.
        if slot.is_some() {
            others.push((name, *value));
        } else {
            *slot = Some(value);
        }
    }
    let mut line = arrow.to_owned();
    let contents = parts.heading(&mut line, aliases);
    if parts.jsonrpc != Some(r#""2.0""#) {
        line.push_str(&format!(" jsonrpc {}", parts.jsonrpc.unwrap_or("missing")));
    }
    for (word, name, value) in contents {
        line = aliases.value(value, name).behind(&format!("{line}{word}"));
    }
    for (name, value) in others {
        line = aliases.value(value, name).behind(&format!("{line} and {}:", json::quoted(name)));
    }
    line
}

/// The members of a message that JSON-RPC knows.
#[derive(Default)]
struct Parts<'a> {
    jsonrpc: Option<&'a str>,
    id: Option<&'a str>,
    method: Option<&'a str>,
    params: Option<&'a str>,
    result: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Writes what the message is and its id; gives the contents that are to follow, each with its word and member name.
    fn heading(
        &self,
        line: &mut String,
        aliases: &mut Aliases<'_>,
    ) -> Vec<(&'static str, &'static str, &'a str)> {
        let id = self.id.map(|id| format!(" {}", aliases.request_id(id))).unwrap_or_default();
        let kind = match (self.method, self.result, self.error) {
            (Some(method), ..) if self.id.is_some() => method_word(method),
            (Some(method), ..) => format!("notification {}", method_word(method)),
            (None, Some(_), _) => "result".to_owned(),
            (None, None, Some(_)) => "error".to_owned(),
            (None, None, None) => "message".to_owned(),
        };
        line.push_str(&kind);
        line.push_str(&id);
        // What the first word does not announce needs a word of its own.
        let (params, result, error) = match kind.as_str() {
            "result" => (" params", "", " error"),
            "error" => (" params", " result", ""),
            "message" => (" params", " result", " error"),
            _ => ("", " result", " error"),
        };
        let contents =
            [(params, "params", self.params), (result, "result", self.result), (error, "error", self.error)];
        contents.into_iter().filter_map(|(word, name, value)| Some((word, name, value?))).collect()
    }
}

/// A method name, bare if it cannot be taken for anything else.
fn method_word(token: &str) -> String {
    let taken = ["notification", "result", "error", "message", "value", "garbage"];
    let plain = |name: &&str| {
        !name.is_empty()
            && name.chars().all(|character| character.is_ascii_alphanumeric() || "_-.:".contains(character))
            && !taken.contains(name)
    };
    token
        .strip_prefix('"')
        .and_then(|token| token.strip_suffix('"'))
        .filter(plain)
        .unwrap_or(token)
        .to_owned()
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.lines().into_iter().map(|(_, line)| line).collect();
        f.write_str(&lines.join("\n"))
    }
}
