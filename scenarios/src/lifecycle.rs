//! How plugins come and go while the node runs, and with it.

use leyden::{Mock, Net, Reply, Result};
use serde_json::json;

use crate::heard::{heard_with, mentions};
use crate::scenario::Scenario;

pub(crate) fn started_and_stopped() -> Scenario {
    let net = || {
        let watcher = Mock::notification("plugin_started").and(Mock::notification("plugin_stopped"));
        Net::builder().nodes(["l1"]).mount("l1", watcher.named("watcher"))
    };
    Scenario::new(
        "a plugin is started and stopped while the node runs; it hears `shutdown`, and others hear of it",
        net,
        |net| Box::pin(start_and_stop(net)),
    )
    .golden("l1", "visitor")
    .golden_view("l1", "watcher", |all| all.keep(|frame| mentions(frame, "\"visitor\"")))
}

async fn start_and_stop(net: &Net) -> Result {
    let [l1] = net.nodes();
    for _ in 0..2 {
        let visitor = Mock::method("greet")
            .reply(Reply::result(json!({"greeting": "hello"})))
            .and(Mock::notification("shutdown").expect(1))
            .named("visitor");
        let visitor = l1.mount_scoped(visitor).await?;
        assert_eq!(visitor.calls("init")[0].params()["configuration"]["startup"], false);
        let list = l1.rpc("plugin", json!(["list"])).await?;
        let listed = list["plugins"].as_array().into_iter().flatten();
        let ours =
            listed.filter(|plugin| plugin["name"].as_str().is_some_and(|name| name.ends_with("/visitor")));
        let ours: Vec<_> = ours.map(|plugin| (&plugin["active"], &plugin["dynamic"])).collect();
        assert_eq!(ours, [(&json!(true), &json!(true))]);
        assert_eq!(l1.rpc("greet", json!({})).await?["greeting"], "hello");
        visitor.finish().await?;
        assert_eq!(l1.rpc("greet", json!({})).await.unwrap_err().code(), -32601);
    }
    heard_with(net, "l1", "watcher", "plugin_stopped", 2, |params| params.to_string().contains("visitor"))
        .await?;
    Ok(())
}

pub(crate) fn disabled_by_itself() -> Scenario {
    Scenario::new(
        "a plugin that disables itself, in its manifest or in `init`, is not started, and says why",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(disable(net)),
    )
    .golden("l1", "early")
    .golden("l1", "late")
}

async fn disable(net: &Net) -> Result {
    let [l1] = net.nodes();
    let early = Mock::plugin("early").manifest(|manifest| manifest.disable = Some("no database".into()));
    let late = Mock::plugin("late").on_init(Reply::result(json!({"disable": "no network"})));
    for (mock, why) in
        [(early, "disabled itself: no database"), (late, "disabled itself at init: no network")]
    {
        let error = l1.mount(mock).await.err().expect("it does not want to run");
        assert_eq!(error.code(), -3, "{error}");
        assert!(error.headline().contains(why), "{error}");
        l1.wait_for_log(&format!("Killing plugin: {why}")).await?;
    }
    Ok(())
}

pub(crate) fn shutdown_of_the_node() -> Scenario {
    let net = || {
        let steady = Mock::notification("shutdown").expect(1).named("steady").dynamic(false);
        Net::builder().nodes(["l1"]).mount("l1", steady).mount("l1", Mock::plugin("deaf"))
    };
    Scenario::new(
        "a plugin that is not dynamic cannot be stopped; it hears `shutdown` when its node stops",
        net,
        |net| Box::pin(stop_the_node(net)),
    )
    .golden("l1", "steady")
    .golden("l1", "deaf")
}

async fn stop_the_node(net: &Net) -> Result {
    let [l1] = net.nodes();
    let error = l1.stop_plugin("steady").await.expect_err("it is not dynamic");
    assert_eq!(error.code(), -32602, "{error}");
    assert!(error.headline().contains("steady cannot be managed when lightningd is up"), "{error}");
    l1.stop().await
}
