//! Which plugins a command line has a node run, and what becomes of a node whose important plugins leave it.

use crate::stage::{Play, Says, Stage};
use serde_json::{Value, json};

fn nothing() -> Value {
    json!({ "options": [], "rpcmethods": [] })
}

fn usual(_: &Value) -> Says {
    Says::Usual
}

/// The names of the plugins that run, in order.
async fn names(play: &mut Play) -> Vec<String> {
    let list = play.ok("plugin", json!(["list"])).await;
    let name = |entry: &Value| Some(entry["name"].as_str()?.rsplit('/').next()?.to_owned());
    list["plugins"].as_array().map(|list| list.iter().filter_map(name).collect()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_found_where_the_command_line_says_in_its_order() {
    let mut stage = Stage::new();
    let late = stage.with("late", nothing(), usual);
    stage.plugin("first/one", nothing(), usual);
    stage.plugin("second/two", nothing(), usual);
    stage.plugin("plugins/default", nothing(), usual);
    let dir = |name: &str| format!("--plugin-dir={}", stage.path().join(name).display());
    let [first, second, missing] = ["first", "second", "missing"].map(dir);
    // What is not there has no plugins.
    let mut play = stage.start(&[&second, &missing, &late, &first]).await;
    assert_eq!(names(&mut play).await, ["two", "late", "one", "default"]);
    drop(play);
    let (exit, _) = stage.refusal(&[&dir("late")]).await;
    let path = stage.path().join("late").display().to_string();
    let why = format!("lightningd: --plugin-dir={path}: Failed to open plugin-dir {path}: Not a directory");
    assert_eq!(exit.message, Some(why));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_plugin_is_passed_over_wherever_it_is_named() {
    let mut stage = Stage::new();
    let path = stage.plugin("dir/unwanted", nothing(), usual).display().to_string();
    let (one, dir) =
        (format!("--plugin={path}"), format!("--plugin-dir={}", stage.path().join("dir").display()));
    for (args, line) in [
        (
            ["--disable-plugin=unwanted", &one],
            format!("INFO lightningd: {path}: disabled via disable-plugin"),
        ),
        (
            ["--disable-plugin=unwanted", &dir],
            format!("INFO plugin-manager: {path}: disabled via disable-plugin"),
        ),
        (
            [&one, "--disable-plugin=unwanted"],
            format!("INFO plugin-manager: {path}: disabled via disable-plugin"),
        ),
    ] {
        let mut play = stage.start(&args).await;
        assert_eq!(names(&mut play).await, <[&str; 0]>::default(), "{args:?}");
        let log = play.log();
        assert!(log.contains(&"DEBUG plugin-manager: blacklist for unwanted".to_owned()), "{log:#?}");
        assert!(log.contains(&line), "{args:?}: {log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_important_plugin_may_disable_itself_and_may_not_die() {
    let out = |method: &'static str, says: Says| {
        move |told: &Value| if told["method"] == method { says.clone() } else { Says::Usual }
    };
    let disable = r#"{"jsonrpc":"2.0","id":%ID%,"result":{"disable":"not today"}}"#;
    for (method, line) in [
        ("getmanifest", "INFO plugin-vital: Killing plugin: disabled itself: not today"),
        ("init", "DEBUG plugin-vital: Killing plugin: disabled itself at init: not today"),
    ] {
        let mut stage = Stage::new();
        let path = stage.plugin("vital", nothing(), out(method, Says::raw(disable)));
        let mut play = stage.start(&[&format!("--important-plugin={}", path.display())]).await;
        assert_eq!(play.kills(), [line]);
        assert_eq!(play.is_active("vital").await, None);
    }
    let mut stage = Stage::new();
    let path = stage.plugin("vital", nothing(), out("init", Says::Exit));
    let (exit, log) = stage.refusal(&[&format!("--important-plugin={}", path.display())]).await;
    assert_eq!((exit.code, exit.message), (1, None));
    let last_words = "BROKEN plugin-vital: Plugin marked as important, shutting down lightningd!";
    assert!(log.iter().any(|line| line == last_words), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_named_twice_ends_the_start_and_once_became_important() {
    let mut stage = Stage::new();
    let manifest = json!({
        "options": [], "rpcmethods": [{ "name": "leave", "usage": "", "description": "ends it" }],
    });
    let leaves = |told: &Value| if told["method"] == "leave" { Says::Exit } else { Says::Usual };
    let path = stage.plugin("twice", manifest, leaves).display().to_string();
    let (plugin, important) = (format!("--plugin={path}"), format!("--important-plugin={path}"));
    let (exit, _) = stage.refusal(&[&plugin, &important]).await;
    let why = format!("lightningd: --important-plugin={path}: Failed to register {path}: ");
    assert!(exit.message.as_deref().unwrap_or_default().starts_with(&why), "{exit:?}");
    let first_release = "--release-profile=v0.10";
    let mut play = stage.start(&[first_release, &plugin]).await;
    play.error("leave", json!([])).await;
    assert_eq!(play.is_active("twice").await, None);
    drop(play);
    let mut play = stage.start(&[first_release, &plugin, &important]).await;
    play.request("leave", json!([])).await;
    assert_eq!(play.exit().await.code, 1);
}
