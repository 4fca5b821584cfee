//! The log: lines in CLN's format (`lightningd/log.c`).

use crate::event::{Event, LogLevel, LogLine};
use crate::host::Ear;
use crate::world::Clock;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where a node's lines go.
pub(crate) struct Log {
    print_level: LogLevel,
    prefix: String,
    files: Vec<BufWriter<Box<dyn Write + Send>>>,
    events: Option<Ear>,
    clock: Clock,
}

impl Log {
    /// Opens every file of `paths` for appending; `-` is standard output.
    pub(crate) fn open(
        paths: &[PathBuf],
        print_level: LogLevel,
        prefix: &str,
        events: Option<Ear>,
        clock: Clock,
    ) -> io::Result<Self> {
        let files = paths.iter().map(|path| open(path)).collect::<io::Result<_>>()?;
        Ok(Self { print_level, prefix: prefix.to_owned(), files, events, clock })
    }

    /// Whether lines of `level` are printed.
    pub(crate) fn prints(&self, level: LogLevel) -> bool {
        level >= self.print_level
    }

    /// Logs one line. Bytes that cannot be printed become `?`, as in `log.c:logv`.
    pub(crate) fn line(&mut self, level: LogLevel, source: &str, text: &str) -> LogLine {
        let printable = |byte: u8| if (0x20..=0x7e).contains(&byte) { byte as char } else { '?' };
        let line = LogLine {
            time: (self.clock)(),
            level,
            source: source.to_owned(),
            text: text.bytes().map(printable).collect(),
        };
        if self.prints(level) {
            let time = humantime::format_rfc3339_millis(line.time);
            let printed = format!("{}{time} {line}\n", self.prefix);
            for file in &mut self.files {
                // A full disk must not end the node; CLN ignores it as well.
                drop(file.write_all(printed.as_bytes()));
            }
        }
        if let Some(events) = &self.events {
            events(Event::Log(line.clone()));
        }
        line
    }

    /// Whether the files have every line.
    pub(crate) fn is_written(&self) -> bool {
        self.files.iter().all(|file| file.buffer().is_empty())
    }

    /// Gives the files every line; dropping the log does it too.
    pub(crate) fn write(&mut self) {
        for file in &mut self.files {
            // As above.
            drop(file.flush());
        }
    }
}

fn open(path: &Path) -> io::Result<BufWriter<Box<dyn Write + Send>>> {
    if path == Path::new("-") {
        return Ok(BufWriter::new(Box::new(io::stdout())));
    }
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let file: File = OpenOptions::new().create(true).append(true).open(path).map_err(named)?;
    Ok(BufWriter::new(Box::new(file)))
}
