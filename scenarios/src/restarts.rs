//! Nodes that are killed and started again: what they had, and what was under way, comes back.

use leyden::{Call, Hook, Mock, Net, Node, Reply, Result, Units};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::payments::{PAYMENT_HASH, PREIMAGE, fail, failure, route, send};
use crate::scenario::Scenario;

/// The hash of a payment that is not taken.
const REFUSED_HASH: &str = "5555555555555555555555555555555555555555555555555555555555555555";
const NO_SECRET: &str = "3333333333333333333333333333333333333333333333333333333333333333";

pub(crate) fn everything_kept() -> Scenario {
    let net = || {
        let watcher = Mock::notification("block_added").named("watcher");
        Net::line(["l1", "l2", "l3"]).mount("l2", watcher)
    };
    Scenario::new(
        "a node that is killed has everything again that it had: channels, invoices, payments, forwards, coins, settings, blocks",
        net,
        |net| Box::pin(keep(net)),
    )
}

async fn keep(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    net.fundwallet(&l2, 1_000_000.sat()).await?;
    // Expiries count from what a node knows of the chain.
    net.sync_blockheight().await?;
    send(&[&l1, &l2, &l3], 50_000_000, "forwarded").await?;
    l1.wait_for_htlcs().await?;
    send(&[&l1, &l2], 20_000_000, "received").await?;
    send(&[&l2, &l3], 10_000_000, "sent").await?;
    let there = route(&[&l2, &l3], 1_000_000).await?;
    fail(&l2, &there, REFUSED_HASH).await?;
    for node in [&l1, &l2, &l3] {
        node.wait_for_htlcs().await?;
    }
    l2.rpc("invoice", json!([1000, "unpaid", "unpaid"])).await?;
    l2.rpc("datastore", json!({"key": ["a", "b"], "string": "it's"})).await?;
    l2.rpc("setconfig", json!(["min-capacity-sat", 54_321])).await?;
    let terms = json!({"id": l3.id(), "feebase": 7, "feeppm": 8, "htlcmin": 9, "htlcmax": 900_000_000});
    l2.rpc("setchannel", terms).await?;
    let reserved = json!({"satoshi": 10_000, "feerate": "1000perkw", "startweight": 100, "reserve": 50});
    l2.rpc("fundpsbt", reserved).await?;
    let address = l2.rpc("newaddr", json!({})).await?;
    net.generate_block(1).await?;

    let before = belongings(&l2).await?;
    let height = u64::from(net.bitcoind().block_count().await?);
    heard_of_block(net, &l2, height).await?;
    l2.kill().await?;
    l2.start().await?;
    // It reads its last block again.
    net.sync_blockheight().await?;
    for (what, had) in &before {
        let has = belonging(&l2, what).await?;
        assert_eq!(has, *had, "{what}");
    }
    assert_ne!(l2.rpc("newaddr", json!({})).await?, address, "an address is given out once");
    for other in [&l1, &l3] {
        net.connect(&l2, other).await?;
        l2.wait_for_channel_state(other, "CHANNELD_NORMAL").await?;
    }
    net.generate_block(1).await?;
    heard_of_block(net, &l2, height + 1).await?;
    send(&[&l2, &l1], 1_000_000, "afterwards").await?;
    send(&[&l2, &l3], 1_000_000, "afterwards").await.map(drop)
}

/// What a node can be asked about itself.
const BELONGINGS: [&str; 10] = [
    "listinvoices",
    "listdatastore",
    "listconfigs",
    "listpeerchannels",
    "listfunds",
    "listforwards",
    "listhtlcs",
    "listsendpays",
    "listtransactions",
    "getinfo",
];

async fn belongings(node: &Node) -> Result<Vec<(&'static str, Value)>> {
    let mut all = Vec::new();
    for what in BELONGINGS {
        all.push((what, belonging(node, what).await?));
    }
    Ok(all)
}

