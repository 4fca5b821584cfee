//! Peers that come back: the hook `peer_connected`, and HTLCs that were on their way.

use leyden::{Mock, Net, Reply, Result, Transcript};
use serde_json::json;

use crate::heard::heard;
use crate::payments::{PAYMENT_HASH, PREIMAGE, route};
use crate::scenario::Scenario;

pub(crate) fn reconnected() -> Scenario {
    let net = || {
        let door =
            || Mock::hook("peer_connected").expect(3).and(Mock::notification("disconnect").expect(2..));
        let holder = Mock::hook("htlc_accepted").reply(Reply::resolve(PREIMAGE).delay(HELD)).expect(1);
        Net::line(["l1", "l2"])
            .mount("l1", door().named("doorman"))
            .mount("l2", door().named("doorman"))
            .mount("l2", holder.named("holder"))
    };
    Scenario::new(
        "a peer with a channel comes back, twice, and an HTLC that a plugin holds does not mind",
        net,
        |net| Box::pin(come_back(net)),
    )
    .golden("l2", "holder")
    .golden_view("l1", "doorman", of_the_door)
    .golden_view("l2", "doorman", of_the_door)
}

/// Without the ends of connections: the last one comes when the node itself ends, or does not.
fn of_the_door(all: Transcript) -> Transcript {
    all.only(["peer_connected"])
}

/// Long enough for a peer to go and come back, and for a test that is not to wait for nothing.
const HELD: std::time::Duration = std::time::Duration::from_millis(500);

async fn come_back(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let there = route(&[&l1, &l2], 1_000_000).await?;
    let params = json!({"route": there, "payment_hash": PAYMENT_HASH, "payment_secret": "33".repeat(32)});
    l1.rpc("sendpay", params).await?;
    heard(net, "l2", "holder", "htlc_accepted", 1).await?;
    for (times, from, to) in [(1, &l1, &l2), (2, &l2, &l1)] {
        from.rpc("disconnect", json!({"id": to.id(), "force": true})).await?;
        for node in ["l1", "l2"] {
            heard(net, node, "doorman", "disconnect", times).await?;
        }
        from.connect(to).await?;
        for node in ["l1", "l2"] {
            heard(net, node, "doorman", "peer_connected", times + 1).await?;
        }
    }
    let paid = l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
    assert_eq!(paid["payment_preimage"], PREIMAGE);
    l1.wait_for_htlcs().await?;
    l2.wait_for_htlcs().await?;
    assert_eq!(l2.channel(&l1).await?["to_us_msat"], 1_000_000);
    Ok(())
}
