//! Who is connected: the hook `peer_connected`, the notifications `connect` and `disconnect`.

use leyden::{Mock, Net, Reply, Result};
use serde_json::json;

use crate::heard::heard;
use crate::scenario::Scenario;

pub(crate) fn peer_accepted() -> Scenario {
    let net = || {
        let door = || Mock::hook("peer_connected").expect(1).named("doorman");
        Net::line(["l1", "l2"]).without_channels().mount("l1", door()).mount("l2", door())
    };
    Scenario::new(
        "each side's plugins are asked about a new peer, and it is connected when all agree",
        net,
        |net| Box::pin(accept(net)),
    )
    .golden("l1", "doorman")
    .golden("l2", "doorman")
}

async fn accept(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        let peers = leyden::eventually(format!("{} has a peer", node.name()), || async {
            let peers = node.rpc("listpeers", json!({})).await;
            peers.map(|peers| leyden::seen(peers, |peers| peers["peers"][0]["connected"] == true))
        })
        .await?;
        assert_eq!(peers["peers"][0]["id"], other.id());
    }
    Ok(())
}

pub(crate) fn peer_refused() -> Scenario {
    let net = || {
        let refuse = Reply::result(json!({"result": "disconnect", "error_message": "not on Sundays"}));
        let door = Mock::hook("peer_connected").reply(refuse).expect(1);
        let door = door.and(Mock::notification("connect").expect(0)).and(Mock::notification("disconnect"));
        Net::builder().nodes(["l1", "l2"]).mount("l2", door.named("doorman"))
    };
    Scenario::new(
        "a peer that a plugin refuses gets the plugin's words as a warning, and is gone",
        net,
        |net| Box::pin(refuse(net)),
    )
    .golden("l2", "doorman")
}

async fn refuse(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    // It is told that it is connected, or not, as fast as the refusal comes.
    drop(l1.connect(&l2).await);
    l1.wait_for_log("-connectd: peer_in WIRE_WARNING$").await?;
    l1.wait_for_log("-connectd: Received WIRE_WARNING: WARNING: not on Sundays$").await?;
    heard(net, "l2", "doorman", "disconnect", 1).await?;
    assert_eq!(l2.rpc("listpeers", json!({})).await?, json!({"peers": []}));
    Ok(())
}

pub(crate) fn connect_and_disconnect() -> Scenario {
    let net = || {
        let watch =
            || Mock::notification("connect").expect(2).and(Mock::notification("disconnect").expect(2));
        Net::builder()
            .nodes(["l1", "l2"])
            .mount("l1", watch().named("watcher"))
            .mount("l2", watch().named("watcher"))
    };
    Scenario::new(
        "both sides hear that a connection came, which way and from where, and that it went",
        net,
        |net| Box::pin(come_and_go(net)),
    )
    .golden("l1", "watcher")
    .golden("l2", "watcher")
}

async fn come_and_go(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    for (times, from, to) in [(1, &l1, &l2), (2, &l2, &l1)] {
        from.connect(to).await?;
        for node in ["l1", "l2"] {
            heard(net, node, "watcher", "connect", times).await?;
        }
        from.rpc("disconnect", json!({"id": to.id()})).await?;
        for node in ["l1", "l2"] {
            heard(net, node, "watcher", "disconnect", times).await?;
        }
    }
    Ok(())
}
