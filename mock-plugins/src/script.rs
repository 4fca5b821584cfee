//! Mocks as TOML files, for those who write no Rust: the same sentence, a table for each clause.
//!
//! ```toml
//! #!/usr/bin/env mock-plugin
//! name = "gatekeeper"              # without it, that of the file; also: dynamic, in_order, disable, topics
//!
//! [[option]]                       # name, type, description, default, multi, dynamic
//! name = "limit"
//! type = "int"
//!
//! [init]                           # also [start] and [getmanifest]: a reply
//! delay_ms = 200
//!
//! [[hook]]                         # also [[method]] with usage, [[notification]]
//! name = "peer_connected"
//! before = ["other.py"]            # also: after, filters
//! when = { "/peer/direction" = "in" }
//! reply = { result = { result = "disconnect" } }
//! then = [{ continue = true }]
//! expect = "1.."
//! ```
//!
//! `when` has JSON pointers into the parameters and what must be there; the empty pointer is all of them.
//! A reply has at most one of the verbs `result`, `error`, `continue`, `replace`, `return`, `raw`, `hang`,
//! `close_stdout`, and perhaps `exit`, which alone exits without an answer and with another verb after it. More
//! can be said about each: `log` (`{ level, message }`), `progress` (its number of steps), `notify`
//! (`{ topic, params, times }`) and `delay_ms`, which come in this order before the answer; `in_pieces`, `twice`,
//! `with`, `without`; and `times`, the number of calls that it is for before `then` goes on. A reply without a
//! verb is what the mock does by itself. There are no conditions and no variables: a script that needs them
//! should be a closure.

mod reply;

use self::reply::ScriptReply;
use crate::matching;
use crate::mock::{Clause, Mock, Subject};
use crate::times::Times;
use leyden_protocol::catalogue;
use leyden_protocol::hook::Filter;
use leyden_protocol::option::{OptionType, PluginOption};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A script that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ScriptError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, if it is a line's fault.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Reads the script at `path`.
pub(crate) fn load(path: &Path) -> Result<Mock, ScriptError> {
    let unreadable = |error: std::io::Error| ScriptError {
        path: path.to_owned(),
        line: None,
        message: format!("cannot read the script: {error}"),
    };
    parse(path, &std::fs::read_to_string(path).map_err(unreadable)?)
}

fn parse(path: &Path, text: &str) -> Result<Mock, ScriptError> {
    let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
    let script: Script = toml::from_str(text).map_err(|error| ScriptError {
        path: path.to_owned(),
        line: error.span().map(|span| line_of(span.start)),
        message: error.message().to_owned(),
    })?;
    let mut mock = script.into_mock(&|offset| format!("{}:{}", path.display(), line_of(offset)));
    if mock.name.is_none() {
        mock.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    }
    Ok(mock)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    name: Option<String>,
    dynamic: Option<bool>,
    #[serde(default)]
    in_order: bool,
    disable: Option<String>,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    option: Vec<OptionTable>,
    start: Option<ScriptReply>,
    getmanifest: Option<ScriptReply>,
    init: Option<ScriptReply>,
    #[serde(default)]
    hook: Vec<HookTable>,
    #[serde(default)]
    method: Vec<MethodTable>,
    #[serde(default)]
    notification: Vec<NotificationTable>,
}

