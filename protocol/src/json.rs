//! Raw JSON: values, members and elements, each with the sender's bytes.
//!
//! lightningd quotes a plugin's tokens in its complaints and passes them on unchanged, so values are
//! looked at in place and not decoded first. It also reads more than JSON: its parser (`external/jsmn`)
//! takes any run of characters behind `-`, a digit, `t`, `f` or `n` for a value, and `lightning-cli`
//! relies on that (`connect <id> 127.0.0.1` sends the address without quotes). So does [`scan`].

use std::borrow::Cow;

/// Why a value could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The text ends too early; more may mend it.
    Incomplete,
    /// Nothing that follows can mend it.
    Invalid,
}

/// Finds the first value in `bytes`: where it starts, behind white space, and where it ends.
///
/// # Errors
/// [`Unreadable`]; bytes that are not UTF-8 are [`Unreadable::Invalid`] once the value is complete.
pub fn scan(bytes: &[u8]) -> Result<(usize, usize), Unreadable> {
    let start = skip_space(bytes, 0);
    let end = value_end(bytes, start)?;
    match std::str::from_utf8(&bytes[start..end]) {
        Ok(_) => Ok((start, end)),
        Err(_) => Err(Unreadable::Invalid),
    }
}

/// What may come next inside of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of an array that is still empty.
    ValueOrEnd,
    Key,
    /// A key, or the end of an object that is still empty.
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

fn value_end(bytes: &[u8], start: usize) -> Result<usize, Unreadable> {
    let mut open: Vec<u8> = Vec::new();
    let mut at = start;
    let mut expect = Expect::Value;
    loop {
        at = skip_space(bytes, at);
        let byte = *bytes.get(at).ok_or(Unreadable::Incomplete)?;
        let complete = match (expect, byte) {
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                open.push(byte);
                expect = if byte == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                at += 1;
                continue;
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                at = string_end(bytes, at)?;
                expect = Expect::Colon;
                continue;
            }
            (Expect::Colon, b':') => {
                at += 1;
                expect = Expect::Value;
                continue;
            }
            (Expect::CommaOrEnd, b',') => {
                at += 1;
                expect = if open.last() == Some(&b'{') { Expect::Key } else { Expect::Value };
                continue;
            }
            (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') if open.last() == Some(&b'{') => at + 1,
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') if open.last() == Some(&b'[') => at + 1,
            (Expect::Value | Expect::ValueOrEnd, b'"') => string_end(bytes, at)?,
            (Expect::Value | Expect::ValueOrEnd, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                primitive_end(bytes, at, open.is_empty())?
            }
            _ => return Err(Unreadable::Invalid),
        };
        if matches!(byte, b'}' | b']') {
            open.pop();
        }
        if open.is_empty() {
            return Ok(complete);
        }
        at = complete;
        expect = Expect::CommaOrEnd;
    }
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    from + bytes[from.min(bytes.len())..].iter().take_while(space).count()
}

/// The end of the string that starts at `start`.
fn string_end(bytes: &[u8], start: usize) -> Result<usize, Unreadable> {
    let mut at = start + 1;
    loop {
        let plain = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\'));
        at += plain.ok_or(Unreadable::Incomplete)?;
        if bytes[at] == b'"' {
            return Ok(at + 1);
        }
        at = escape_end(bytes, at)?;
    }
}

/// The end of the escape that starts at `start`, with its backslash.
fn escape_end(bytes: &[u8], start: usize) -> Result<usize, Unreadable> {
    match *bytes.get(start + 1).ok_or(Unreadable::Incomplete)? {
        b'"' | b'/' | b'\\' | b'b' | b'f' | b'r' | b'n' | b't' => Ok(start + 2),
        b'u' => {
            for digit in start + 2..start + 6 {
                let digit = bytes.get(digit).ok_or(Unreadable::Incomplete)?;
                if !digit.is_ascii_hexdigit() {
                    return Err(Unreadable::Invalid);
                }
            }
            Ok(start + 6)
        }
        _ => Err(Unreadable::Invalid),
    }
}

/// The end of the number or word that starts at `start`. One that stands alone may end with the text.
fn primitive_end(bytes: &[u8], start: usize, alone: bool) -> Result<usize, Unreadable> {
    for (offset, byte) in bytes[start..].iter().enumerate() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}' | b':' => return Ok(start + offset),
            0..0x20 | 0x7f.. | b'"' | b'{' | b'[' => return Err(Unreadable::Invalid),
            _ => {}
        }
    }
    if alone { Ok(bytes.len()) } else { Err(Unreadable::Incomplete) }
}

/// The members of an object in the order they were sent. `None` if `text` is not an object.
#[must_use]
pub fn members(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut members = Vec::new();
    each_member(text, |key, value| members.push((key, value)))?;
    Some(members)
}

/// The value of the first member called `name`, as it was sent.
#[must_use]
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    each_member(text, |key, value| {
        if found.is_none() && key == name {
            found = Some(value);
        }
    })?;
    found
}

/// Hands out every member of an object. `None` if `text` is not one whole object, which may show only behind some of them.
pub(crate) fn each_member<'a>(text: &'a str, mut each: impl FnMut(Cow<'a, str>, &'a str)) -> Option<()> {
    each_inside(text, (b'{', b'}'), |start| {
        let bytes = text.as_bytes();
        stands(bytes, start, b'"')?;
        let key_end = string_end(bytes, start).ok()?;
        let colon = skip_space(bytes, key_end);
        stands(bytes, colon, b':')?;
        let value = skip_space(bytes, colon + 1);
        let end = value_end(bytes, value).ok()?;
        each(unquoted(&text[start..key_end]), &text[value..end]);
        Some(end)
    })
}

