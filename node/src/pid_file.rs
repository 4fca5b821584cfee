//! The file that bears the node's process id and keeps a second node away (`lightningd.c:pidfile_create`).

use crate::event::Exit;
use crate::strerror::strerror;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// lightningd's exit code when another one has the file (`common/errcode.h`).
const LOCKED: i32 = 11;

/// A locked file. It stays when a node dies, and goes when it is stopped.
pub(crate) struct PidFile {
    path: PathBuf,
    /// Open for as long as the node lives: closing it lets go of the lock.
    _locked: File,
}

impl PidFile {
    /// Writes and locks it.
    ///
    /// # Errors
    /// How the node is to end: another one runs, or the file cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self, Exit> {
        let failed = |error: &io::Error| {
            let why = strerror(error);
            Exit { code: 1, message: Some(format!("lightningd: Failed to open PID file: {why}")) }
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why =
                    "lightningd already running? Error locking PID file: Resource temporarily unavailable";
                return Err(Exit { code: LOCKED, message: Some(format!("lightningd: {why}")) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| failed(&error))?;
        Ok(Self { path: path.to_owned(), _locked: file })
    }

    /// Removes it, at an orderly end.
    pub(crate) fn remove(self) {
        // lightningd does not look either whether it is still there.
        drop(std::fs::remove_file(self.path));
    }
}
