//! The `rpc_command` hook: plugins may replace a command or answer in its place
//! (`lightningd/jsonrpc.c:rpc_command_hook_callback`).

use super::RpcRequest;
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
    /// The request to be executed instead.
    Replace(String),
    /// A member of the response: `result` or `error`, and its value.
    Return(&'static str, String),
}

/// Why an answer cannot be understood. lightningd keeps the last reason, and repeats it where it has none.
pub(crate) type Complaint = &'static str;

impl State {
    /// Asks the plugins about a command. Without any it is executed at once.
    pub(crate) fn ask_rpc_command(&mut self, request: RpcRequest) {
        let text = &request.text;
        let doubled = self.profile.rpc_command_is_doubled(self.config.allow_deprecated_apis);
        let payload = match text.strip_prefix('{').filter(|_| doubled) {
            Some(members) => format!(r#"{{"rpc_command":{{"rpc_command":{text},{members}}}"#),
            None => format!(r#"{{"rpc_command":{text}}}"#),
        };
        let key = FilterKey::Method(request.method.clone());
        let cause = Some(request.client.id.clone());
        let outcome = self.redirected_to_xpay(&request).map(Outcome::Replace);
        let subject = Subject::RpcCommand(Box::new(RpcCommandCall { request, outcome }));
        self.call_hook("rpc_command", key, payload, cause, subject);
    }

    /// One plugin's answer. The first modification counts; the second one ends the chain.
    pub(crate) fn rpc_command_answer(&mut self, call: &mut RpcCommandCall, result: &str) -> Verdict {
        match json::member(result, "result") {
            Some(r#""continue""#) => return Verdict::Next,
            Some(_) => return self.bad_rpc_command_answer(Some("'result' should only be 'continue'.")),
            None if call.outcome.is_some() => {
                let text = format!("rpc_command hook '{}' already modified, ignoring.", call.request.method);
                self.log_main(LogLevel::Unusual, &text);
                return Verdict::Settled;
            }
            None => {}
        }
        match outcome(result) {
            Ok(outcome) => {
                call.outcome = Some(outcome);
                Verdict::Next
            }
            Err(why) => self.bad_rpc_command_answer(why),
        }
    }

    fn bad_rpc_command_answer(&mut self, why: Option<Complaint>) -> Verdict {
        if let Some(why) = why {
            self.rpc_command_complaint = why;
        }
        let text = format!("Bad response to 'rpc_command' hook. {}", self.rpc_command_complaint);
        self.log_main(LogLevel::Broken, &text);
        Verdict::Next
    }

    /// Every plugin has been asked, or two have modified the command.
    pub(crate) fn rpc_command_final(&mut self, call: RpcCommandCall) {
        let RpcCommandCall { request, outcome } = call;
        match outcome {
            None => self.execute(&request),
            Some(Outcome::Replace(replacement)) => self.execute_instead(&request, &replacement),
            Some(Outcome::Return(member, value)) => {
                let client = &request.client;
                let text = format!(r#"{{"jsonrpc":"2.0","id":{},"{member}":{value}}}"#, client.id);
                self.reply_verbatim(client, &text);
            }
        }
    }

    fn execute_instead(&mut self, request: &RpcRequest, replacement: &str) {
        match self.replacement(request, replacement) {
            Ok(replaced) => self.execute(&replaced),
            Err(why) => {
                let mut text = format!("Bad response to 'rpc_command' hook: {why}");
                if self.profile.quotes_bad_replacement() {
                    text += &format!(" ({replacement})");
                }
                self.reply_error(&request.client, &RpcError::new(code::INVALID_REQUEST, text));
            }
        }
    }

    /// The request that is to be executed instead; the client's id stays.
    fn replacement(&mut self, request: &RpcRequest, replacement: &str) -> Result<RpcRequest, String> {
        let envelope = Envelope::parse(replacement).ok_or("'replace' must be an object")?;
        let method = envelope.method.ok_or("missing 'method'")?;
        let params = envelope.params.ok_or("missing 'params'")?.to_owned();
        envelope.id.ok_or("missing 'id'")?;
        let method = json::bare(method);
        if self.own_command(&method).is_none() && self.plugins.method(&method).is_none() {
            return Err(format!("redirected to unknown method '{method}'"));
        }
        if let Some(barred) = self.barred(&method, &request.client) {
            return Err(format!("redirected to {} command '{method}'", barred.word()));
        }
        if self.profile.rpc_needs_jsonrpc() && envelope.jsonrpc != Some(r#""2.0""#) {
            return Err(r#"jsonrpc: "2.0" must be specified in the request"#.to_owned());
        }
        Ok(RpcRequest { client: request.client.clone(), text: replacement.to_owned(), method, params })
    }
}

/// What an answer without `result` asks for. `Err` if it cannot be understood, with the reason if there is one.
fn outcome(result: &str) -> Result<Outcome, Option<Complaint>> {
    if let Some(replacement) = json::member(result, "replace") {
        return Ok(Outcome::Replace(replacement.to_owned()));
    }
    let answer = json::member(result, "return").ok_or(None)?;
    if let Some(value) = json::member(answer, "result") {
        return Ok(Outcome::Return("result", value.to_owned()));
    }
    let error = json::member(answer, "error").ok_or(None)?;
    // v26.06.6 dereferences a null pointer where one of the two is missing.
    if json::member(error, "code").is_none_or(|code| code.parse::<i32>().is_err()) {
        return Err(Some("'error' object does not contain a code."));
    }
    if json::member(error, "message").is_none() {
        return Err(Some("'error' object does not contain a message."));
    }
    Ok(Outcome::Return("error", error.to_owned()))
}
