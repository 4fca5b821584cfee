//! Framing: a byte stream cut into JSON values.
//!
//! lightningd ends what it writes with a blank line but needs no separator when it reads: it parses a
//! stream of objects (`lightningd/plugin.c:plugin_read_json`, `common/jsonrpc_io.c:jsonrpc_io_parse`).
//! Many plugins write no newline at all, so [`FrameReader`] cuts by completeness of the JSON.

use crate::json::{self, Unreadable};

/// What lightningd writes after every message.
pub const TERMINATOR: &str = "\n\n";

/// Collects bytes and hands out one complete JSON value at a time, byte for byte as it was sent.
///
/// ```
/// let mut reader = leyden_protocol::FrameReader::new();
/// reader.push(br#"{"a": 1}{"b""#);
/// assert_eq!(reader.next_frame().unwrap().as_deref(), Some(r#"{"a": 1}"#));
/// assert_eq!(reader.next_frame().unwrap(), None);
/// reader.push(b":2}\n\n");
/// assert_eq!(reader.next_frame().unwrap().as_deref(), Some(r#"{"b":2}"#));
/// ```
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Where the first unread byte is.
    start: usize,
    /// Up to here a parse has already ended in "incomplete"; another attempt needs a `}` behind it.
    tried: usize,
}

/// The stream cannot be JSON any more. Nothing further can be read from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: '{}'", String::from_utf8_lossy(.unread))]
pub struct NotJson {
    /// Everything that was unread, later messages included, as lightningd prints it.
    pub unread: Vec<u8>,
}

impl FrameReader {
    /// A reader with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.tried -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete value, or `None` until more bytes arrive.
    ///
    /// Like lightningd, nothing is looked at, nor complained about, until a `}` has arrived.
    ///
    /// # Errors
    /// [`NotJson`] with everything unread when the bytes cannot become JSON.
    pub fn next_frame(&mut self) -> Result<Option<String>, NotJson> {
        if !self.buffer[self.tried..].contains(&b'}') {
            return Ok(None);
        }
        let unread = &self.buffer[self.start..];
        match json::scan(unread) {
            Ok((start, end)) => {
                let frame =
                    std::str::from_utf8(&unread[start..end]).expect("the scan has seen that").to_owned();
                self.start += end;
                self.tried = self.start;
                Ok(Some(frame))
            }
            Err(Unreadable::Incomplete) => {
                self.tried = self.buffer.len();
                Ok(None)
            }
            Err(Unreadable::Invalid) => Err(NotJson { unread: unread.to_vec() }),
        }
    }

    /// What has arrived and not been handed out.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(reader: &mut FrameReader) -> Vec<String> {
        std::iter::from_fn(|| reader.next_frame().expect("valid JSON")).collect()
    }

    #[test]
    fn a_manifest_without_any_newline_is_complete() {
        let mut reader = FrameReader::new();
        reader.push(br#"{"jsonrpc": "2.0", "id": 0, "result": {"options": []}}"#);
        assert_eq!(frames(&mut reader).len(), 1);
    }

    #[test]
    fn garbage_is_not_noticed_until_a_brace_arrives() {
        let mut reader = FrameReader::new();
        reader.push(b"Traceback (most recent call last):\n");
        assert_eq!(reader.next_frame(), Ok(None));
        reader.push(b"  x = {}\n");
        let error = reader.next_frame().unwrap_err();
        assert_eq!(error.unread, b"Traceback (most recent call last):\n  x = {}\n");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_garbage() {
        let mut reader = FrameReader::new();
        reader.push(b"{\"a\": \"\xff\"}");
        assert!(reader.next_frame().is_err());
    }

    #[test]
    fn the_sender_s_spacing_is_kept() {
        let mut reader = FrameReader::new();
        reader.push(b"\n { \"a\" :\n1.0 }\t");
        assert_eq!(frames(&mut reader), ["{ \"a\" :\n1.0 }"]);
        assert_eq!(reader.unread(), b"\t");
    }

    fn json_object() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(serde_json::Value::from),
            ".*".prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        let value = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Value>()),
            ]
        });
        prop::collection::btree_map("[a-z{}\"]*", value, 0..4)
            .prop_map(|members| members.into_iter().collect::<serde_json::Value>().to_string())
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_chunks(
            objects in prop::collection::vec((json_object(), "[ \n\t]{0,3}"), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream: String = objects.iter().map(|(object, space)| format!("{object}{space}")).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();

            let mut reader = FrameReader::new();
            let mut seen = Vec::new();
            for pair in cuts.windows(2) {
                reader.push(&stream.as_bytes()[pair[0]..pair[1]]);
                seen.extend(frames(&mut reader));
            }
            let sent: Vec<String> = objects.into_iter().map(|(object, _)| object).collect();
            prop_assert_eq!(seen, sent);
        }

        #[test]
        fn no_bytes_make_it_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut reader = FrameReader::new();
            for chunk in chunks {
                reader.push(&chunk);
                while let Ok(Some(_)) = reader.next_frame() {}
            }
        }
    }
}
