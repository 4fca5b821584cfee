//! Raw JSON: the members of an object and the elements of an array, each with the sender's bytes.
//!
//! lightningd quotes a plugin's tokens in its complaints and passes them on unchanged, so values are
//! looked at in place and not decoded first.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members of an object in the order they were sent. `None` if `text` is not an object.
#[must_use]
pub fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

/// The value of the first member called `name`, as it was sent.
#[must_use]
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    members(text)?.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The elements of an array as they were sent. `None` if `text` is not an array.
#[must_use]
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let raw: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(raw.into_iter().map(RawValue::get).collect())
}

/// The content of a JSON string. `None` if `text` is something else.
#[must_use]
pub fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A JSON boolean. `None` if `text` is something else.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    serde_json::from_str(text).ok()
}

/// The text of a token: a string without its quotes, anything else as it stands. lightningd takes
/// `"default": "5"` and `"default": 5` for the same thing.
#[must_use]
pub fn bare(text: &str) -> String {
    string(text).unwrap_or_else(|| text.to_owned())
}

/// `text` as a JSON string with quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `text`, which must be JSON, as a raw value.
///
/// # Panics
/// If `text` is not JSON; that is a bug of the caller, which has parsed or made it.
#[must_use]
pub fn raw(text: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(text.into()).expect("the caller passes JSON")
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key.0, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// serde's own `Cow` never borrows.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a member name")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_members_counts_and_null_is_a_value() {
        let text = r#"{"id": null, "a" : [1, 2.0] , "id": 7, "\u0062": {}}"#;
        assert_eq!(member(text, "id"), Some("null"));
        assert_eq!(member(text, "b"), Some("{}"));
        assert_eq!(elements(member(text, "a").unwrap()), Some(vec!["1", "2.0"]));
        assert_eq!(members("[]"), None);
    }

    #[test]
    fn a_bare_token_and_a_string_have_the_same_text() {
        assert_eq!(bare("5"), bare("\"5\""));
        assert_eq!(bare("\"a\\\"b\""), "a\"b");
    }
}
