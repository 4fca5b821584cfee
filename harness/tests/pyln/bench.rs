//! The place of the suite: a directory, a watchdog, and programs that go first on PATH.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use leyden::env::Settings;
use leyden::process::{Launch, Marker, Watchdog};
use leyden::run_dir::RunDir;
use leyden::{Deadline, Error, Result};
use serde_json::Value;

/// The node's program takes a minute where nothing is compiled yet, and longer beside other tests.
const BUILD_TAKES: Duration = Duration::from_secs(400);

/// How much of a program's output goes into an error.
const EVIDENCE_LINES: usize = 150;

/// Everything in it dies with the test, however that ends.
pub(crate) struct Bench {
    watchdog: Arc<Watchdog>,
    run_dir: RunDir,
    bin: PathBuf,
}

impl Bench {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let run_dir = RunDir::create(settings)?;
        let watchdog = Arc::new(Watchdog::start(Marker::new(&run_dir.name()))?);
        watchdog.remove_dir(run_dir.path())?;
        let bin = run_dir.sub_dir("bin")?;
        Ok(Self { watchdog, run_dir, bin })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.run_dir.path()
    }

    /// Programs that go before the machine's own.
    pub(crate) fn bin(&self) -> PathBuf {
        self.bin.clone()
    }

    /// A program that finds others in `dirs` before it looks on PATH, as it is found itself.
    pub(crate) fn on_path(&self, dirs: &[&Path], program: &str) -> Launch {
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let script = r#"PATH="$0:$PATH"; export PATH; exec "$@""#;
        Launch::new(program, "sh", self.dir()).args(["-c", script, &dirs.join(":"), program])
    }

    /// Runs a program to its end; gives its standard output.
    ///
    /// # Errors
    /// If it fails or takes longer than allowed, with the end of its output.
    pub(crate) async fn run(&self, doing: &str, launch: Launch, allowed: Duration) -> Result<String> {
        let process = launch.spawn(&self.watchdog)?;
        let ended = Deadline::after(allowed).limit(doing, process.ended()).await;
        let [stdout, stderr] = [process.stdout(), process.stderr()]
            .map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned());
        let last = |text: &str| {
            // Not what cargo says to programs.
            let lines = text.lines().filter(|line| !line.starts_with('{'));
            let lines: Vec<String> = lines.map(str::to_owned).collect();
            lines[lines.len().saturating_sub(EVIDENCE_LINES)..].to_vec()
        };
        let failed = |error: Error| {
            error.evidence("its standard output", last(&stdout)).evidence("its standard error", last(&stderr))
        };
        match ended {
            Ok(exit) if exit.is_success() => Ok(stdout),
            Ok(exit) => Err(failed(Error::test(doing).expected("success").came(exit.to_string()))),
            Err(late) => Err(failed(late)),
        }
    }

    /// Puts the node's program there, as `lightningd`. Cargo says where it is, and builds it if need be: the programs of another
    /// package are not built for this one's tests.
    pub(crate) async fn install_lightningd(&self) -> Result {
        let cargo = Launch::new("cargo", env!("CARGO"), self.dir()).args([
            "build",
            "--locked",
            "--bin=leyden-node",
            "--message-format=json-render-diagnostics",
            concat!("--manifest-path=", env!("CARGO_MANIFEST_DIR"), "/../node/Cargo.toml"),
        ]);
        let said = self.run("building leyden-node", cargo, BUILD_TAKES).await?;
        let messages = said.lines().filter_map(|line| serde_json::from_str(line).ok());
        let mut programs =
            messages.filter_map(|message: Value| message["executable"].as_str().map(PathBuf::from));
        let program = programs.next().ok_or_else(|| {
            Error::test("building leyden-node").expected("the path of a program").came("none in its messages")
        })?;
        Ok(std::os::unix::fs::symlink(program, self.bin.join("lightningd"))?)
    }

    /// Puts a bitcoind there that does not wait for the disk: pyln-testing mines 101 blocks for every test.
    pub(crate) async fn install_bitcoind(&self, settings: &Settings) -> Result {
        let programs = leyden::bitcoind::find(settings).await?;
        let quoted = programs.bitcoind.display().to_string().replace('\'', r"'\''");
        let file = self.bin.join("bitcoind");
        std::fs::write(&file, format!("#!/bin/sh\nexec '{quoted}' \"$@\" -unsafesqlitesync\n"))?;
        Ok(std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?)
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result {
        assert_eq!(self.watchdog.orphans(), []);
        drop(self.watchdog);
        self.run_dir.remove()
    }
}
