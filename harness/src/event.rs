//! What can happen in a net: the entries of its timeline.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leyden_node::event::LogLine;

use crate::backup::DbWrite;

/// Something that happened, with its place in the one order of the net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place: 0, 1, 2, … without gaps.
    pub seq: u64,
    /// When, since the net began.
    pub at: Duration,
    /// To which node, such as `l1`; `None` for what belongs to the whole net.
    pub node: Option<String>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The node is being started, for the first time or again: it is no longer dead.
    NodeLaunched,
    /// The node takes peers, and its plugins have answered `init`.
    NodeStarted {
        /// Its id, in hex.
        id: String,
        /// The port on which it takes peers; 0 if it does not.
        port: u16,
    },
    /// The node has ended.
    NodeExited {
        /// Its exit code, if it was not ended by a signal.
        code: Option<i32>,
        /// What it said last.
        message: Option<String>,
    },
    /// The node is stopped dead where the test has armed a crash: before its commit 7, for example.
    Crash(String),
    /// The node logged a line.
    Log(Arc<LogLine>),
    /// A plugin is run.
    PluginLaunched {
        /// Its name: the last part of its path.
        plugin: String,
        /// Its executable.
        path: PathBuf,
        /// Its arguments.
        args: Vec<String>,
        /// What was added to its environment: the `LIGHTNINGD_*` variables.
        env: Vec<(String, String)>,
        /// Its working directory.
        cwd: PathBuf,
    },
    /// One whole JSON value went over a plugin's stdin or stdout.
    Frame {
        /// The plugin.
        plugin: String,
        /// Which way.
        direction: Direction,
        /// The value, byte for byte as it was sent.
        text: String,
    },
    /// Bytes that are no JSON went over a plugin's stdin or stdout, or the beginning of a frame whose end never came.
    Garbage {
        /// The plugin.
        plugin: String,
        /// Which way.
        direction: Direction,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A plugin's stdout has ended, or the node has let go of it.
    PluginGone {
        /// The plugin.
        plugin: String,
    },
    /// The node answered what the author's test called.
    RpcAnswered {
        /// The method.
        method: String,
        /// The parameters, as JSON.
        params: String,
        /// The result, or the error's code, message and data: as JSON.
        answer: Result<String, String>,
    },
    /// An embedded node is about to commit a transaction; its plugins with the hook `db_write` are asked about it now.
    DbWrite(DbWrite),
    /// bitcoind has a new block.
    Block {
        /// Its height.
        height: u32,
        /// Its hash, in hex.
        hash: String,
    },
    /// The net has opened a channel.
    ChannelFunded {
        /// Its short channel id.
        scid: String,
        /// The name of the node that funded it.
        from: String,
        /// The name of the other node.
        to: String,
    },
    /// The author's test did something, such as `connect l1 l2`.
    Step(String),
}

/// The way of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From lightningd to the plugin.
    ToPlugin,
    /// From the plugin to lightningd.
    FromPlugin,
}

impl EventKind {
    /// Whether it is what a plugin, a node or a test said.
    pub(crate) fn is_said(&self) -> bool {
        matches!(self, Self::Frame { .. } | Self::RpcAnswered { .. })
    }

    /// The plugin that it is about, if any.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::PluginLaunched { plugin, .. }
            | Self::Frame { plugin, .. }
            | Self::Garbage { plugin, .. }
            | Self::PluginGone { plugin } => Some(plugin),
            Self::NodeLaunched
            | Self::NodeStarted { .. }
            | Self::NodeExited { .. }
            | Self::Crash(_)
            | Self::Log(_)
            | Self::RpcAnswered { .. }
            | Self::DbWrite(_)
            | Self::Block { .. }
            | Self::ChannelFunded { .. }
            | Self::Step(_) => None,
        }
    }
}

impl fmt::Display for Event {
    /// One line, long frames and all: for the evidence of an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3} ", self.at.as_secs_f64())?;
        if let Some(node) = &self.node {
            write!(f, "{node}: ")?;
        }
        self.kind.fmt(f)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeLaunched => f.write_str("node launched"),
            Self::NodeStarted { id, port } => write!(f, "node started: {id} on port {port}"),
            Self::NodeExited { code, message } => {
                match code {
                    Some(code) => write!(f, "exited with code {code}")?,
                    None => f.write_str("was ended by a signal")?,
                }
                message.as_ref().map_or(Ok(()), |message| write!(f, ": {}", message.trim_end()))
            }
            Self::Crash(point) => write!(f, "crashes {point}"),
            Self::Log(line) => line.fmt(f),
            Self::PluginLaunched { plugin, path, .. } => write!(f, "{plugin} launched: {}", path.display()),
            Self::Frame { plugin, direction, text } => write!(f, "{} {text}", direction.of(plugin)),
            Self::Garbage { plugin, direction, bytes } => {
                write!(f, "{} garbage {:?}", direction.of(plugin), String::from_utf8_lossy(bytes))
            }
            Self::PluginGone { plugin } => write!(f, "{plugin} is gone"),
            Self::RpcAnswered { method, params, answer } => {
                let (word, answer) = match answer {
                    Ok(result) => ("", result),
                    Err(error) => ("the error ", error),
                };
                write!(f, "answered {method} {params} with {word}{answer}")
            }
            Self::DbWrite(write) => write.fmt(f),
            Self::Block { height, hash } => write!(f, "block {height} {hash}"),
            Self::ChannelFunded { scid, from, to } => write!(f, "channel {scid} from {from} to {to}"),
            Self::Step(step) => write!(f, "step: {step}"),
        }
    }
}

impl Direction {
    /// The way of the answer.
    pub(crate) fn reverse(self) -> Self {
        match self {
            Self::ToPlugin => Self::FromPlugin,
            Self::FromPlugin => Self::ToPlugin,
        }
    }

    /// `lightningd -> plugin`, or the other way round.
    pub(crate) fn of(self, plugin: &str) -> String {
        match self {
            Self::ToPlugin => format!("lightningd -> {plugin}"),
            Self::FromPlugin => format!("{plugin} -> lightningd"),
        }
    }
}
