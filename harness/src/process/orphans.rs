//! The mark that everything started by a net carries in its environment, and the search for what still carries it.

use std::fmt;

use super::watchdog::Charge;

/// The name of the variable that marks a net's processes. They inherit it, and so do theirs.
const VARIABLE: &str = "LEYDEN_RUN";

/// The mark of one net's processes: `LEYDEN_RUN=<id>` in their environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// A mark that no other net of this machine has: made from the run directory's name and this process's id.
    pub fn new(run_name: &str) -> Self {
        Self(format!("{run_name}.{}", std::process::id()))
    }

    /// The variable's name and value.
    pub fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VARIABLE}={}", self.0)
    }
}

/// A process that should have been gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its id.
    pub pid: u32,
    /// Its command line, as far as the system tells.
    pub command: String,
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}: {}", self.pid, self.command)
    }
}

/// What is still alive of a net: on Linux every process with the mark, elsewhere those of its charges that live.
pub(super) fn find(marker: &Marker, charges: &[Charge]) -> Vec<Orphan> {
    let pids = if cfg!(target_os = "linux") {
        marked(marker)
    } else {
        charges.iter().filter_map(Charge::living_pid).collect()
    };
    pids.into_iter().map(|pid| Orphan { pid, command: command_line(pid) }).collect()
}

fn marked(marker: &Marker) -> Vec<u32> {
    let wanted = marker.to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A zombie's environment reads as empty: it is dead and does not count.
    pids.filter(|pid: &u32| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()))
    })
    .collect()
}

fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
}
