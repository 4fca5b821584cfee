//! The binary `mock-plugin` over real pipes.

use crate::scripts::shelf;
use assert_cmd::Command;
use predicates::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

const START: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"getmanifest","params":{}}"#,
    "\n\n",
    r#"{"jsonrpc":"2.0","id":"cln:init#1","method":"init","params":{"options":{},"configuration":{}}}"#,
    "\n\n"
);

fn mock_plugin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-plugin"));
    command.timeout(LIMIT);
    command
}

fn on_shelf(name: &str) -> PathBuf {
    let path = shelf().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    path.unwrap_or_else(|| panic!("scripts/{name}.toml"))
}

#[test]
fn it_serves_a_script_over_stdin_and_stdout() {
    let hello = r#"{"jsonrpc":"2.0","id":"x/cln:hello#2","method":"hello","params":[]}"#;
    let answers = concat!(
        r#"{"jsonrpc":"2.0","id":0,"result":{"options":[{"name":"greeting","type":"string","#,
        r#""description":"What to say","default":"Hello"}],"#,
        r#""rpcmethods":[{"name":"hello","usage":"[name]","description":"a mock"}],"#,
        r#""subscriptions":[],"hooks":[],"dynamic":true,"nonnumericids":true}}"#,
        "\n\n",
        r#"{"jsonrpc":"2.0","id":"cln:init#1","result":{}}"#,
        "\n\n",
        r#"{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"greeted somebody"}}"#,
        "\n\n",
        r#"{"jsonrpc":"2.0","id":"x/cln:hello#2","result":{"greeting":"Hello there"}}"#,
        "\n\n"
    );
    let command = mock_plugin().arg(on_shelf("greet")).write_stdin(format!("{START}{hello}\n\n")).assert();
    command.success().stdout(answers).stderr("");
}

#[test]
fn unmet_expectations_are_told_at_the_end() {
    let connect = r#"{"jsonrpc":"2.0","method":"connect","params":{"connect":{"id":"02"}}}"#;
    let command =
        mock_plugin().arg(on_shelf("watch-peers")).write_stdin(format!("{START}{connect}")).assert();
    command
        .code(1)
        .stderr(predicate::str::starts_with("mock-plugin: mock 'watch-peers' did not get what it expected"))
        .stderr(predicate::str::contains("notification disconnect: expected 1 call, received 0 ("))
        .stderr(predicate::str::contains("watch-peers.toml:10)"))
        .stderr(predicate::str::contains(r#"notification connect #1 {"connect":{"id":"02"}}"#));
}

#[test]
fn it_exits_as_the_script_says() {
    mock_plugin().arg(on_shelf("dies-in-init")).write_stdin(START).assert().code(4).stderr("");
    let command = mock_plugin().arg(on_shelf("garbage-at-start")).write_stdin("").assert();
    command.code(1).stdout(predicate::str::starts_with("Traceback"));
}

/// The second pipe ends while the first is still open, so it is not the exit that ends it.
#[test]
fn closing_stdout_is_seen_by_the_reader_while_the_plugin_lives() {
    let run = r#"
        cd "$1" && mkfifo in out && printf '%s' "$4" > calls || exit
        "$2" "$3" < in > out &
        exec 3> in
        cat calls >&3
        cat < out > seen 3>&-
        exec 3>&-
        wait $! && cat seen
    "#;
    let folder = tempfile::tempdir().expect("a folder");
    let calls = format!(r#"{START}{{"jsonrpc":"2.0","id":2,"method":"hello","params":[]}}"#);
    let mut command = Command::new("sh");
    command.timeout(LIMIT).args(["-c", run, "sh"]).arg(folder.path()).arg(env!("CARGO_BIN_EXE_mock-plugin"));
    let command = command.arg(on_shelf("closes-stdout")).arg(calls).assert();
    command.success().stdout(predicate::str::contains(r#""result":{}}"#)).stderr("");
}

#[test]
fn a_bad_script_is_refused() {
    let command = mock_plugin().arg("--check").arg("/nowhere.toml").assert();
    command
        .code(1)
        .stderr(predicate::str::starts_with("mock-plugin: /nowhere.toml: cannot read the script: "));
}

#[test]
fn every_script_of_the_shelf_passes_the_check() {
    for path in shelf() {
        mock_plugin().arg("--check").arg(path).assert().success().stdout("").stderr("");
    }
}
