//! The JSON-RPC server (`lightningd/jsonrpc.c`): what a request must be, who serves it, and the answers.
//!
//! | module | subject |
//! |---|---|
//! | [`hook`] | the `rpc_command` hook |
//! | [`socket`] | the I/O tasks of the Unix socket |

pub(crate) mod hook;
pub(crate) mod socket;

use crate::command;
use crate::input::{ConnectionId, RpcInput};
use crate::output::Output;
use crate::plugin::request::Awaiting;
use crate::state::State;
use leyden_protocol::message::{self, RpcError, code};
use leyden_protocol::{Envelope, Id, json};
use serde::Serialize;
use std::collections::BTreeSet;

/// Who gets the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) id: Id,
}

/// A request that is well-formed.
#[derive(Debug, Clone)]
pub(crate) struct RpcRequest {
    pub(crate) client: Client,
    /// The whole request, as it was sent.
    pub(crate) text: String,
    pub(crate) method: String,
    /// The parameters, as they were sent: an object or an array.
    pub(crate) params: String,
}

/// What is known of the clients.
#[derive(Default)]
pub(crate) struct Connections {
    /// Those that asked for `progress` and `message`.
    notified: BTreeSet<ConnectionId>,
}

impl Connections {
    pub(crate) fn wants_notifications(&self, connection: ConnectionId) -> bool {
        self.notified.contains(&connection)
    }

    pub(crate) fn set_notifications(&mut self, connection: ConnectionId, enable: bool) {
        if enable {
            self.notified.insert(connection);
        } else {
            self.notified.remove(&connection);
        }
    }
}

impl State {
    /// A client sent something or hung up.
    pub(crate) fn rpc_input(&mut self, connection: ConnectionId, input: RpcInput) {
        match input {
            RpcInput::Request(text) => self.rpc_text(connection, &text),
            RpcInput::NotJson(unread) => {
                let text = String::from_utf8_lossy(&unread);
                let why = format!("Failed to parse RPC JSON response '{text}'");
                self.refuse_connection(connection, &why);
            }
            RpcInput::Closed => {
                self.connections.set_notifications(connection, false);
                self.out.push(Output::CloseClient(connection));
            }
        }
    }

    fn refuse_connection(&mut self, connection: ConnectionId, why: &str) {
        let error = RpcError::new(code::INVALID_REQUEST, why);
        self.out.push(Output::ToClient(connection, message::error_response(None, &error)));
        self.out.push(Output::CloseClient(connection));
    }

    fn rpc_text(&mut self, connection: ConnectionId, text: &str) {
        let needs_jsonrpc = self.profile.rpc_needs_jsonrpc();
        let envelope = Envelope::parse(text).filter(|message| message.jsonrpc.is_some() || !needs_jsonrpc);
        let Some(envelope) = envelope else {
            let why = format!(r#"JSON-RPC message does not contain "jsonrpc" field: '{text}'"#);
            return self.refuse_connection(connection, &why);
        };
        match RpcRequest::parse(connection, &envelope) {
            Ok(request) => self.rpc_request(request),
            Err((id, why)) => {
                let error = RpcError::new(code::INVALID_REQUEST, why);
                self.out.push(Output::ToClient(connection, message::error_response(id.as_ref(), &error)));
            }
        }
    }

    fn rpc_request(&mut self, request: RpcRequest) {
        if command::find(&request.method).is_none() && self.plugins.method(&request.method).is_none() {
            let text = format!("Unknown command '{}'", request.method);
            return self.reply_error(&request.client, &RpcError::new(code::METHOD_NOT_FOUND, text));
        }
        self.ask_rpc_command(request);
    }

    /// Executes a request that hooks have let through.
    pub(crate) fn execute(&mut self, request: &RpcRequest) {
        if json::members(&request.params).is_none() && json::elements(&request.params).is_none() {
            let error = RpcError::new(code::INVALID_PARAMS, "Expected array or object for params");
            return self.reply_error(&request.client, &error);
        }
        if let Some(command) = command::find(&request.method) {
            if let Err(error) = (command.run)(self, request) {
                self.reply_error(&request.client, &error);
            }
            return;
        }
        let Some((plugin, _)) = self.plugins.method(&request.method) else {
            // The plugin died while hooks were asked.
            let error =
                RpcError::new(code::PLUGIN_TERMINATED, "Plugin terminated before replying to RPC call.");
            return self.reply_error(&request.client, &error);
        };
        // Passed through: every byte but the id stays the client's.
        let id = self.next_id(plugin, &request.method, Some(&request.client.id));
        let envelope = Envelope::parse(&request.text).expect("the request was parsed before");
        let frame = envelope.with_id(&id);
        self.requests.wait(id, plugin, Awaiting::PassThrough(request.client.clone()));
        self.out.push(Output::ToPlugin(plugin, frame));
    }

    /// Answers a request with success.
    pub(crate) fn reply(&mut self, client: &Client, result: &impl Serialize) {
        let result = serde_json::to_string(result).expect("a result is JSON");
        self.reply_verbatim(client, &message::response(&client.id, &result));
    }

    /// Answers a request with an error.
    pub(crate) fn reply_error(&mut self, client: &Client, error: &RpcError) {
        self.reply_verbatim(client, &message::error_response(Some(&client.id), error));
    }

    /// Answers a request with a whole response.
    pub(crate) fn reply_verbatim(&mut self, client: &Client, response: &str) {
        self.out.push(Output::ToClient(client.connection, response.to_owned()));
    }
}

impl RpcRequest {
    /// Checks what every request must have, in lightningd's order.
    ///
    /// # Errors
    /// The id, if it could be read, and lightningd's text.
    pub(crate) fn parse(
        connection: ConnectionId,
        envelope: &Envelope<'_>,
    ) -> Result<Self, (Option<Id>, String)> {
        let refuse = |id: Option<&Id>, why: &str| (id.cloned(), why.to_owned());
        if envelope.jsonrpc.is_some_and(|version| json::bare(version) != "2.0") {
            return Err(refuse(None, r#"jsonrpc: "2.0" must be specified in the request"#));
        }
        let token = envelope.id.ok_or_else(|| refuse(None, "No id"))?;
        if token.starts_with(['{', '[']) {
            return Err(refuse(None, "Expected string/primitive for id"));
        }
        let id = Id::from_token(token);
        let method = envelope.method.ok_or_else(|| refuse(Some(&id), "No method"))?;
        let params = envelope.params.ok_or_else(|| refuse(Some(&id), "No params"))?.to_owned();
        let method = json::string(method).ok_or_else(|| refuse(Some(&id), "Expected string for method"))?;
        Ok(Self { client: Client { connection, id }, text: envelope.text.to_owned(), method, params })
    }
}
