//! Aliases: what differs from run to run is printed by the order of its first sight, everything else as it was sent.
//!
//! The vocabulary is small on purpose, since every alias can hide a mistake. A value gets one only where the JSON
//! says that it is of such a kind; then the same value has the same alias everywhere, also inside longer strings.
//!
//! | alias | for |
//! |---|---|
//! | `<l1>` | the id of a node of the net |
//! | `<node#1>` | another node id or public key: 33 bytes in a member such as `id`, `peer_id`, `destination` |
//! | `<hash#1>` | a transaction id, block or payment hash, preimage, secret or channel id: 32 bytes in a member such as `payment_hash`, and a signature of 64 |
//! | `<tx#1>`, `<onion#1>` | a whole transaction, PSBT or onion in the members called so, an onion in `incoming` and `outgoing` |
//! | `<bolt11#1>`, `<bolt12#1>` | an invoice or offer, anywhere |
//! | `<time>`, `<time.3>`, `<time.n>`, `<iso-time>` | a moment of this century in a member such as `timestamp`: whole seconds, with decimals, a number with decimals, ISO 8601 |
//! | `<scid:l1-l2>` | the short channel id of a channel that the net has opened |
//! | `<hex-scid:l1-l2>` | the same in the bytes of a payload |
//! | `<l1-dir>`, `<plugin:NAME>` | a directory that the net named, a plugin's path |
//! | `<l1-port>`, `<port#1>` | a port behind a loopback address |
//! | `<id#1>`, `"cln:init#<1>"` | a numeric request id; the counters and process ids in a textual one |
//!
//! Payloads stay literal, and so do versions, block heights, other short channel ids, amounts, and 32 bytes that are all the
//! same, because a node never makes such a hash: somebody chose it.

mod names;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use leyden_protocol::json;

use crate::layout::Shape;

pub use names::Names;

/// Member names that say "a node id, key, hash or secret", also behind a prefix and `_`: `id` stands for `peer_id` too.
const IDENTIFIERS: [&str; 21] = [
    "id",
    "node",
    "peer",
    "source",
    "destination",
    "account",
    "pubkey",
    "point",
    "path_key",
    "hash",
    "blockhash",
    "txid",
    "txids",
    "utxo",
    "outpoint",
    "preimage",
    "secret",
    "secrets",
    "forward_to",
    "signature",
    "nonce",
];
/// Member names that say "a moment".
const MOMENTS: [&str; 4] = ["time", "timestamp", "at", "update"];
/// Member names whose whole value is large and new in every run.
const LARGE: [(&str, &str); 6] = [
    ("tx", "tx"),
    ("txs", "tx"),
    ("psbt", "tx"),
    ("onion", "onion"),
    ("incoming", "onion"),
    ("outgoing", "onion"),
];
/// Large values shorter than this many characters are somebody's text.
const LARGE_FROM: usize = 64;

/// Hex lengths of a signature, a public key, a hash and a short channel id: the longest first, because one can begin like another.
const HEX_LENGTHS: [usize; 4] = [128, 66, 64, 16];
/// Where addresses that are ephemeral end and their port begins.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];
/// JSON nested deeper than this is printed as it was sent.
const DEPTH: usize = 100;

/// How an alias is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Label {
    /// The name itself: `<l1>`; a second value that claims it becomes `<l1#2>`.
    Named(String),
    /// Always numbered: `<hash#1>`.
    Numbered(&'static str),
}

/// Whether a member name is one of the words, or ends in one behind `_`.
fn says(name: &str, words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| name.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with('_')))
}

/// A string token without its quotes, its escapes as they were sent.
fn content(token: &str) -> &str {
    token.strip_prefix('"').and_then(|token| token.strip_suffix('"')).unwrap_or(token)
}

/// The aliases of one printed transcript, given out as values come into sight.
#[derive(Debug)]
pub(crate) struct Aliases<'a> {
    names: &'a Names,
    given: HashMap<(Label, String), String>,
    counts: HashMap<Label, usize>,
    /// Textual request ids that were printed: `progress` and `message` name one in their parameters.
    asked: HashSet<String>,
    /// A node counts its requests from 0 in each of its runs: the same id in two runs is two ids.
    node_run: usize,
}

impl<'a> Aliases<'a> {
    pub(crate) fn new(names: &'a Names) -> Self {
        Self { names, given: HashMap::new(), counts: HashMap::new(), asked: HashSet::new(), node_run: 0 }
    }

    /// The request ids that follow belong to this run of the node.
    pub(crate) fn enter_run(&mut self, node_run: usize) {
        self.node_run = node_run;
    }

