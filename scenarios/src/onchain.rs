//! Channels that end on the chain: closed by one side, with HTLCs that are claimed or time out, and chains that change their mind.

use leyden::transcript::Frame;
use leyden::{Call, Mock, Net, Node, Reply, Result, Transcript, Units, eventually, seen};
use serde_json::{Value, json};

use crate::channels::reaches;
use crate::heard::{heard, mentions};
use crate::payments::{PAYMENT_HASH, PREIMAGE, failure, route, send};
use crate::scenario::Scenario;

/// The longest that either side's own outputs are delayed (`watchtime-blocks`).
const TO_SELF_DELAY: u32 = 5;

/// At the lowest fee that is relayed, v26.06.6 makes claims of HTLCs that are not: it takes them for a little smaller than they are.
const FEERATES: [u32; 4] = [5000, 4000, 3000, 2000];

fn watcher() -> Mock {
    Mock::notification("channel_state_changed").and(Mock::notification("coin_movement")).named("watcher")
}

/// Without the coins that payments move.
fn of_the_chain(all: Transcript) -> Transcript {
    all.keep(|frame: &Frame| !mentions(frame, "channel_mvt"))
}

/// Waits until a node has so much in confirmed outputs of its wallet, to the fees that are left to it.
async fn owns_sat(node: &Node, at_least_sat: u64, at_most_sat: u64) -> Result {
    let look = || async {
        let funds = node.rpc("listfunds", json!({})).await?;
        let outputs = funds["outputs"].as_array().into_iter().flatten();
        let confirmed = outputs.filter(|output| output["status"] == "confirmed");
        let msat: u64 = confirmed.filter_map(|output| output["amount_msat"].as_u64()).sum();
        Ok::<_, leyden::Error>(seen(msat / 1000, |sat| (at_least_sat..=at_most_sat).contains(sat)))
    };
    eventually(format!("{} owns {at_least_sat} to {at_most_sat} sat", node.name()), look).await.map(drop)
}

/// Closes a channel while the other node is away, and mines the commitment transaction; gives it, decoded.
async fn close_alone(net: &Net, node: &Node, away: &Node) -> Result<Value> {
    away.stop().await?;
    let closed = node.rpc("close", json!({"id": away.id(), "unilateraltimeout": 1})).await?;
    assert_eq!(closed["type"], "unilateral", "{closed}");
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    node.wait_for_channel_onchain(away).await?;
    away.start().await?;
    away.wait_for_channel_onchain(node).await?;
    net.bitcoind().rpc("decoderawtransaction", json!([closed["txs"][0]])).await
}

/// What each HTLC here is worth.
const HTLC_SAT: u32 = 100_000;

/// Waits until no more than `left` HTLCs of a commitment transaction are unspent, and mines what spends them.
async fn mine_htlcs(net: &Net, commitment: &Value, left: usize) -> Result {
    let bitcoind = net.bitcoind();
    let outputs = commitment["vout"].as_array().cloned().unwrap_or_default();
    let htlcs = outputs.iter().filter(|output| output["value"] == f64::from(HTLC_SAT) / 1e8);
    let htlcs: Vec<&Value> = htlcs.map(|output| &output["n"]).collect();
    let look = || async {
        let mut unspent = Vec::new();
        for vout in &htlcs {
            if bitcoind.rpc("gettxout", json!([commitment["txid"], vout])).await? != Value::Null {
                unspent.push(*vout);
            }
        }
        if unspent.len() > left && bitcoind.rpc("getrawmempool", Value::Null).await? != json!([]) {
            // What raises the fee by an anchor has the coins that an HTLC's transaction needs.
            net.generate_block(1).await?;
        }
        Ok::<_, leyden::Error>(seen(unspent, |unspent| unspent.len() <= left))
    };
    eventually(format!("{left} HTLCs are unspent"), look).await?;
    net.generate_block(1).await.map(drop)
}

