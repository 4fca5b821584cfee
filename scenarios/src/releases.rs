//! Releases of lightningd older than the current one.

use leyden::event::Direction;
use leyden::{Capability, Mock, Net, Profile, Reply, Result};
use serde_json::json;
use std::time::Duration;

use crate::heard::heard;
use crate::scenario::Scenario;

pub(crate) fn old_release() -> Scenario {
    let net = || {
        let old = Mock::method("greet").reply(Reply::result(json!({"greeting": "hello"})));
        let old =
            old.and(Mock::hook("peer_connected").expect(1)).and(Mock::notification("connect").expect(1));
        Net::builder().nodes(["l1", "l2"]).profile(Profile::V0_10).mount("l1", old.named("old"))
    };
    Scenario::new(
        "a node of v0.10.1 numbers its requests, and does not wrap what it tells in the name of the topic",
        net,
        |net| Box::pin(speak_as_of_old(net)),
    )
    .needs(Capability::AnyProfile)
}

async fn speak_as_of_old(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    assert_eq!(l1.rpc("getinfo", json!({})).await?["version"], "v0.10.1");
    l1.rpc("greet", json!({})).await?;
    l1.connect(&l2).await?;
    heard(net, "l1", "old", "connect", 1).await?;
    // It is on its way; a plugin of this release is not asked to end, and may be ended before it has read it.
    let old = l1.mock("old").expect("it is mounted");
    old.wait_for("connect", 1, Duration::from_secs(30)).await.unwrap_or_else(|few| panic!("{few}"));
    let told = l1.transcript("old").direction(Direction::ToPlugin);
    let ids: Vec<&str> = told.frames().iter().filter_map(|frame| frame.envelope()?.id).collect();
    assert!(ids.iter().all(|id| id.parse::<u64>().is_ok()), "{ids:?}");
    let connect = told.only(["connect"]).frames()[0].params().unwrap_or_default();
    assert_eq!(connect["id"], l2.id());
    Ok(())
}
