//! Plugins as lightningd treats them: how they are started, what they may be called, what kills them.

use crate::stage::{Says, Stage};
use serde_json::{Value, json};

const METHOD_NOT_FOUND: i64 = -32601;

fn nothing() -> Value {
    json!({ "options": [], "rpcmethods": [] })
}

fn with_method(name: &str) -> Value {
    json!({ "options": [], "rpcmethods": [{ "name": name, "usage": "", "description": "a method" }] })
}

fn usual(_: &Value) -> Says {
    Says::Usual
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debugged_plugin_is_told_and_has_all_the_time_it_takes() {
    for (release, flag) in [("v26.06", "--dev-debug-self"), ("v23.02", "--debugger"), ("v0.10", "--debugger")]
    {
        let mut stage = Stage::new();
        // It says nothing until the other one has run out of time.
        let slow = stage.with("slow", nothing(), |_| Says::Nothing);
        let other = stage.with("other", nothing(), |_| Says::Nothing);
        let release = format!("--release-profile={release}");
        let debugger = "--dev-debugger=slow";
        let (exit, log) = stage
            .refusal(&["--developer", "--dev-plugin-startup-timeout=0.05", &slow, &other, debugger, &release])
            .await;
        let lost = "Can't recover from plugin failure, terminating.";
        assert_eq!(exit.message.as_deref(), Some(lost));
        let timeouts: Vec<&String> = log.iter().filter(|line| line.contains("timed out")).collect();
        assert!(matches!(&timeouts[..], [line] if line.contains("plugin-other")), "{timeouts:?}");
        let args =
            stage.launches().into_iter().map(|launch| launch.args.first().cloned().unwrap_or_default());
        let args: Vec<String> = args.collect();
        assert_eq!(args[0], flag);
        assert_ne!(args[1], flag);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lightningd_has_and_this_node_not_is_taken_all_the_same() {
    let mut stage = Stage::new();
    let taker = stage.with("taker", with_method("getlog"), usual);
    let mut play = stage.start(&[&taker]).await;
    let expected = "UNUSUAL plugin-taker: Killing plugin: Could not register method \"getlog\", a method with that name is already \
                    registered by lightningd";
    assert!(play.log().iter().any(|line| line == expected), "{:#?}", play.log());
    let absent = "Command \"getlog\" is not in the embedded node: a real lightningd has it".to_owned();
    assert_eq!(play.error("getlog", json!([])).await, (METHOD_NOT_FOUND, absent));
    let bundled = play.error("sql", json!([])).await.1;
    assert!(bundled.starts_with("Unknown command 'sql': a plugin of lightningd has it"), "{bundled}");
    // Of older releases only: a name as any other.
    let unknown = (METHOD_NOT_FOUND, "Unknown command 'decodepay'".to_owned());
    assert_eq!(play.error("decodepay", json!([])).await, unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_lacks_what_came_later() {
    let stage = Stage::new();
    let mut play = stage.start(&["--release-profile=v0.10"]).await;
    for name in ["datastore", "xpay", "setconfig", "deprecations"] {
        let unknown = (METHOD_NOT_FOUND, format!("Unknown command '{name}'"));
        assert_eq!(play.error(name, json!({})).await, unknown);
        assert_eq!(play.error("check", json!({ "command_to_check": name })).await, unknown);
    }
    let help = play.ok("help", json!({})).await.to_string();
    assert!(help.contains("listsendpays") && !help.contains("listdatastore"), "{help}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_plugin_is_disabled_cannot_be_checked() {
    let stage = Stage::new();
    let mut play = stage.start(&["--disable-plugin=pay"]).await;
    let (code, text) = play.error("check", json!(["pay"])).await;
    assert_eq!((code, text.as_str()), (METHOD_NOT_FOUND, "Unknown command 'pay'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_developers_are_shown_a_token_that_does_not_do() {
    let stage = Stage::new();
    let mut play = stage.start(&[]).await;
    let error = |text: &str| (-32602, format!("enable: should be 'true' or 'false': {text}"));
    let wrong = json!({ "enable": "s3cret" });
    let hidden = error("invalid token (see logs for details)");
    assert_eq!(play.error("notifications", wrong.clone()).await, hidden);
    play.log_has("Invalid parameter enable (should be 'true' or 'false'): token '\"s3cret\"'").await;
    let line = play.log().into_iter().find(|line| line.contains("Invalid parameter")).unwrap_or_default();
    assert!(line.starts_with("INFO jsonrpc#"), "{line}");
    // `check` is for who writes the command.
    let checked = json!({ "command_to_check": "notifications", "enable": "s3cret" });
    let shown = error("invalid token '\"s3cret\"'");
    assert_eq!(play.error("check", checked).await, shown);
    drop(play);
    for args in [["--developer"], ["--release-profile=v23.02"]] {
        let stage = Stage::new();
        let mut play = stage.start(&args).await;
        assert_eq!(play.error("notifications", wrong.clone()).await, shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_lightningd_s_own_plugins_are_known_where_they_run() {
    let topics = ["pay_part_start", "pay_part_end", "pay_success", "pay_failure", "channel_hint_update"];
    let unknown = async |args: &[&str]| {
        let mut stage = Stage::new();
        let manifest = json!({ "options": [], "rpcmethods": [], "subscriptions": topics });
        let ear = stage.with("ear", manifest, usual);
        let play = stage.start(&[&[ear.as_str()], args].concat()).await;
        let log = play.log().into_iter();
        let quoted =
            log.filter_map(|line| Some(line.strip_suffix("' is not a known notification topic")?.to_owned()));
        quoted.map(|line| line.rsplit('\'').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unknown(&[]).await, <[&str; 0]>::default());
    assert_eq!(unknown(&["--disable-plugin=cln-xpay"]).await, ["pay_part_start", "pay_part_end"]);
    assert_eq!(unknown(&["--disable-plugin=pay"]).await, ["channel_hint_update"]);
    assert_eq!(
        unknown(&["--release-profile=v23.02"]).await,
        ["pay_part_start", "pay_part_end", "channel_hint_update"]
    );
}

/// A plugin that says this when there is a new invoice.
fn talker(stage: &mut Stage, says: Says) -> String {
    let manifest = json!({ "options": [], "rpcmethods": [], "subscriptions": ["invoice_creation"] });
    stage.with("talker", manifest, move |told| match told["method"].as_str() {
        Some("invoice_creation") => says.clone(),
        _ => Says::Usual,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_makes_no_sense_kills() {
    let notification =
        |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
    let malformed = r#"Malformed JSON-RPC notification missing "method" or "params": "#;
    let (no_params, no_method) = (r#"{"jsonrpc":"2.0","method":"log"}"#, r#"{"jsonrpc":"2.0","params":{}}"#);
    let no_message = r#"Log notification from plugin doesn't have a string "message" field"#;
    let level = |level: &str| {
        format!(
            r#"Unknown log-level "{level}", valid values are "trace", "debug", "info", "warn", or "error"."#
        )
    };
    let stray = notification("progress", r#"{"id":"x"}"#);
    let unknown = "Received a JSON-RPC notify for non-existent request";
    let cases = [
        ("v26.06", no_params.to_owned(), format!("{malformed}{no_params}")),
        ("v26.06", no_method.to_owned(), format!("{malformed}{no_method}")),
        ("v26.06", notification("log", "{}"), no_message.to_owned()),
        ("v26.06", notification("log", r#"{"message":{}}"#), no_message.to_owned()),
        ("v26.06", notification("log", r#"{"message":"m","level":"loud"}"#), level("loud")),
        ("v26.06", notification("log", r#"{"message":"m","level":"io"}"#), level("io")),
        ("v26.06", notification("message", "{}"), r#"JSON-RPC notify "id"-field is not present"#.to_owned()),
        ("v23.02", stray.clone(), format!("{unknown} 'x'")),
        ("v0.10", stray, unknown.to_owned()),
    ];
    for (release, said, why) in cases {
        let mut stage = Stage::new();
        let plugin = talker(&mut stage, Says::Raw(said));
        let mut play = stage.start(&[&plugin, &format!("--release-profile={release}")]).await;
        play.ok("invoice", json!([1, "label", "description"])).await;
        play.log_has("Killing plugin").await;
        assert_eq!(play.kills(), [format!("UNUSUAL plugin-talker: Killing plugin: {why}")]);
        assert_eq!(play.is_active("talker").await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_floods_the_node_is_made_to_pause_and_loses_nothing() {
    let line = r#"{"jsonrpc":"2.0","method":"log","params":{"message":"drop"}}"#;
    let mut stage = Stage::new();
    let plugin = talker(&mut stage, Says::Raw(line.repeat(150)));
    let mut play = stage.start(&[&plugin]).await;
    play.ok("invoice", json!([1, "label", "description"])).await;
    play.log_has("Pausing response parsing after 101 response").await;
    while play.log().iter().filter(|line| line.ends_with("plugin-talker: drop")).count() < 150 {
        play.ok("getinfo", json!([])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_hears_no_more_is_not_missed() {
    let mut stage = Stage::new();
    let plugin = talker(&mut stage, Says::Deaf);
    let mut play = stage.start(&[&plugin]).await;
    for label in ["one", "two", "three"] {
        play.ok("invoice", json!([1, label, "description"])).await;
        assert_eq!(play.is_active("talker").await, Some(true));
    }
    assert_eq!(play.kills(), <[&str; 0]>::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_takes_no_new_clients_and_keeps_those_it_has() {
    let mut stage = Stage::new();
    let mut manifest = with_method("leave");
    manifest["subscriptions"] = json!(["shutdown"]);
    let plugin = stage.with("last", manifest, |told| match told["method"].as_str() {
        Some("shutdown") => Says::Nothing,
        Some("leave") => Says::Exit,
        _ => Says::Usual,
    });
    let mut play = stage.start(&[&plugin]).await;
    let mut other = play.connect().await;
    play.request("stop", json!({})).await;
    play.log_has("JSON-RPC shutdown").await;
    while tokio::net::UnixStream::connect(play.socket()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.call("getinfo", &json!([])).await["result"]["network"], "regtest");
    other.request("leave", &json!([])).await;
    assert_eq!(play.exit().await.code, 0);
}