pub(crate) fn closed_by_one_side() -> Scenario {
    let net = || Net::line(["l1", "l2"]).mount("l1", watcher()).mount("l2", watcher());
    Scenario::new(
        "a side that is left alone takes the channel to the chain, and both get what is theirs",
        net,
        |net| Box::pin(close_by_one_side(net)),
    )
    .golden_view("l1", "watcher", of_the_chain)
    .golden_view("l2", "watcher", of_the_chain)
}

async fn close_by_one_side(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    send(&[&l1, &l2], 300_000_000, "theirs").await?;
    l1.wait_for_htlcs().await?;
    close_alone(net, &l1, &l2).await?;
    // The other side's output is its own at once, the closing side's after the delay.
    net.generate_block(1).await?;
    owns_sat(&l2, 299_000, 300_000).await?;
    net.generate_block(TO_SELF_DELAY).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    net.sync_blockheight().await?;
    // The wallet had a million sat beside the channel.
    owns_sat(&l1, 1_685_000, 1_699_000).await?;
    let id = l1.channel(&l2).await?["channel_id"].take();
    net.generate_block(100).await?;
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        forgets(net, node, other).await?;
        let htlcs = json!({"subsystem": "htlcs", "indexname": "deleted", "nextvalue": 1});
        assert_eq!(node.rpc("wait", htlcs).await?["deleted"], 1);
        let moved = node.rpc("listchannelmoves", json!({})).await?["channelmoves"].take();
        assert_eq!(moved[0]["account_id"], id, "{} knows the channel by name", node.name());
    }
    Ok(())
}

/// Holds what it is asked about first. When it is asked again, after a restart, it settles what it can.
fn late(call: &Call) -> Reply {
    let is_ours = call.params()["htlc"]["payment_hash"] == PAYMENT_HASH;
    if call.nth() > 2 && is_ours { Reply::resolve(PREIMAGE) } else { Reply::hang() }
}

fn with_htlcs(shows: &'static str, body: crate::scenario::Body) -> Scenario {
    let net = || {
        let holder = Mock::hook("htlc_accepted").reply(late).named("holder");
        let once = Mock::notification("sendpay_success").expect(1);
        let once = once.and(Mock::notification("sendpay_failure").expect(1)).named("clerk");
        Net::line(["l1", "l2"]).feerates(FEERATES).mount("l1", once).mount("l2", holder)
    };
    Scenario::new(shows, net, body)
}

pub(crate) fn htlcs_on_payers_commitment() -> Scenario {
    with_htlcs(
        "HTLCs on the payer's commitment: one is claimed with its preimage, which the payer learns; one times out",
        |net| Box::pin(claim_and_time_out(net, true)),
    )
}

pub(crate) fn htlcs_on_payees_commitment() -> Scenario {
    with_htlcs(
        "HTLCs on the payee's own commitment: one is claimed with its preimage, one times out",
        |net| Box::pin(claim_and_time_out(net, false)),
    )
}

