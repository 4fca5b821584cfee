//! Parameters of commands, by name or by place (`common/json_param.c`).

use crate::jsonrpc::RpcRequest;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use std::str::FromStr;

/// A parameter that a command takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    name: &'static str,
    required: bool,
}

impl Shape {
    pub(crate) const fn required(name: &'static str) -> Self {
        Self { name, required: true }
    }

    pub(crate) const fn optional(name: &'static str) -> Self {
        Self { name, required: false }
    }
}

/// The parameters of one request. Values are the client's JSON; by place, `null` is the same as absent.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    positional: bool,
}

pub(crate) fn invalid(text: impl Into<String>) -> RpcError {
    RpcError::new(code::INVALID_PARAMS, text)
}

/// The complaint about a token of the wrong kind within a parameter.
pub(crate) fn wrong_token(name: &str, what: &str, token: &str) -> RpcError {
    invalid(format!("{name}: {what}: invalid token '{token}'"))
}

/// What stands in a token: of a string what is between the quotes, escapes not resolved.
pub(crate) fn characters(token: &str) -> &str {
    token.strip_prefix('"').and_then(|token| token.strip_suffix('"')).unwrap_or(token)
}

fn has_unicode_escape(token: &str) -> bool {
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && characters.next() == Some('u') {
            return true;
        }
    }
    false
}

impl Params {
    /// Checks a request's parameters against what the command takes. With `more`, others are let through.
    pub(crate) fn parse(request: &RpcRequest, shape: &[Shape], more: bool) -> Result<Self, RpcError> {
        let params = match json::elements(&request.params) {
            Some(elements) => Self::by_place(&elements, shape, more)?,
            None => Self::by_name(&request.params, shape, more)?,
        };
        match shape.iter().find(|one| one.required && params.raw(one.name).is_none()) {
            Some(missing) => Err(invalid(format!("missing required parameter: {}", missing.name))),
            None => Ok(params),
        }
    }

    fn by_place(elements: &[&str], shape: &[Shape], more: bool) -> Result<Self, RpcError> {
        if elements.len() > shape.len() && !more {
            let (got, expected) = (elements.len(), shape.len());
            return Err(invalid(format!("too many parameters: got {got}, expected {expected}")));
        }
        let name =
            |place: usize| shape.get(place).map_or_else(|| place.to_string(), |one| one.name.to_owned());
        let given = elements.iter().enumerate().map(|(place, value)| (name(place), (*value).to_owned()));
        Ok(Self { given: given.collect(), positional: true })
    }

    fn by_name(params: &str, shape: &[Shape], more: bool) -> Result<Self, RpcError> {
        let mut given = Vec::new();
        for (name, value) in json::members(params).unwrap_or_default() {
            if !more && !shape.iter().any(|one| one.name == name) {
                return Err(invalid(format!(
                    "unknown parameter: {name}, this may be caused by a failure to autodetect key=value-style \
                     parameters. Please try using the -k flag and explicit key=value pairs of parameters."
                )));
            }
            given.push((name.into_owned(), value.to_owned()));
        }
        Ok(Self { given, positional: false })
    }

    /// Whether they were given by place.
    pub(crate) fn is_positional(&self) -> bool {
        self.positional
    }

    /// How many were given.
    pub(crate) fn len(&self) -> usize {
        self.given.len()
    }

    /// Those that are not in `shape`.
    pub(crate) fn extras(&self, shape: &[Shape]) -> Vec<(String, String)> {
        let extra = |(name, _): &&(String, String)| !shape.iter().any(|one| one.name == name);
        self.given.iter().filter(extra).cloned().collect()
    }

