//! A TCP port on loopback for a node, which must find it free again whenever it starts: lightningd's `--addr`.
//!
//! The port lies outside the range from which the system takes ephemeral ports, so no outgoing connection can have it. Two nets
//! do not get the same one: each holds a lock on a file of that number. Programs that know nothing of the locks are noticed by binding.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::env::Settings;
use crate::error::{Error, Result};

/// Below the ephemeral ranges of Linux (from 32768), macOS and the BSDs (from 49152), above the well-known ports.
const RANGE: Range<u16> = 20_000..32_000;

/// A port that is ours until this is dropped. The process that binds it is another one.
#[derive(Debug)]
#[must_use = "the port is given back when this is dropped"]
pub(crate) struct PortLease {
    port: u16,
    /// The lock; the system takes it back when this process ends, however it ends.
    _lock: File,
}

impl PortLease {
    /// The first port that is free, beginning at one that depends on this process.
    ///
    /// # Errors
    /// If none is free, or if the directory of the locks cannot be made.
    #[track_caller]
    pub(crate) fn take(settings: &Settings) -> Result<Self> {
        let dir = lock_dir(&settings.temp_dir).map_err(|error| {
            Error::environment("leasing a port: making the directory of the locks").came(error.to_string())
        })?;
        let count = usize::from(RANGE.end - RANGE.start);
        // Parallel test processes begin at different places and seldom meet.
        let first = std::process::id() as usize * 16 % count;
        let candidates = RANGE.cycle().skip(first).take(count);
        candidates.into_iter().find_map(|port| Self::try_take(&dir, port)).ok_or_else(|| {
            Error::environment("leasing a port")
                .expected(format!("a free TCP port in {RANGE:?} on 127.0.0.1"))
                .came("all are taken")
                .advice(format!("see what listens there, and whether {} can be written to", dir.display()))
        })
    }

    /// The number.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn try_take(dir: &Path, port: u16) -> Option<Self> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(port.to_string()))
            .ok()?;
        lock.try_lock().ok()?;
        drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?);
        Some(Self { port, _lock: lock })
    }
}

/// One directory per user: files of another user could not be locked.
fn lock_dir(base: &Path) -> io::Result<PathBuf> {
    let dir = base.join(format!(".leyden-ports-{}", rustix::process::getuid().as_raw()));
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leased_port_is_given_to_nobody_else_until_it_is_dropped() {
        let base = tempfile::tempdir().unwrap();
        let mut settings = Settings::in_test_dir(base.path());
        settings.temp_dir = base.path().to_owned();
        let first = PortLease::take(&settings).unwrap();
        let second = PortLease::take(&settings).unwrap();
        assert_ne!(first.port(), second.port());
        let port = first.port();
        let dir = lock_dir(base.path()).unwrap();
        assert!(PortLease::try_take(&dir, port).is_none());
        drop(first);
        assert_eq!(PortLease::try_take(&dir, port).unwrap().port(), port);
    }

    #[test]
    fn who_has_another_test_dir_uses_the_same_locks() {
        let bases = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [one, other] = bases.each_ref().map(|base| Settings::in_test_dir(base.path()));
        assert_ne!(one.test_dir, other.test_dir);
        let first = PortLease::take(&one).unwrap();
        assert_ne!(first.port(), PortLease::take(&other).unwrap().port());
        assert!(PortLease::try_take(&lock_dir(&other.temp_dir).unwrap(), first.port()).is_none());
    }

    #[test]
    fn a_port_that_a_stranger_listens_on_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        let dir = lock_dir(base.path()).unwrap();
        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(PortLease::try_take(&dir, stranger.local_addr().unwrap().port()).is_none());
    }
}
