//! Channels from their opening to the end that both sides agree to: the hook `openchannel`, the notifications `channel_opened`,
//! `channel_open_failed` and `channel_state_changed`.

use leyden::{Mock, Net, Node, Reply, Result, Units};
use serde_json::{Value, json};

use crate::heard::{heard, heard_with};
use crate::scenario::Scenario;

/// An address of nobody's.
const ELSEWHERE: &str = "bcrt1q7gtnxmlaly9vklvmfj06amfdef3rtnrdazdsvw";

/// Hears what becomes of channels.
pub(crate) fn watcher() -> Mock {
    Mock::notification("channel_state_changed")
        .and(Mock::notification("channel_opened"))
        .and(Mock::notification("channel_open_failed").expect(0))
        .named("watcher")
}

/// Decides about channels that others open.
fn gatekeeper(reply: Reply) -> Mock {
    Mock::hook("openchannel").reply(reply).expect(1).named("gatekeeper")
}

pub(crate) fn channel_life() -> Scenario {
    let net = || {
        Net::line(["l1", "l2"])
            .without_channels()
            .mount("l1", watcher())
            .mount("l2", watcher())
            .mount("l2", gatekeeper(Reply::cont()))
    };
    Scenario::new(
        "a channel is opened, used and closed by both sides, and their plugins hear of each step",
        net,
        |net| Box::pin(live(net)),
    )
    .golden("l1", "watcher")
    .golden("l2", "watcher")
    .golden("l2", "gatekeeper")
}

async fn live(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let funded = net.fundchannel(&l1, &l2, 1_000_000.sat()).await?;
    let ours = l1.channel(&l2).await?;
    let theirs = l2.channel(&l1).await?;
    assert_eq!((&ours["opener"], &theirs["opener"]), (&json!("local"), &json!("remote")));
    assert_eq!((&ours["to_us_msat"], &theirs["to_us_msat"]), (&json!(1_000_000_000), &json!(0)));
    for channel in [&ours, &theirs] {
        assert_eq!(channel["state"], "CHANNELD_NORMAL");
        assert_eq!(channel["short_channel_id"], *funded.scid);
        assert_eq!(channel["funding_txid"], funded.funding_txid.to_string());
        assert_eq!(channel["total_msat"], 1_000_000_000);
    }
    let closed = l1.rpc("close", json!([l2.id()])).await?;
    assert_eq!(closed["type"], "mutual", "{closed}");
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    for node in [&l1, &l2] {
        reaches(net, node, "ONCHAIN").await?;
    }
    // Then nothing can come back, and the channel is forgotten.
    net.generate_block(100).await?;
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        let forgotten = || async {
            let listed = node.rpc("listpeerchannels", json!([other.id()])).await?;
            Ok::<_, leyden::Error>(leyden::seen(listed, |listed| listed["channels"] == json!([])))
        };
        leyden::eventually(format!("{} forgets the channel", node.name()), forgotten).await?;
        reaches(net, node, "CLOSED").await?;
    }
    Ok(())
}

/// Waits until a node's watcher has heard that a channel has come into a state.
pub(crate) async fn reaches(net: &Net, node: &Node, state: &'static str) -> Result {
    let is_it = move |params: &Value| params["channel_state_changed"]["new_state"] == state;
    heard_with(net, node.name(), "watcher", "channel_state_changed", 1, is_it).await.map(drop)
}

pub(crate) fn channel_refused() -> Scenario {
    let net = || {
        let refusal = json!({"result": "reject", "error_message": "no channels on Sundays"});
        Net::line(["l1", "l2"])
            .without_channels()
            .mount("l1", watcher())
            .mount("l2", gatekeeper(Reply::result(refusal)))
            .mount("l2", watcher())
    };
    Scenario::new("a channel that a plugin refuses is not opened, and its opener is told why", net, |net| {
        Box::pin(refuse(net))
    })
    .golden("l2", "gatekeeper")
}

async fn refuse(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    let refused = l1.rpc("fundchannel", json!([l2.id(), 500_000])).await.expect_err("the plugin refuses");
    assert!(refused.headline().contains("no channels on Sundays"), "{refused}");
    assert_eq!(l1.rpc("listpeerchannels", json!({})).await?, json!({"channels": []}));
    let mempool = net.bitcoind().rpc("getrawmempool", Value::Null).await?;
    assert_eq!(mempool, json!([]), "nothing was paid");
    heard(net, "l2", "gatekeeper", "openchannel", 1).await?;
    Ok(())
}

pub(crate) fn channel_to_another_address() -> Scenario {
    let net = || {
        let terms = json!({"result": "continue", "close_to": ELSEWHERE, "mindepth": 2, "reserve": 20_000});
        Net::line(["l1", "l2"]).without_channels().mount("l2", gatekeeper(Reply::result(terms)))
    };
    Scenario::new(
        "a plugin decides to which address a channel is closed, how deep it must be, and what is kept in it",
        net,
        |net| Box::pin(close_elsewhere(net)),
    )
    .golden("l2", "gatekeeper")
}

async fn close_elsewhere(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    net.fundwallet(&l1, 2_000_000.sat()).await?;
    l1.rpc("fundchannel", json!({"id": l2.id(), "amount": 1_000_000, "push_msat": 300_000_000})).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    net.sync_blockheight().await?;
    assert_eq!(l1.channel(&l2).await?["state"], "CHANNELD_AWAITING_LOCKIN");
    net.bitcoind().generate_block(1).await?;
    l1.wait_for_channel_state(&l2, "CHANNELD_NORMAL").await?;
    l2.wait_for_channel_state(&l1, "CHANNELD_NORMAL").await?;
    assert_eq!(l1.channel(&l2).await?["their_reserve_msat"], json!(10_000_000));
    assert_eq!(l1.channel(&l2).await?["our_reserve_msat"], json!(20_000_000));
    let closed = l1.rpc("close", json!([l2.id()])).await?;
    let decoded = net.bitcoind().rpc("decoderawtransaction", json!([closed["txs"][0]])).await?;
    let outputs = decoded["vout"].as_array().cloned().unwrap_or_default();
    let addresses: Vec<&Value> = outputs.iter().map(|output| &output["scriptPubKey"]["address"]).collect();
    assert!(addresses.contains(&&json!(ELSEWHERE)), "{addresses:?}");
    Ok(())
}
