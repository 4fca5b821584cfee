//! Messages that only plugins understand: `sendcustommsg`, the hook and the notification `custommsg`.

use leyden::{Mock, Net, Result};
use serde_json::json;

use crate::heard::heard;
use crate::scenario::Scenario;

/// Types 32769 (odd, may be ignored) and 32770 (even, must be understood), and what they carry.
const ODD: &str = "80010a0b0c";
const EVEN: &str = "8002";

fn ear() -> Mock {
    Mock::hook("custommsg").and(Mock::notification("custommsg")).named("ear")
}

pub(crate) fn custommsg_both_ways() -> Scenario {
    let net = || {
        let knowing = ear().manifest(|manifest| manifest.custommessages = vec![32770]);
        Net::line(["l1", "l2"]).mount("l1", ear()).mount("l2", knowing)
    };
    Scenario::new(
        "custom messages go both ways: odd types to everybody, an even one to who says that he knows it",
        net,
        |net| Box::pin(talk(net)),
    )
    .golden("l1", "ear")
    .golden("l2", "ear")
}

async fn talk(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    for (times, from, to, message) in [(1, &l1, &l2, ODD), (1, &l2, &l1, ODD), (2, &l1, &l2, EVEN)] {
        let sent = from.rpc("sendcustommsg", json!({"node_id": to.id(), "msg": message})).await?;
        assert_eq!(sent, json!({"status": "Message sent to connectd for delivery"}));
        let ear = to.mock("ear").expect("it was mounted");
        heard(net, to.name(), "ear", "custommsg", 2 * times).await?;
        let payload = |call: &leyden::Call| {
            let params = call.params();
            params.get("custommsg").unwrap_or(params)["payload"].clone()
        };
        leyden::eventually("the ear has both", || async { ear.calls("custommsg").len() == 2 * times })
            .await?;
        assert_eq!(
            ear.calls("custommsg").iter().rev().take(2).map(payload).collect::<Vec<_>>(),
            [message; 2]
        );
    }
    let known = l1.rpc("sendcustommsg", json!([l2.id(), "0010"])).await.expect_err("WIRE_INIT is not custom");
    assert_eq!(known.code(), -32600, "{known}");
    Ok(())
}

pub(crate) fn custommsg_not_understood() -> Scenario {
    let net = || {
        let watcher = ear().and(Mock::notification("disconnect").expect(1));
        Net::line(["l1", "l2"]).mount("l2", watcher)
    };
    Scenario::new(
        "an even type that no plugin knows ends the connection with a warning, and no plugin hears of it",
        net,
        |net| Box::pin(talk_nonsense(net)),
    )
    .golden("l2", "ear")
}

async fn talk_nonsense(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    l1.rpc("sendcustommsg", json!([l2.id(), EVEN])).await?;
    l1.wait_for_log(&format!("WARNING: Invalid unknown even msg {EVEN}")).await?;
    heard(net, "l2", "ear", "disconnect", 1).await?;
    assert_eq!(l2.mock("ear").expect("it was mounted").calls("custommsg"), []);
    Ok(())
}
