//! What is done about a call: an answer, and what goes before, with and after it.
//!
//! lightningd knows only `result` and `error` (JSON-RPC 2.0); that a hook goes on, fails or resolves an HTLC,
//! or replaces a command is said inside `result` (CLN's hooks.md). The constructors here put it there.

mod steps;

use crate::call::Call;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};
use std::time::Duration;

pub use steps::Step;

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
