//! Parameters of commands, by name or by place (`common/json_param.c`).

use crate::jsonrpc::RpcRequest;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};

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

/// The parameters of one request. Values are the client's JSON; `null` is the same as absent.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    positional: bool,
}

fn invalid(text: impl Into<String>) -> RpcError {
    RpcError::new(code::INVALID_PARAMS, text)
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
        found.map(|(_, value)| value.as_str()).filter(|value| *value != "null")
    }

    /// The text of a parameter that was given, without quotes; empty otherwise.
    pub(crate) fn text(&self, name: &str) -> String {
        self.raw(name).map(json::bare).unwrap_or_default()
    }

    /// The complaint about a parameter of the wrong kind.
    pub(crate) fn wrong(&self, name: &str, what: &str) -> RpcError {
        invalid(format!("{name}: {what}: invalid token '{}'", self.raw(name).unwrap_or_default()))
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