impl Script {
    /// `place` is file and line of an offset in the text.
    fn into_mock(self, place: &dyn Fn(usize) -> String) -> Mock {
        let mut mock = Mock::default().dynamic(self.dynamic.unwrap_or(true));
        mock = mock.manifest(|manifest| {
            manifest.disable = self.disable;
            manifest.options = self.option.into_iter().map(OptionTable::into_option).collect();
        });
        mock = self.topics.iter().fold(mock, |mock, topic| mock.topic(topic));
        mock.name = self.name;
        mock.in_order = self.in_order;
        mock = match self.start {
            Some(reply) => mock.on_start(reply.reply),
            None => mock,
        };
        mock = match self.getmanifest {
            Some(reply) => mock.on_getmanifest(reply.reply),
            None => mock,
        };
        mock = match self.init {
            Some(reply) => mock.on_init(reply.reply),
            None => mock,
        };
        // TOML has no order between tables of different names; the file has.
        let hooks = self.hook.into_iter().map(|table| table.into_clause(place));
        let methods = self.method.into_iter().map(|table| table.into_clause(place));
        let notifications = self.notification.into_iter().map(|table| table.into_clause(place));
        let mut clauses: Vec<(usize, Clause<Subject>)> = hooks.chain(methods).chain(notifications).collect();
        clauses.sort_by_key(|(offset, _)| *offset);
        clauses.into_iter().fold(mock, |mock, (_, clause)| mock.and(clause))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionTable {
    name: String,
    #[serde(rename = "type")]
    option_type: ScriptOptionType,
    #[serde(default)]
    description: String,
    default: Option<String>,
    #[serde(default)]
    multi: bool,
    #[serde(default)]
    dynamic: bool,
}

impl OptionTable {
    fn into_option(self) -> PluginOption {
        let mut option = PluginOption::new(&self.name, self.option_type.0, &self.description);
        option.default = self.default;
        option.multi = self.multi;
        option.dynamic = self.dynamic;
        option
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ScriptOptionType(OptionType);

impl TryFrom<String> for ScriptOptionType {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let allowed = "expected `string`, `string-conceal`, `int`, `bool` or `flag`";
        OptionType::from_name(&name)
            .map(Self)
            .ok_or_else(|| format!("unknown option type `{name}`, {allowed}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookTable {
    name: Spanned<HookName>,
    #[serde(default)]
    before: Vec<String>,
    #[serde(default)]
    after: Vec<String>,
    filters: Option<Vec<ScriptFilter>>,
    #[serde(default)]
    when: When,
    reply: Option<ScriptReply>,
    #[serde(default)]
    then: Vec<ScriptReply>,
    expect: Option<ScriptTimes>,
}

impl HookTable {
    fn into_clause(self, place: &dyn Fn(usize) -> String) -> (usize, Clause<Subject>) {
        let offset = self.name.span().start;
        let mut clause = Mock::hook(&self.name.into_inner().0);
        clause = self.before.iter().fold(clause, |clause, plugin| clause.before(plugin));
        clause = self.after.iter().fold(clause, |clause, plugin| clause.after(plugin));
        if let Some(filters) = self.filters {
            clause = clause.filters(filters.into_iter().map(Filter::from));
        }
        let clause = clause.untyped().written_at(place(offset));
        (offset, said(clause, self.when, self.reply, self.then, self.expect))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MethodTable {
    name: Spanned<String>,
    #[serde(default)]
    usage: String,
    #[serde(default)]
    when: When,
    reply: Option<ScriptReply>,
    #[serde(default)]
    then: Vec<ScriptReply>,
    expect: Option<ScriptTimes>,
}

impl MethodTable {
    fn into_clause(self, place: &dyn Fn(usize) -> String) -> (usize, Clause<Subject>) {
        let offset = self.name.span().start;
        let clause = Mock::method(self.name.get_ref()).usage(&self.usage);
        let clause = clause.untyped().written_at(place(offset));
        (offset, said(clause, self.when, self.reply, self.then, self.expect))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotificationTable {
    name: Spanned<String>,
    #[serde(default)]
    when: When,
    reply: Option<ScriptReply>,
    #[serde(default)]
    then: Vec<ScriptReply>,
    expect: Option<ScriptTimes>,
}

impl NotificationTable {
    fn into_clause(self, place: &dyn Fn(usize) -> String) -> (usize, Clause<Subject>) {
        let offset = self.name.span().start;
        let clause = Mock::notification(self.name.get_ref()).untyped().written_at(place(offset));
        (offset, said(clause, self.when, self.reply, self.then, self.expect))
    }
}

/// What may be said about any clause.
fn said(
    mut clause: Clause<Subject>,
    when: When,
    reply: Option<ScriptReply>,
    then: Vec<ScriptReply>,
    expect: Option<ScriptTimes>,
) -> Clause<Subject> {
    for (pointer, value) in when.0 {
        clause = match pointer.as_str() {
            "" => clause.when(matching::params(value)),
            pointer => clause.when(matching::member(pointer, value)),
        };
    }
    for ScriptReply { reply, times } in [reply.unwrap_or_default()].into_iter().chain(then) {
        clause = clause.then(reply).times(times.get());
    }
    match expect {
        Some(times) => clause.expect(times.0),
        None => clause,
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct HookName(String);

impl TryFrom<String> for HookName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if catalogue::hook_named(&name).is_some() {
            return Ok(Self(name));
        }
        let known = catalogue::HOOKS.map(|hook| format!("`{}`", hook.name)).join(", ");
        Err(format!("unknown hook `{name}`, expected one of {known}"))
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a method name or a message type")]
enum ScriptFilter {
    Method(String),
    MessageType(u64),
}

impl From<ScriptFilter> for Filter {
    fn from(filter: ScriptFilter) -> Self {
        match filter {
            ScriptFilter::Method(name) => Self::Method(name),
            ScriptFilter::MessageType(number) => Self::MessageType(number),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(try_from = "BTreeMap<String, Value>")]
struct When(BTreeMap<String, Value>);

impl TryFrom<BTreeMap<String, Value>> for When {
    type Error = String;

    fn try_from(members: BTreeMap<String, Value>) -> Result<Self, String> {
        match members.keys().find(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            None => Ok(Self(members)),
            Some(wrong) => Err(format!(r#"expected a JSON pointer such as "/peer/id", not "{wrong}""#)),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "CountOrRange")]
struct ScriptTimes(Times);

#[derive(Deserialize)]
#[serde(untagged, expecting = r#"expected a number, "1..=3", "2.." or "..=3""#)]
enum CountOrRange {
    Count(usize),
    Range(String),
}

impl TryFrom<CountOrRange> for ScriptTimes {
    type Error = String;

    fn try_from(times: CountOrRange) -> Result<Self, String> {
        match times {
            CountOrRange::Count(exactly) => Ok(Self(exactly.into())),
            CountOrRange::Range(text) => text.parse().map(Self),
        }
    }
}
