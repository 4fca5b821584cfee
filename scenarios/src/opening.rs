//! Other ways to open channels: used before any block has them, kept out of the chain, several at once of which some fail.

use leyden::{Mock, Net, Node, Reply, Result, Units, eventually, seen};
use serde_json::{Value, json};

use crate::channels::watcher;
use crate::scenario::Scenario;

pub(crate) fn zeroconf() -> Scenario {
    let net = || {
        let trusting = Reply::result(json!({"result": "continue", "mindepth": 0}));
        let gatekeeper = Mock::hook("openchannel").reply(trusting).expect(2).named("gatekeeper");
        Net::line(["l1", "l2"])
            .without_channels()
            .mount("l1", watcher())
            .mount("l2", watcher())
            .mount("l2", gatekeeper)
    };
    Scenario::new(
        "a channel whose acceptor trusts its opener is used while nobody has seen its funding",
        net,
        |net| Box::pin(trust(net)),
    )
    .golden("l1", "watcher")
    .golden("l2", "watcher")
}

const CAPACITY_SAT: u64 = 500_000;

async fn trust(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;

    withhold(&l1, &l2).await?;
    l1.pay(&l2, 100_000.msat()).await?;
    let channel = l1.channel(&l2).await?;
    assert_eq!(
        channel["channel_type"]["names"],
        json!(["static_remotekey/even", "anchors/even", "zeroconf/even"])
    );
    assert_eq!((&channel["funding"]["withheld"], channel.get("short_channel_id")), (&json!(true), None));
    assert_eq!(mempool(net).await?, json!([]));
    let closed = l1.rpc("close", json!([l2.id()])).await?;
    assert_eq!((&closed["txs"], &closed["txids"]), (&json!([]), &json!([])), "there is nothing to be closed");
    assert_eq!(l1.rpc("listpeerchannels", json!({})).await?, json!({"channels": []}));
    let closed = l1.rpc("listclosedchannels", json!({})).await?;
    assert_eq!(closed["closedchannels"][0]["funding_withheld"], true, "{closed}");
    let funds = l1.rpc("listfunds", json!({})).await?;
    assert_eq!(funds["outputs"][0]["reserved"], false, "its coins are free again: {funds}");

    let psbt = withhold(&l1, &l2).await?;
    l1.restart().await?;
    assert_eq!(mempool(net).await?, json!([]));
    let signed = l1.rpc("signpsbt", json!([psbt])).await?;
    l1.rpc("sendpsbt", json!([signed["signed_psbt"]])).await?;
    l1.wait_for_log(r"Funding PSBT sent, and stored for rexmit \(was withheld\)").await?;
    assert_eq!(l1.channel(&l2).await?["funding"]["withheld"], false);
    l1.connect(&l2).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    let look = || async {
        let channel = l1.channel(&l2).await?;
        let known = channel["reestablished"] == true && channel["short_channel_id"].is_string();
        Ok::<_, leyden::Error>(seen(known, |known| *known))
    };
    eventually("the channel is in a block", look).await?;
    l1.pay(&l2, 100_000.msat()).await.map(drop)
}

/// Opens a channel whose funding is not sent, and waits until it can be used; gives the transaction that would be its funding.
async fn withhold(from: &Node, to: &Node) -> Result<Value> {
    let started =
        from.rpc("fundchannel_start", json!({"id": to.id(), "amount": CAPACITY_SAT, "mindepth": 0})).await?;
    let funded = json!({"satoshi": CAPACITY_SAT, "feerate": "1000perkw", "startweight": 1000, "excess_as_change": true});
    let funded = from.rpc("fundpsbt", funded).await?;
    let output = json!({"satoshi": CAPACITY_SAT, "initialpsbt": funded["psbt"], "destination": started["funding_address"]});
    let psbt = from.rpc("addpsbtoutput", output).await?["psbt"].take();
    let completed =
        from.rpc("fundchannel_complete", json!({"id": to.id(), "psbt": psbt, "withhold": true})).await?;
    assert_eq!(completed["commitments_secured"], true);
    from.wait_for_channel_state(to, "CHANNELD_NORMAL").await?;
    to.wait_for_channel_state(from, "CHANNELD_NORMAL").await?;
    // The only way to a side is the one that it tells.
    for (node, peer) in [(from, to), (to, from)] {
        let look = || async {
            let listed = node.rpc("listpeerchannels", json!([peer.id()])).await?["channels"].take();
            let told = |channel: &Value| {
                channel["state"] == "CHANNELD_NORMAL" && channel["updates"]["remote"].is_object()
            };
            let told = listed.as_array().is_some_and(|listed| listed.iter().any(told));
            Ok::<_, leyden::Error>(seen(told, |told| *told))
        };
        eventually("the peer has told its fees", look).await?;
    }
    Ok(psbt)
}

async fn mempool(net: &Net) -> Result<Value> {
    net.bitcoind().rpc("getrawmempool", Value::Null).await
}

pub(crate) fn opened_together() -> Scenario {
    let net = || {
        let refusal = json!({"result": "reject", "error_message": "no channels on Sundays"});
        let gatekeeper =
            Mock::hook("openchannel").reply(Reply::result(refusal)).expect(2).named("gatekeeper");
        Net::line(["l1", "l2", "l3"]).without_channels().mount("l3", gatekeeper)
    };
    Scenario::new(
        "of several channels that are opened at once, those that are refused spoil the others, unless less will do",
        net,
        |net| Box::pin(open_together(net)),
    )
}

async fn open_together(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    l1.connect(&l3).await?;
    let destinations = json!([{"id": l2.id(), "amount": 200_000}, {"id": l3.id(), "amount": 300_000}]);
    let all = l1.rpc("multifundchannel", json!({"destinations": destinations})).await;
    let all = all.expect_err("one of them is refused");
    assert!(all.headline().contains("no channels on Sundays"), "{all}");
    assert_eq!(mempool(net).await?, json!([]));
    let funds = l1.rpc("listfunds", json!({})).await?;
    assert_eq!(
        (&funds["outputs"][0]["reserved"], &funds["channels"]),
        (&json!(false), &json!([])),
        "{funds}"
    );

    let some = json!({"destinations": destinations, "minchannels": 1});
    let some = l1.rpc("multifundchannel", some).await?;
    let failed = &some["failed"][0];
    assert_eq!((&failed["id"], &failed["method"]), (&json!(l3.id()), &json!("fundchannel_start")), "{some}");
    assert!(failed["error"]["message"].to_string().contains("no channels on Sundays"), "{some}");
    let opened = some["channel_ids"].as_array().cloned().unwrap_or_default();
    let opened: Vec<&Value> = opened.iter().map(|opened| &opened["id"]).collect();
    assert_eq!(opened, [&json!(l2.id())]);
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    l1.wait_for_channel_state(&l2, "CHANNELD_NORMAL").await?;
    l2.wait_for_channel_state(&l1, "CHANNELD_NORMAL").await
}