    /// A JSON value, which is the value of a member called `name`, with aliases.
    pub(crate) fn value(&mut self, raw: &str, name: &str) -> Shape {
        self.nested(raw, name, 0)
    }

    fn nested(&mut self, raw: &str, name: &str, depth: usize) -> Shape {
        match raw.as_bytes().first() {
            Some(b'{') if depth < DEPTH => self.object(raw, depth),
            Some(b'[') if depth < DEPTH => self.array(raw, name, depth),
            Some(b'"') => Shape::Token(self.string(raw, name)),
            Some(b'0'..=b'9') if says(name, &MOMENTS) => {
                Shape::Token(moment(raw).map_or_else(|| raw.to_owned(), number_of_time))
            }
            _ => Shape::Token(raw.to_owned()),
        }
    }

    fn object(&mut self, raw: &str, depth: usize) -> Shape {
        let members = json::members(raw).unwrap_or_default();
        let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
        let is_request = has("method") && has("params");
        let is_address = members
            .iter()
            .any(|(name, value)| (name == "address" || name == "host") && LOOPBACK.contains(&content(value)));
        let shapes = members.iter().map(|(name, value)| {
            let shape = match &**name {
                "id" if is_request || self.asked.contains(*value) => Shape::Token(self.request_id(value)),
                "port" if is_address => Shape::Token(self.port(value)),
                _ => self.nested(value, name, depth + 1),
            };
            (self.string(&json::quoted(name), ""), shape)
        });
        Shape::Object(shapes.collect())
    }

    fn array(&mut self, raw: &str, name: &str, depth: usize) -> Shape {
        let mut behind_loopback = false;
        let mut shapes = Vec::new();
        for value in json::elements(raw).unwrap_or_default() {
            // Positional parameters: `connect` takes an id, a host and a port.
            shapes.push(if behind_loopback {
                Shape::Token(self.port(value))
            } else {
                self.nested(value, name, depth + 1)
            });
            behind_loopback = LOOPBACK.contains(&content(value));
        }
        Shape::Array(shapes)
    }

    /// A request id: `"cln:init#37/cln:rpc_command#45"` becomes `"cln:init#<1>/cln:rpc_command#<2>"`, and `5` becomes `<id#1>`.
    pub(crate) fn request_id(&mut self, token: &str) -> String {
        if !token.starts_with('"') {
            let is_number = token.bytes().all(|byte| byte.is_ascii_digit());
            return if is_number { self.counter(token) } else { token.to_owned() };
        }
        if token.contains('#') {
            self.asked.insert(token.to_owned());
        }
        let parts: Vec<String> = content(token).split('/').map(|part| self.id_part(part)).collect();
        format!("\"{}\"", parts.join("/"))
    }

    /// Each program on the way has added its part, which may end in its counter or process id.
    fn id_part(&mut self, part: &str) -> String {
        let word = part.trim_end_matches(|character: char| character.is_ascii_digit());
        let is_counter = word.len() < part.len() && (word.is_empty() || word.ends_with(['#', '-']));
        if !is_counter {
            return part.to_owned();
        }
        let alias = self.counter(part);
        // The word says what is counted: `cln:init#<1>`.
        if word.is_empty() { alias } else { format!("{word}<{}", alias.trim_start_matches("<id#")) }
    }

    fn counter(&mut self, part: &str) -> String {
        self.numbered("id", &format!("{part} in run {}", self.node_run))
    }

    fn string(&mut self, token: &str, name: &str) -> String {
        let text = content(token);
        if says(name, &MOMENTS)
            && let Some(alias) = moment(text)
        {
            return format!("\"{alias}\"");
        }
        let large = LARGE.iter().find(|(word, _)| says(name, &[word]) && text.len() >= LARGE_FROM);
        if let Some((_, label)) = large
            && !self.names.hex.contains_key(text)
        {
            return format!("\"{}\"", self.numbered(label, text));
        }
        format!("\"{}\"", self.inside(text))
    }

