//! Commitments that are revoked: the hook `commitment_revocation`, and the penalty that it tells of.

use leyden::event::Direction;
use leyden::transcript::Frame;
use leyden::{Call, Mock, Net, Result};
use serde_json::json;

use crate::heard::heard;
use crate::scenario::Scenario;

pub(crate) fn commitment_revocation() -> Scenario {
    let net = || {
        let tower = Mock::hook("commitment_revocation").named("tower");
        Net::line(["l1", "l2"]).mount("l2", tower).may_fail("l1").broken_log("l1", ".")
    };
    Scenario::new(
        "plugins get a penalty for each revoked commitment, which takes everything from who publishes it",
        net,
        |net| Box::pin(revoke(net)),
    )
    .golden_view("l2", "tower", |said| {
        // A revocation may be told before the last one is answered.
        let is_answer = |frame: &Frame| frame.direction == Direction::FromPlugin;
        said.keep(|frame| !(is_answer(frame) && frame.topic.as_deref() == Some("commitment_revocation")))
    })
}

async fn revoke(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let bitcoind = net.bitcoind();
    crate::payments::send(&[&l1, &l2], 300_000_000, "first").await?;
    l1.wait_for_htlcs().await?;
    l2.wait_for_htlcs().await?;
    // A payment revokes two commitments: when it comes, and when it is settled.
    heard(net, "l2", "tower", "commitment_revocation", 2).await?;
    let old = l1.rpc("dev-sign-last-tx", json!([l2.id()])).await?["tx"].clone();
    crate::payments::send(&[&l1, &l2], 200_000_000, "second").await?;
    l1.wait_for_htlcs().await?;
    l2.wait_for_htlcs().await?;
    heard(net, "l2", "tower", "commitment_revocation", 4).await?;

    l1.kill().await?;
    l2.stop().await?;
    let published = bitcoind.rpc("sendrawtransaction", json!([old])).await?;
    let tower = l2.mock("tower").expect("it is mounted").calls("commitment_revocation");
    let penalty = tower.iter().find(|call| call.params()["commitment_txid"] == published);
    let penalty = penalty.map(|call: &Call| call.params()["penalty_tx"].clone()).unwrap_or_default();
    let punished = bitcoind.rpc("sendrawtransaction", json!([penalty])).await?;
    bitcoind.generate_block(1).wait_for_mempool(2).await?;
    // What l1 tried to keep was 700,000 sat; the penalty takes it, less its fee.
    let output = bitcoind.rpc("gettxout", json!([punished, 0])).await?;
    let taken_sat = output["value"].as_f64().unwrap_or_default() * 1e8;
    assert!((600_000.0..=700_000.0).contains(&taken_sat), "{output}");
    // Its node, started again, finds its peer cheated and everything taken.
    l2.start().await?;
    l2.wait_for_channel_state(&l1, "ONCHAIN").await?;
    l2.wait_for_log("THEIR_REVOKED_UNILATERAL").await?;
    Ok(())
}