/// Without what is about connections, which a dead node has none of.
async fn belonging(node: &Node, what: &str) -> Result<Value> {
    let mut answer = node.rpc(what, json!({})).await?;
    match what {
        "listconfigs" => return Ok(answer["configs"]["min-capacity-sat"]["value_int"].take()),
        "getinfo" => {
            let names = [
                "id",
                "alias",
                "num_active_channels",
                "num_pending_channels",
                "blockheight",
                "fees_collected_msat",
            ];
            return Ok(names.into_iter().map(|name| answer[name].take()).collect());
        }
        _ => {}
    }
    let lists = answer.as_object_mut().into_iter().flat_map(|lists| lists.values_mut());
    for list in lists.filter_map(Value::as_array_mut) {
        // Its order is chance in lightningd.
        list.sort_by_key(|element| element["short_channel_id"].to_string());
    }
    let lists = answer.as_object_mut().into_iter().flat_map(|lists| lists.values_mut());
    for element in lists.filter_map(Value::as_array_mut).flatten() {
        let members = element.as_object_mut().expect("lists are of objects");
        for of_connection in [
            "peer_connected",
            "connected",
            "owner",
            "reestablished",
            "status",
            "last_stable_connection",
            "updates",
        ] {
            // An invoice's status is its own.
            if what == "listpeerchannels" || what == "listfunds" && of_connection == "connected" {
                members.remove(of_connection);
            }
        }
    }
    Ok(answer)
}

/// The heights of the blocks that a node's watcher was told of.
fn blocks(net: &Net, node: &Node) -> Vec<u64> {
    let watcher = net.node(node.name()).mock("watcher").expect("it is mounted");
    let calls = watcher.calls("block_added");
    calls.iter().filter_map(|call| call.params()["block_added"]["height"].as_u64()).collect()
}

async fn heard_of_block(net: &Net, node: &Node, height: u64) -> Result {
    let look =
        || async { Ok::<_, leyden::Error>(leyden::seen(blocks(net, node), |told| told.contains(&height))) };
    let told = leyden::eventually(format!("{} is told of block {height}", node.name()), look).await?;
    assert!(told.is_sorted(), "the blocks go on where they were: {told:?}");
    Ok(())
}

/// Holds each payment once, and judges it when it is asked again.
fn holder() -> Mock {
    let judge = |call: &Call| match call.nth() {
        1 | 2 => Reply::hang(),
        _ if call.params()["htlc"]["payment_hash"] == PAYMENT_HASH => Reply::resolve(PREIMAGE),
        _ => Reply::fail("400f"),
    };
    Mock::hook("htlc_accepted").reply(judge).expect(4).named("holder")
}

pub(crate) fn payments_resumed() -> Scenario {
    let net = || {
        let witness = Mock::hook("htlc_accepted").expect(2).named("witness");
        // v26.06.6 forgets over a restart what it has earned with an HTLC whose other half is gone, and does not book it.
        let broken = "Unable to calculate fees collected";
        Net::line(["l1", "l2", "l3"]).mount("l2", witness).mount("l3", holder()).broken_log("l2", broken)
    };
    Scenario::new(
        "every node on the way of two payments is killed: the payee judges them again, the one between remembers whom to tell, the payer hears",
        net,
        |net| Box::pin(resume(net)),
    )
}