    /// Replaces what is known wherever it stands in a text.
    fn inside(&mut self, text: &str) -> String {
        let mut printed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let before = &text[..text.len() - rest.len()];
            if let Some((length, alias)) = self.known_start(before, rest) {
                printed.push_str(&alias);
                rest = &rest[length..];
            } else {
                printed.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
        printed
    }

    /// The alias of what `rest` begins with, and how many bytes it stands for.
    fn known_start(&mut self, before: &str, rest: &str) -> Option<(usize, String)> {
        let names = self.names;
        match rest.as_bytes()[0] {
            b'0'..=b'9' | b'a'..=b'f' => {
                if let Some(scid) = self.scid_start(before, rest) {
                    return Some(scid);
                }
                for length in HEX_LENGTHS {
                    if let Some((value, label)) =
                        rest.get(..length).and_then(|hex| names.hex.get_key_value(hex))
                    {
                        return Some((length, self.alias(label.clone(), value)));
                    }
                }
                let address = before.strip_suffix(':')?;
                if !LOOPBACK.iter().any(|host| address.ends_with(host)) {
                    return None;
                }
                let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
                Some((digits.len(), self.port(digits)))
            }
            b'/' => names.paths.iter().find_map(|(path, label)| {
                let after = rest.strip_prefix(path.0.as_str())?;
                let ends = !after.starts_with(|next: char| next.is_alphanumeric() || "-_.".contains(next));
                ends.then(|| (path.0.len(), self.alias(Label::Named(label.clone()), &path.0)))
            }),
            b'l' if !before.ends_with(|previous: char| previous.is_ascii_alphanumeric()) => {
                let length = rest
                    .bytes()
                    .take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                    .count();
                let label = offer_or_invoice(&rest[..length])?;
                Some((length, self.numbered(label, &rest[..length])))
            }
            _ => None,
        }
    }

    fn scid_start(&mut self, before: &str, rest: &str) -> Option<(usize, String)> {
        let digits_end = |text: &str| text.ends_with(|previous: char| previous.is_ascii_alphanumeric());
        let names = self.names;
        let (scid, label) = names.scids.iter().find(|(scid, _)| {
            let after = rest.strip_prefix(scid.as_str());
            after.is_some_and(|after| !after.starts_with(|next: char| next.is_ascii_alphanumeric()))
        })?;
        (!digits_end(before)).then(|| (scid.len(), self.alias(Label::Named(label.clone()), scid)))
    }

    fn port(&mut self, token: &str) -> String {
        let Ok(port) = token.parse::<u16>() else { return token.to_owned() };
        match self.names.ports.get(&port) {
            Some(name) => self.alias(Label::Named(name.clone()), token),
            None => self.numbered("port", token),
        }
    }

    fn numbered(&mut self, label: &'static str, value: &str) -> String {
        self.alias(Label::Numbered(label), value)
    }

    /// The alias of a value: the one it has, or the next of its label.
    fn alias(&mut self, label: Label, value: &str) -> String {
        if let Some(alias) = self.given.get(&(label.clone(), value.to_owned())) {
            return alias.clone();
        }
        let count = self.counts.entry(label.clone()).or_default();
        *count += 1;
        let alias = match (&label, *count) {
            (Label::Named(name), 1) => format!("<{name}>"),
            (Label::Named(name), count) => format!("<{name}#{count}>"),
            (Label::Numbered(name), count) => format!("<{name}#{count}>"),
        };
        self.given.insert((label, value.to_owned()), alias.clone());
        alias
    }
}

/// The alias of a moment that is a number: how many decimals it is printed with says nothing.
fn number_of_time(alias: Cow<'static, str>) -> String {
    if alias.starts_with("<time.") { "<time.n>".to_owned() } else { alias.into_owned() }
}

/// The alias of a moment of this century as lightningd writes it; `None` for other text.
fn moment(text: &str) -> Option<Cow<'static, str>> {
    let is_iso = text.len() == "2026-11-21T09:01:11.497Z".len()
        && text.bytes().zip("dddd-dd-ddTdd:dd:dd.dddZ".bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            _ => byte == form,
        });
    if is_iso {
        return Some(Cow::Borrowed("<iso-time>"));
    }
    let (seconds, decimals) =
        text.split_once('.').map_or((text, None), |(seconds, decimals)| (seconds, Some(decimals)));
    let plausible = seconds.len() == 10 && seconds.parse::<u32>().is_ok_and(|seconds| seconds > 946_684_800);
    match decimals {
        None if plausible => Some(Cow::Borrowed("<time>")),
        Some(decimals)
            if plausible && !decimals.is_empty() && decimals.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Some(Cow::Owned(format!("<time.{}>", decimals.len())))
        }
        _ => None,
    }
}

/// What a word of lowercase letters and digits is, if it is long enough to be one of these.
fn offer_or_invoice(word: &str) -> Option<&'static str> {
    if word.len() < 60 {
        None
    } else if ["lno1", "lni1", "lnr1"].iter().any(|prefix| word.starts_with(prefix)) {
        Some("bolt12")
    } else {
        ["lnbcrt", "lnbc", "lntb"].iter().any(|prefix| word.starts_with(prefix)).then_some("bolt11")
    }
}
