//! The JSON-RPC server (`lightningd/jsonrpc.c`): what a request must be, who serves it, and the answers.
//!
//! | module | subject |
//! |---|---|
//! | [`connection`] | what is known of a client's connection |
//! | [`filter`] | which members of a result a client wants |
//! | [`hook`] | the `rpc_command` hook |
//! | [`internal`] | commands that bundled plugins give |
//! | [`socket`] | the I/O tasks of the Unix socket |

pub(crate) mod connection;
mod filter;
pub(crate) mod hook;
pub(crate) mod internal;
pub(crate) mod socket;

use crate::command::Row;
use crate::event::LogLevel;
use crate::input::{ConnectionId, PluginId, RpcInput};
use crate::log::Direction;
use crate::output::Output;
use crate::plugin::request::Awaiting;
use crate::state::State;
use filter::Filter;
use leyden_protocol::message::{self, RpcError, code};
use leyden_protocol::{Envelope, Id, json};
use serde::Serialize;

/// Who gets the answer to a request, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) id: Id,
    /// Whether `progress` and `message` were wanted when the request came.
    pub(crate) notified: bool,
    /// What of the node's own result is wanted, if that was said.
    filter: Option<Box<Filter>>,
}

/// A request that is well-formed.
#[derive(Debug, Clone)]
pub(crate) struct RpcRequest {
    pub(crate) client: Client,
    /// The whole request, as it was sent.
    pub(crate) text: String,
    pub(crate) method: String,
    /// The parameters, as they were sent.
    pub(crate) params: String,
}

/// Why a method may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barred {
    /// What is deprecated is not allowed here.
    Deprecated,
    /// The node runs without `--developer`.
    ForDevelopers,
}

impl Barred {
    /// What lightningd calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Deprecated => "deprecated",
            Self::ForDevelopers => "developer-only",
        }
    }
}