    /// The JSON of a parameter.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.given.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !self.positional || *value != "null")
    }

    /// The text of a parameter that was given, without quotes; empty otherwise.
    pub(crate) fn text(&self, name: &str) -> String {
        self.raw(name).map(json::bare).unwrap_or_default()
    }

    /// The complaint about a parameter of the wrong kind.
    pub(crate) fn wrong(&self, name: &str, what: &str) -> RpcError {
        wrong_token(name, what, self.raw(name).unwrap_or_default())
    }

    /// The JSON of a required parameter.
    pub(crate) fn required_raw(&self, name: &str) -> Result<&str, RpcError> {
        self.raw(name).ok_or_else(|| invalid(format!("missing required parameter: {name}")))
    }

    /// A required string.
    pub(crate) fn string(&self, name: &str) -> Result<String, RpcError> {
        self.optional_string(name)?.ok_or_else(|| invalid(format!("missing required parameter: {name}")))
    }

    /// An optional string. `lightning-cli` leaves the quotes out where the text looks like a number, so
    /// any token that is no object and no array is one.
    pub(crate) fn optional_string(&self, name: &str) -> Result<Option<String>, RpcError> {
        let parse = |raw: &str| match raw.starts_with(['{', '[']) {
            true => Err(self.wrong(name, "should be a string")),
            false => Ok(json::bare(raw)),
        };
        self.raw(name).map(parse).transpose()
    }

    /// An optional unsigned number; a string of digits is one too.
    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let parse = |raw| json::bare(raw).parse().map_err(|_| self.wrong(name, "should be an integer"));
        self.raw(name).map(parse).transpose()
    }

    /// An optional number of 64 bits.
    pub(crate) fn optional_u64(&self, name: &str) -> Result<Option<u64>, RpcError> {
        self.unsigned(name, "should be an unsigned 64 bit integer")
    }

    /// An optional number of 32 bits where lightningd calls it that.
    pub(crate) fn optional_u32(&self, name: &str) -> Result<Option<u32>, RpcError> {
        self.unsigned(name, "should be an unsigned 32 bit integer")
    }

    /// An optional number of 32 bits where lightningd calls it an integer.
    pub(crate) fn optional_integer(&self, name: &str) -> Result<Option<u32>, RpcError> {
        self.unsigned(name, "should be an integer")
    }

    fn unsigned<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, RpcError> {
        let parse = |raw| characters(raw).parse().map_err(|_| self.wrong(name, what));
        self.raw(name).map(parse).transpose()
    }

    /// An optional string that must be one: no bare token, and no `\\u` escape
    /// (`json_param.c:param_escaped_string`).
    pub(crate) fn optional_escaped_string(&self, name: &str) -> Result<Option<String>, RpcError> {
        let parse = |raw| match json::string(raw) {
            Some(text) if !has_unicode_escape(raw) => Ok(text),
            _ => Err(self.wrong(name, "should be a string (without \\u)")),
        };
        self.raw(name).map(parse).transpose()
    }

    /// An optional label, as it was sent, escapes and all: lightningd stores and compares it so
    /// (`json_param.c:param_label`).
    pub(crate) fn optional_label(&self, name: &str) -> Result<Option<String>, RpcError> {
        let parse = |raw: &str| {
            let is_label = raw.starts_with('"') || raw.bytes().all(|byte| byte.is_ascii_digit());
            is_label
                .then(|| characters(raw).to_owned())
                .ok_or_else(|| self.wrong(name, "should be a string or number"))
        };
        self.raw(name).map(parse).transpose()
    }

    /// Optional 32 bytes in hex.
    pub(crate) fn optional_bytes32(&self, name: &str, what: &str) -> Result<Option<[u8; 32]>, RpcError> {
        let parse = |raw| {
            let mut bytes = [0; 32];
            let decoded = hex::decode_to_slice(characters(raw), &mut bytes);
            decoded.map(|()| bytes).map_err(|_| self.wrong(name, what))
        };
        self.raw(name).map(parse).transpose()
    }

    /// An optional boolean; the strings `true` and `false` are booleans too.
    pub(crate) fn optional_bool(&self, name: &str) -> Result<Option<bool>, RpcError> {
        let parse =
            |raw| json::bare(raw).parse().map_err(|_| self.wrong(name, "should be 'true' or 'false'"));
        self.raw(name).map(parse).transpose()
    }

    /// A required node id.
    pub(crate) fn node_id(&self, name: &str) -> Result<PublicKey, RpcError> {
        self.string(name)?.parse().map_err(|_| self.wrong(name, "should be a node id"))
    }

    /// An optional node id.
    pub(crate) fn optional_node_id(&self, name: &str) -> Result<Option<PublicKey>, RpcError> {
        self.raw(name).map(|_| self.node_id(name)).transpose()
    }

    /// Required bytes in hex.
    pub(crate) fn hex(&self, name: &str) -> Result<Vec<u8>, RpcError> {
        hex::decode(self.string(name)?).map_err(|_| self.wrong(name, "should be a hex value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_backslash_before_a_u_is_no_unicode_escape() {
        assert!(has_unicode_escape(r#""a\u0041""#));
        assert!(!has_unicode_escape(r#""a\\u0041\n""#));
    }
}
