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
