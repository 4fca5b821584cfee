//! Payments that a node makes: their onions, and how their parts are numbered.

use crate::four::{Four, first_told};
use crate::htlcs::{judged, payer};
use leyden::{Call, Mock, MockChain, Net, Node, Reply, Result};
use serde_json::{Value, json};

pub(crate) async fn legacy_onions() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let (payer, route) = payer(&chain, net, node).await?;
        let hash = "11".repeat(32);
        let sendpay = async |route: &Value| payer.rpc("sendpay", json!([route, hash])).await;
        sendpay(&route).await?;
        let asked = first_told(net, node, "judge", "htlc_accepted").await?;
        let onion = &asked["params"]["onion"];
        let length = onion["payload"].as_str().unwrap_or_default().len() / 2;
        payer.rpc("waitsendpay", json!([hash])).await.expect_err("nobody knows it");
        let mut styled = route;
        styled[0]["style"] = json!("baroque");
        let refused = sendpay(&styled).await.err().map_or(0, |error| error.code());
        Ok(format!("{} of {length} bytes; {refused}", onion["type"]))
    };
    let old = r#""legacy" of 33 bytes; -32602"#;
    let new = r#""tlv" of 9 bytes; 0"#;
    judged(&chain, "htlc_accepted", json!({"result": "continue"})).look(look, [old, old, new, new]).await
}

pub(crate) async fn payment_parts() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let (payer, _) = payer(&chain, net, node).await?;
        let invoice = node.rpc("invoice", json!([100_000, "label", "description"])).await?;
        payer.rpc("pay", json!([invoice["bolt11"]])).await?;
        let parts = payer.rpc("listsendpays", json!([invoice["bolt11"]])).await?["payments"].take();
        let parts = parts.as_array().cloned().unwrap_or_default();
        let numbers = parts.iter().map(|part| part.get("partid").map_or("none".to_owned(), Value::to_string));
        Ok(numbers.collect::<Vec<_>>().join(", "))
    };
    // After mpp_timeout the same way is tried again.
    let fail_first = |call: &Call| if call.nth() == 1 { Reply::fail("0017") } else { Reply::cont() };
    Four::on(&chain)
        .with_peers()
        .mount(|| Mock::hook("htlc_accepted").reply(fail_first).named("judge"))
        .look(look, ["none, 1", "none, 1", "none, 1", "1, 2"])
        .await
}
