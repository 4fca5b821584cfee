//! What is done about a call: an answer, and what goes before, with and after it.
//!
//! lightningd knows only `result` and `error` (JSON-RPC 2.0); that a hook goes on, fails or resolves an HTLC,
//! or replaces a command is said inside `result` (CLN's hooks.md). The constructors here put it there.

use crate::call::{Call, CallKind};
use leyden_protocol::message::{self, RpcError};
use leyden_protocol::{Id, Manifest, frame};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// Decides on a reply. A [`Reply`] says the same each time; closures `Fn(&Call) -> Reply` may look at the call.
pub trait Respond: Send + Sync {
    /// What to do about `call`.
    fn respond(&self, call: &Call) -> Reply;
}

impl Respond for Reply {
    fn respond(&self, _call: &Call) -> Reply {
        self.clone()
    }
}

impl<F: Fn(&Call) -> Reply + Send + Sync> Respond for F {
    fn respond(&self, call: &Call) -> Reply {
        self(call)
    }
}

/// What a mock does about a call.
///
/// [`Reply::default`] is what the mock does by itself: the declared manifest for `getmanifest`, continue for a
/// hook, `{}` for `init` and methods, exit for `shutdown`, nothing for other notifications. A notification has
/// no answer: of its reply only what is not the answer takes place, or raw bytes.
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use]
pub struct Reply {
    before: Vec<Before>,
    answer: Answer,
    patches: Vec<(String, Option<Value>)>,
    piece: Option<usize>,
    twice: bool,
    after: After,
}

#[derive(Debug, Clone, PartialEq)]
enum Before {
    Wait(Duration),
    Notify(String, Value),
    Progress(u64, u64),
}

#[derive(Debug, Clone, PartialEq, Default)]
enum Answer {
    #[default]
    OfTheMock,
    Result(Value),
    Error(RpcError),
    Replace(String, Value),
    Raw(Vec<u8>),
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum After {
    #[default]
    GoOn,
    CloseStdout,
    Exit(i32),
}

/// The answers.
impl Reply {
    fn answer(answer: Answer) -> Self {
        Self { answer, ..Self::default() }
    }

    /// Answers with this `result`. A hook takes `{"result": "continue"}` and more; see CLN's hooks.md.
    pub fn result(result: impl Into<Value>) -> Self {
        Self::answer(Answer::Result(result.into()))
    }

    /// Answers with an `error`.
    pub fn error(code: i64, message: impl Into<String>) -> Self {
        Self::answer(Answer::Error(RpcError::new(code, message)))
    }

    /// A hook: go on as if the plugin were not there.
    pub fn cont() -> Self {
        Self::result(json!({"result": "continue"}))
    }

    /// `htlc_accepted`: fail the HTLC with this BOLT 4 failure message, in hex: `2002` is temporary_node_failure.
    pub fn fail(failure_message: impl Into<String>) -> Self {
        Self::result(json!({"result": "fail", "failure_message": failure_message.into()}))
    }

    /// `htlc_accepted`: settle the HTLC with this preimage, 32 bytes in hex.
    pub fn resolve(payment_key: impl Into<String>) -> Self {
        Self::result(json!({"result": "resolve", "payment_key": payment_key.into()}))
    }

    /// `rpc_command`: run this command instead. It gets the id of the request that it replaces.
    pub fn replace(method: impl Into<String>, params: impl Into<Value>) -> Self {
        Self::answer(Answer::Replace(method.into(), params.into()))
    }

    /// `rpc_command`: answer the caller with this result, without running the command.
    pub fn return_(result: impl Into<Value>) -> Self {
        Self::result(json!({"return": {"result": result.into()}}))
    }

    /// `rpc_command`: answer the caller with this error, without running the command.
    pub fn return_error(code: i64, message: impl Into<String>) -> Self {
        Self::result(json!({"return": {"error": RpcError::new(code, message)}}))
    }

    /// Writes these bytes, and nothing else, not even a newline. `%ID%` becomes the id, quotes included.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::answer(Answer::Raw(bytes.into()))
    }

    /// Never answers, but goes on with other calls.
    pub fn hang() -> Self {
        Self::answer(Answer::None)
    }

    /// Exits without an answer.
    pub fn exit(code: i32) -> Self {
        Self::hang().then_exit(code)
    }

    /// Closes stdout without an answer and stays alive.
    pub fn close_stdout() -> Self {
        Self { after: After::CloseStdout, ..Self::hang() }
    }
}

