//! Leyden's cache of fetched bitcoinds: filled once, by one process at a time, and never half.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};
use crate::process::{command, run_to_end};

/// A place to fetch a bitcoind from.
pub(super) trait Source {
    /// What this source's directory in the cache is called; another version has another name.
    fn name(&self) -> &str;

    /// Puts `bin/bitcoind` and what it needs into an empty directory. It is moved afterwards.
    ///
    /// # Errors
    /// In words, why that cannot be done.
    fn fetch(&self, into: &Path, progress: &ProgressBar) -> std::result::Result<(), String>;
}

/// A directory that holds one directory per source.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
}

impl Cache {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.join("bitcoind") }
    }

    /// The bitcoind of the first source that has one, without fetching anything.
    pub(super) fn look_up(&self, sources: &[&dyn Source]) -> Option<PathBuf> {
        sources
            .iter()
            .map(|source| program_in(&self.dir.join(source.name())))
            .find(|program| program.exists())
    }

    /// The bitcoind of the first source that has one or from which one can be fetched.
    ///
    /// # Errors
    /// If all sources fail: one error that says why each did.
    pub(super) fn get_or_fetch(&self, sources: &[&dyn Source]) -> Result<PathBuf> {
        if let Some(program) = self.look_up(sources) {
            return Ok(program);
        }
        std::fs::create_dir_all(&self.dir).map_err(|error| {
            Error::environment("looking for bitcoind")
                .came(format!("there is none, and {} cannot be made to fetch one into", self.dir.display()))
                .advice("set LEYDEN_CACHE_DIR to a directory of yours, or BITCOIND_EXE to a bitcoind")
                .because(error)
        })?;
        let progress = progress_bar();
        // Released when the file is closed, by whatever ends this process.
        let _lock = self.lock(&progress)?;
        if let Some(program) = self.look_up(sources) {
            return Ok(program);
        }
        self.say_without_terminal(&progress);
        let mut failures = Vec::new();
        for source in sources {
            match self.fetch(*source, &progress) {
                Ok(program) => {
                    progress.finish_and_clear();
                    return Ok(program);
                }
                Err(why) => failures.push(format!("{}: {why}", source.name())),
            }
        }
        progress.finish_and_clear();
        Err(Error::environment("looking for bitcoind")
            .expected("one in BITCOIND_EXE, on PATH or in Leyden's cache, or one that can be fetched")
            .came("there is none")
            .advice("install Bitcoin Core (22 or later), or set BITCOIND_EXE to a bitcoind")
            .evidence(format!("tried to fetch into {}", self.dir.display()), failures))
    }

    /// A log, such as CI's, shows no progress; it should still say why nothing happens for some seconds.
    #[expect(clippy::print_stderr, reason = "in place of the progress bar")]
    fn say_without_terminal(&self, progress: &ProgressBar) {
        if progress.is_hidden() {
            eprintln!("there is no bitcoind: one is fetched, once, into {}", self.dir.display());
        }
    }

    fn lock(&self, progress: &ProgressBar) -> Result<File> {
        let file = File::create(self.dir.join("lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.set_message("waiting for another process that fetches bitcoind");
                progress.tick();
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        Ok(file)
    }

    fn fetch(&self, source: &dyn Source, progress: &ProgressBar) -> std::result::Result<PathBuf, String> {
        let fetched =
            tempfile::Builder::new().prefix("fetching-").tempdir_in(&self.dir).map_err(|e| e.to_string())?;
        source.fetch(fetched.path(), progress)?;
        progress.set_message("trying the bitcoind");
        let mut version = command(program_in(fetched.path()));
        version.arg("--version");
        run_to_end(version, Duration::from_secs(30))?;
        let place = self.dir.join(source.name());
        std::fs::rename(fetched.path(), &place).map_err(|error| format!("{}: {error}", place.display()))?;
        Ok(program_in(&place))
    }
}

fn program_in(dir: &Path) -> PathBuf {
    dir.join("bin/bitcoind")
}

/// On standard error; indicatif draws nothing where that is no terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {bytes}/{total_bytes}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Writes a program with this text, and counts how often it is asked to.
    struct Fake {
        text: &'static str,
        fetches: AtomicUsize,
    }

    impl Fake {
        fn new(text: &'static str) -> Self {
            Self { text, fetches: AtomicUsize::new(0) }
        }
    }

    impl Source for Fake {
        fn name(&self) -> &str {
            "fake-1"
        }

        fn fetch(&self, into: &Path, _progress: &ProgressBar) -> std::result::Result<(), String> {
            self.fetches.fetch_add(1, Ordering::Relaxed);
            let program = program_in(into);
            std::fs::create_dir_all(into.join("bin")).unwrap();
            std::fs::write(&program, self.text).unwrap();
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
            Ok(())
        }
    }

    struct Unreachable(&'static str);

    impl Source for Unreachable {
        fn name(&self) -> &str {
            self.0
        }

        fn fetch(&self, _into: &Path, _progress: &ProgressBar) -> std::result::Result<(), String> {
            Err("no route to it".into())
        }
    }

    #[test]
    fn of_many_at_once_one_fetches_and_all_get_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let source = Fake::new("#!/bin/sh\nexit 0\n");
        let wanted = dir.path().join("bitcoind/fake-1/bin/bitcoind");
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Cache::new(dir.path()).get_or_fetch(&[&source]).unwrap()))
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), wanted);
            }
        });
        assert_eq!(source.fetches.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_program_that_does_not_run_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let source = Fake::new("#!/bin/sh\necho no such library >&2\nexit 127\n");
        let error = Cache::new(dir.path()).get_or_fetch(&[&source]).unwrap_err();
        assert!(error.to_string().contains("no such library"), "{error}");
        let left: Vec<_> = std::fs::read_dir(dir.path().join("bitcoind")).unwrap().flatten().collect();
        assert_eq!(left.iter().map(std::fs::DirEntry::file_name).collect::<Vec<_>>(), ["lock"]);
    }

    #[test]
    fn the_next_source_is_tried_and_the_error_names_all() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path());
        let error = cache.get_or_fetch(&[&Unreachable("first"), &Unreachable("second")]).unwrap_err();
        let text = error.to_string();
        for part in ["first: no route to it", "second: no route to it", "BITCOIND_EXE"] {
            assert!(text.contains(part), "{text}");
        }
        let works = Fake::new("#!/bin/sh\nexit 0\n");
        assert!(cache.get_or_fetch(&[&Unreachable("first"), &works]).unwrap().exists());
    }
}
