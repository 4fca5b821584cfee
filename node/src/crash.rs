//! What a node leaves behind when it aborts (`lightningd/log.c:log_backtrace_exit`, `common/daemon.c`).

use crate::event::Exit;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// The last line of its log.
pub(crate) fn signal_line(version: &str) -> String {
    format!("FATAL SIGNAL 6 (version {version})")
}

/// Writes `crash.log.<YYYYMMDDHHMMSS>` into the directory of the network. lightningd dumps its whole log
/// there; here it is what the node ended with.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(network_dir: &Path, now: SystemTime, version: &str, exit: &Exit) -> io::Result<()> {
    let stamp: String =
        humantime::format_rfc3339_seconds(now).to_string().chars().filter(char::is_ascii_digit).collect();
    let path = network_dir.join(format!("crash.log.{stamp}"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let message = exit.message.as_deref().unwrap_or_default();
    writeln!(file, "lightningd: {message}\nlightningd: {}", signal_line(version))
}
