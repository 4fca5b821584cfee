//! The directory of one net: everything that its processes write, removed on success and kept as evidence otherwise.

use std::path::{Path, PathBuf};

use crate::env::Settings;
use crate::error::{Error, Result};

/// A Unix socket's path, with its closing NUL, fits 108 bytes on Linux and 104 on macOS and the BSDs.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The longest path to a socket that a net makes below its run directory.
const LONGEST_SOCKET: &str = "lightning-99/regtest/lightning-rpc";

/// What every run directory's name begins with; the watchdog removes nothing else.
pub(crate) const PREFIX: &str = "leyden-";

/// A temporary directory that holds `bitcoind/`, `lightning-1/` and so on.
///
/// [`RunDir::remove`] is for a test that has passed. Dropped without it, the directory stays and its path is printed.
#[derive(Debug)]
#[must_use = "dropping it at once prints the path of an empty directory"]
pub struct RunDir {
    path: PathBuf,
    keep: bool,
    removed: bool,
}

impl RunDir {
    /// Makes one in `TEST_DIR` or the system's directory for temporary files.
    ///
    /// # Errors
    /// If it cannot be made, or if it lies so deep that the sockets of its nodes would have paths too long for the system.
    #[track_caller]
    pub fn create(settings: &Settings) -> Result<Self> {
        let base = &settings.test_dir;
        let failed = |error: std::io::Error| {
            Error::environment(format!("making a run directory in {}", base.display()))
                .came(error.to_string())
                .advice("set TEST_DIR to a directory that can be written to")
        };
        std::fs::create_dir_all(base).map_err(failed)?;
        let base = base.canonicalize().map_err(failed)?;
        let path = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&base).map_err(failed)?.keep();
        let run_dir = Self { path, keep: false, removed: false };
        match run_dir.socket_path(LONGEST_SOCKET) {
            Ok(_) => Ok(run_dir),
            Err(error) => {
                run_dir.remove()?;
                Err(error)
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, which no other run directory of this machine has: used as the mark of the net's processes.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Makes a directory inside it, unless it is there.
    ///
    /// # Errors
    /// If it cannot be made.
    #[track_caller]
    pub fn sub_dir(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).map_err(|error| {
            Error::environment(format!("making the directory {}", path.display())).came(error.to_string())
        })?;
        Ok(path)
    }

    /// The path of a socket inside it.
    ///
    /// # Errors
    /// If the path is too long for a Unix socket.
    #[track_caller]
    pub fn socket_path(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.path.join(name);
        let bytes = path.as_os_str().len();
        if bytes <= SOCKET_PATH_MAX {
            return Ok(path);
        }
        Err(Error::environment(format!("a socket at {}", path.display()))
            .expected(format!("a path of at most {SOCKET_PATH_MAX} bytes, the limit of Unix sockets"))
            .came(format!("it has {bytes}"))
            .advice("set TEST_DIR to a directory with a shorter path, such as /tmp"))
    }

    /// Keeps it whatever happens: [`RunDir::remove`] then only prints its path.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// Whether [`RunDir::keep`] was called.
    pub fn is_kept(&self) -> bool {
        self.keep
    }

    /// Removes it, for a test that has passed.
    ///
    /// # Errors
    /// If it cannot be removed.
    #[track_caller]
    pub fn remove(mut self) -> Result {
        if self.keep {
            return Ok(());
        }
        self.removed = true;
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::environment(format!("removing the run directory {}", self.path.display()))
                    .came(error.to_string())
                    .advice("see which process still writes to it"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for RunDir {
    #[expect(
        clippy::print_stderr,
        reason = "the author must find the evidence: the path is the last line printed"
    )]
    fn drop(&mut self) {
        if !self.removed {
            eprintln!("run directory kept: {}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_after_success_and_kept_otherwise() {
        let base = tempfile::tempdir().unwrap();
        let passed = RunDir::create(&Settings::in_test_dir(base.path())).unwrap();
        let failed = RunDir::create(&Settings::in_test_dir(base.path())).unwrap();
        let mut wanted = RunDir::create(&Settings::in_test_dir(base.path())).unwrap();
        let paths = [passed.path().to_owned(), failed.path().to_owned(), wanted.path().to_owned()];
        passed.sub_dir("lightning-1/regtest").unwrap();
        passed.remove().unwrap();
        drop(failed);
        wanted.keep();
        wanted.remove().unwrap();
        assert_eq!(paths.map(|path| path.exists()), [false, true, true]);
    }

    #[test]
    fn a_directory_too_deep_for_sockets_is_refused_with_the_limit() {
        let base = tempfile::tempdir().unwrap();
        let error = RunDir::create(&Settings::in_test_dir(&base.path().join("d".repeat(90)))).unwrap_err();
        assert!(error.headline().contains(&format!("at most {SOCKET_PATH_MAX} bytes")), "{error}");
        assert!(error.to_string().contains("TEST_DIR"), "{error}");
        assert_eq!(std::fs::read_dir(base.path().join("d".repeat(90))).unwrap().count(), 0);
    }
}
