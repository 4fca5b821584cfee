//! A test process that is killed by SIGKILL leaves nothing behind.
//!
//! The tests run this binary once more, with one of the ignored tests as its only one, and kill it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use leyden::env::Settings;
use leyden::process::{Launch, Marker, Watchdog};
use leyden::run_dir::RunDir;
use leyden::{Bitcoind, Error, Result, eventually};
use rustix::process::{Pid, Signal, kill_process_group};

/// A watchdog needs some 50 ms, and many times that where every core is busy.
const ALL_GONE_IN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn daemons_and_their_runaway_children_die_with_the_test_process() -> Result {
    nothing_is_left_after_sigkill("holds_daemons").await
}

#[tokio::test]
async fn bitcoind_dies_with_the_test_process() -> Result {
    nothing_is_left_after_sigkill("holds_bitcoind").await
}

/// Runs an ignored test of this file in a process of its own, kills that process, and waits for the end of what it had started.
async fn nothing_is_left_after_sigkill(holder: &str) -> Result {
    let base = tempfile::tempdir()?;
    let mut child = run_ignored_test(holder, base.path())?;
    let (ready, said) = (base.path().join("pids"), base.path().join("stderr"));
    let pids = eventually("the holder has started its processes", || {
        let ended = child.try_wait().ok().flatten();
        let pids = std::fs::read_to_string(&ready).ok();
        let error = ended.map(|status| {
            let words = std::fs::read_to_string(&said).unwrap_or_default();
            Error::test("the holder").came(status.to_string()).evidence("it said", words.lines()).fatal()
        });
        async move { error.map_or(Ok(pids), Err) }
    })
    .await?;
    let pids: Vec<&str> = pids.lines().collect();
    assert!(!pids.is_empty() && pids.iter().all(|pid| is_alive(pid)), "{pids:?}");

    kill_process_group(Pid::from_child(&child), Signal::KILL).map_err(std::io::Error::from)?;
    child.wait()?;
    eventually("all are dead", || async { !pids.iter().any(|pid| is_alive(pid)) })
        .within(ALL_GONE_IN)
        .await?;
    eventually("the run directory is gone", || async { run_dirs(base.path()) == 0 }).within(ALL_GONE_IN).await
}

#[expect(clippy::disallowed_methods, reason = "no daemon of a net: the process that is to be killed")]
fn run_ignored_test(name: &str, base: &Path) -> Result<Child> {
    let child = Command::new(std::env::current_exe()?)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("TEST_DIR", base)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(base.join("stderr"))?)
        .process_group(0)
        .spawn()?;
    Ok(child)
}

/// Tells the ids of what was started, then waits to be killed, at most until the other end of its standard input is gone.
fn hold(pids: &[String]) -> Result {
    let base = Settings::from_env().test_dir;
    std::fs::write(base.join("pids.new"), pids.join("\n"))?;
    std::fs::rename(base.join("pids.new"), base.join("pids"))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn net() -> Result<(RunDir, Arc<Watchdog>)> {
    let run_dir = RunDir::create(&Settings::from_env())?;
    let watchdog = Arc::new(Watchdog::start(Marker::new(&run_dir.name()))?);
    watchdog.remove_dir(run_dir.path())?;
    Ok((run_dir, watchdog))
}

#[tokio::test]
#[ignore = "run by daemons_and_their_runaway_children_die_with_the_test_process"]
async fn holds_daemons() -> Result {
    let (run_dir, watchdog) = net()?;
    // Only Linux lets the watchdog find what has left its group.
    let leave = if cfg!(target_os = "linux") { "setsid" } else { "" };
    let script = format!("{leave} sleep 1000 & echo $! > child; trap '' TERM HUP; wait");
    let daemon = Launch::new("daemon", "sh", run_dir.path()).args(["-c", &script]).spawn(&watchdog)?;
    let file = run_dir.path().join("child");
    let child = eventually("the child is there", || async {
        std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    })
    .await?;
    hold(&[daemon.id().to_string(), child.trim().to_owned()])?;
    drop(daemon);
    run_dir.remove()
}

#[tokio::test]
#[ignore = "run by bitcoind_dies_with_the_test_process"]
async fn holds_bitcoind() -> Result {
    let (run_dir, watchdog) = net()?;
    let bitcoind = Bitcoind::start(&Settings::from_env(), &run_dir.sub_dir("bitcoind")?, &watchdog).await?;
    hold(&[bitcoind.pid().to_string()])?;
    drop(bitcoind);
    run_dir.remove()
}

fn run_dirs(base: &Path) -> usize {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("leyden-")).count()
}

/// A zombie is dead, whoever may have to collect it.
fn is_alive(pid: &str) -> bool {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        return stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'));
    }
    pid.parse()
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
