//! Daemons and their watchdog, as a test author meets them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leyden::env::Settings;
use leyden::eventually;
use leyden::process::{Launch, Marker, Watchdog};
use leyden::run_dir::RunDir;
use leyden::{Fault, Result};

const SOON: Duration = Duration::from_secs(20);

struct Bench {
    watchdog: Arc<Watchdog>,
    run_dir: RunDir,
}

impl Bench {
    fn new() -> Result<Self> {
        let run_dir = RunDir::create(&Settings::from_env())?;
        let watchdog = Arc::new(Watchdog::start(Marker::new(&run_dir.name()))?);
        Ok(Self { watchdog, run_dir })
    }

    fn sh(&self, script: &str) -> Launch {
        Launch::new("daemon", "sh", self.run_dir.path()).args(["-c", script])
    }

    async fn file(&self, name: &str) -> Result<String> {
        let file = self.run_dir.path().join(name);
        let complete = || async { std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')) };
        Ok(eventually(format!("{name} is written"), complete).await?.trim().to_owned())
    }

    fn finish(self) -> Result {
        drop(self.watchdog);
        self.run_dir.remove()
    }
}

/// A zombie is dead, whoever may have to collect it.
fn is_alive(pid: &str) -> bool {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        return stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'));
    }
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

#[tokio::test]
async fn a_wait_on_a_daemon_ends_when_it_dies_and_shows_its_last_words() -> Result {
    let bench = Bench::new()?;
    let daemon = bench.sh("echo starting >&2; echo bad option >&2; exit 3").spawn(&bench.watchdog)?;
    let error = daemon.outlives("waiting for its socket", std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(
        error.headline(),
        "waiting for its socket: expected daemon to be running, but it ended with exit status: 3"
    );
    assert!(error.to_string().ends_with("daemon.stderr:\n    | starting\n    | bad option"), "{error}");
    assert!(error.is_fatal() && error.location().file() == file!());
    assert_eq!(daemon.exit().and_then(|exit| exit.code()), Some(3));
    drop(daemon);
    bench.finish()
}

#[tokio::test]
async fn a_daemon_that_ends_when_asked_is_not_killed() -> Result {
    let bench = Bench::new()?;
    let script = "trap 'exit 0' TERM; echo up > up; while :; do sleep 0.01; done";
    let daemon = bench.sh(script).spawn(&bench.watchdog)?;
    bench.file("up").await?;
    assert!(daemon.stop(SOON).await.is_success());
    drop(daemon);
    bench.finish()
}

#[tokio::test]
async fn a_daemon_that_does_not_listen_is_killed_with_its_children() -> Result {
    let bench = Bench::new()?;
    let script = "trap '' TERM; sleep 1000 & echo $! > child; wait";
    let daemon = bench.sh(script).spawn(&bench.watchdog)?;
    let child = bench.file("child").await?;
    assert_eq!(daemon.stop(Duration::from_millis(20)).await.code(), None, "a signal has ended it");
    eventually("the child is dead", || async { !is_alive(&child) }).within(SOON).await?;
    drop(daemon);
    bench.finish()
}

#[tokio::test]
async fn a_dropped_daemon_is_dead() -> Result {
    let bench = Bench::new()?;
    let daemon = bench.sh("exec sleep 1000").spawn(&bench.watchdog)?;
    let pid = daemon.id().to_string();
    assert!(is_alive(&pid));
    drop(daemon);
    assert!(!is_alive(&pid));
    bench.finish()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_grandchild_that_left_its_group_is_an_orphan_and_dies_with_the_watchdog() -> Result {
    let bench = Bench::new()?;
    let daemon = bench.sh("setsid sleep 1000 & echo $! > runaway; wait").spawn(&bench.watchdog)?;
    let runaway = bench.file("runaway").await?;
    eventually("it has become sleep", || async {
        std::fs::read_to_string(format!("/proc/{runaway}/cmdline"))
            .is_ok_and(|line| line.starts_with("sleep"))
    })
    .await?;
    daemon.kill().await;
    drop(daemon);
    let orphans = bench.watchdog.orphans();
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    assert_eq!(orphans[0].to_string(), format!("process {runaway}: sleep 1000"));
    bench.finish()?;
    assert!(!is_alive(&runaway));
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_not_there_is_the_environments_fault() -> Result {
    let bench = Bench::new()?;
    let launch = Launch::new("l1", "/nonexistent/lightningd", bench.run_dir.path());
    let error = launch.spawn(&bench.watchdog).unwrap_err();
    assert_eq!(error.fault(), Fault::Environment);
    assert!(error.headline().starts_with("starting /nonexistent/lightningd as l1: No such file"), "{error}");
    bench.finish()
}