async fn resume(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let there = route(&[&l1, &l2, &l3], 1_000_000).await?;
    for (hash, nth) in [(PAYMENT_HASH, 1), (REFUSED_HASH, 2)] {
        let params = json!({"route": there, "payment_hash": hash, "payment_secret": NO_SECRET});
        l1.rpc("sendpay", params).await?;
        heard(net, "l3", "holder", "htlc_accepted", nth).await?;
    }
    for node in [&l1, &l2, &l3] {
        node.kill().await?;
    }
    // It has judged them before anybody can be told.
    l3.start().await?;
    heard(net, "l3", "holder", "htlc_accepted", 4).await?;
    l2.start().await?;
    net.connect(&l2, &l3).await?;
    l3.wait_for_htlcs().await?;
    statuses(&l2, ["failed", "settled"]).await?;
    l2.kill().await?;
    l2.start().await?;
    // It may have been killed before it had l3's last word.
    net.connect(&l2, &l3).await?;
    l1.start().await?;
    let waiting = l1.rpc("waitsendpay", json!({"payment_hash": PAYMENT_HASH, "timeout": 0})).await;
    assert_eq!(waiting.expect_err("it is on its way").code(), 200);
    net.connect(&l1, &l2).await?;
    let paid = l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
    assert_eq!((&paid["payment_preimage"], &paid["status"]), (&json!(PREIMAGE), &json!("complete")));
    let failed = failure(&l1, REFUSED_HASH).await?;
    assert_eq!(failed.code(), 203, "{failed}");
    // The same again, from the table.
    l1.kill().await?;
    l1.start().await?;
    net.connect(&l1, &l2).await?;
    assert_eq!(l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?["payment_preimage"], PREIMAGE);
    assert_eq!(l1.rpc("waitsendpay", json!([REFUSED_HASH])).await.expect_err("it was refused").code(), 203);
    is_reestablished(&l1, &l2).await?;
    is_reestablished(&l2, &l1).await?;
    for node in [&l1, &l2, &l3] {
        node.wait_for_htlcs().await?;
    }
    statuses(&l2, ["failed", "settled"]).await
}

async fn statuses(node: &Node, expected: [&str; 2]) -> Result {
    let look = || async {
        let listed = node.rpc("listforwards", json!({})).await?["forwards"].take();
        let status = |forward: &Value| forward["status"].as_str().unwrap_or_default().to_owned();
        let mut all: Vec<String> = listed.as_array().into_iter().flatten().map(status).collect();
        // Which HTLC lightningd offers first is chance.
        all.sort();
        Ok::<_, leyden::Error>(leyden::seen(all, |all| all[..] == expected))
    };
    leyden::eventually(format!("the forwards of {} are {expected:?}", node.name()), look).await.map(drop)
}

pub(crate) fn parts_resumed() -> Scenario {
    let net = || {
        let watcher =
            Mock::hook("htlc_accepted").expect(3).and(Mock::notification("invoice_payment").expect(1));
        Net::line(["l1", "l2"]).mount("l2", watcher.named("watcher"))
    };
    Scenario::new(
        "of a payment in two parts one has come when the payee is killed: it is asked about again, and waits for the other",
        net,
        |net| Box::pin(complete(net)),
    )
}

/// Waits until a node may use its channel with a peer again: that comes a little after the connection.
async fn is_reestablished(node: &Node, peer: &Node) -> Result {
    let doing = format!("{} uses its channel with {} again", node.name(), peer.name());
    leyden::eventually(doing, async || Ok(node.channel(peer).await?["reestablished"] == true)).await
}

async fn complete(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let invoice = l2.rpc("invoice", json!([1_000_000, "parts", "parts"])).await?;
    let there = route(&[&l1, &l2], 500_000).await?;
    let part = |partid: u64| {
        json!({
            "route": there, "payment_hash": invoice["payment_hash"], "payment_secret": invoice["payment_secret"],
            "amount_msat": 1_000_000, "partid": partid, "groupid": 1,
        })
    };
    l1.rpc("sendpay", part(1)).await?;
    heard(net, "l2", "watcher", "htlc_accepted", 1).await?;
    l2.kill().await?;
    l1.kill().await?;
    l2.start().await?;
    heard(net, "l2", "watcher", "htlc_accepted", 2).await?;
    l1.start().await?;
    net.connect(&l1, &l2).await?;
    is_reestablished(&l1, &l2).await?;
    l1.rpc("sendpay", part(2)).await?;
    for partid in [1, 2] {
        let params = json!({"payment_hash": invoice["payment_hash"], "partid": partid, "groupid": 1});
        assert_eq!(l1.rpc("waitsendpay", params).await?["status"], "complete");
    }
    let paid = l2.rpc("listinvoices", json!(["parts"])).await?["invoices"][0].take();
    assert_eq!((&paid["status"], &paid["amount_received_msat"]), (&json!("paid"), &json!(1_000_000)));
    heard(net, "l2", "watcher", "invoice_payment", 1).await?;
    for node in [&l1, &l2] {
        node.wait_for_htlcs().await?;
    }
    Ok(())
}

