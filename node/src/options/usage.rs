//! What `--help` prints: the node's options and those of its plugins, which have been asked for their
//! manifests (`ccan/opt/usage.c`).

use super::entry::Entry;
use super::{Shape, is_for_developers};
use crate::state::State;

/// The column of the descriptions.
const INDENT: usize = 40;

impl State {
    /// The whole text.
    pub(crate) fn usage(&self) -> String {
        let options: String =
            self.options().filter(|entry| self.is_shown(entry)).map(|entry| self.line(&entry)).collect();
        format!(
            "Usage: lightningd\nA lightningd-compatible node (default values shown for network: regtest).\n{options}"
        )
    }

    /// Deprecated options are not advertised; those for developers are, to developers.
    fn is_shown(&self, entry: &Entry<'_>) -> bool {
        match entry {
            Entry::Node(option) => {
                !entry.is_ignored() && (self.config.developer || !is_for_developers(option.name))
            }
            Entry::Plugin(..) => !entry.is_hidden(),
        }
    }

    fn line(&self, entry: &Entry<'_>) -> String {
        let argument = if entry.shape() == Shape::Flag { "" } else { " <arg>" };
        let name = format!("--{}{argument}", entry.name());
        let default = match entry.text(&self.config, None) {
            Some(default) if entry.shape() != Shape::Flag => format!(" (default: {default})"),
            _ => String::new(),
        };
        let about = entry.about();
        if name.len() + 2 > INDENT {
            format!("{name}\n{:INDENT$}{about}{default}\n", "")
        } else {
            format!("{name:INDENT$}{about}{default}\n")
        }
    }
}