/// What goes before, with and after the answer. What goes before takes place in the order written.
impl Reply {
    /// Waits before the answer. Other calls are served meanwhile.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.before.push(Before::Wait(delay));
        self
    }

    /// Writes a line to lightningd's log before the answer. Levels: `trace debug info unusual broken warn error`.
    pub fn log(self, level: &str, message: &str) -> Self {
        self.notify("log", json!({"level": level, "message": message}))
    }

    /// Sends a notification before the answer.
    pub fn notify(mut self, topic: &str, params: impl Into<Value>) -> Self {
        self.before.push(Before::Notify(topic.to_owned(), params.into()));
        self
    }

    /// Sends a notification so many times before the answer, one right behind the other.
    pub fn burst(mut self, times: usize, topic: &str, params: impl Into<Value>) -> Self {
        let notification = Before::Notify(topic.to_owned(), params.into());
        self.before.extend(std::iter::repeat_n(notification, times));
        self
    }

    /// Tells the caller of a method how far it is, before the answer: step `num`, from 0, of `total`.
    pub fn progress(mut self, num: u64, total: u64) -> Self {
        self.before.push(Before::Progress(num, total));
        self
    }

    /// Sets a member of the answer's envelope: `.with("id", 77)` answers somebody else's request.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.patches.push((member.to_owned(), Some(value.into())));
        self
    }

    /// Leaves out a member of the answer's envelope, such as `jsonrpc`.
    pub fn without(mut self, member: &str) -> Self {
        self.patches.push((member.to_owned(), None));
        self
    }

    /// Writes the answer in pieces of `bytes` bytes, each flushed.
    ///
    /// # Panics
    /// If `bytes` is 0.
    pub fn in_pieces(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "an answer cannot be written in pieces of 0 bytes");
        self.piece = Some(bytes);
        self
    }

    /// Writes the answer twice.
    pub fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// Exits after the answer.
    pub fn then_exit(mut self, code: i32) -> Self {
        self.after = After::Exit(code);
        self
    }
}

/// One thing that the main loop does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait(Duration),
    Write { bytes: Vec<u8>, piece: Option<usize> },
    CloseStdout,
    Exit(i32),
}

impl Reply {
    /// What the main loop has to do, one thing after the other.
    pub(crate) fn steps(&self, call: &Call, manifest: &Manifest) -> VecDeque<Step> {
        let write = |bytes: Vec<u8>| Step::Write { bytes, piece: None };
        let mut steps: VecDeque<Step> = self
            .before
            .iter()
            .map(|before| match before {
                Before::Wait(delay) => Step::Wait(*delay),
                Before::Notify(topic, params) => write(notification(topic, params)),
                Before::Progress(num, total) => {
                    let id = id_value(call);
                    write(notification("progress", &json!({"id": id, "num": num, "total": total})))
                }
            })
            .collect();
        if let Some(bytes) = self.answer_bytes(call, manifest) {
            if self.twice {
                steps.push_back(Step::Write { bytes: bytes.clone(), piece: self.piece });
            }
            steps.push_back(Step::Write { bytes, piece: self.piece });
        }
        match self.after {
            After::CloseStdout => steps.push_back(Step::CloseStdout),
            After::Exit(code) => steps.push_back(Step::Exit(code)),
            After::GoOn if self.answer == Answer::OfTheMock && is_shutdown(call) => {
                steps.push_back(Step::Exit(0));
            }
            After::GoOn => {}
        }
        steps
    }

    fn answer_bytes(&self, call: &Call, manifest: &Manifest) -> Option<Vec<u8>> {
        let result = match &self.answer {
            Answer::None => return None,
            Answer::Raw(bytes) => return Some(with_id(bytes, call)),
            Answer::Error(error) => return self.envelope(&message::error_response(Some(call.id()?), error)),
            Answer::Result(result) => result.clone(),
            Answer::Replace(method, params) => replacement(call, method, params),
            Answer::OfTheMock => match (call.kind(), call.name()) {
                (CallKind::Hook, _) => json!({"result": "continue"}),
                (_, "getmanifest") => json!(manifest),
                _ => json!({}),
            },
        };
        self.envelope(&message::response(call.id()?, &result.to_string()))
    }

    fn envelope(&self, text: &str) -> Option<Vec<u8>> {
        if self.patches.is_empty() {
            return Some(framed(text));
        }
        let mut members: Map<String, Value> = serde_json::from_str(text).expect("a response is an object");
        for (member, value) in &self.patches {
            match value {
                Some(value) => drop(members.insert(member.clone(), value.clone())),
                None => drop(members.shift_remove(member)),
            }
        }
        Some(framed(&Value::from(members).to_string()))
    }
}

fn is_shutdown(call: &Call) -> bool {
    call.kind() == CallKind::Notification && call.name() == "shutdown"
}

fn framed(text: &str) -> Vec<u8> {
    format!("{text}{}", frame::TERMINATOR).into_bytes()
}

fn notification(topic: &str, params: &Value) -> Vec<u8> {
    framed(&message::notification(topic, &params.to_string()))
}

