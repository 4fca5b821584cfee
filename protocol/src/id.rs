//! Request ids.
//!
//! A response is matched by the exact text of the id token, quotes included, so [`Id`] keeps that text.
//! How lightningd makes its own ids has changed twice (`lightningd/jsonrpc.c:jsonrpc_request_start_`):
//!
//! | release | id of the N-th request |
//! |---|---|
//! | v0.10.1 | `N` |
//! | v23.02 | `N` for `getmanifest`; afterwards `"[<cause>/]cln:<method>#N"` if the manifest allows it |
//! | v25.05 and later | `"[<cause>/]cln:<method>#N"` |
//!
//! `N` is one counter for the whole node, from 0. `<cause>` is the id of the client's request that led to
//! this one.

use crate::json;
use std::fmt;

/// The token of a request id, as it stood in the message: `5`, `"cln:init#7"`, `null`, `1.5`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    /// The id whose JSON token is `token`.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// The id that is the JSON string `text`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(json::quoted(text))
    }

    /// The id that is the number `number`.
    #[must_use]
    pub fn number(number: u64) -> Self {
        Self(number.to_string())
    }

    /// The JSON token, quotes included.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.0
    }

    /// What lightningd puts in front of the ids that this one causes: the token without its outer quotes,
    /// or `weird-id` when that text would need escaping.
    #[must_use]
    pub fn cause(&self) -> &str {
        let text = self.0.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&self.0);
        let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f;
        if text.bytes().all(plain) { text } else { "weird-id" }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How the next id looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    /// A bare integer.
    Integer,
    /// `"cln:<method>#N"`, behind the cause if there is one.
    Text,
}

/// The counter of a node's requests: one for all plugins and all kinds of request.
#[derive(Debug, Default)]
pub struct IdSource {
    next: u64,
}

impl IdSource {
    /// The id of the next request, which calls `method`, perhaps because of `cause`.
    pub fn next(&mut self, form: IdForm, method: &str, cause: Option<&Id>) -> Id {
        let number = self.next;
        self.next += 1;
        match (form, cause) {
            (IdForm::Integer, _) => Id::number(number),
            (IdForm::Text, None) => Id::text(&format!("cln:{method}#{number}")),
            (IdForm::Text, Some(cause)) => Id::text(&format!("{}/cln:{method}#{number}", cause.cause())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_their_cause_as_a_real_node_does() {
        // Pairs seen on v26.06.6.
        let cases = [
            ("5", "5/cln:echo#0"),
            ("1.5", "1.5/cln:echo#0"),
            ("true", "true/cln:echo#0"),
            (r#""a\"b""#, "weird-id/cln:echo#0"),
            (r#""x/y""#, "x/y/cln:echo#0"),
        ];
        for (token, expected) in cases {
            let cause = Id::from_token(token);
            let id = IdSource::default().next(IdForm::Text, "echo", Some(&cause));
            assert_eq!(id.token(), format!("\"{expected}\""), "caused by {token}");
        }
    }

    #[test]
    fn one_counter_serves_every_form() {
        let mut ids = IdSource::default();
        assert_eq!(ids.next(IdForm::Integer, "getmanifest", None).token(), "0");
        assert_eq!(ids.next(IdForm::Text, "init", None).token(), r#""cln:init#1""#);
    }
}
