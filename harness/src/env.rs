//! Everything that Leyden takes from the environment: the only module that reads it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings of one net, read from the environment once and handed on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `BITCOIND_EXE`, or `bitcoind` on `PATH`.
    pub bitcoind: Option<PathBuf>,
    /// `bitcoin-cli` beside the bitcoind above, or on `PATH`: a real lightningd calls it.
    pub bitcoin_cli: Option<PathBuf>,
    /// `LIGHTNINGD_EXE`, or `lightningd` on `PATH`.
    pub lightningd: Option<PathBuf>,
    /// `LEYDEN_BACKEND`: which program plays the nodes, see [`Backend::from_env`](crate::Backend::from_env).
    pub backend: Option<String>,
    /// `TEST_DIR`, or the system's directory for temporary files: run directories are made here.
    pub test_dir: PathBuf,
    /// The system's directory for temporary files: what belongs to the whole machine, such as its ports, is agreed upon here, whatever `TEST_DIR` says.
    pub(crate) temp_dir: PathBuf,
    /// `LEYDEN_CACHE_DIR`, or `leyden` in `XDG_CACHE_HOME`, or in `.cache` of `HOME`: where a fetched bitcoind is kept.
    pub cache_dir: Option<PathBuf>,
    /// `LEYDEN_SCHEMAS`: CLN's `doc/schemas` of the newest release that [`Profile`](crate::Profile) knows, for Leyden's own tests.
    pub schemas: Option<PathBuf>,
    /// `SLOW_MACHINE` is set and not 0: waits may take three times as long.
    pub slow_machine: bool,
    /// `TIMEOUT` in seconds, or 60, or 180 on a slow machine: how long a wait may take.
    pub timeout: Duration,
    /// The test runs below cargo or nextest, so that the death of its parent ends it.
    pub under_runner: bool,
    /// Names and values as they were found, for [`fmt::Display`].
    found: Vec<(&'static str, Option<String>)>,
}

/// The names in the order in which they are printed.
const NAMES: [&str; 12] = [
    "BITCOIND_EXE",
    "LIGHTNINGD_EXE",
    "LEYDEN_BACKEND",
    "PATH",
    "TEST_DIR",
    "SLOW_MACHINE",
    "TIMEOUT",
    "LEYDEN_CACHE_DIR",
    "LEYDEN_SCHEMAS",
    "XDG_CACHE_HOME",
    "HOME",
    "NEXTEST",
];

impl Settings {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Reads an environment given as a function from a name to its value.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        // An empty value counts as unset, as in a shell's `${NAME:-default}`.
        let value = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| value(name).map(PathBuf::from);
        let flag = |name: &str| value(name).is_some_and(|value| value != "0");
        let program = |variable: &str, name: &str| path(variable).or_else(|| on_path(value("PATH"), name));

        let slow_machine = flag("SLOW_MACHINE");
        let default_seconds = if slow_machine { 180 } else { 60 };
        let seconds =
            value("TIMEOUT").and_then(|value| value.to_str()?.trim().parse().ok()).unwrap_or(default_seconds);
        let bitcoind = program("BITCOIND_EXE", "bitcoind");
        let temp_dir = std::env::temp_dir();
        Self {
            bitcoin_cli: bitcoind
                .as_deref()
                .and_then(sibling_cli)
                .or_else(|| on_path(value("PATH"), "bitcoin-cli")),
            bitcoind,
            lightningd: program("LIGHTNINGD_EXE", "lightningd"),
            backend: value("LEYDEN_BACKEND").map(|value| value.to_string_lossy().into_owned()),
            test_dir: path("TEST_DIR").unwrap_or_else(|| temp_dir.clone()),
            temp_dir,
            cache_dir: path("LEYDEN_CACHE_DIR")
                .or_else(|| path("XDG_CACHE_HOME").map(|dir| dir.join("leyden")))
                .or_else(|| path("HOME").map(|dir| dir.join(".cache/leyden"))),
            schemas: path("LEYDEN_SCHEMAS"),
            slow_machine,
            timeout: Duration::from_secs(seconds),
            under_runner: value("CARGO").is_some() || value("NEXTEST").is_some(),
            found: NAMES
                .iter()
                .map(|name| (*name, lookup(name).map(|value| value.to_string_lossy().into_owned())))
                .collect(),
        }
    }
}

/// The table of the names that Leyden reads and what they held, for the report of a failure.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.found.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{name:<16} {}", value.as_deref().unwrap_or("(not set)"))?;
        }
        Ok(())
    }
}

/// The first file of that name in a list of directories such as `PATH` holds.
fn on_path(path: Option<OsString>, name: &str) -> Option<PathBuf> {
    std::env::split_paths(&path?).map(|dir| dir.join(name)).find(|file| is_program(file))
}

/// `bitcoin-cli` in the directory of a bitcoind.
pub(crate) fn sibling_cli(bitcoind: &Path) -> Option<PathBuf> {
    Some(bitcoind.with_file_name("bitcoin-cli")).filter(|cli| is_program(cli))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
impl Settings {
    /// Settings with nothing but a place for run directories.
    pub(crate) fn in_test_dir(dir: &Path) -> Self {
        let dir = dir.as_os_str().to_owned();
        Self::from_lookup(move |name| (name == "TEST_DIR").then(|| dir.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs: Vec<(String, OsString)> =
            pairs.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
        Settings::from_lookup(move |name| {
            pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn an_empty_environment_has_defaults() {
        let found = settings(&[]);
        assert_eq!(found.timeout, Duration::from_secs(60));
        assert_eq!((found.bitcoind, found.lightningd, found.cache_dir), (None, None, None));
        assert!(!found.slow_machine && !found.under_runner);
    }

    #[test]
    fn a_slow_machine_waits_three_times_as_long_unless_told_otherwise() {
        assert_eq!(settings(&[("SLOW_MACHINE", "1")]).timeout, Duration::from_secs(180));
        assert_eq!(settings(&[("SLOW_MACHINE", "0")]).timeout, Duration::from_secs(60));
        assert_eq!(settings(&[("SLOW_MACHINE", "1"), ("TIMEOUT", "7")]).timeout, Duration::from_secs(7));
    }

    #[test]
    fn the_cache_is_leydens_own_before_the_users() {
        let cache = |pairs: &[(&str, &str)]| settings(pairs).cache_dir.unwrap();
        assert_eq!(cache(&[("HOME", "/h")]), Path::new("/h/.cache/leyden"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/leyden"));
        assert_eq!(cache(&[("LEYDEN_CACHE_DIR", "/l"), ("XDG_CACHE_HOME", "/x")]), Path::new("/l"));
    }

    #[test]
    fn a_named_program_goes_before_the_one_on_path() {
        let on_path = settings(&[("PATH", "/nonexistent:/bin:/usr/bin")]);
        assert_eq!(on_path.bitcoind.is_some(), Path::new("/usr/bin/bitcoind").exists());
        let named = settings(&[("PATH", "/bin"), ("LIGHTNINGD_EXE", "/opt/cln/lightningd")]);
        assert_eq!(named.lightningd.as_deref(), Some(Path::new("/opt/cln/lightningd")));
    }

    #[test]
    fn the_table_names_what_is_not_set() {
        let table = settings(&[("TIMEOUT", "5")]).to_string();
        assert!(table.contains("TIMEOUT          5\n"), "{table}");
        assert!(table.contains("BITCOIND_EXE     (not set)\n"), "{table}");
    }
}
