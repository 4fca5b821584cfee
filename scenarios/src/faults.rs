//! Plugins that die or talk nonsense.

use leyden::event::{Event, EventKind};
use leyden::{Filter, Mock, Net, Plugin, Reply, Result, eventually};
use serde_json::json;

use crate::heard::{heard, heard_with};
use crate::scenario::Scenario;

pub(crate) fn dies_in_a_hook() -> Scenario {
    let net = || {
        let fragile = Mock::hook("peer_connected").reply(Reply::exit(1)).expect(1).named("fragile");
        let robust = Mock::hook("peer_connected").after("fragile").expect(1);
        let robust = robust.and(Mock::notification("connect").expect(1)).named("robust");
        Net::builder().nodes(["l1", "l2"]).mount("l2", fragile).mount("l2", robust)
    };
    Scenario::new("a plugin that dies in a hook is left out: the chain goes on with the next", net, |net| {
        Box::pin(die_in_a_hook(net))
    })
    .golden("l2", "fragile")
    .golden("l2", "robust")
}

async fn die_in_a_hook(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    l1.connect(&l2).await?;
    l2.wait_for_log("plugin-fragile: Killing plugin: exited during normal operation").await?;
    heard(net, "l2", "robust", "connect", 1).await?;
    Ok(())
}

pub(crate) fn dies_in_a_method() -> Scenario {
    let net = || {
        Net::builder().nodes(["l1"]).mount("l1", Mock::method("die").reply(Reply::exit(1)).named("fragile"))
    };
    Scenario::new("who calls a method in which the plugin dies gets the error -4", net, |net| {
        Box::pin(die_in_a_method(net))
    })
    .golden("l1", "fragile")
}

async fn die_in_a_method(net: &Net) -> Result {
    let [l1] = net.nodes();
    let error = l1.rpc("die", json!({})).await.expect_err("it dies");
    assert_eq!(error.code(), -4, "{error}");
    assert!(error.headline().contains("Plugin terminated before replying to RPC call."), "{error}");
    l1.wait_for_log("plugin-fragile: Killing plugin: exited during normal operation").await?;
    assert_eq!(l1.rpc("die", json!({})).await.expect_err("it is gone").code(), -32601);
    Ok(())
}

pub(crate) fn nonsense_in_a_method() -> Scenario {
    let net = || {
        let mad = Mock::method("rave").reply(Reply::raw(r#"{"result":}"#));
        Net::builder().nodes(["l1"]).mount("l1", mad.named("mad"))
    };
    Scenario::new(
        "a plugin whose words are no JSON is killed, and its callers get the error -4",
        net,
        |net| Box::pin(rave(net)),
    )
    .golden("l1", "mad")
}

async fn rave(net: &Net) -> Result {
    let [l1] = net.nodes();
    let error = l1.rpc("rave", json!({})).await.expect_err("it is killed");
    assert_eq!(error.code(), -4, "{error}");
    l1.wait_for_log("UNUSUAL plugin-mad: Killing plugin: ").await?;
    Ok(())
}

pub(crate) fn important_plugin_dies() -> Scenario {
    let net = || {
        let fragile = Plugin::script("fragile", include_str!("fragile.sh")).important();
        let watcher = Mock::notification("shutdown").expect(1).named("watcher");
        Net::builder()
            .nodes(["l1"])
            .plugin("l1", fragile)
            .mount("l1", watcher)
            .may_fail("l1")
            .broken_log("l1", "Plugin marked as important, shutting down lightningd!")
    };
    Scenario::new(
        "when an important plugin dies, its callers hear of it, and the node ends in order, with exit code 1",
        net,
        |net| Box::pin(lose_an_important_plugin(net)),
    )
}

async fn lose_an_important_plugin(net: &Net) -> Result {
    let [l1] = net.nodes();
    assert_eq!(l1.rpc("die", json!({})).await.expect_err("it dies").code(), -4);
    l1.wait_for_logs([
        "INFO +plugin-fragile: Killing plugin: exited during normal operation",
        "BROKEN.* plugin-fragile: Plugin marked as important, shutting down lightningd!",
        "DEBUG +plugin-watcher: Killing plugin: exited during normal operation",
    ])
    .await?;
    let ended = |event: &Event| matches!(event.kind, EventKind::NodeExited { code: Some(1), .. });
    eventually("l1 ends with exit code 1", || async {
        net.timeline().events().iter().any(|event| ended(event))
    })
    .await
}

pub(crate) fn fatal_error() -> Scenario {
    let net = || {
        let mad =
            Mock::hook("rpc_command").filters([Filter::Method("help".into())]).reply(Reply::error(-1, "no"));
        Net::builder()
            .nodes(["l1"])
            .mount("l1", mad.named("mad"))
            .may_fail("l1")
            .broken_log("l1", "mad for rpc_command|FATAL SIGNAL 6|backtrace")
    };
    Scenario::new(
        "a plugin that answers a hook with an error aborts its node, which leaves a crash.log",
        net,
        |net| Box::pin(abort(net)),
    )
    .golden("l1", "mad")
}

async fn abort(net: &Net) -> Result {
    let [l1] = net.nodes();
    let error = l1.rpc("help", json!({})).await.expect_err("the node is gone");
    assert_eq!(error.code(), 0, "nobody answers: {error}");
    l1.wait_for_log(r"BROKEN.* lightningd: Plugin mad for rpc_command returned non-result response \{.*no")
        .await?;
    l1.wait_for_log(r"BROKEN.* lightningd: FATAL SIGNAL 6 \(version v26.06").await?;
    let aborted = |event: &Event| matches!(event.kind, EventKind::NodeExited { code: None, .. });
    eventually("l1 ends by a signal", || async {
        net.timeline().events().iter().any(|event| aborted(event))
    })
    .await?;
    let files = std::fs::read_dir(l1.lightning_dir().join("regtest"))?;
    let names: Vec<_> = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let crash_log = names.iter().find(|name| name.starts_with("crash.log.20"));
    let crash_log = crash_log.unwrap_or_else(|| panic!("a crash.log among {names:?}"));
    let kept = std::fs::read_to_string(l1.lightning_dir().join("regtest").join(crash_log))?;
    for line in
        ["lightningdINFO: Server started", "lightningdBROKEN: Plugin mad for rpc_command", "FATAL SIGNAL 6"]
    {
        assert!(kept.contains(line), "{line}: {kept}");
    }
    Ok(())
}

pub(crate) fn dies_in_init() -> Scenario {
    let net = || {
        let watcher = Mock::notification("plugin_started").and(Mock::notification("plugin_stopped"));
        Net::builder().nodes(["l1"]).mount("l1", watcher.named("watcher"))
    };
    Scenario::new(
        "a plugin that dies instead of answering `init` is said to have started, and to have stopped",
        net,
        |net| Box::pin(die_in_init(net)),
    )
}

async fn die_in_init(net: &Net) -> Result {
    let [l1] = net.nodes();
    let fragile = Mock::plugin("fragile").on_init(Reply::exit(4));
    let error = l1.mount(fragile).await.err().expect("it dies");
    assert!(error.headline().contains("/fragile: exited before replying to init\" (RPC code -3)"), "{error}");
    for topic in ["plugin_started", "plugin_stopped"] {
        heard_with(net, "l1", "watcher", topic, 1, |params| params.to_string().contains("fragile")).await?;
    }
    Ok(())
}
