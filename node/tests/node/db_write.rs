//! What plugins say while the node waits for their answer to `db_write`, and how it ends over it.

use crate::stage::{Says, Stage};
use leyden_node::event::Exit;
use serde_json::{Value, json};

/// The plugin that keeps a copy, and says this to the write that has `aabbcc` in it.
fn backup(stage: &mut Stage, subscriptions: &[&str], says: Says) -> String {
    let manifest = json!({
        "options": [], "rpcmethods": [], "hooks": ["db_write"], "subscriptions": subscriptions,
    });
    stage.with("backup", manifest, move |told| match told["method"].as_str() {
        Some("db_write") if told["params"].to_string().contains("aabbcc") => says.clone(),
        Some("shutdown") => Says::Nothing,
        _ => Says::Usual,
    })
}

/// What has the node write `aabbcc`.
fn invoice() -> Value {
    json!([1, "aabbcc", "description"])
}

/// How a running node ends over what the plugin says, and how the plugin was killed.
async fn end(args: &[&str], says: Says) -> (String, Vec<String>) {
    let mut stage = Stage::new();
    let plugin = backup(&mut stage, &[], says);
    let mut play = stage.start(&[&[plugin.as_str()], args].concat()).await;
    play.request("invoice", invoice()).await;
    let exit = play.exit().await;
    assert_eq!(exit.code, Exit::ABORTED);
    let place = stage.path().canonicalize().expect("it is there").display().to_string();
    (exit.message.unwrap_or_default().replace(&place, ""), play.kills())
}

/// The message of a node whose plugin was killed while it was waited for.
fn terminated(message: &str) -> bool {
    let start = r#"Plugin '/backup' returned an invalid response to the db_write hook: {"jsonrpc": "2.0","id": "cln:db_write#"#;
    let end = r#"","error": {"code":-4, "message":"Plugin terminated before replying to RPC call."}}"#;
    message.starts_with(start) && message.ends_with(end)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_kills_a_plugin_ends_the_node_that_waits_for_it() {
    let cases = [
        ("}", "Failed to parse RPC JSON response '}'"),
        (
            r#"{"id":%ID%,"result":{"result":"continue"}}"#,
            r#"JSON-RPC message does not contain "jsonrpc" field: '{"id":"cln:db_write#"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"log"}"#,
            r#"Malformed JSON-RPC notification missing "method" or "params": {"jsonrpc""#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"log","params":{"message":5}}"#,
            r#"Log notification from plugin doesn't have a string "message" field"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"log","params":{"message":"m","level":"io"}}"#,
            r#"Unknown log-level "io", valid values are "trace", "debug", "info", "warn", or "error"."#,
        ),
    ];
    for (said, why) in cases {
        let (message, kills) = end(&[], Says::raw(said)).await;
        assert!(terminated(&message), "{said}: {message}");
        let expected = format!("UNUSUAL plugin-backup: Killing plugin: {why}");
        assert!(matches!(&kills[..], [kill] if kill.starts_with(&expected)), "{said}: {kills:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_kills_in_older_releases_only() {
    let stray = r#"{"jsonrpc":"2.0","id":"x","result":{}}"#;
    let answered = format!(r#"{stray}{{"jsonrpc":"2.0","id":%ID%,"result":{{"result":"no"}}}}"#);
    let (message, kills) = end(&[], Says::Raw(answered.clone())).await;
    assert!(message.starts_with("Plugin '/backup' returned failed db_write: {"), "{message}");
    assert_eq!(kills, <[&str; 0]>::default());
    let (message, kills) = end(&["--release-profile=v23.02"], Says::Raw(answered)).await;
    assert!(
        message.ends_with(r#""message":"Plugin terminated before replying to RPC call."}}"#),
        "{message}"
    );
    let expected = "Killing plugin: Received a JSON-RPC response for non-existent request 'x'";
    assert_eq!(kills, [format!("UNUSUAL plugin-backup: {expected}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_logs_before_it_refuses_is_in_the_log() {
    let mut stage = Stage::new();
    let said = r#"{"jsonrpc":"2.0","method":"log","params":{"message":"the disk is full"}}{"jsonrpc":"2.0","id":%ID%,"result":{"result":"fail"}}"#;
    let plugin = backup(&mut stage, &[], Says::raw(said));
    let mut play = stage.start(&[&plugin]).await;
    play.request("invoice", invoice()).await;
    play.exit().await;
    let log = play.log();
    assert!(log.iter().any(|line| line == "INFO plugin-backup: the disk is full"), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_release_quotes_all_that_is_unread_of_an_answer_that_ends_it() {
    let said = r#"{"jsonrpc":"2.0","id":%ID%,"result":{}} {"jsonrpc":"2.0""#;
    let (message, _) = end(&["--release-profile=v0.10"], Says::raw(said)).await;
    assert!(message.ends_with(r#""result":{}} {"jsonrpc":"2.0""#), "{message}");
    let (message, _) = end(&[], Says::raw(said)).await;
    assert!(message.ends_with(r#""result":{}}"#), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_shows_what_its_clients_still_change() {
    let last = r#"{"jsonrpc":"2.0","id":%ID%,"result":{"result":"continue"}}"#;
    for (says, code) in [(Says::Last(last.to_owned()), 0), (Says::Exit, Exit::ABORTED)] {
        let mut stage = Stage::new();
        // It is told of the end and stays until it has seen the write: the node has to wait for it.
        let plugin = backup(&mut stage, &["shutdown"], says);
        let mut play = stage.start(&[&plugin]).await;
        let mut other = play.connect().await;
        play.request("stop", json!({})).await;
        play.log_has("JSON-RPC shutdown").await;
        other.request("invoice", &invoice()).await;
        if code == 0 {
            assert!(other.json().await["result"]["bolt11"].is_string());
        }
        let exit = play.exit().await;
        assert_eq!(exit.code, code, "{exit:?}");
        let why = exit.message.unwrap_or_default();
        assert_eq!(why.starts_with("Already in transaction"), code != 0, "{why}");
    }
}
