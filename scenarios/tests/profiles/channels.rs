//! Channels: what plugins are told while one is opened and used, and what they may say.

use crate::four::{Four, first_told, members, peer_of};
use crate::htlcs::{judged, pay, payer};
use leyden::{Mock, MockChain, Net, Node, Result};
use serde_json::{Value, json};

/// What a node's plugin is told first of something while a channel is opened and a payment comes.
async fn told(chain: &MockChain, net: &Net, node: &Node, method: &str) -> Result<Value> {
    pay(chain, net, node).await?;
    Ok(first_told(net, node, "judge", method).await?["params"].take())
}

fn heard(chain: &MockChain, topic: &'static str) -> Four {
    Four::on(chain).with_peers().mount(move || Mock::notification(topic).named("judge"))
}

pub(crate) async fn channel_opened() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let told = told(&chain, net, node, "channel_opened").await?;
        Ok(members(&told["channel_opened"]))
    };
    let new = "id:string funding_msat:number funding_txid:string channel_ready:boolean";
    let manual = "id:string funding_satoshis:string funding_txid:string funding_locked:boolean";
    let v0_10 = "id:string amount:string funding_txid:string funding_locked:boolean";
    heard(&chain, "channel_opened").look(look, [manual, v0_10, new, new]).await
}

pub(crate) async fn channel_state_changed() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let told = told(&chain, net, node, "channel_state_changed").await?;
        let change = &told["channel_state_changed"];
        Ok(format!("{} to {}; {}", change["old_state"], change["new_state"], members(change)))
    };
    let old = "\"CHANNELD_AWAITING_LOCKIN\" to \"CHANNELD_NORMAL\"; peer_id:string channel_id:string \
               short_channel_id:string timestamp:string old_state:string new_state:string cause:string \
               message:string";
    let v23_02 = "\"unknown\" to \"CHANNELD_AWAITING_LOCKIN\"; peer_id:string channel_id:string \
                  short_channel_id:null timestamp:string old_state:string new_state:string cause:string \
                  message:string";
    let v26_06 = "null to \"CHANNELD_AWAITING_LOCKIN\"; peer_id:string channel_id:string timestamp:string \
                  new_state:string cause:string message:string";
    heard(&chain, "channel_state_changed").look(look, [old, old, v23_02, v26_06]).await
}

pub(crate) async fn commitment_revocation() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let told = told(&chain, net, node, "commitment_revocation").await?;
        let penalty = told["penalty_tx"].as_str().unwrap_or_default();
        // An output's script, with its length.
        let address = if penalty.contains("160014") { "p2wpkh" } else { "p2tr" };
        Ok(format!("{} to {address}", members(&told)))
    };
    let old = "commitment_txid:string penalty_tx:string to p2wpkh";
    let new = "commitment_txid:string penalty_tx:string channel_id:string commitnum:number to";
    judged(&chain, "commitment_revocation", json!({"result": "continue"}))
        .look(look, [old, old, &format!("{new} p2wpkh"), &format!("{new} p2tr")])
        .await
}

pub(crate) async fn openchannel_result() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        payer(&chain, net, node).await?;
        Ok(peer_of(net, node).channel(node).await?["our_reserve_msat"].to_string())
    };
    judged(&chain, "openchannel", json!({"result": "continue", "reserve": 20_000}))
        .look(look, [r#""5000000msat""#, r#""5000000msat""#, "20000000", "20000000"])
        .await
}

pub(crate) async fn openchannel_amounts() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        let told = told(&chain, net, node, "openchannel").await?;
        Ok(members(&told["openchannel"]))
    };
    let old = "id:string funding_satoshis:string push_msat:string dust_limit_satoshis:string \
               max_htlc_value_in_flight_msat:string channel_reserve_satoshis:string htlc_minimum_msat:string \
               feerate_per_kw:number to_self_delay:number max_accepted_htlcs:number channel_flags:number";
    let new = "id:string funding_msat:number push_msat:number dust_limit_msat:number \
               max_htlc_value_in_flight_msat:number channel_reserve_msat:number htlc_minimum_msat:number \
               feerate_per_kw:number to_self_delay:number max_accepted_htlcs:number channel_flags:number";
    let with_type = format!("{new} channel_type:object");
    judged(&chain, "openchannel", json!({"result": "continue"})).look(look, [old, old, new, &with_type]).await
}
