//! A net that stays, as its user sees it: `leyden start_ln`, `fund_nodes`, `connect`, `cli`, `stop_ln`, `destroy_ln`.

use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_match};
use serde_json::Value;

/// A playground of this test's own, which is gone with it.
struct Playground(tempfile::TempDir);

impl Playground {
    fn leyden(&self, args: &str) -> Command {
        let mut command = Command::cargo_bin("leyden").unwrap();
        command.env_remove("LEYDEN_BACKEND").env("LIGHTNING_DIR", self.dir()).args(args.split(' '));
        command
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("ln")
    }

    fn asked(&self, args: &str) -> Value {
        let output = self.leyden(args).assert().success().get_output().stdout.clone();
        serde_json::from_slice(&output).unwrap_or_else(|error| panic!("{args}: {error}"))
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        // Whatever the test was about, its net ends with it.
        for end in ["stop_ln", "destroy_ln"] {
            drop(self.leyden(end).output());
        }
    }
}

#[test]
fn nodes_are_started_funded_connected_called_and_stopped() {
    let ln = Playground(tempfile::tempdir().unwrap());
    ln.leyden("cli 1 getinfo").assert().failure().stderr(contains("start one with `leyden start_ln`"));
    let started = ln.leyden("start_ln 3").assert().success();
    started.stdout(
        is_match("l1, l2, l3 run, with the embedded node, in .*(?s).*Useful commands.*fund_nodes").unwrap(),
    );
    ln.leyden("start_ln").assert().failure().stderr(contains("runs in").and(contains("already")));
    ln.leyden("destroy_ln").assert().failure().stderr(contains("still runs"));

    let funded = ln.leyden("fund_nodes").assert().success();
    funded.stdout(is_match(r"^l1 -> l2: channel \d+x\d+x\d+\nl2 -> l3: channel \d+x\d+x\d+\n$").unwrap());
    let invoice = ln.asked("cli 3 invoice amount_msat=1000 label=a description=b");
    let paid = ln.asked(&format!("cli l1 pay {}", invoice["bolt11"].as_str().unwrap()));
    assert_eq!(paid["status"], "complete", "{paid}");
    let third = ln.asked("cli 3 getinfo");
    assert_eq!(ln.asked("connect 1 3")["id"], third["id"]);
    assert_eq!(ln.asked("bt-cli getblockcount"), third["blockheight"]);
    ln.leyden("cli 9 getinfo").assert().failure().stderr(contains("one of l1, l2, l3"));
    ln.leyden("cli 1 nonsense").assert().failure().stderr(contains("nonsense"));
    let functions =
        is_match(r#"(?s)fund_nodes\(\) \{ '.*' fund_nodes "\$@"; \}.*l3-cli\(\).*l3-log\(\)"#).unwrap();
    ln.leyden("env").assert().success().stdout(functions);

    ln.leyden("stop_ln").assert().success();
    let lightning_dir = ln.dir().join("l3").canonicalize().unwrap();
    assert!(lightning_dir.join("log").is_file(), "the files stay");
    ln.leyden("destroy_ln").assert().success();
    assert!(!lightning_dir.exists() && !ln.dir().exists(), "nothing stays");
}

#[test]
fn one_command_makes_a_funded_net() {
    let ln = Playground(tempfile::tempdir().unwrap());
    let started = ln.leyden("start_ln 2 --fund --release-profile v23.02").assert().success();
    started.stdout(contains("l1 -> l2: channel "));
    assert_eq!(ln.asked("cli 1 getinfo")["version"], "v23.02.2");
    assert_eq!(ln.asked("cli 2 listchannels")["channels"].as_array().map(Vec::len), Some(2));
}
