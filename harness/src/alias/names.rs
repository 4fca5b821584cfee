//! What a net knows by name.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use leyden_protocol::json;

use super::{DEPTH, IDENTIFIERS, Label, content, says};
use crate::event::{Event, EventKind};

/// What a net knows by name: the values behind the aliases. Events teach it ids, ports and plugins; the net adds its directories.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Node ids and other identifiers, in lowercase hex, with the label of their alias.
    pub(super) hex: HashMap<String, Label>,
    pub(super) ports: HashMap<u16, String>,
    /// Ordered backwards, so that a path comes before the path that it continues.
    pub(super) paths: BTreeMap<std::cmp::Reverse<String>, String>,
    /// Short channel ids of channels that the net has opened: where they stand in a block is chance.
    pub(super) scids: BTreeMap<String, String>,
}

impl Names {
    /// Prints the path as `<NAME-dir>`, and what is below it as `<NAME-dir>/…`.
    #[must_use]
    pub fn directory(mut self, name: &str, path: &Path) -> Self {
        self.path(path, format!("{name}-dir"));
        self
    }

    /// Takes the ids, ports, plugin paths and hashes that an event tells.
    pub fn learn(&mut self, event: &Event) {
        match &event.kind {
            EventKind::NodeStarted { id, port } => {
                if let Some(node) = &event.node {
                    self.hex.insert(id.clone(), Label::Named(node.clone()));
                    if *port != 0 {
                        self.ports.insert(*port, format!("{node}-port"));
                    }
                }
            }
            EventKind::PluginLaunched { plugin, path, .. } => self.path(path, format!("plugin:{plugin}")),
            EventKind::ChannelFunded { scid, from, to } => {
                self.scids.insert(scid.clone(), format!("scid:{from}-{to}"));
                if let Some(hex) = scid_in_hex(scid) {
                    self.hex.insert(hex, Label::Named(format!("hex-scid:{from}-{to}")));
                }
            }
            EventKind::Block { hash, .. } => self.identifier(hash),
            EventKind::Frame { text, .. } => self.learn_value(text, "", 0),
            EventKind::RpcAnswered { params, answer, .. } => {
                self.learn_value(params, "", 0);
                let (Ok(answer) | Err(answer)) = answer;
                self.learn_value(answer, "", 0);
            }
            _ => {}
        }
    }

    fn path(&mut self, path: &Path, label: String) {
        self.paths.insert(std::cmp::Reverse(path.to_string_lossy().into_owned()), label);
    }

    fn learn_value(&mut self, raw: &str, name: &str, depth: usize) {
        match raw.as_bytes().first() {
            _ if depth > DEPTH => {}
            Some(b'{') => {
                for (name, value) in json::members(raw).unwrap_or_default() {
                    self.learn_value(value, &name, depth + 1);
                }
            }
            Some(b'[') => {
                for value in json::elements(raw).unwrap_or_default() {
                    self.learn_value(value, name, depth + 1);
                }
            }
            Some(b'"') if says(name, &IDENTIFIERS) => {
                let value = content(raw);
                // An outpoint is a transaction id and an index.
                let (hash, index) = value.split_once(':').unwrap_or((value, "0"));
                if index.parse::<u32>().is_ok() {
                    self.identifier(hash);
                }
            }
            _ => {}
        }
    }

    /// Takes a value that stands where an identifier stands, if it looks like one.
    fn identifier(&mut self, value: &str) {
        let label = match value.len() {
            66 if value.starts_with("02") || value.starts_with("03") => "node",
            64 | 128 => "hash",
            _ => return,
        };
        let is_hex = value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let chosen = value.as_bytes().chunks(2).all(|byte| *byte == value.as_bytes()[..2]);
        if is_hex && !chosen {
            self.hex.entry(value.to_owned()).or_insert(Label::Numbered(label));
        }
    }
}

/// As it stands in payloads: block, transaction and output in 3, 3 and 2 bytes (BOLT 7).
fn scid_in_hex(scid: &str) -> Option<String> {
    let mut parts = scid.split('x').map(|part| part.parse::<u32>().ok());
    let (block, transaction, output) = (parts.next()??, parts.next()??, parts.next()??);
    Some(format!("{block:06x}{transaction:06x}{output:04x}"))
}
