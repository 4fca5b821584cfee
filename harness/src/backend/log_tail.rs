//! The log file of a real lightningd, read as it grows.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use leyden_node::event::{LogLevel, LogLine};

use crate::error::{Error, Result};

/// What is new in a log file.
#[derive(Debug)]
pub(super) struct LogTail {
    file: File,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl LogTail {
    /// From the present end of the file, which is made if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::environment(format!("reading the log {}", path.display())).came(error.to_string())
        };
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { file, begun: Vec::new() })
    }

    /// The lines that were completed since the last call.
    pub(super) fn read(&mut self) -> Vec<LogLine> {
        // What cannot be read now can be read the next time.
        drop(self.file.read_to_end(&mut self.begun));
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        String::from_utf8_lossy(&whole).lines().map(parse).collect()
    }
}

/// `2026-01-02T03:04:05.678Z INFO    lightningd: text` (`lightningd/log.c`, `log_to_files`). A line that is not of this form, such as
/// what a sub-daemon prints while it crashes, is the text of an unusual line without a source.
fn parse(line: &str) -> LogLine {
    let parsed = || {
        let (time, rest) = line.split_once(' ')?;
        let (level, rest) = rest.split_once(' ')?;
        let (source, text) = rest.trim_start().split_once(": ")?;
        let level = level.trim_matches('*').parse().ok()?;
        let time = humantime::parse_rfc3339(time).ok()?;
        Some(LogLine { time, level, source: source.to_owned(), text: text.to_owned() })
    };
    parsed().unwrap_or_else(|| LogLine {
        time: SystemTime::now(),
        level: LogLevel::Unusual,
        source: String::new(),
        text: line.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_whole_and_only_those_written_after_the_opening() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = file.as_file();
        writer.write_all(b"old\n").unwrap();
        let mut log = LogTail::open(file.path()).unwrap();
        assert!(log.read().is_empty());
        writer.write_all(b"2026-01-02T03:04:05.678Z INFO    lightningd: Ser").unwrap();
        assert!(log.read().is_empty());
        writer.write_all(b"ver: started\n2026-01-02T03:04:05.679Z **BROKEN** plugin-a.py: x\n").unwrap();
        let lines: Vec<String> = log.read().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["INFO    lightningd: Server: started", "**BROKEN** plugin-a.py: x"]);
    }

    #[test]
    fn a_line_of_no_known_form_is_kept_as_it_is() {
        let line = parse("lightning_hsmd: FATAL SIGNAL 6");
        assert_eq!(
            (line.level, &*line.source, &*line.text),
            (LogLevel::Unusual, "", "lightning_hsmd: FATAL SIGNAL 6")
        );
    }
}
