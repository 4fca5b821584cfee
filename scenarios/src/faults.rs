//! Plugins that die or talk nonsense.

use leyden::{Mock, Net, Reply, Result};
use serde_json::json;

use crate::heard::heard;
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
        let mad = Mock::method("rave").reply(Reply::raw("this is no JSON\n\n"));
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
