//! New blocks, and blocks that are no longer.

use leyden::{Mock, MockChain, Net, Result};
use serde_json::{Value, json};

use crate::heard::heard_with;
use crate::scenario::Scenario;

/// The chain of a net begins with 101 blocks. Whether a plugin hears of them depends on how soon it is ready.
const FIRST: u64 = 102;

pub(crate) fn block_added() -> Scenario {
    Scenario::new(
        "plugins hear of each new block, and of the blocks that take the place of others",
        || Net::builder().nodes(["l1"]).mount("l1", Mock::notification("block_added").named("watcher")),
        |net| Box::pin(add_blocks(net)),
    )
    .golden_view("l1", "watcher", |all| {
        all.keep(|frame| {
            frame.topic.as_deref() != Some("block_added") || frame.params().as_ref().is_some_and(is_new)
        })
    })
}

fn height(params: &Value) -> Option<u64> {
    params["block_added"]["height"].as_u64()
}

fn is_new(params: &Value) -> bool {
    height(params).is_some_and(|height| height >= FIRST)
}

async fn add_blocks(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.bitcoind().generate_block(2).await?;
    heard_with(net, "l1", "watcher", "block_added", 2, is_new).await?;
    // 103 goes; another 103 and a 104 come.
    net.bitcoind().simple_reorg(103, 0).await?;
    heard_with(net, "l1", "watcher", "block_added", 4, is_new).await?;
    let transcript = l1.transcript("watcher").only(["block_added"]);
    let heights: Vec<u64> = transcript.frames().iter().filter_map(|frame| height(&frame.params()?)).collect();
    assert!(heights.ends_with(&[102, 103, 103, 104]), "{heights:?}");
    Ok(())
}

pub(crate) fn mock_chain() -> Scenario {
    let net = || {
        let watcher = Mock::notification("block_added").named("watcher");
        Net::builder().nodes(["l1", "l2"]).chain(MockChain::new()).mount("l1", watcher)
    };
    Scenario::new("a chain in memory takes the place of bitcoind", net, |net| {
        Box::pin(follow_mock_chain(net))
    })
}

async fn follow_mock_chain(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let chain = net.mock_chain();
    let hashes = chain.generate_block(2);
    for node in [&l1, &l2] {
        assert_eq!(node.rpc("waitblockheight", json!([103])).await?, json!({ "blockheight": 103 }));
    }
    let tip = json!({ "block_added": { "hash": hashes[1].to_string(), "height": 103 } });
    heard_with(net, "l1", "watcher", "block_added", 1, move |params| *params == tip).await?;
    Ok(())
}
