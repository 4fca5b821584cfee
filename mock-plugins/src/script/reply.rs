//! A reply in a script: one verb, and what can be said about any.

use crate::reply::Reply;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(try_from = "ReplyTable")]
pub(super) struct ScriptReply {
    pub(super) reply: Reply,
    /// How many calls it is for, if there is more to come.
    pub(super) times: NonZeroUsize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyTable {
    result: Option<Value>,
    error: Option<ErrorTable>,
    #[serde(rename = "continue")]
    cont: Option<Yes>,
    replace: Option<ReplaceTable>,
    #[serde(rename = "return")]
    return_: Option<Value>,
    raw: Option<String>,
    hang: Option<Yes>,
    close_stdout: Option<Yes>,
    exit: Option<i32>,
    delay_ms: Option<u64>,
    log: Option<LogTable>,
    progress: Option<u64>,
    notify: Option<NotifyTable>,
    in_pieces: Option<NonZeroUsize>,
    twice: Option<Yes>,
    #[serde(default)]
    with: BTreeMap<String, Value>,
    #[serde(default)]
    without: Vec<String>,
    times: Option<NonZeroUsize>,
}

impl Default for ScriptReply {
    fn default() -> Self {
        Self { reply: Reply::default(), times: NonZeroUsize::MIN }
    }
}

/// A verb that needs no more than to be there.
#[derive(Deserialize)]
#[serde(try_from = "bool")]
struct Yes;

impl TryFrom<bool> for Yes {
    type Error = &'static str;

    fn try_from(yes: bool) -> Result<Self, &'static str> {
        if yes { Ok(Self) } else { Err("expected `true`; leave it out to say no") }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorTable {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceTable {
    method: String,
    params: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    level: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotifyTable {
    topic: String,
    #[serde(default)]
    params: Map<String, Value>,
    times: Option<NonZeroUsize>,
}

impl TryFrom<ReplyTable> for ScriptReply {
    type Error = String;

    fn try_from(table: ReplyTable) -> Result<Self, String> {
        let verbs: Vec<(&str, Reply)> = [
            ("result", table.result.map(Reply::result)),
            ("error", table.error.map(|error| Reply::error(error.code, error.message))),
            ("continue", table.cont.map(|_| Reply::cont())),
            ("replace", table.replace.map(|replace| Reply::replace(replace.method, replace.params))),
            ("return", table.return_.map(Reply::return_)),
            ("raw", table.raw.map(Reply::raw)),
            ("hang", table.hang.map(|_| Reply::hang())),
            ("close_stdout", table.close_stdout.map(|_| Reply::close_stdout())),
        ]
        .into_iter()
        .filter_map(|(verb, reply)| Some((verb, reply?)))
        .collect();
        let mut reply = match (<[_; 1]>::try_from(verbs), table.exit) {
            (Ok([(_, reply)]), None) => reply,
            (Ok([(_, reply)]), Some(code)) => reply.then_exit(code),
            (Err(verbs), Some(code)) if verbs.is_empty() => Reply::exit(code),
            (Err(verbs), None) if verbs.is_empty() => Reply::default(),
            (Err(verbs), _) => {
                let verbs: Vec<String> = verbs.iter().map(|(verb, _)| format!("`{verb}`")).collect();
                return Err(format!("expected one verb in a reply, not {}", verbs.join(" and ")));
            }
        };
        if let Some(log) = table.log {
            reply = reply.log(&log.level, &log.message);
        }
        if let Some(total) = table.progress {
            reply = (0..total).fold(reply, |reply, step| reply.progress(step, total));
        }
        if let Some(NotifyTable { topic, params, times }) = table.notify {
            reply = reply.burst(times.map_or(1, NonZeroUsize::get), &topic, params);
        }
        if let Some(delay) = table.delay_ms {
            reply = reply.delay(Duration::from_millis(delay));
        }
        if let Some(bytes) = table.in_pieces {
            reply = reply.in_pieces(bytes.get());
        }
        if table.twice.is_some() {
            reply = reply.twice();
        }
        reply = table.with.into_iter().fold(reply, |reply, (member, value)| reply.with(&member, value));
        reply = table.without.iter().fold(reply, |reply, member| reply.without(member));
        Ok(Self { reply, times: table.times.unwrap_or(NonZeroUsize::MIN) })
    }
}