pub(crate) fn payments_replayed() -> Scenario {
    let net = || {
        let receiver = Mock::hook("htlc_accepted").and(Mock::hook("invoice_payment"));
        Net::line(["l1", "l2"]).mount("l2", receiver.named("receiver"))
    };
    Scenario::new(
        "a payee that crashes at each call of a hook and at each answer is paid, and its plugin is asked again as often as lightningd asks",
        net,
        |net| Box::pin(replay_payments(net)),
    )
}

async fn replay_payments(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let points = ["htlc_accepted", "invoice_payment"]
        .into_iter()
        .flat_map(|hook| [Hook::called(hook).into(), Hook::answered(hook).into()]);
    let report = net.replay(&l2, "receiver").along([&l1, &l2]).at(points).run().await?;
    report.check()?;
    assert_eq!(report.to_string(), include_str!("restarts/payments_replayed.txt").trim_end());
    Ok(())
}

pub(crate) fn channel_life_resumed() -> Scenario {
    let net = || {
        let holder = Mock::hook("htlc_accepted").reply(Reply::hang()).expect(1);
        Net::line(["l1", "l2"]).without_channels().mount("l2", holder.named("holder"))
    };
    Scenario::new(
        "both nodes are killed while their channel is being opened, while an HTLC keeps it from being closed, and before its end is in a block",
        net,
        |net| Box::pin(live_on(net)),
    )
}

async fn live_on(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    net.fundwallet(&l1, 2_000_000.sat()).await?;
    l1.rpc("fundchannel", json!([l2.id(), 1_000_000])).await?;
    kill_both(net, [&l1, &l2]).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        node.wait_for_channel_state(other, "CHANNELD_NORMAL").await?;
    }

    let there = route(&[&l1, &l2], 1_000_000).await?;
    let params = json!({"route": there, "payment_hash": PAYMENT_HASH, "payment_secret": NO_SECRET});
    l1.rpc("sendpay", params).await?;
    heard(net, "l2", "holder", "htlc_accepted", 1).await?;
    let closing = l1.rpc("close", json!([l2.id(), 1000]));
    let shutting_down = async {
        for (node, other) in [(&l1, &l2), (&l2, &l1)] {
            node.wait_for_channel_state(other, "CHANNELD_SHUTTING_DOWN").await?;
        }
        kill_both(net, [&l1, &l2]).await
    };
    let (closing, killed) = tokio::join!(closing, shutting_down);
    killed?;
    closing.expect_err("the node has died over it");
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        node.wait_for_channel_state(other, "CLOSINGD_COMPLETE").await?;
    }
    // A channel that is shutting down takes no HTLC, not even one that waits: the plugin is not asked again.
    let failed = l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await.expect_err("it is failed");
    assert!(failed.to_string().contains("WIRE_PERMANENT_CHANNEL_FAILURE"), "{failed}");
    kill_both(net, [&l1, &l2]).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        node.wait_for_channel_onchain(other).await?;
    }
    Ok(())
}

async fn kill_both(net: &Net, [l1, l2]: [&Node; 2]) -> Result {
    for node in [l1, l2] {
        node.kill().await?;
    }
    for node in [l2, l1] {
        node.start().await?;
    }
    net.connect(l1, l2).await
}
