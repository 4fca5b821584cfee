//! What was logged, kept in memory for the case that the node aborts (`lightningd/log.c:struct log_book`).

use crate::event::LogLine;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many bytes of lines are kept, as lightningd has it.
const CAPACITY: usize = 1 << 24;

/// The last lines of every level, printed or not.
pub(crate) struct LogBook {
    began: SystemTime,
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
}

impl LogBook {
    pub(super) fn new(began: SystemTime) -> Self {
        Self { began, lines: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn add(&mut self, line: Arc<LogLine>) {
        self.bytes += size(&line);
        self.lines.push_back(line);
        while self.bytes > CAPACITY {
            self.bytes -= self.lines.pop_front().map_or(0, |line| size(&line));
        }
    }

    /// Writes every line, with its time since the node began.
    ///
    /// # Errors
    /// If `out` does not take it.
    pub(crate) fn dump(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{} bytes, {}", self.bytes, humantime::format_rfc3339_seconds(self.began))?;
        for line in &self.lines {
            // A clock that was set back gives no time.
            let since: Duration = line.time.duration_since(self.began).unwrap_or_default();
            let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
            let level = line.level.name().to_ascii_uppercase();
            writeln!(out, "+{seconds}.{nanos:09} {}{level}: {}", line.source, line.text)?;
        }
        writeln!(out)
    }
}

fn size(line: &LogLine) -> usize {
    size_of::<LogLine>() + line.source.len() + line.text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LogLevel;

    #[test]
    fn the_oldest_lines_make_room() {
        let began = SystemTime::UNIX_EPOCH;
        let mut book = LogBook::new(began);
        for letter in ["a", "b", "c"] {
            let time = began + Duration::from_millis(1500);
            let text = letter.repeat(CAPACITY / 2 - 1000);
            book.add(Arc::new(LogLine {
                time,
                level: LogLevel::Broken,
                source: "lightningd".to_owned(),
                text,
            }));
        }
        let mut dumped = Vec::new();
        book.dump(&mut dumped).unwrap();
        let dumped = String::from_utf8(dumped).unwrap();
        let begins: Vec<&str> = dumped.lines().skip(1).filter_map(|line| line.get(..32)).collect();
        assert_eq!(
            begins,
            ["+1.500000000 lightningdBROKEN: bb", "+1.500000000 lightningdBROKEN: cc"]
                .map(|line| &line[..32])
        );
    }
}
