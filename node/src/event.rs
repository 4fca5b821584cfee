//! What can be heard of a running node from outside.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

/// Something happened in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line was logged.
    Log(Arc<LogLine>),
    /// It has logged `Server started …`: it takes peers and every plugin has answered `init`.
    Started {
        /// Its id, in hex.
        id: String,
        /// The port on which it takes peers, 0 if it does not.
        port: u16,
    },
    /// A transaction is about to be committed: what plugins with the hook `db_write` are asked about now.
    DbWrite {
        /// The number of the transaction.
        data_version: u32,
        /// Its statements.
        writes: Vec<String>,
    },
    /// It has ended.
    Exited(Exit),
}

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// What a shell shows of lightningd's end: 0 after `stop`, 1 for a refused start or the death of an important
    /// plugin, [`Exit::ABORTED`] for a fatal error while running, [`Exit::KILLED`] when it was stopped dead.
    pub code: i32,
    /// What lightningd would print, if anything: on standard output if the code is 0, and else on stderr.
    pub message: Option<String>,
}

impl Exit {
    /// SIGABRT ended it.
    pub const ABORTED: i32 = 128 + 6;
    /// SIGKILL ended it.
    pub const KILLED: i32 = 128 + 9;

    /// Whether a signal ended it, so that it has no exit code.
    #[must_use]
    pub fn is_signal(&self) -> bool {
        self.code > 128
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: SystemTime,
    /// How loud.
    pub level: LogLevel,
    /// Who: `lightningd`, `plugin-manager`, `plugin-<name>`, `<node id>-connectd`, …
    pub source: String,
    /// What, on one line.
    pub text: String,
}

/// The levels of CLN's log (`common/status_levels.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Raw bytes in and out.
    Io,
    /// Every step.
    Trace,
    /// For developers.
    Debug,
    /// For operators.
    Info,
    /// Something a user should see. Also sent as a `warning`.
    Unusual,
    /// Something that must not happen. Also sent as a `warning`.
    Broken,
}

impl LogLevel {
    /// Its name in options and notifications.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Unusual => "unusual",
            Self::Broken => "broken",
        }
    }

    /// The first column of a log file, with what parts it from the next.
    const fn column(self) -> &'static str {
        match self {
            Self::Io => "IO      ",
            Self::Trace => "TRACE   ",
            Self::Debug => "DEBUG   ",
            Self::Info => "INFO    ",
            Self::Unusual => "UNUSUAL ",
            Self::Broken => "**BROKEN** ",
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    /// Any case; `warn` and `error` are `unusual` and `broken`.
    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "io" => Self::Io,
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "unusual" | "warn" => Self::Unusual,
            "broken" | "error" => Self::Broken,
            _ => {
                return Err(format!(
                    "'{name}' is not a log level: io, trace, debug, info, unusual or broken"
                ));
            }
        })
    }
}

impl fmt::Display for LogLine {
    /// As it stands in the log file, without its time.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        [self.level.column(), &self.source, ": ", &self.text]
            .iter()
            .try_for_each(|part| formatter.write_str(part))
    }
}
