//! What a node leaves behind when it aborts (`lightningd/log.c:log_backtrace_exit`, `common/daemon.c`).

use crate::log::LogBook;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// The last line of its log.
pub(crate) fn signal_line(version: &str) -> String {
    format!("FATAL SIGNAL 6 (version {version})")
}

/// Writes everything that was logged, printed or not, into `crash.log.<YYYYMMDDHHMMSS>` in the directory of the network.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(network_dir: &Path, now: SystemTime, log: &LogBook) -> io::Result<()> {
    let stamp: String =
        humantime::format_rfc3339_seconds(now).to_string().chars().filter(char::is_ascii_digit).collect();
    let path = network_dir.join(format!("crash.log.{stamp}"));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut out = BufWriter::new(file);
    log.dump(&mut out)?;
    out.flush()
}