/// The elements of an array as they were sent. `None` if `text` is not an array.
#[must_use]
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    each_inside(text, (b'[', b']'), |start| {
        let end = value_end(text.as_bytes(), start).ok()?;
        elements.push(&text[start..end]);
        Some(end)
    })?;
    Some(elements)
}

/// Goes from comma to comma through `text`, which must be one whole value in these brackets; `item` says where the one ends that
/// starts at a place.
fn each_inside(
    text: &str,
    (open, close): (u8, u8),
    mut item: impl FnMut(usize) -> Option<usize>,
) -> Option<()> {
    let bytes = text.as_bytes();
    let start = skip_space(bytes, 0);
    stands(bytes, start, open)?;
    let mut at = skip_space(bytes, start + 1);
    if stands(bytes, at, close).is_none() {
        loop {
            at = skip_space(bytes, item(at)?);
            if stands(bytes, at, close).is_some() {
                break;
            }
            stands(bytes, at, b',')?;
            at = skip_space(bytes, at + 1);
        }
    }
    (skip_space(bytes, at + 1) == bytes.len()).then_some(())
}

fn stands(bytes: &[u8], at: usize, byte: u8) -> Option<()> {
    (bytes.get(at) == Some(&byte)).then_some(())
}

fn unquoted(key: &str) -> Cow<'_, str> {
    if key.contains('\\') { Cow::Owned(bare(key)) } else { Cow::Borrowed(content(key)) }
}

/// The content of a JSON string. `None` if `text` is something else.
#[must_use]
pub fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A JSON boolean. `None` if `text` is something else.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    text.trim().parse().ok()
}

/// The text of a token: a string without its quotes, anything else as it stands. lightningd takes
/// `"default": "5"` and `"default": 5` for the same thing.
#[must_use]
pub fn bare(text: &str) -> String {
    string(text).unwrap_or_else(|| text.to_owned())
}

/// A token as lightningd copies it (`common/json_parse_simple.c:json_strdup`): a string without its quotes but with its escapes.
#[must_use]
pub fn content(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// The [`content`] of a string with its escapes resolved as `ccan/json_escape` does: `None` where there is one
/// that it does not know, such as `\u00e9`.
#[must_use]
pub fn unescaped(content: &str) -> Option<String> {
    let mut text = String::with_capacity(content.len());
    let mut rest = content.chars();
    while let Some(character) = rest.next() {
        text.push(match character {
            '\\' => match rest.next()? {
                'n' => '\n',
                'b' => '\u{8}',
                'f' => '\u{c}',
                't' => '\t',
                'r' => '\r',
                plain @ ('/' | '\\' | '"') => plain,
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(text)
}

/// `text` as a JSON string with quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_two_members_counts_and_null_is_a_value() {
        let text = r#"{"id": null, "a" : [1, 2.0] , "id": 7, "\u0062": {}}"#;
        assert_eq!(member(text, "id"), Some("null"));
        assert_eq!(member(text, "b"), Some("{}"));
        assert_eq!(elements(member(text, "a").unwrap()), Some(vec!["1", "2.0"]));
        assert_eq!(members("[]"), None);
        assert_eq!(members("{}"), Some(vec![]));
    }

    #[test]
    fn an_address_without_quotes_is_a_value() {
        let text = r#"{"params" :[ "02aa", 127.0.0.1, 9735] }"#;
        assert_eq!(elements(member(text, "params").unwrap()), Some(vec![r#""02aa""#, "127.0.0.1", "9735"]));
    }

    #[test]
    fn what_more_can_mend_is_not_invalid() {
        for text in ["{", r#"{"a"#, r#"{"a":"#, r#"{"a":-"#, r#"["\u00"#, "[1", ""] {
            assert_eq!(scan(text.as_bytes()), Err(Unreadable::Incomplete), "{text}");
            assert_eq!((members(text), elements(text)), (None, None), "{text}");
        }
        for text in ["}", "{]", r#"{"a" 1}"#, "[1,]", r#"{"a":1,}"#, r#"["\x"]"#, "[x]", r#"{1:2}"#] {
            assert_eq!(scan(text.as_bytes()), Err(Unreadable::Invalid), "{text}");
            assert_eq!((members(text), elements(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn what_stands_behind_a_value_is_no_part_of_it() {
        for text in
            [r#"{"a":1}{}"#, "{} x", r#"{"a":1,"b"}"#, r#"{"a":{} "b":2}"#, "[1][2]", r#"["1" "2"]"#, "[1]]"]
        {
            assert_eq!((members(text), elements(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn a_bare_token_and_a_string_have_the_same_text() {
        assert_eq!(bare("5"), bare("\"5\""));
        assert_eq!(bare("\"a\\\"b\""), "a\"b");
    }

    proptest! {
        #[test]
        fn whatever_serde_json_reads_is_read_alike(text in r#"[ \[\]{},:"a1\-.e\\tfnu]{0,24}"#) {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                let (start, end) = scan(text.as_bytes()).expect("JSON is read");
                prop_assert_eq!(text.trim(), &text[start..end]);
                prop_assert_eq!(members(&text).is_some(), value.is_object());
                prop_assert_eq!(elements(&text).map(|all| all.len()), value.as_array().map(Vec::len));
            }
        }
    }
}
