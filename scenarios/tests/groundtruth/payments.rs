//! The payments of the story: one to a neighbour, one that is forwarded, two that fail.

use crate::recording::Recording;
use leyden::{Node, Profile, Result};
use serde_json::{Value, json};

/// Of the last hop, and with what the hop before it adds.
const DELAYS: [u64; 2] = [15, 9];

pub(crate) async fn make(nodes: [&Node; 3], recording: &Recording) -> Result {
    let [l1, l2, l3] = nodes;
    let direct = invoice(l2, 10_000, "direct").await?;
    match recording.profile() {
        Profile::V26_06 => l1.rpc("xpay", json!({ "invstring": direct["bolt11"] })).await?,
        Profile::Manual | Profile::V0_10 | Profile::V23_02 => {
            l1.rpc("pay", json!({ "bolt11": direct["bolt11"] })).await?
        }
    };
    settled(nodes).await?;
    let forwarded = invoice(l3, 20_000, "fwd").await?;
    let [hash, secret] = ["payment_hash", "payment_secret"].map(|name| forwarded[name].clone());
    send(nodes, 20_000, json!({ "payment_hash": hash, "payment_secret": secret }), None).await?;
    // Nobody has an invoice with this hash, and l2 no such channel.
    for (amount_msat, byte, channel) in [(30_000, "11", None), (40_000, "22", Some("999x1x1"))] {
        let payment = json!({ "payment_hash": byte.repeat(32), "payment_secret": byte.repeat(32) });
        let failed = send(nodes, amount_msat, payment, channel).await;
        assert!(failed.is_err(), "{amount_msat} msat were taken");
    }
    if recording.has_keysend() {
        l1.rpc("keysend", json!({ "destination": l3.id(), "amount_msat": 5_000 })).await?;
        settled(nodes).await?;
    }
    Ok(())
}

async fn invoice(node: &Node, amount_msat: u64, label: &str) -> Result<Value> {
    node.rpc("invoice", json!({ "amount_msat": amount_msat, "label": label, "description": "d" })).await
}

/// Over l2 to l3, or where l2 is told to send it.
async fn send([l1, l2, l3]: [&Node; 3], amount_msat: u64, mut payment: Value, to: Option<&str>) -> Result {
    let second = l2.get_channel_scid(l3).await?;
    let hop = |node: &Node, amount_msat, delay, channel: &str| json!({ "amount_msat": amount_msat, "id": node.id(), "delay": delay, "channel": channel });
    payment["route"] = json!([
        hop(l2, amount_msat + 1, DELAYS[0], &l1.get_channel_scid(l2).await?),
        hop(l3, amount_msat, DELAYS[1], to.unwrap_or(&second)),
    ]);
    let hash = payment["payment_hash"].clone();
    l1.rpc("sendpay", payment).await?;
    let ended = l1.rpc("waitsendpay", json!({ "payment_hash": hash })).await;
    settled([l1, l2, l3]).await?;
    ended.map(drop)
}

async fn settled(nodes: [&Node; 3]) -> Result {
    for node in nodes {
        node.wait_for_htlcs().await?;
    }
    Ok(())
}
