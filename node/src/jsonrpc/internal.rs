//! Commands that a bundled plugin gives on behalf of one of its own (`plugins/libplugin.c:jsonrpc_request_start`). They go the way of
//! all commands: plugins are asked about them in `rpc_command`, and may refuse or replace them.

use super::{Client, RpcRequest};
use crate::command::params::Params;
use crate::input::ConnectionId;
use crate::state::State;
use leyden_protocol::Id;
use leyden_protocol::id::IdForm;
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// No client's connection has a number like these.
const FIRST_CONNECTION: u64 = 1 << 63;

/// What is to be done with the answer.
type Then = Box<dyn FnOnce(&mut State, Result<Value, RpcError>) + Send>;

/// The commands that are not answered yet.
#[derive(Default)]
pub(crate) struct InternalCalls {
    waiting: BTreeMap<ConnectionId, Then>,
    last: u64,
    /// How many requests each plugin has made.
    made: BTreeMap<&'static str, u64>,
}

impl fmt::Debug for InternalCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.waiting.keys()).finish()
    }
}

/// A command that a bundled plugin serves, for as long as it does.
#[derive(Debug, Clone)]
pub(crate) struct BundledCall {
    plugin: &'static str,
    /// Who gets the answer.
    pub(crate) client: Client,
    /// The id with which lightningd has passed it on.
    id: Id,
}

impl State {
    /// A request reaches the bundled plugin that serves it.
    pub(crate) fn bundled_call(&mut self, plugin: &'static str, request: &RpcRequest) -> BundledCall {
        let form = self.profile.id_form(Some(true));
        let id = self.requests.ids.next(form, &request.method, Some(&request.client.id));
        BundledCall { plugin, client: request.client.clone(), id }
    }

    /// Gives a command on behalf of another; `then` gets its result.
    pub(crate) fn call_internally(
        &mut self,
        call: &BundledCall,
        method: &str,
        params: &Value,
        then: impl FnOnce(&mut Self, Result<Value, RpcError>) + Send + 'static,
    ) {
        let form = self.profile.id_form(Some(true));
        let calls = &mut self.internal_calls;
        let number = calls.made.entry(call.plugin).or_default();
        let id = match form {
            IdForm::Integer => Id::number(*number),
            IdForm::Text => Id::text(&format!("{}/{}:{method}#{number}", call.id.cause(), call.plugin)),
        };
        *number += 1;
        let connection = ConnectionId(FIRST_CONNECTION + calls.last);
        calls.last += 1;
        calls.waiting.insert(connection, Box::new(then));
        let params = params.to_string();
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        let client = Client { connection, id, notified: false, filter: None };
        self.ask_rpc_command(RpcRequest { client, text, method: method.to_owned(), params });
    }

    /// Gives a command of which another waits: `then` gets its result. An error, of the command or of `then`, is the answer to the
    /// other.
    pub(crate) fn call_first(
        &mut self,
        call: BundledCall,
        method: &str,
        params: &Value,
        then: impl FnOnce(&mut Self, &BundledCall, Value) -> Result<(), RpcError> + Send + 'static,
    ) {
        self.call_internally(&call.clone(), method, params, move |node, answer| {
            if let Err(error) = answer.and_then(|answer| then(node, &call, answer)) {
                node.reply_error(&call.client, &error);
            }
        });
    }

    /// The same for those that lightningd's plugins give of late, and gave not or otherwise in older releases: there nobody is asked.
    pub(crate) fn call_first_of_late(
        &mut self,
        call: BundledCall,
        method: &str,
        params: &Value,
        then: impl FnOnce(&mut Self, &BundledCall) -> Result<(), RpcError> + Send + 'static,
    ) -> Result<(), RpcError> {
        if !self.profile.has_xpay() {
            return then(self, &call);
        }
        self.call_first(call, method, params, move |node, call, _| then(node, call));
        Ok(())
    }

    /// Hands on the answer to a command that no client has given. Says whether it is one.
    pub(super) fn internal_answer(&mut self, client: &Client, response: &str) -> bool {
        let Some(then) = self.internal_calls.waiting.remove(&client.connection) else { return false };
        then(self, outcome(response));
        true
    }
}

/// What a response says. Plugins can answer in a command's place, and say anything.
fn outcome(response: &str) -> Result<Value, RpcError> {
    let unreadable = |_| RpcError::new(code::PLUGIN_ERROR, format!("bad response: {response}"));
    match json::member(response, "error") {
        Some(error) => Err(serde_json::from_str(error).unwrap_or_else(unreadable)),
        None => {
            let result = json::member(response, "result").unwrap_or("null");
            serde_json::from_str(result).map_err(unreadable)
        }
    }
}

/// A parameter as it was given, to be handed on. lightningd takes bare tokens for strings.
pub(crate) fn given(params: &Params, name: &str) -> Option<Value> {
    params.raw(name).map(|raw| serde_json::from_str(raw).unwrap_or_else(|_| json::content(raw).into()))
}

/// A member of a result that is a string.
pub(crate) fn text<'a>(result: &'a Value, name: &str) -> Result<&'a str, RpcError> {
    let missing = || RpcError::new(code::LIGHTNINGD, format!("Unparsable {name}: '{result}'"));
    result[name].as_str().ok_or_else(missing)
}
