//! HTLCs and payments that arrive: what plugins are told of them, and which answers count.

use crate::coins;
use crate::four::{Four, first_told, members, peer_of};
use leyden::{Mock, MockChain, Net, Node, Reply, Result};
use serde_json::{Value, json};

const AMOUNT_MSAT: u64 = 100_000;

/// Opens a channel to a node, and gives its payer and the way.
pub(crate) async fn payer(chain: &MockChain, net: &Net, node: &Node) -> Result<(Node, Value)> {
    let payer = peer_of(net, node);
    coins::fund(chain, &payer).await?;
    net.connect(&payer, node).await?;
    payer.rpc("fundchannel", json!([node.id(), 500_000])).await?;
    chain.generate_block(1);
    for (one, other) in [(&payer, node), (node, &payer)] {
        one.rpc("waitblockheight", json!([chain.block_count()])).await?;
        one.wait_for_channel_state(other, "CHANNELD_NORMAL").await?;
    }
    let channel = payer.get_channel_scid(node).await?;
    let hop = json!({"id": node.id(), "channel": channel, "amount_msat": AMOUNT_MSAT, "delay": 20});
    Ok((payer, json!([hop])))
}

/// Lets a node be paid, and gives `complete`, or why it was not.
pub(crate) async fn pay(chain: &MockChain, net: &Net, node: &Node) -> Result<String> {
    let (payer, route) = payer(chain, net, node).await?;
    let invoice = node.rpc("invoice", json!([AMOUNT_MSAT, "label", "description"])).await?;
    let (hash, secret) = (&invoice["payment_hash"], &invoice["payment_secret"]);
    payer.rpc("sendpay", json!({"route": route, "payment_hash": hash, "payment_secret": secret})).await?;
    Ok(match payer.rpc("waitsendpay", json!({"payment_hash": hash, "timeout": 2})).await {
        Ok(paid) => paid["status"].as_str().unwrap_or_default().to_owned(),
        Err(error) => failure(&error),
    })
}

/// The name of the failure that a payer was told.
fn failure(error: &leyden::Error) -> String {
    let text = error.headline();
    text.split([' ', '"']).find(|word| word.starts_with("WIRE_")).map_or_else(|| text.clone(), str::to_owned)
}

/// Four nodes that answer a hook so.
pub(crate) fn judged(chain: &MockChain, hook: &'static str, result: Value) -> Four {
    let reply = Reply::result(result);
    Four::on(chain).with_peers().mount(move || Mock::hook(hook).reply(reply.clone()).named("judge"))
}

/// What a node's plugin is asked about an HTLC.
async fn asked(chain: &MockChain, net: &Net, node: &Node) -> Result<Value> {
    pay(chain, net, node).await?;
    Ok(first_told(net, node, "judge", "htlc_accepted").await?["params"].take())
}

pub(crate) async fn htlc_accepted_layout() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| Ok(members(&asked(&chain, net, node).await?));
    judged(&chain, "htlc_accepted", json!({"result": "continue"}))
        .look(
            look,
            [
                "onion:object next_onion:string shared_secret:string htlc:object",
                "onion:object htlc:object",
                "onion:object htlc:object",
                "peer_id:string onion:object htlc:object",
            ],
        )
        .await
}

pub(crate) async fn htlc_accepted_names() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let asked = asked(&chain, net, node).await?;
        Ok(format!("{}; {}", members(&asked["onion"]), members(&asked["htlc"])))
    };
    let old_htlc = "amount:string cltv_expiry:number cltv_expiry_relative:number payment_hash:string";
    let old = "payload:string type:string forward_amount:string outgoing_cltv_value:number total_msat:string \
               payment_secret:string";
    let new = "payload:string type:string forward_msat:number outgoing_cltv_value:number total_msat:number \
               payment_secret:string next_onion:string shared_secret:string; short_channel_id:string id:number \
               amount_msat:number cltv_expiry:number cltv_expiry_relative:number payment_hash:string";
    let v0_10 = format!("{old} next_onion:string shared_secret:string; {old_htlc}");
    judged(&chain, "htlc_accepted", json!({"result": "continue"}))
        .look(look, [&format!("{old}; {old_htlc}"), &v0_10, new, new])
        .await
}

pub(crate) async fn htlc_accepted_fail() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let seen = pay(&chain, net, node).await?;
        if seen.starts_with("WIRE_") {
            return Ok(seen);
        }
        node.wait_for_exit().await
    };
    let temporary = "WIRE_TEMPORARY_NODE_FAILURE";
    let missing = "Missing both failure_onion and failure_message for htlc_accepted hook fail: fail";
    judged(&chain, "htlc_accepted", json!({"result": "fail"}))
        .may_fail()
        .look(look, [temporary, temporary, temporary, missing])
        .await
}

pub(crate) async fn htlc_accepted_modifiers() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| pay(&chain, net, node).await;
    // Only v26.06 lets a plugin ask for more than the invoice.
    let refused = "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS";
    judged(&chain, "htlc_accepted", json!({"result": "continue", "invoice_msat": 2 * AMOUNT_MSAT}))
        .look(look, ["complete", "complete", "complete", refused])
        .await
}

pub(crate) async fn invoice_payment_msat() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        pay(&chain, net, node).await?;
        let asked = first_told(net, node, "judge", "invoice_payment").await?;
        let payment = &asked["params"]["payment"];
        Ok(format!("{} {}", payment["msat"], members(payment)))
    };
    let old = r#""100000msat" label:string preimage:string msat:string"#;
    let with_tlvs = format!("{old} extratlvs:array");
    judged(&chain, "invoice_payment", json!({"result": "continue"}))
        .look(
            look,
            [old, &with_tlvs, &with_tlvs, "100000 label:string preimage:string msat:number extratlvs:array"],
        )
        .await
}

pub(crate) async fn invoice_payment_without_result() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let seen = pay(&chain, net, node).await?;
        if seen == "complete" { Ok(seen) } else { node.wait_for_exit().await }
    };
    let missing = "Missing failure_message in invoice_payment hook result: {}";
    judged(&chain, "invoice_payment", json!({}))
        .may_fail()
        .look(look, ["complete", "complete", "complete", missing])
        .await
}

pub(crate) async fn forward_event() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let (payer, mut route) = payer(&chain, net, node).await?;
        let behind = json!({"id": payer.id(), "channel": "999x1x1", "amount_msat": 1000, "delay": 10});
        route.as_array_mut().expect("a route").push(behind);
        let hash = "11".repeat(32);
        payer.rpc("sendpay", json!({"route": route, "payment_hash": hash, "payment_secret": hash})).await?;
        let told = first_told(net, node, "ear", "forward_event").await?;
        let event = &told["params"]["forward_event"];
        Ok(format!("{} {}", event["failreason"], members(event)))
    };
    let old = r#""WIRE_UNKNOWN_NEXT_PEER" payment_hash:string in_channel:string in_msatoshi:number in_msat:string status:string failcode:number failreason:string received_time:number"#;
    let new = "payment_hash:string in_channel:string in_htlc_id:number out_channel:string in_msat:number \
               status:string failcode:number failreason:string style:string received_time:number";
    let v23_02 = format!("\"WIRE_UNKNOWN_NEXT_PEER\" {new}");
    let v26_06 = format!("\"WIRE_UNKNOWN_NEXT_PEER\" created_index:number {new}");
    Four::on(&chain)
        .with_peers()
        .mount(|| Mock::notification("forward_event").named("ear"))
        .look(look, [old, old, &v23_02, &v26_06])
        .await
}
