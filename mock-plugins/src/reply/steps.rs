//! What a reply comes to, byte by byte.

use super::{After, Answer, Before, Reply};
use crate::call::{Call, CallKind};
use leyden_protocol::message;
use leyden_protocol::{Id, Manifest, frame};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// One thing that a reply makes a plugin do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Waits, but goes on with other calls.
    Wait(Duration),
    /// Writes to its standard output.
    Write {
        /// What.
        bytes: Vec<u8>,
        /// In pieces of so many bytes.
        piece: Option<usize>,
    },
    /// Closes its standard output.
    CloseStdout,
    /// Exits with this code.
    Exit(i32),
}

impl Reply {
    /// What a plugin does that gives this reply to a call, one thing after the other. What a mock would answer by itself is `own` here, a plugin's own
    /// answer: so `Reply::default().twice()` is that answer twice. `None` if `call` is no frame of a request or a notification.
    #[must_use]
    pub fn steps_about(&self, call: &str, own: Option<&str>) -> Option<VecDeque<Step>> {
        Some(self.steps_with(&Call::parse(call)?, || own.map(str::to_owned)))
    }

    /// Whether it says nothing of its own: the plugin's answer is wanted for it.
    #[must_use]
    pub fn is_of_the_plugin(&self) -> bool {
        self.answer == Answer::OfTheMock
    }

    /// What the main loop has to do, one thing after the other.
    pub(crate) fn steps(&self, call: &Call, manifest: &Manifest) -> VecDeque<Step> {
        self.steps_with(call, || {
            let result = match (call.kind(), call.name()) {
                (CallKind::Hook, _) => json!({"result": "continue"}),
                (_, "getmanifest") => json!(manifest),
                _ => json!({}),
            };
            Some(message::response(call.id()?, &result.to_string()))
        })
    }

    fn steps_with(&self, call: &Call, own: impl FnOnce() -> Option<String>) -> VecDeque<Step> {
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
        if let Some(bytes) = self.answer_bytes(call, own) {
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

    fn answer_bytes(&self, call: &Call, own: impl FnOnce() -> Option<String>) -> Option<Vec<u8>> {
        let result = match &self.answer {
            Answer::None => return None,
            Answer::Raw(bytes) => return Some(with_id(bytes, call)),
            Answer::Error(error) => return self.envelope(&message::error_response(Some(call.id()?), error)),
            Answer::Result(result) => result.clone(),
            Answer::Replace(method, params) => replacement(call, method, params),
            Answer::OfTheMock => return self.envelope(&own()?),
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

    #[test]
    fn a_plugin_s_own_answer_stands_where_a_mock_s_would() {
        let (call, own) = (r#"{"id":"a","method":"hello","params":{}}"#, r#"{"id":"a","result":{"x":1}}"#);
        let write = |text: &str| Step::Write { bytes: text.as_bytes().to_vec(), piece: None };
        let own_bytes = write(&format!("{own}\n\n"));
        assert_eq!(
            Reply::default().twice().steps_about(call, Some(own)).unwrap(),
            [own_bytes.clone(), own_bytes]
        );
        let other = Reply::default().with("id", 77).steps_about(call, Some(own)).unwrap();
        assert_eq!(other, [write("{\"id\":77,\"result\":{\"x\":1}}\n\n")]);
        assert_eq!(Reply::raw("%ID%").steps_about(call, None).unwrap(), [write("\"a\"")]);
        assert_eq!(Reply::default().steps_about(call, None).unwrap(), []);
        assert_eq!(Reply::default().steps_about(own, None), None);
    }
}
