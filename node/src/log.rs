//! The log: lines in CLN's format (`lightningd/log.c`).

mod book;

use crate::config::Config;
use crate::event::{Event, LogLevel, LogLine};
use crate::host::Ear;
use crate::strerror::strerror;
use crate::world::Clock;
pub(crate) use book::LogBook;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where a node's lines go.
pub(crate) struct Log {
    print_level: LogLevel,
    prefix: String,
    timestamps: bool,
    files: Vec<BufWriter<Box<dyn Write + Send>>>,
    events: Option<Ear>,
    clock: Clock,
    pub(crate) book: LogBook,
}

impl Log {
    /// Opens every file for appending; `-` is standard output. What was written before is set apart.
    ///
    /// # Errors
    /// In lightningd's words, which of them cannot be opened.
    pub(crate) fn open(config: &Config, events: Option<Ear>, clock: Clock) -> Result<Self, String> {
        let open = |path: &PathBuf| {
            open(path, true).map_err(|error| {
                format!("lightningd: --log-file={}: Failed to open: {}", path.display(), strerror(&error))
            })
        };
        Ok(Self {
            print_level: config.log_level,
            prefix: config.log_prefix.clone(),
            timestamps: config.log_timestamps,
            files: config.log_files.iter().map(open).collect::<Result<_, _>>()?,
            events,
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
            *file = open(path, false).map_err(|error| {
                format!("lightningd: failed to reopen log file {}: {}", path.display(), strerror(&error))
            })?;
        }
        Ok(())
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
            let time = match self.timestamps {
                true => format!("{} ", humantime::format_rfc3339_millis(line.time)),
                false => String::new(),
            };
            let printed = format!("{}{time}{line}\n", self.prefix);
            for file in &mut self.files {
                // A full disk must not end the node; CLN ignores it as well.
                drop(file.write_all(printed.as_bytes()));
            }
        }
        self.book.add(line.clone());
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
