//! JSON-RPC 2.0 messages.
//!
//! [`Envelope`] takes a message apart without decoding it; what a missing or odd member means is for the
//! receiver to say, because lightningd, a plugin and an RPC client do not agree on it. The functions below
//! write messages as lightningd does: compact, members in its order.

use crate::id::Id;
use crate::json;
use serde::Serialize;
use std::fmt;

/// The members of a message, each the JSON text that was sent, and the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The whole message.
    pub text: &'a str,
    /// `jsonrpc`.
    pub jsonrpc: Option<&'a str>,
    /// `id`; present in requests and responses.
    pub id: Option<&'a str>,
    /// `method`; present in requests and notifications.
    pub method: Option<&'a str>,
    /// `params`.
    pub params: Option<&'a str>,
    /// `result`; present in a successful response.
    pub result: Option<&'a str>,
    /// `error`; present in a failed response.
    pub error: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// Takes `text` apart. `None` if it is not a JSON object. Of members with the same name the first counts.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut envelope =
            Envelope { text, jsonrpc: None, id: None, method: None, params: None, result: None, error: None };
        json::each_member(text, |name, value| {
            let slot = match &*name {
                "jsonrpc" => &mut envelope.jsonrpc,
                "id" => &mut envelope.id,
                "method" => &mut envelope.method,
                "params" => &mut envelope.params,
                "result" => &mut envelope.result,
                "error" => &mut envelope.error,
                _ => return,
            };
            slot.get_or_insert(value);
        })?;
        Some(envelope)
    }

    /// The id, if there is one.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        self.id.map(Id::from_token)
    }

    /// The method name, if there is one and it is a string.
    #[must_use]
    pub fn method_name(&self) -> Option<String> {
        self.method.and_then(json::string)
    }

    /// The message with another id token and every other byte as it was. Without an id it stays as it is.
    #[must_use]
    pub fn with_id(&self, id: &Id) -> String {
        let Some(old) = self.id else { return self.text.to_owned() };
        // `old` is a part of `text`, so the difference of their addresses is where it stands.
        let start = old.as_ptr() as usize - self.text.as_ptr() as usize;
        format!("{}{}{}", &self.text[..start], id.token(), &self.text[start + old.len()..])
    }
}

/// A request. `params` is the JSON of an object or an array.
#[must_use]
pub fn request(id: &Id, method: &str, params: &str) -> String {
    let method = json::quoted(method);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#)
}

/// A notification. `params` is JSON.
#[must_use]
pub fn notification(method: &str, params: &str) -> String {
    let method = json::quoted(method);
    format!(r#"{{"jsonrpc":"2.0","method":{method},"params":{params}}}"#)
}

/// A successful response. `result` is JSON.
#[must_use]
pub fn response(id: &Id, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A failed response. `id` is `None` when the request could not be read that far.
#[must_use]
pub fn error_response(id: Option<&Id>, error: &RpcError) -> String {
    let id = id.map_or("null", Id::token);
    let error = serde_json::to_string(error).expect("an RPC error has only string keys");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
}

/// The error of a response. The codes are those of JSON-RPC 2.0 and of CLN's `common/jsonrpc_errors.h`.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// The code.
    pub code: i64,
    /// What went wrong.
    pub message: String,
    /// More, if the method gives more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// What it is about, if that is a token in a parameter: not everybody may be shown that.
    #[serde(skip)]
    pub bad_param: Option<Box<BadParam>>,
}

/// A token in a parameter that does not do (`common/json_command.c:command_fail_badparam`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadParam {
    /// The parameter.
    pub name: String,
    /// What it should be.
    pub what: String,
    /// The token.
    pub token: String,
}

impl From<BadParam> for RpcError {
    /// The error that shows the token.
    fn from(bad: BadParam) -> Self {
        let text = format!("{}: {}: invalid token '{}'", bad.name, bad.what, bad.token);
        Self { bad_param: Some(Box::new(bad)), ..Self::new(code::INVALID_PARAMS, text) }
    }
}

impl BadParam {
    /// The message that hides the token.
    #[must_use]
    pub fn without_token(&self) -> String {
        format!("{}: {}: invalid token (see logs for details)", self.name, self.what)
    }
}

impl fmt::Display for BadParam {
    /// What the log says instead.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Invalid parameter {} ({}): token '{}'", self.name, self.what, self.token)
    }
}

impl RpcError {
    /// An error without data.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, bad_param: None }
    }
}

/// Codes of [`RpcError`] that lightningd itself uses.
pub mod code {
    /// A failure without a code of its own (`LIGHTNINGD`).
    pub const LIGHTNINGD: i64 = -1;
    /// A plugin did something wrong (`PLUGIN_ERROR`).
    pub const PLUGIN_ERROR: i64 = -3;
    /// The plugin died before it answered (`PLUGIN_TERMINATED`).
    pub const PLUGIN_TERMINATED: i64 = -4;
    /// The wallet has not enough (`FUND_CANNOT_AFFORD`).
    pub const FUND_CANNOT_AFFORD: i64 = 301;
    /// The output is too small for anybody to relay it (`FUND_OUTPUT_IS_DUST`).
    pub const FUND_OUTPUT_IS_DUST: i64 = 302;
    /// Blocks with coins may be missing still (`FUNDING_STILL_SYNCING_BITCOIN`).
    pub const FUNDING_STILL_SYNCING_BITCOIN: i64 = 304;
    /// The PSBT is of no use here (`FUNDING_PSBT_INVALID`).
    pub const FUNDING_PSBT_INVALID: i64 = 309;
    /// The wallet has enough, but not for the fees of emergencies as well (`FUND_CANNOT_AFFORD_WITH_EMERGENCY`).
    pub const FUND_CANNOT_AFFORD_WITH_EMERGENCY: i64 = 313;
    /// Nothing is to be paid for (`FUND_INPUT_IS_ZERO`).
    pub const FUND_INPUT_IS_ZERO: i64 = 314;
    /// The Bitcoin backend could not do it (`BCLI_ERROR`).
    pub const BCLI_ERROR: i64 = 500;
    /// The Bitcoin backend knows no fees (`BCLI_NO_FEE_ESTIMATES`).
    pub const BCLI_NO_FEE_ESTIMATES: i64 = 501;
    /// What was waited for did not come in time (`WAIT_TIMEOUT`).
    pub const WAIT_TIMEOUT: i64 = 2000;
    /// Not JSON, or not a request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// No such method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// Parameters missing, unknown or of the wrong kind.
    pub const INVALID_PARAMS: i64 = -32602;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_changes() {
        let text =
            r#"{ "jsonrpc" : "2.0", "method" : "hello", "id" : "cli:hello#6516", "params" :[ "foo"] }"#;
        let envelope = Envelope::parse(text).unwrap();
        assert_eq!(
            envelope.with_id(&Id::text("cli:hello#6516/cln:hello#22")),
            r#"{ "jsonrpc" : "2.0", "method" : "hello", "id" : "cli:hello#6516/cln:hello#22", "params" :[ "foo"] }"#
        );
    }

    #[test]
    fn messages_are_compact() {
        assert_eq!(
            request(&Id::number(3), "init", "{}"),
            r#"{"jsonrpc":"2.0","id":3,"method":"init","params":{}}"#
        );
        let error = RpcError::new(code::METHOD_NOT_FOUND, "Unknown command 'x'");
        assert_eq!(
            error_response(None, &error),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Unknown command 'x'"}}"#
        );
    }
}