fn id_value(call: &Call) -> Value {
    call.id().map_or(Value::Null, |id| serde_json::from_str(id.token()).unwrap_or(Value::Null))
}

/// What `rpc_command` takes as a replacement: a whole request (v26.06.6 insists on every member).
fn replacement(call: &Call, method: &str, params: &Value) -> Value {
    let id = call.params().pointer("/rpc_command/id").cloned().unwrap_or_else(|| id_value(call));
    json!({"replace": {"jsonrpc": "2.0", "id": id, "method": method, "params": params}})
}

fn with_id(bytes: &[u8], call: &Call) -> Vec<u8> {
    const MARK: &[u8] = b"%ID%";
    let id = call.id().map_or("null", Id::token).as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(id);
        rest = &rest[at + MARK.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply, call: &str) -> String {
        let call = Call::parse(call).expect("a call");
        let bytes = reply.steps(&call, &Manifest::default()).into_iter().flat_map(|step| match step {
            Step::Write { bytes, .. } => bytes,
            _ => Vec::new(),
        });
        String::from_utf8(bytes.collect()).expect("the replies here are text")
    }

    #[test]
    fn named_answers_are_what_the_hooks_take() {
        let cases = [
            (Reply::cont(), r#"{"result":"continue"}"#),
            (Reply::fail("2002"), r#"{"result":"fail","failure_message":"2002"}"#),
            (Reply::resolve("00"), r#"{"result":"resolve","payment_key":"00"}"#),
            (Reply::return_(5), r#"{"return":{"result":5}}"#),
            (Reply::return_error(-1, "no"), r#"{"return":{"error":{"code":-1,"message":"no"}}}"#),
        ];
        for (reply, result) in cases {
            let expected = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{result}}}\n\n");
            assert_eq!(written(&reply, r#"{"id":"a","method":"htlc_accepted","params":{}}"#), expected);
        }
    }

    #[test]
    fn a_replacement_has_the_id_of_what_it_replaces() {
        let call = r#"{"id":"x","method":"rpc_command","params":{"rpc_command":{"id":7,"method":"pay"}}}"#;
        let answer = r#"{"replace":{"jsonrpc":"2.0","id":7,"method":"help","params":["pay"]}}"#;
        assert_eq!(
            written(&Reply::replace("help", json!(["pay"])), call),
            format!("{{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{answer}}}\n\n")
        );
    }

    #[test]
    fn an_envelope_can_be_made_wrong() {
        let call = r#"{"id":1.5,"method":"hello"}"#;
        let reply = Reply::result(3).with("id", 77).without("jsonrpc").with("result2", "x");
        assert_eq!(written(&reply, call), "{\"id\":77,\"result\":3,\"result2\":\"x\"}\n\n");
        assert_eq!(written(&Reply::raw("{\"id\":%ID%,%ID%"), call), "{\"id\":1.5,1.5");
    }

    #[test]
    fn what_goes_before_comes_in_the_order_written() {
        let reply = Reply::error(-1, "no").log("info", "one").progress(0, 2).notify("topic", json!({}));
        let expected = [
            r#"{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"one"}}"#,
            r#"{"jsonrpc":"2.0","method":"progress","params":{"id":"a","num":0,"total":2}}"#,
            r#"{"jsonrpc":"2.0","method":"topic","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no"}}"#,
        ];
        let text: String = expected.iter().map(|frame| format!("{frame}\n\n")).collect();
        assert_eq!(written(&reply, r#"{"id":"a","method":"hello"}"#), text);
    }

    #[test]
    fn an_answer_may_come_twice_and_a_notification_often() {
        let reply = Reply::result(1).burst(2, "topic", json!({})).twice();
        let note = r#"{"jsonrpc":"2.0","method":"topic","params":{}}"#;
        let answer = r#"{"jsonrpc":"2.0","id":"a","result":1}"#;
        let text: String = [note, note, answer, answer].map(|frame| format!("{frame}\n\n")).concat();
        assert_eq!(written(&reply, r#"{"id":"a","method":"hello"}"#), text);
    }

    #[test]
    fn a_notification_is_not_answered_and_shutdown_ends_the_plugin() {
        let steps = |reply: Reply, topic: &str| {
            let call = Call::parse(&format!(r#"{{"method":"{topic}","params":{{}}}}"#)).expect("a call");
            reply.steps(&call, &Manifest::default())
        };
        assert_eq!(steps(Reply::result(1), "connect"), []);
        assert_eq!(steps(Reply::default(), "connect"), []);
        assert_eq!(steps(Reply::default(), "shutdown"), [Step::Exit(0)]);
        assert_eq!(steps(Reply::hang(), "shutdown"), []);
    }
}