impl State {
    /// A client sent something or hung up.
    pub(crate) fn rpc_input(&mut self, id: ConnectionId, input: RpcInput) {
        if matches!(input, RpcInput::Closed) {
            self.connections.remove(id);
            self.forget_waiters(id);
            self.forget_index_waiters(id);
            self.sendpay_waiters.forget(id);
            return self.out.push(Output::CloseClient(id));
        }
        if self.connections.heard(id).deaf {
            return;
        }
        match input {
            RpcInput::Request(text) => self.rpc_request(id, &text),
            RpcInput::Unversioned { text, .. } if !self.profile.rpc_needs_jsonrpc() => {
                self.rpc_request(id, &text);
            }
            RpcInput::Unversioned { text, behind } => {
                let behind = String::from_utf8_lossy(&behind);
                let why = format!(r#"JSON-RPC message does not contain "jsonrpc" field: '{text}{behind}'"#);
                self.refuse_connection(id, &why);
            }
            RpcInput::NotJson(unread) => {
                let why = self.profile.rpc_not_json(&String::from_utf8_lossy(&unread));
                self.refuse_connection(id, &why);
            }
            RpcInput::Closed => {}
        }
    }

    /// Answers nothing that comes from now on. What was asked before still gets its answer
    /// (`jsonrpc.c:read_json`, `io_halfclose`).
    fn refuse_connection(&mut self, id: ConnectionId, why: &str) {
        self.connections.heard(id).deaf = true;
        self.reply_malformed(id, None, why);
    }

    fn reply_malformed(&mut self, connection: ConnectionId, id: Option<&Id>, why: &str) {
        let error = RpcError::new(code::INVALID_REQUEST, why);
        self.out.push(Output::ToClient(connection, message::error_response(id, &error)));
    }

    fn rpc_request(&mut self, connection: ConnectionId, text: &str) {
        self.log_rpc(connection, Direction::In, text);
        let request = Envelope::parse(text)
            .ok_or((None, "Expected {} for json command"))
            .and_then(|envelope| RpcRequest::parse(connection, &envelope));
        let mut request = match request {
            Ok(request) => request,
            Err((id, why)) => return self.reply_malformed(connection, id.as_ref(), why),
        };
        match self.admit(&mut request) {
            Ok(()) => self.ask_rpc_command(request),
            Err(error) => self.reply_error(&request.client, &error),
        }
    }

    /// Refuses what no plugin is asked about, and notes how the client wants its answer.
    fn admit(&mut self, request: &mut RpcRequest) -> Result<(), RpcError> {
        let client = &mut request.client;
        client.notified = self.connections.get(client.connection).is_some_and(|one| one.notified);
        if self.own_command(&request.method).is_none() && self.plugins.method(&request.method).is_none() {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, self.no_command(&request.method)));
        }
        let filter = json::member(&request.text, "filter").filter(|_| self.profile.rpc_filters());
        client.filter = filter.map(Filter::parse).transpose()?.map(Box::new);
        if self.log.wants_bytes() {
            self.log.request(&client.connection.log_source(), Direction::In, &client.id);
        }
        if let Some(barred) = self.barred(&request.method, &request.client) {
            let text = format!("Command \"{}\" is {}", request.method, barred.word());
            return Err(RpcError::new(code::METHOD_NOT_FOUND, text));
        }
        Ok(())
    }

    /// Why a method that is there may not be called, if it may not.
    pub(crate) fn barred(&mut self, name: &str, client: &Client) -> Option<Barred> {
        if !self.is_current(name, client) {
            return Some(Barred::Deprecated);
        }
        let is_for_developers = self.own_command(name).is_some_and(Row::is_for_developers);
        (is_for_developers && !self.config.developer).then_some(Barred::ForDevelopers)
    }

    /// Whether a method is not deprecated, or allowed nevertheless.
    fn is_current(&mut self, name: &str, client: &Client) -> bool {
        let method = self.plugins.method(name);
        let method =
            method.and_then(|(_, plugin)| plugin.manifest.rpcmethods.iter().find(|one| one.name == name));
        let deprecated = method.map(|method| method.deprecated.clone());
        let deprecated = deprecated.or_else(|| Some(self.own_command(name)?.deprecated()));
        let Some(deprecated) = deprecated else { return true };
        let source = client.connection.log_source();
        self.deprecated_ok(&source, name, &deprecated, self.deprecated_for(client))
    }

    /// Executes a request that hooks have let through.
    pub(crate) fn execute(&mut self, request: &RpcRequest) {
        if let Some(command) = self.own_command(&request.method) {
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
        self.notify_deprecated_oneshot(plugin, request);
        self.pass_through(plugin, &request.method, request);
    }

    /// Passes a request to a plugin as a call of `method`: every byte but the id stays the client's.
    pub(crate) fn pass_through(&mut self, plugin: PluginId, method: &str, request: &RpcRequest) {
        let id = self.next_id(plugin, method, Some(&request.client.id));
        let envelope = Envelope::parse(&request.text).expect("the request was parsed before");
        let frame = envelope.with_id(&id);
        self.send_request(plugin, id, frame, Awaiting::PassThrough(request.client.clone()));
    }

    /// Answers a request with success.
    pub(crate) fn reply(&mut self, client: &Client, result: &impl Serialize) {
        self.reply_text(client, serde_json::to_string(result).expect("a result is JSON"));
    }

    /// The same, for a result that is JSON already: its numbers may have more digits than fit into a float.
    pub(crate) fn reply_text(&mut self, client: &Client, result: String) {
        let result = match &client.filter {
            None => result,
            Some(filter) => {
                let result = serde_json::from_str(&result).expect("a result is JSON");
                filter.apply(result).to_string()
            }
        };
        self.reply_verbatim(client, &message::response(&client.id, &result));
    }

    /// Answers a request with an error. A token that does not do may be a secret in the wrong place: only developers are shown it.
    pub(crate) fn reply_error(&mut self, client: &Client, error: &RpcError) {
        let hides = self.profile.hides_bad_tokens() && !self.config.developer;
        let Some(bad) = error.bad_param.as_deref().filter(|_| hides) else {
            return self.reply_verbatim(client, &message::error_response(Some(&client.id), error));
        };
        self.log(LogLevel::Info, &client.connection.log_source(), &bad.to_string());
        let error = RpcError::new(error.code, bad.without_token());
        self.reply_verbatim(client, &message::error_response(Some(&client.id), &error));
    }

    /// Answers a request with a whole response, if its client is still there.
    pub(crate) fn reply_verbatim(&mut self, client: &Client, response: &str) {
        if self.internal_answer(client, response) {
            return;
        }
        if self.connections.get(client.connection).is_none() {
            return self.log_main(LogLevel::Debug, "Command returned result after jcon close");
        }
        self.log_rpc(client.connection, Direction::Out, response);
        self.out.push(Output::ToClient(client.connection, response.to_owned()));
    }

    /// Logs what a client says and hears, if every byte is logged.
    fn log_rpc(&mut self, connection: ConnectionId, direction: Direction, text: &str) {
        if self.log.wants_bytes() {
            self.log.bytes(&connection.log_source(), direction, text.as_bytes());
        }
    }

    /// Tells a client how its command goes on, if it wanted to know.
    pub(crate) fn notify_client(&mut self, client: &Client, notification: String) {
        if client.notified {
            self.out.push(Output::ToClient(client.connection, notification));
        }
    }
}

impl RpcRequest {
    /// Checks what every request must have, in lightningd's order (`jsonrpc.c:parse_request`).
    ///
    /// # Errors
    /// The id, if it could be read, and lightningd's text.
    fn parse(connection: ConnectionId, envelope: &Envelope<'_>) -> Result<Self, (Option<Id>, &'static str)> {
        let token = envelope.id.ok_or((None, "No id"))?;
        if token.starts_with(['{', '[']) {
            return Err((None, "Expected string/primitive for id"));
        }
        // Older releases take requests without it, and their core lets them through.
        if envelope.jsonrpc.is_some_and(|version| version != r#""2.0""#) {
            return Err((None, r#"jsonrpc: "2.0" must be specified in the request"#));
        }
        let id = Id::from_token(token);
        let refuse = |why| (Some(id.clone()), why);
        let method = envelope.method.ok_or_else(|| refuse("No method"))?;
        let params = envelope.params.ok_or_else(|| refuse("No params"))?.to_owned();
        if !method.starts_with('"') {
            return Err(refuse("Expected string for method"));
        }
        // lightningd compares what stands between the quotes.
        let method = json::content(method).to_owned();
        let client = Client { connection, id, notified: false, filter: None };
        Ok(Self { client, text: envelope.text.to_owned(), method, params })
    }
}
