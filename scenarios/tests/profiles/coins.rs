//! Coins, and what is told of them.

use crate::four::{Four, members, told};
use leyden::{Mock, MockChain, Net, Node, Result};
use serde_json::{Value, json};

/// An address of nobody's.
pub(crate) const ELSEWHERE: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// Gives a node coins, which it has when this returns.
pub(crate) async fn fund(chain: &MockChain, node: &Node) -> Result {
    let address = node.rpc("newaddr", json!(["bech32"])).await?;
    chain.send_to(address["bech32"].as_str().unwrap_or_default(), 1_000_000);
    mine(chain, node).await
}

/// Mines a block, and waits until the node has seen it.
async fn mine(chain: &MockChain, node: &Node) -> Result {
    chain.generate_block(1);
    node.rpc("waitblockheight", json!([chain.block_count()])).await.map(drop)
}

/// The tags of a movement, as the release has them.
fn tags(movement: &Value) -> String {
    let of = |member: &str| movement.get(member).map(|tag| tag.to_string().replace('"', ""));
    of("tag").or_else(|| of("tags")).or_else(|| of("primary_tag")).unwrap_or_default()
}

pub(crate) async fn coin_movement() -> Result {
    let chain = MockChain::new();
    let look = async |_: &Net, node: &Node| {
        fund(&chain, node).await?;
        node.rpc("withdraw", json!([ELSEWHERE, 400_000])).await?;
        mine(&chain, node).await?;
        let told: Vec<Value> = told(node, "ear", "coin_movement")
            .into_iter()
            .map(|mut frame| frame["params"]["coin_movement"].take())
            .collect();
        let tags: Vec<String> = told.iter().map(tags).collect();
        Ok(format!("{}; {}", tags.join(" "), members(&told[0])))
    };
    let old = "deposit spend_track withdrawal withdrawal chain_fees deposit; version:number node_id:string \
               movement_idx:number type:string account_id:string txid:string utxo_txid:string vout:number \
               credit:string debit:string tag:string blockheight:number timestamp:number coin_type:string";
    let with_tags = "[deposit] [deposit] [withdrawal] [deposit]; version:number node_id:string type:string \
                     account_id:string utxo_txid:string vout:number credit_msat:number debit_msat:number \
                     output_msat:number tags:array blockheight:number timestamp:number coin_type:string";
    let with_outpoints = "deposit deposit withdrawal deposit; version:number coin_type:string node_id:string \
                          type:string created_index:number account_id:string credit_msat:number \
                          debit_msat:number timestamp:number primary_tag:string extra_tags:array utxo:string \
                          output_msat:number blockheight:number";
    Four::on(&chain)
        .mount(|| Mock::notification("coin_movement").named("ear"))
        .look(look, [old, old, with_tags, with_outpoints])
        .await
}
