//! Everything that was said and done, in one order, for people: times, nodes, frames with aliases.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use leyden::Node;
use leyden::event::{Direction, EventKind};
use leyden::timeline::Timeline;

const CHAPTER: Style = Style::new().bold();
const TIME: Style = Style::new().dimmed();
const TO_PLUGIN: Style = AnsiColor::Cyan.on_default();
const FROM_PLUGIN: Style = AnsiColor::Green.on_default();

/// A line of the sequence is cut here unless all of it is asked for.
const WIDTH: usize = 105;

/// What happened in a net.
pub(super) struct Sequence {
    pub(super) timeline: Timeline,
    pub(super) nodes: Vec<Node>,
    /// Print every frame whole.
    pub(super) full: bool,
}

impl Sequence {
    /// Prints it, an event a line.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let frames = self.frames();
        for event in self.timeline.events() {
            let frame = frames.get(&event.seq).map(String::as_str);
            match (&event.kind, &event.node) {
                (EventKind::Step(title), None) => writeln!(out, "\n{CHAPTER}{title}{CHAPTER:#}")?,
                (kind, node) => {
                    if let Some((style, text)) = told(kind, frame) {
                        let at = event.at.as_secs_f64();
                        let node = node.as_deref().unwrap_or("--");
                        let text = if self.full { text } else { cut(&text) };
                        writeln!(out, "{TIME}{at:>7.3}{TIME:#}  {node:<3} {style}{text}{style:#}")?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The print of each frame, by its place in the timeline.
    fn frames(&self) -> BTreeMap<u64, String> {
        let mut frames = BTreeMap::new();
        for node in &self.nodes {
            for plugin in node.plugins_heard() {
                let transcript = node.transcript(&plugin);
                for (frame, line) in transcript.lines() {
                    // Who speaks is told here: the node by its name.
                    let said = line.split_once("  ").map_or(&*line, |(_, said)| said);
                    frames.insert(frame.seq, said.to_owned());
                }
            }
        }
        frames
    }
}

/// What is told of an event, and how; `None` for what only a log needs.
fn told(kind: &EventKind, frame: Option<&str>) -> Option<(Style, String)> {
    let plain = |text: String| Some((Style::new(), text));
    match kind {
        EventKind::Frame { plugin, direction, .. } | EventKind::Garbage { plugin, direction, .. } => {
            let said = frame.unwrap_or("?");
            Some(match direction {
                Direction::ToPlugin => (TO_PLUGIN, format!("-> {plugin}  {said}")),
                Direction::FromPlugin => (FROM_PLUGIN, format!("<- {plugin}  {said}")),
            })
        }
        EventKind::PluginLaunched { plugin, .. } => plain(format!("starts the plugin {plugin}")),
        EventKind::PluginGone { plugin } => plain(format!("the plugin {plugin} is gone")),
        EventKind::NodeStarted { .. } => plain("is up".to_owned()),
        EventKind::NodeExited { .. } => plain(kind.to_string()),
        EventKind::ChannelFunded { from, to, .. } => plain(format!("channel {from}-{to}")),
        EventKind::Block { height, .. } => plain(format!("block {height}")),
        EventKind::Step(step) => plain(step.clone()),
        _ => None,
    }
}

/// One line of at most [`WIDTH`] characters: a block of JSON is put back together first.
fn cut(text: &str) -> String {
    let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_becomes_a_line_that_is_cut_between_characters() {
        assert_eq!(cut("{\n  \"a\": 1\n}"), "{ \"a\": 1 }");
        let long = "ü".repeat(WIDTH + 1);
        assert_eq!(cut(&long), format!("{}…", "ü".repeat(WIDTH)));
    }
}
