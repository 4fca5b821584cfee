//! Parameters of commands, by name or by place (`common/json_param.c`).

use super::amount::parse_msat;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_protocol::json;
use leyden_protocol::message::{BadParam, RpcError, code};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A parameter that a command takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
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

impl fmt::Display for Shape {
    /// As `help` shows it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.required { formatter.write_str(self.name) } else { write!(formatter, "[{}]", self.name) }
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

pub(crate) fn missing(name: &str) -> RpcError {
    invalid(format!("missing required parameter: {name}"))
}

/// The complaint about a token of the wrong kind within a parameter.
pub(crate) fn wrong_token(name: &str, what: &str, token: &str) -> RpcError {
    BadParam { name: name.to_owned(), what: what.to_owned(), token: token.to_owned() }.into()
}

fn has_unicode_escape(token: &str) -> bool {
    let mut letters = token.chars();
    while let Some(character) = letters.next() {
        if character == '\\' && letters.next() == Some('u') {
            return true;
        }
    }
    false
}

impl Params {
    /// Checks a request's parameters against what the command takes. With `more`, others are let through.
    pub(crate) fn parse(params: &str, shape: &[Shape], more: bool) -> Result<Self, RpcError> {
        let params = match (json::elements(params), json::members(params)) {
            (Some(elements), _) => Self::by_place(&elements, shape, more)?,
            (None, Some(members)) => Self::by_name(members, shape, more)?,
            (None, None) => return Err(invalid("Expected array or object for params")),
        };
        match shape.iter().find(|one| one.required && params.raw(one.name).is_none()) {
            Some(one) => Err(missing(one.name)),
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

    fn by_name(members: Vec<(Cow<'_, str>, &str)>, shape: &[Shape], more: bool) -> Result<Self, RpcError> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in members {
            let known = shape.iter().any(|one| one.name == name);
            if !more && !known {
                return Err(invalid(format!(
                    "unknown parameter: {name}, this may be caused by a failure to autodetect key=value-style \
                     parameters. Please try using the -k flag and explicit key=value pairs of parameters."
                )));
            }
            if known && given.iter().any(|(earlier, _)| *earlier == name) {
                return Err(invalid(format!("duplicate json names: {name}")));
            }
            given.push((name.into_owned(), value.to_owned()));
        }
        Ok(Self { given, positional: false })
    }

    /// The same, checked against more that the command takes.
    pub(crate) fn again(&self, shape: &[Shape], more: bool) -> Result<Self, RpcError> {
        Self::parse(&self.without(""), shape, more)
    }

    /// Everything but one parameter, as the parameters of another command.
    pub(crate) fn without(&self, name: &str) -> String {
        let others = self.given.iter().filter(|(given, _)| given != name);
        if self.positional {
            let elements: Vec<&str> = others.map(|(_, value)| value.as_str()).collect();
            return format!("[{}]", elements.join(","));
        }
        let members: Vec<String> =
            others.map(|(name, value)| format!("{}:{value}", json::quoted(name))).collect();
        format!("{{{}}}", members.join(","))
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

    /// The complaint about a parameter of the wrong kind.
    pub(crate) fn wrong(&self, name: &str, what: &str) -> RpcError {
        wrong_token(name, what, self.raw(name).unwrap_or_default())
    }

    /// The JSON of a required parameter.
    pub(crate) fn required_raw(&self, name: &str) -> Result<&str, RpcError> {
        self.raw(name).ok_or_else(|| missing(name))
    }

    /// A required string.
    pub(crate) fn string(&self, name: &str) -> Result<String, RpcError> {
        self.required_raw(name).map(|raw| json::content(raw).to_owned())
    }

    /// An optional string: any token, for `lightning-cli` leaves the quotes out where the text looks like a number.
    /// Escapes stay as they are (`json_param.c:param_string`).
    pub(crate) fn optional_string(&self, name: &str) -> Option<String> {
        self.raw(name).map(|raw| json::content(raw).to_owned())
    }

    /// An optional number of 64 bits.
    pub(crate) fn optional_u64(&self, name: &str) -> Result<Option<u64>, RpcError> {
        self.unsigned(name, "should be an unsigned 64 bit integer")
    }

    /// A required number of 64 bits.
    pub(crate) fn u64(&self, name: &str) -> Result<u64, RpcError> {
        self.optional_u64(name)?.ok_or_else(|| missing(name))
    }

    /// An optional number of 16 bits.
    pub(crate) fn optional_u16(&self, name: &str) -> Result<Option<u16>, RpcError> {
        self.unsigned(name, "should be a 16-bit integer")
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
        let parse = |raw| json::content(raw).parse().map_err(|_| self.wrong(name, what));
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
                .then(|| json::content(raw).to_owned())
                .ok_or_else(|| self.wrong(name, "should be a string or number"))
        };
        self.raw(name).map(parse).transpose()
    }

    /// A required label.
    pub(crate) fn label(&self, name: &str) -> Result<String, RpcError> {
        self.optional_label(name)?.ok_or_else(|| missing(name))
    }

    /// Optional 32 bytes in hex.
    pub(crate) fn optional_bytes32(&self, name: &str, what: &str) -> Result<Option<[u8; 32]>, RpcError> {
        let parse = |raw| {
            let mut bytes = [0; 32];
            let decoded = hex::decode_to_slice(json::content(raw), &mut bytes);
            decoded.map(|()| bytes).map_err(|_| self.wrong(name, what))
        };
        self.raw(name).map(parse).transpose()
    }

    /// A required SHA-256.
    pub(crate) fn sha256(&self, name: &str) -> Result<[u8; 32], RpcError> {
        self.optional_sha256(name)?.ok_or_else(|| missing(name))
    }

    /// An optional SHA-256 or secret.
    pub(crate) fn optional_sha256(&self, name: &str) -> Result<Option<[u8; 32]>, RpcError> {
        self.optional_bytes32(name, "should be a 32 byte hex value")
    }

    /// A required amount in msat.
    pub(crate) fn msat(&self, name: &str) -> Result<u64, RpcError> {
        self.optional_msat(name)?.ok_or_else(|| missing(name))
    }

    /// An optional amount in msat.
    pub(crate) fn optional_msat(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let parse = |raw| {
            parse_msat(json::content(raw)).ok_or_else(|| self.wrong(name, "should be a millisatoshi amount"))
        };
        self.raw(name).map(parse).transpose()
    }

    /// An optional boolean.
    pub(crate) fn optional_bool(&self, name: &str) -> Result<Option<bool>, RpcError> {
        let parse = |raw| json::boolean(raw).ok_or_else(|| self.wrong(name, "should be 'true' or 'false'"));
        self.raw(name).map(parse).transpose()
    }

    /// A required boolean.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool, RpcError> {
        self.optional_bool(name)?.ok_or_else(|| missing(name))
    }

    /// A required node id.
    pub(crate) fn node_id(&self, name: &str) -> Result<PublicKey, RpcError> {
        self.string(name)?.parse().map_err(|_| self.wrong(name, "should be a node id"))
    }

    /// An optional node id.
    pub(crate) fn optional_node_id(&self, name: &str) -> Result<Option<PublicKey>, RpcError> {
        self.raw(name).map(|_| self.node_id(name)).transpose()
    }

    /// A public key.
    pub(crate) fn pubkey(&self, name: &str) -> Result<PublicKey, RpcError> {
        let raw = self.required_raw(name)?;
        json::content(raw).parse().map_err(|_| self.wrong(name, "should be a compressed pubkey"))
    }

    /// An optional public key.
    pub(crate) fn optional_pubkey(&self, name: &str) -> Result<Option<PublicKey>, RpcError> {
        self.raw(name).map(|_| self.pubkey(name)).transpose()
    }

    /// An optional name of a channel.
    pub(crate) fn optional_short_channel_id(&self, name: &str) -> Result<Option<ShortChannelId>, RpcError> {
        let parse = |raw| {
            let scid = json::content(raw).parse();
            scid.map_err(|_| self.wrong(name, "should be a short_channel_id of form NxNxN"))
        };
        self.raw(name).map(parse).transpose()
    }

    /// A required number with decimals.
    pub(crate) fn decimal(&self, name: &str) -> Result<f64, RpcError> {
        self.optional_decimal(name)?.ok_or_else(|| missing(name))
    }

    /// An optional number with decimals, of which lightningd keeps six.
    pub(crate) fn optional_decimal(&self, name: &str) -> Result<Option<f64>, RpcError> {
        let parse = |raw| {
            let text = json::content(raw);
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
            let number = text.parse::<f64>().ok().filter(|_| is_plain);
            number.ok_or_else(|| self.wrong(name, "should be a non-negative floating-point number"))
        };
        self.raw(name).map(parse).transpose()
    }

    /// Optional bytes in hex. lightningd takes what is no hex for none (`json_param.c:param_bin_from_hex`).
    pub(crate) fn optional_hex(&self, name: &str) -> Option<Vec<u8>> {
        self.raw(name).and_then(|raw| hex::decode(json::content(raw)).ok())
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
