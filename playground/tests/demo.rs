//! `leyden demo` as its user sees it: what it prints, how it ends, what it leaves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use leyden::bitcoind::find;
use leyden::env::Settings;
use leyden::{eventually, seen};
use predicates::prelude::*;
use predicates::str::{contains, is_match};

fn leyden() -> Command {
    let mut command = Command::cargo_bin("leyden").unwrap();
    command.env_remove("LEYDEN_BACKEND");
    command
}

fn demo_in(dir: &Path) -> Command {
    let mut command = leyden();
    command.arg("demo").args(["--backend", "embedded"]).env("TEST_DIR", dir);
    command
}

/// What is left of nets. The locks of ports, which are hidden, stay: other processes may hold some.
fn run_dirs(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .collect()
}

#[test]
fn it_tells_the_sequence_then_the_table_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let order = "(?s)the line stands.*l1  -> doorman  doorman .*l1  <- doorman  result .*welcome to the bench.*\
        custommsg .*block 102.*turns l1 away.*channels are opened.*is held by a plugin.*refuses the next.*resolves the last.*what was asserted.*option of the Rust plugin.*complaints at the end";
    demo_in(dir.path())
        .assert()
        .success()
        .stdout(is_match(order).unwrap())
        .stdout(contains("FAILED").not())
        .stdout(contains('\u{1b}').not())
        .stdout(is_match(r"\d+ of \d+ held.* with the embedded node, in \d+\.\d\d s\n$").unwrap());
    assert_eq!(run_dirs(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn without_python_the_row_says_so_and_the_rest_holds() {
    let dir = tempfile::tempdir().unwrap();
    // What a net needs of a machine, and no python3.
    let bin = tempfile::tempdir().unwrap();
    for program in ["sh", "cat", "mkfifo", "env", "sleep", "kill", "rm", "ps"] {
        let at = ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(program));
        if let Some(found) = at.iter().find(|file| file.exists()) {
            std::os::unix::fs::symlink(found, bin.path().join(program)).unwrap();
        }
    }
    let bitcoind = tokio::runtime::Runtime::new().unwrap().block_on(find(&Settings::from_env())).unwrap();
    let mut command = demo_in(dir.path());
    command.env("PATH", bin.path()).env("BITCOIND_EXE", bitcoind.bitcoind);
    command.assert().success().stdout(contains("skipped: no python3"));
}

#[test]
fn a_kept_directory_has_its_name_printed_and_the_evidence_in_it() {
    let dir = tempfile::tempdir().unwrap();
    demo_in(dir.path()).arg("--keep").assert().success().stdout(contains("run directory: "));
    let [run_dir] = run_dirs(dir.path()).try_into().unwrap();
    assert!(run_dir.join("timeline.jsonl").is_file() && run_dir.join("lightning-1/log").is_file());
}

#[test]
fn older_releases_play_the_same_scene() {
    for release in ["manual", "v0.10", "v23.02"] {
        let dir = tempfile::tempdir().unwrap();
        demo_in(dir.path()).args(["--release-profile", release]).assert().success();
    }
}

/// The processes that bear the mark of a net in a directory; the watchdog, which ends them, does not.
fn alive(dir: &Path) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let knows = |process: &PathBuf| {
        let environ = std::fs::read(process.join("environ")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ);
        environ.contains("LEYDEN_RUN=") && environ.contains(&*dir.to_string_lossy())
    };
    let alive = processes.flatten().map(|process| process.path()).filter(knows);
    alive.map(|process| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_no_process() {
    for lived in [150, 350] {
        let dir = tempfile::tempdir().unwrap();
        // SIGKILL, unless it ends before.
        drop(demo_in(dir.path()).timeout(Duration::from_millis(lived)).output());
        let none =
            eventually(format!("nothing is left of a demo that was killed after {lived} ms"), || async {
                seen(alive(dir.path()), Vec::is_empty)
            });
        // It takes milliseconds, but not where every core is busy.
        none.within(Duration::from_secs(10)).await.unwrap();
    }
}

#[test]
fn help_names_the_demo_but_not_the_plugin_within() {
    leyden().arg("--help").assert().success().stdout(contains("demo").and(contains("doorman").not()));
    leyden()
        .args(["demo", "--help"])
        .assert()
        .success()
        .stdout(contains("--backend").and(contains("--keep")));
}

#[test]
fn a_backend_that_is_none_is_one_clear_error() {
    let complaint = "invalid value 'clightning' for '--backend <BACKEND>'";
    leyden()
        .args(["demo", "--backend", "clightning"])
        .assert()
        .code(2)
        .stderr(contains(complaint))
        .stdout("");
    let complaint = "expected `embedded` or `lightningd`";
    leyden()
        .arg("demo")
        .env("LEYDEN_BACKEND", "clightning")
        .assert()
        .code(1)
        .stderr(is_match(format!("^error: (.|\n)*{complaint}")).unwrap())
        .stdout("");
}

#[test]
fn a_lightningd_that_is_not_there_is_one_clear_error() {
    leyden()
        .args(["demo", "--backend", "lightningd"])
        .env("LIGHTNINGD_EXE", "/nonexistent/lightningd")
        .assert()
        .code(1)
        .stderr(contains("there is no lightningd at /nonexistent/lightningd"))
        .stdout("");
}
