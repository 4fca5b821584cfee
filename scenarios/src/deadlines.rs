//! HTLCs whose time is up while a peer is away: the channel is closed before they are lost.

use leyden::bitcoind::MempoolWait;
use leyden::{Call, Mock, Net, Node, Reply, Result, Units};
use serde_json::json;

use crate::channels::{reaches, watcher};
use crate::heard::heard;
use crate::payments::{PAYMENT_HASH, PREIMAGE, route};
use crate::scenario::Scenario;

/// Holds the first HTLC; asked again, after a restart, settles it.
fn late(call: &Call) -> Reply {
    if call.nth() > 1 { Reply::resolve(PREIMAGE) } else { Reply::hang() }
}

pub(crate) fn deadlines() -> Scenario {
    let net = || {
        Net::line(["l1", "l2", "l3"])
            .mount("l1", watcher())
            .mount("l3", watcher())
            .mount("l2", Mock::hook("htlc_accepted").reply(Reply::hang()).named("holder"))
            .mount("l3", Mock::hook("htlc_accepted").reply(late).named("holder"))
    };
    Scenario::new(
        "a channel is closed when its peer takes neither an HTLC back in time, nor the preimage for its own",
        net,
        |net| Box::pin(be_late(net)),
    )
    .golden_view("l1", "watcher", |all| all.only(["channel_state_changed"]))
    .golden_view("l3", "watcher", |all| all.only(["channel_state_changed"]))
}

async fn be_late(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    net.fundwallet(&l3, 1_000_000.sat()).await?;
    net.sync_blockheight().await?;
    let lost = "55".repeat(32);
    for (from, to, hash) in [(&l1, &l2, &*lost), (&l2, &l3, PAYMENT_HASH)] {
        let there = route(&[from, to], 100_000_000).await?;
        let params = json!({"route": there, "payment_hash": hash, "payment_secret": "33".repeat(32)});
        from.rpc("sendpay", params).await?;
        heard(net, to.name(), "holder", "htlc_accepted", 1).await?;
    }
    l2.stop().await?;
    l3.restart().await?;
    heard(net, "l3", "holder", "htlc_accepted", 2).await?;

    let expiry = l1.channel(&l2).await?["htlcs"][0]["expiry"].as_u64().unwrap_or_default();
    let expiry = u32::try_from(expiry).unwrap_or_default();
    let half_a_delta = 3;
    let height = net.bitcoind().block_count().await?;
    net.generate_block(expiry - half_a_delta - 1 - height).await?;
    for (node, other) in [(&l1, &l2), (&l3, &l2)] {
        assert_eq!(node.channel(other).await?["state"], "CHANNELD_NORMAL", "{}", node.name());
    }
    net.generate_block(1).await?;
    l3.wait_for_log(&format!("Fulfilled HTLC 0 SENT_REMOVE_HTLC cltv {expiry} hit deadline")).await?;
    l3.wait_for_channel_state(&l2, "AWAITING_UNILATERAL").await?;
    assert_eq!(l1.channel(&l2).await?["state"], "CHANNELD_NORMAL");
    mine_commitment(net, &l3, &l2).await?;
    let height = net.bitcoind().block_count().await?;
    net.generate_block(expiry + 1 - height).await?;
    l1.wait_for_log(&format!("Offered HTLC 0 SENT_ADD_ACK_REVOCATION cltv {expiry} hit deadline")).await?;
    mine_commitment(net, &l1, &l2).await?;
    l2.start().await?;
    let paid = l2.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
    assert_eq!(paid["payment_preimage"], PREIMAGE, "the chain shows it");
    Ok(())
}

/// Mines the transaction with which a node closes a channel alone.
async fn mine_commitment(net: &Net, node: &Node, other: &Node) -> Result {
    let txid = serde_json::from_value(node.channel(other).await?["scratch_txid"].take())?;
    net.bitcoind().generate_block(1).wait_for_mempool(MempoolWait::Txids(vec![txid])).await?;
    node.wait_for_channel_onchain(other).await?;
    reaches(net, node, "ONCHAIN").await
}
