//! The log: lines in CLN's format (`lightningd/log.c`).

mod book;

use crate::config::{Config, LogFilter};
use crate::event::{Event, LogLevel, LogLine};
use crate::host::Ear;
use crate::strerror::strerror;
use crate::world::Clock;
pub(crate) use book::LogBook;
use leyden_protocol::Id;
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The way of bytes that are logged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    In,
    Out,
}

/// Where a node's lines go.
pub(crate) struct Log {
    print_level: LogLevel,
    prefix: String,
    timestamps: bool,
    filters: Vec<LogFilter>,
    files: Vec<LogFile>,
    events: Option<Ear>,
    clock: Clock,
    /// The line that is being printed: its room is used again.
    printed: String,
    pub(crate) book: LogBook,
}

struct LogFile {
    path: PathBuf,
    lines: BufWriter<Box<dyn Write + Send>>,
}

impl Log {
    /// Opens every file for appending; `-` is standard output. What was written before is set apart.
    ///
    /// # Errors
    /// In lightningd's words, which of them cannot be opened.
    pub(crate) fn open(config: &Config, events: Option<Ear>, clock: Clock) -> Result<Self, String> {
        let open = |path: &PathBuf| {
            let lines = open(path, true).map_err(|error| {
                format!("lightningd: --log-file={}: Failed to open: {}", path.display(), strerror(&error))
            });
            Ok::<_, String>(LogFile { path: path.clone(), lines: lines? })
        };
        for file in config.log_filters.iter().filter_map(|filter| filter.file.as_ref()) {
            if !config.log_files.contains(file) {
                return Err(format!("lightningd: --log-level: unknown log file {}", file.display()));
            }
        }
        Ok(Self {
            print_level: config.log_level,
            prefix: config.log_prefix.clone(),
            timestamps: config.log_timestamps,
            filters: config.log_filters.clone(),
            files: config.log_files.iter().map(open).collect::<Result<_, _>>()?,
            events,
            printed: String::new(),
            book: LogBook::new(clock()),
            clock,
        })
    }

    /// Opens the same files once more.
    ///
    /// # Errors
    /// In lightningd's words, which of them cannot be opened.
    pub(crate) fn reopen(&mut self, paths: &[PathBuf]) -> Result<(), String> {
        for (file, path) in self.files.iter_mut().zip(paths) {
            file.lines = open(path, false).map_err(|error| {
                format!("lightningd: failed to reopen log file {}: {}", path.display(), strerror(&error))
            })?;
        }
        Ok(())
    }

    /// Whether lines of `level` and of this source are printed in a file, or anywhere.
    fn prints(&self, level: LogLevel, source: &str, file: Option<&Path>) -> bool {
        let about = |filter: &&LogFilter| source.contains(&filter.part);
        let of_file = |filter: &&LogFilter| filter.file.as_deref() == file && file.is_some();
        let of_all = |filter: &&LogFilter| filter.file.is_none();
        // What is said of all files comes first, and lets through only what what is said of one file lets through as well.
        let general = self.filters.iter().filter(of_all).find(about).map(|filter| filter.level);
        let special = self.filters.iter().filter(of_file).find(about).map(|filter| filter.level);
        match (general, special) {
            (None, None) => level >= self.print_level,
            (general, special) => [general, special].into_iter().flatten().all(|least| level >= least),
        }
    }

    /// Whether a line is printed in any file.
    pub(crate) fn is_printed(&self, level: LogLevel, source: &str) -> bool {
        self.prints(level, source, None)
            || self.files.iter().any(|file| self.prints(level, source, Some(&file.path)))
    }

    /// Logs one line. Bytes that cannot be printed become `?`, as in `log.c:logv`.
    pub(crate) fn line(&mut self, level: LogLevel, source: &str, text: &str) -> Arc<LogLine> {
        let time = (self.clock)();
        let line = Arc::new(LogLine { time, level, source: source.to_owned(), text: printable(text) });
        self.print(level, source, time, |printed| write!(printed, "{line}"));
        self.book.add(Arc::clone(&line));
        if let Some(events) = &self.events {
            events(Event::Log(Arc::clone(&line)));
        }
        line
    }

    /// Whether anybody may want to see every byte.
    pub(crate) fn wants_bytes(&self) -> bool {
        let least = self.filters.iter().map(|filter| filter.level).chain([self.print_level]).min();
        least == Some(LogLevel::Io)
    }

    /// Writes what has come in or goes out, for those who want to see every byte; in hex.
    pub(crate) fn bytes(&mut self, source: &str, direction: Direction, bytes: &[u8]) {
        self.passes(source, direction, "", bytes);
    }

    /// Writes which request has come in or goes out, for the same.
    pub(crate) fn request(&mut self, source: &str, direction: Direction, id: &Id) {
        self.passes(source, direction, id.token(), &[]);
    }

    fn passes(&mut self, source: &str, direction: Direction, what: &str, bytes: &[u8]) {
        if self.is_printed(LogLevel::Io, source) {
            let time = (self.clock)();
            let direction = match direction {
                Direction::In => "[IN]",
                Direction::Out => "[OUT]",
            };
            self.print(LogLevel::Io, source, time, |printed| {
                write!(printed, "{source}: {what}{direction} {}", hex::encode(bytes))
            });
        }
    }

    /// Writes a line to those files that want it.
    fn print(
        &mut self,
        level: LogLevel,
        source: &str,
        time: SystemTime,
        text: impl FnOnce(&mut String) -> fmt::Result,
    ) {
        let wants = |file: &LogFile| self.prints(level, source, Some(&file.path));
        if !self.files.iter().any(wants) {
            return;
        }
        let mut printed = std::mem::take(&mut self.printed);
        printed.clone_from(&self.prefix);
        if self.timestamps {
            write!(printed, "{} ", humantime::format_rfc3339_millis(time))
                .expect("a String takes everything");
        }
        text(&mut printed).expect("a String takes everything");
        printed.push('\n');
        let mut files = std::mem::take(&mut self.files);
        for file in &mut files {
            if self.prints(level, source, Some(&file.path)) {
                // A full disk must not end the node; CLN ignores it as well.
                drop(file.lines.write_all(printed.as_bytes()));
            }
        }
        (self.files, self.printed) = (files, printed);
    }

    /// Whether the files have every line.
    pub(crate) fn is_written(&self) -> bool {
        self.files.iter().all(|file| file.lines.buffer().is_empty())
    }

    /// Gives the files every line; dropping the log does it too.
    pub(crate) fn write(&mut self) {
        for file in &mut self.files {
            // As above.
            drop(file.lines.flush());
        }
    }
}

fn printable(text: &str) -> String {
    let is_printable = |byte: &u8| (0x20..=0x7e).contains(byte);
    if text.as_bytes().iter().all(is_printable) {
        return text.to_owned();
    }
    text.bytes().map(|byte| if is_printable(&byte) { byte as char } else { '?' }).collect()
}

/// Opens one file; `apart` writes some empty lines behind what is in it.
fn open(path: &Path, apart: bool) -> io::Result<BufWriter<Box<dyn Write + Send>>> {
    if path == Path::new("-") {
        return Ok(BufWriter::new(Box::new(io::stdout())));
    }
    let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
    if apart && file.metadata()?.len() > 0 {
        file.write_all(b"\n\n\n\n")?;
    }
    Ok(BufWriter::new(Box::new(file)))
}
