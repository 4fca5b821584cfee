//! The `rpc_command` hook: plugins may replace a command or answer in its place
//! (`lightningd/jsonrpc.c:rpc_command_hook_callback`).

use super::RpcRequest;
use crate::command;
use crate::event::LogLevel;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::State;
use leyden_protocol::message::{RpcError, code};
use leyden_protocol::{Envelope, json};

/// A command on its way through the hook.
#[derive(Debug)]
pub(crate) struct RpcCommandCall {
    request: RpcRequest,
    /// What the first plugin that modified it wants.
    outcome: Option<Outcome>,
}

#[derive(Debug)]
enum Outcome {
    Replace(RpcRequest),
    /// A member of the response: `result` or `error`, and its value.
    Return(&'static str, String),
    Refuse(RpcError),
}

impl State {
    /// Asks the plugins about a command. Without any it is executed at once.
    pub(crate) fn ask_rpc_command(&mut self, request: RpcRequest) {
        let payload = format!(r#"{{"rpc_command":{}}}"#, request.text);
        let method = request.method.clone();
        let cause = Some(request.client.id.clone());
        let subject = Subject::RpcCommand(Box::new(RpcCommandCall { request, outcome: None }));
        self.call_hook("rpc_command", FilterKey::Method(&method), payload, cause, subject);
    }

    /// One plugin's answer. The chain goes on in any case; only the first modification counts.
    pub(crate) fn rpc_command_answer(&mut self, call: &mut RpcCommandCall, result: &str) -> Verdict {
        let Some(outcome) = self.rpc_command_outcome(&call.request, result) else { return Verdict::Next };
        if call.outcome.is_none() {
            call.outcome = Some(outcome);
        } else {
            let text = format!("rpc_command hook '{}' already modified, ignoring.", call.request.method);
            self.log_main(LogLevel::Unusual, &text);
        }
        Verdict::Next
    }

    /// What an answer asks for; `None` for `continue` and for what cannot be understood.
    fn rpc_command_outcome(&mut self, request: &RpcRequest, result: &str) -> Option<Outcome> {
        if let Some(replacement) = json::member(result, "replace") {
            return Some(match self.replacement(request, replacement) {
                Ok(replaced) => Outcome::Replace(replaced),
                Err(why) => {
                    let text = format!("Bad response to 'rpc_command' hook: {why} ({result})");
                    Outcome::Refuse(RpcError::new(code::INVALID_REQUEST, text))
                }
            });
        }
        if let Some(answer) = json::member(result, "return") {
            if let Some(value) = json::member(answer, "result") {
                return Some(Outcome::Return("result", value.to_owned()));
            }
            if let Some(error) = json::member(answer, "error") {
                if json::member(error, "code").is_some() {
                    return Some(Outcome::Return("error", error.to_owned()));
                }
                return self.bad_rpc_command_answer("'error' object does not contain a code.");
            }
            return self.bad_rpc_command_answer("");
        }
        match json::member(result, "result") {
            Some(r#""continue""#) => None,
            Some(_) => self.bad_rpc_command_answer("'result' should only be 'continue'."),
            None => self.bad_rpc_command_answer(""),
        }
    }

    fn bad_rpc_command_answer(&mut self, why: &str) -> Option<Outcome> {
        self.log_main(LogLevel::Broken, &format!("Bad response to 'rpc_command' hook. {why}"));
        None
    }

    /// The request that is to be executed instead; the client's id stays.
    fn replacement(&self, request: &RpcRequest, replacement: &str) -> Result<RpcRequest, String> {
        let envelope = Envelope::parse(replacement).ok_or("'replace' must be an object")?;
        let method = envelope.method.ok_or("missing 'method'")?;
        let params = envelope.params.ok_or("missing 'params'")?.to_owned();
        envelope.id.ok_or("missing 'id'")?;
        let strict = self.profile.rpc_needs_jsonrpc();
        if strict && envelope.jsonrpc.map(json::bare).as_deref() != Some("2.0") {
            return Err(r#"jsonrpc: "2.0" must be specified in the request"#.to_owned());
        }
        let method = json::bare(method);
        if command::find(&method).is_none() && self.plugins.method(&method).is_none() {
            return Err(format!("redirected to unknown method '{method}'"));
        }
        Ok(RpcRequest { client: request.client.clone(), text: replacement.to_owned(), method, params })
    }

    /// Every plugin has been asked.
    pub(crate) fn rpc_command_final(&mut self, call: RpcCommandCall) {
        let RpcCommandCall { request, outcome } = call;
        match outcome {
            None => self.execute(&request),
            Some(Outcome::Replace(replacement)) => self.execute(&replacement),
            Some(Outcome::Return(member, value)) => {
                let client = &request.client;
                let text = format!(r#"{{"jsonrpc":"2.0","id":{},"{member}":{value}}}"#, client.id);
                self.reply_verbatim(client, &text);
            }
            Some(Outcome::Refuse(error)) => self.reply_error(&request.client, &error),
        }
    }
}