async fn claim_and_time_out(net: &Net, payer_closes: bool) -> Result {
    let [l1, l2] = net.nodes();
    // A claim on an own commitment pays its fee from the wallet.
    net.fundwallet(&l2, 1_000_000.sat()).await?;
    // Expiries count from what a node knows of the chain.
    net.sync_blockheight().await?;
    let lost = "55".repeat(32);
    let there = route(&[&l1, &l2], u64::from(HTLC_SAT) * 1000).await?;
    for hash in [PAYMENT_HASH, &lost] {
        let params = json!({"route": there, "payment_hash": hash, "payment_secret": "33".repeat(32)});
        l1.rpc("sendpay", params).await?;
    }
    heard(net, "l2", "holder", "htlc_accepted", 2).await?;
    if !payer_closes {
        // Asked again while nobody is connected, it has the preimage when it needs it.
        l2.stop().await?;
        l1.stop().await?;
        l2.start().await?;
        heard(net, "l2", "holder", "htlc_accepted", 4).await?;
        l1.start().await?;
    }
    let (closing, away) = if payer_closes { (&l1, &l2) } else { (&l2, &l1) };
    let commitment = close_alone(net, closing, away).await?;
    mine_htlcs(net, &commitment, 1).await?;
    let paid = l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
    assert_eq!(paid["payment_preimage"], PREIMAGE);

    // What has its verdict, or whose channel is closed, is not asked about again.
    for starts in 1..=2 {
        l2.restart().await?;
        let asked = l2.mock("holder").expect("it is mounted").calls("htlc_accepted").len();
        assert_eq!(asked, 4, "after {starts} more starts");
    }
    let expiry = l1.channel(&l2).await?["htlcs"][0]["expiry"].as_u64().unwrap_or_default();
    let height = u64::from(net.bitcoind().block_count().await?);
    net.generate_block(u32::try_from(expiry - height).unwrap_or_default()).await?;
    mine_htlcs(net, &commitment, 0).await?;
    net.generate_block(TO_SELF_DELAY).await?;
    let failed = failure(&l1, &lost).await?;
    assert_eq!(failed.code(), 204, "{failed}");
    // The chain says it again to a node that has just started; plugins are not told again.
    l1.stop().await?;
    l1.start().await?;
    net.generate_block(1).await.map(drop)
}

/// Holds the payment that nobody can be paid with.
fn hold_ours(call: &Call) -> Reply {
    if call.params()["htlc"]["payment_hash"] == PAYMENT_HASH { Reply::hang() } else { Reply::cont() }
}

pub(crate) fn revoked_commitment() -> Scenario {
    let net = || {
        let holder = Mock::hook("htlc_accepted").reply(hold_ours).named("holder");
        Net::line(["l1", "l2"]).feerates(FEERATES).mount("l2", holder).mount("l2", watcher())
    };
    Scenario::new(
        "a side that closes with a revoked commitment loses everything, an HTLC among it",
        net,
        |net| Box::pin(punish(net)),
    )
    .golden("l2", "holder")
    .golden_view("l2", "watcher", of_the_chain)
}

async fn punish(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    send(&[&l1, &l2], 300_000_000, "theirs").await?;
    let there = route(&[&l1, &l2], 100_000_000).await?;
    let params = json!({"route": there, "payment_hash": PAYMENT_HASH, "payment_secret": "33".repeat(32)});
    l1.rpc("sendpay", params).await?;
    heard(net, "l2", "holder", "htlc_accepted", 2).await?;
    let revoked = l1.rpc("dev-sign-last-tx", json!([l2.id()])).await?;
    send(&[&l1, &l2], 1_000_000, "which revokes it").await?;
    let look = || async {
        let channel = l2.channel(&l1).await?;
        Ok::<_, leyden::Error>(seen(channel["to_us_msat"].clone(), |msat| *msat == 301_000_000))
    };
    eventually("l2 has both payments for good", look).await?;
    l1.stop().await?;
    net.bitcoind().rpc("sendrawtransaction", json!([revoked["tx"]])).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    l2.wait_for_channel_onchain(&l1).await?;
    // One transaction for the balance and one for the HTLC. A start in between changes nothing.
    let look = || async {
        let mempool = net.bitcoind().rpc("getrawmempool", Value::Null).await?;
        Ok::<_, leyden::Error>(seen(mempool, |mempool| mempool.as_array().is_some_and(|txs| txs.len() == 2)))
    };
    eventually("both penalties are in the mempool", look).await?;
    l2.stop().await?;
    l2.start().await?;
    net.bitcoind().generate_block(1).await?;
    owns_sat(&l2, 980_000, 999_000).await?;
    // The penalties leave the chain, and come back.
    let height = net.bitcoind().block_count().await?;
    net.bitcoind().simple_reorg(height, 1).await?;
    owns_sat(&l2, 980_000, 999_000).await?;
    // lightningd looks at the channel again when it starts.
    l2.stop().await?;
    l2.start().await?;
    net.bitcoind().generate_block(100).await?;
    forgets(net, &l2, &l1).await
}

