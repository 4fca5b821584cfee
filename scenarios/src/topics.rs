//! Notifications that plugins send to each other.

use leyden::{Mock, Net, OwnTopic, Reply, Result};
use serde_json::json;

use crate::heard::heard;
use crate::scenario::Scenario;

pub(crate) fn custom_topics() -> Scenario {
    let net = || {
        let news = Reply::result(json!({}))
            .notify("news", json!({"headline": "a jar", "n": 1}))
            .notify("news", json!(["bare"]));
        let rumour = Reply::result(json!({})).notify("rumour", json!({}));
        let sender =
            Mock::method("publish").reply(news).and(Mock::method("whisper").reply(rumour)).named("sender");
        let sender =
            sender.manifest(|manifest| manifest.notifications = vec![OwnTopic { method: "news".into() }]);
        let reader =
            Mock::notification("news").expect(2).and(Mock::notification("rumour").expect(0)).named("reader");
        Net::builder().nodes(["l1"]).mount("l1", reader).mount("l1", sender)
    };
    Scenario::new(
        "a plugin's own topic reaches its subscribers with the sender's name; one that it did not declare does not",
        net,
        |net| Box::pin(publish(net)),
    )
    .golden("l1", "sender")
    .golden("l1", "reader")
}

async fn publish(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.wait_for_log("UNUSUAL plugin-reader: topic 'rumour' is not a known notification topic").await?;
    l1.rpc("whisper", json!({})).await?;
    l1.wait_for_log(r#"Plugin attempted to send a notification to topic "rumour" it hasn't declared"#)
        .await?;
    l1.rpc("publish", json!({})).await?;
    heard(net, "l1", "reader", "news", 2).await?;
    Ok(())
}

pub(crate) fn every_topic() -> Scenario {
    let net = || {
        let news = Reply::result(json!({})).notify("news", json!({"n": 1}));
        let sender = Mock::method("publish").reply(news).named("sender");
        let sender =
            sender.manifest(|manifest| manifest.notifications = vec![OwnTopic { method: "news".into() }]);
        let all = Mock::notification("*").and(Mock::notification("invoice_creation"));
        Net::builder().nodes(["l1"]).mount("l1", all.named("all")).mount("l1", sender)
    };
    Scenario::new(
        "`*` is every topic, plugins' own included, but not `log`; who names a topic as well hears it twice",
        net,
        |net| Box::pin(subscribe_to_everything(net)),
    )
    .golden("l1", "sender")
    .golden_view("l1", "all", |all| all.only(["invoice_creation", "news", "plugin_stopped"]))
}

async fn subscribe_to_everything(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.rpc("invoice", json!([1000, "label", "description", null, null, "01".repeat(32)])).await?;
    heard(net, "l1", "all", "invoice_creation", 2).await?;
    l1.rpc("publish", json!({})).await?;
    heard(net, "l1", "all", "news", 1).await?;
    l1.stop_plugin("sender").await?;
    heard(net, "l1", "all", "plugin_stopped", 1).await?;
    let all = l1.transcript("all");
    assert_eq!(all.clone().only(["log"]).frames(), []);
    assert_eq!(all.only(["invoice_creation"]).frames().len(), 2);
    Ok(())
}

pub(crate) fn balance_snapshot() -> Scenario {
    let net = || {
        let watcher = Mock::notification("balance_snapshot").expect(1).named("watcher");
        Net::builder().nodes(["l1"]).mount("l1", watcher)
    };
    Scenario::new("a node tells its balance once, when it has caught up with the chain", net, |net| {
        Box::pin(tell_the_balance(net))
    })
    .golden("l1", "watcher")
}

async fn tell_the_balance(net: &Net) -> Result {
    let [l1] = net.nodes();
    heard(net, "l1", "watcher", "balance_snapshot", 1).await?;
    // Two more blocks, and no second snapshot.
    for _ in 0..2 {
        let height = net.bitcoind().block_count().await? + 1;
        net.bitcoind().generate_block(1).await?;
        leyden::eventually(format!("l1 knows block {height}"), || async {
            let info = l1.rpc("getinfo", json!({})).await?;
            Ok::<_, leyden::Error>(leyden::seen(info["blockheight"].clone(), |known| *known == json!(height)))
        })
        .await?;
    }
    Ok(())
}
