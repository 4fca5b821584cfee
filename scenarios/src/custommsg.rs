//! Messages that only plugins understand: `sendcustommsg`, the hook and the notification `custommsg`.
//!
//! lightningd's own plugins send some too: peer storage, type 7.

use leyden::transcript::Frame;
use leyden::{Filter, Mock, Net, Result, Transcript};
use serde_json::{Value, json};

use crate::heard::{answered, heard, heard_with};
use crate::scenario::Scenario;

/// Types 32769 (odd, may be ignored) and 32770 (even, must be understood), and what they carry.
const ODD: &str = "80010a0b0c";
const EVEN: &str = "8002";

fn ear() -> Mock {
    let ours = [Filter::MessageType(32769), Filter::MessageType(32770)];
    Mock::hook("custommsg").filters(ours).and(Mock::notification("custommsg")).named("ear")
}

/// A payload of the hook or of the notification, which has it one member deeper.
fn payload(params: &Value) -> Option<&str> {
    params.get("custommsg").unwrap_or(params)["payload"].as_str()
}

fn is_ours(params: &Value) -> bool {
    payload(params).is_some_and(|payload| payload.starts_with("80"))
}

/// Without the messages of lightningd's plugins.
fn ours(all: Transcript) -> Transcript {
    all.keep(|frame| {
        let is_notification = frame.params().is_some_and(|params| params.get("custommsg").is_some());
        !is_notification || frame.params().as_ref().is_some_and(is_ours)
    })
}

pub(crate) fn custommsg_both_ways() -> Scenario {
    let net = || {
        let knowing = ear().manifest(|manifest| manifest.custommessages = vec![32770]);
        Net::line(["l1", "l2"]).without_channels().mount("l1", ear()).mount("l2", knowing)
    };
    Scenario::new(
        "custom messages go both ways: odd types to everybody, an even one to who says that he knows it",
        net,
        |net| Box::pin(talk(net)),
    )
    .golden_view("l1", "ear", ours)
    .golden_view("l2", "ear", ours)
}

async fn talk(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    for (times, from, to, message) in [(1, &l1, &l2, ODD), (1, &l2, &l1, ODD), (2, &l1, &l2, EVEN)] {
        let sent = from.rpc("sendcustommsg", json!({"node_id": to.id(), "msg": message})).await?;
        assert_eq!(sent, json!({"status": "Message sent to connectd for delivery"}));
        heard_with(net, to.name(), "ear", "custommsg", 2 * times, is_ours).await?;
        let heard = ours(to.transcript("ear").only(["custommsg"]));
        let heard: Vec<Value> = heard.frames().iter().filter_map(Frame::params).collect();
        let payloads: Vec<Option<&str>> = heard.iter().rev().take(2).map(payload).collect();
        assert_eq!(payloads, [Some(message); 2], "by notification and by hook");
    }
    answered(net, "l1", "ear", 3).await?;
    answered(net, "l2", "ear", 4).await?;
    let known = l1.rpc("sendcustommsg", json!([l2.id(), "0010"])).await.expect_err("WIRE_INIT is not custom");
    assert_eq!(known.code(), -32600, "{known}");
    Ok(())
}

pub(crate) fn custommsg_not_understood() -> Scenario {
    let net = || {
        let watcher = ear().and(Mock::notification("disconnect").expect(1));
        Net::line(["l1", "l2"]).without_channels().mount("l2", watcher)
    };
    Scenario::new(
        "an even type that no plugin knows ends the connection with a warning, and no plugin hears of it",
        net,
        |net| Box::pin(talk_nonsense(net)),
    )
    .golden_view("l2", "ear", ours)
}

async fn talk_nonsense(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    l1.rpc("sendcustommsg", json!([l2.id(), EVEN])).await?;
    l1.wait_for_log(&format!("WARNING: Invalid unknown even msg {EVEN}")).await?;
    heard(net, "l2", "ear", "disconnect", 1).await?;
    let heard = ours(l2.transcript("ear").only(["custommsg"]));
    assert_eq!(heard.frames(), []);
    Ok(())
}