pub(crate) fn funding_reorganised() -> Scenario {
    let net = || Net::line(["l1", "l2"]).without_channels();
    Scenario::new(
        "a channel whose funding moves to another block has another short channel id, and goes on",
        net,
        |net| Box::pin(reorganise(net)),
    )
}

async fn reorganise(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let funded = net.fundchannel(&l1, &l2, 1_000_000.sat()).announce_channel(false).await?;
    net.generate_block(5).await?;
    let height = net.bitcoind().block_count().await? - 5;
    assert!(funded.scid.starts_with(&format!("{height}x")), "{funded:?}");
    // Six blocks go, and the funding comes a block later.
    net.bitcoind().simple_reorg(height, 1).await?;
    net.sync_blockheight().await?;
    let moved = format!("{}x1x0", height + 1);
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        let look = || async {
            let channel = node.channel(other).await?;
            Ok::<_, leyden::Error>(seen(channel["short_channel_id"].clone(), |scid| *scid == *moved))
        };
        eventually(format!("{} calls its channel {moved}", node.name()), look).await?;
    }
    let is_there = l1.rpc("listpeers", json!({})).await?["peers"][0]["connected"] == json!(true);
    if !is_there {
        l1.connect(&l2).await?;
    }
    l1.wait_local_channel_active(&moved).await?;
    send(&[&l1, &l2], 1_000_000, "afterwards").await?;
    let closed = l1.rpc("close", json!([l2.id()])).await?;
    assert_eq!(closed["type"], Value::from("mutual"));
    Ok(())
}

pub(crate) fn closing_reorganised() -> Scenario {
    let net = || Net::line(["l1", "l2"]).mount("l1", watcher());
    Scenario::new(
        "a closing transaction that moves to another block closes the channel all the same",
        net,
        |net| Box::pin(reorganise_the_closing(net)),
    )
    .golden_view("l1", "watcher", of_the_chain)
}

async fn reorganise_the_closing(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    send(&[&l1, &l2], 300_000_000, "theirs").await?;
    l1.wait_for_htlcs().await?;
    let closed = l1.rpc("close", json!([l2.id()])).await?;
    assert_eq!(closed["type"], "mutual", "{closed}");
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    let height = net.bitcoind().block_count().await?;
    l1.wait_for_channel_onchain(&l2).await?;
    l2.wait_for_channel_onchain(&l1).await?;
    net.generate_block(6).await?;
    owns_sat(&l2, 299_000, 300_000).await?;
    // Seven blocks go, and the closing transaction comes a block later.
    net.bitcoind().simple_reorg(height, 1).await?;
    net.sync_blockheight().await?;
    owns_sat(&l2, 299_000, 300_000).await?;
    owns_sat(&l1, 1_690_000, 1_700_000).await?;
    let coins = l2.rpc("listfunds", json!({})).await?;
    assert_eq!(coins["outputs"][0]["blockheight"], height + 1, "{coins}");
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        node.wait_for_channel_onchain(other).await?;
    }
    net.generate_block(100).await?;
    for (node, other) in [(&l1, &l2), (&l2, &l1)] {
        forgets(net, node, other).await?;
    }
    Ok(())
}

/// Waits until nothing can become of a channel any more.
async fn forgets(net: &Net, node: &Node, other: &Node) -> Result {
    let look = || async {
        let listed = node.rpc("listpeerchannels", json!([other.id()])).await?;
        Ok::<_, leyden::Error>(seen(listed, |listed| listed["channels"] == json!([])))
    };
    eventually(format!("{} forgets the channel", node.name()), look).await?;
    // Its plugins may hear of it a little later than who asks.
    if node.mock("watcher").is_some() {
        reaches(net, node, "CLOSED").await?;
    }
    Ok(())
}
