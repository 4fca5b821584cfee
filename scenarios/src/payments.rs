//! Payments: the hooks `htlc_accepted` and `invoice_payment`, the notifications about invoices, payments, forwards and moved coins.

use leyden::transcript::Frame;
use leyden::{Mock, Net, Node, Reply, Result, Transcript, eventually, seen};
use serde_json::{Value, json};

use crate::heard::{answered, heard, heard_with, mentions};
use crate::scenario::Scenario;

/// A preimage that a test knows, and its SHA-256.
pub(crate) const PREIMAGE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const PAYMENT_HASH: &str = "02d449a31fbb267c8f352e9968a79e3e5fc95c1bbeaa502fd6454ebde5a4bedc";

/// The delay of the last hop of a route, and what each hop before it adds (`cltv-delta`).
const FINAL_DELAY: u64 = 9;
const DELAY: u64 = 6;

/// A route along nodes of which each has a channel with the next, with lightningd's fees: 1 msat and 10 millionths a hop.
pub(crate) async fn route(along: &[&Node], amount_msat: u64) -> Result<Value> {
    let (mut amount_msat, mut delay) = (amount_msat, FINAL_DELAY);
    let mut hops = Vec::new();
    for pair in along.windows(2).rev() {
        let channel = pair[0].get_channel_scid(pair[1]).await?;
        hops.insert(
            0,
            json!({"id": pair[1].id(), "channel": channel, "amount_msat": amount_msat, "delay": delay}),
        );
        amount_msat += 1 + amount_msat / 100_000;
        delay += DELAY;
    }
    Ok(Value::Array(hops))
}

/// Lets the last of these nodes make an invoice and pays it from the first: nothing of the way is left to chance, as `pay` does.
pub(crate) async fn send(along: &[&Node], amount_msat: u64, label: &str) -> Result<Value> {
    let [from, .., to] = along else { panic!("a payment needs two nodes") };
    let invoice = to.rpc("invoice", json!([amount_msat, label, label])).await?;
    let params = json!({
        "route": route(along, amount_msat).await?,
        "payment_hash": invoice["payment_hash"],
        "payment_secret": invoice["payment_secret"],
        "bolt11": invoice["bolt11"],
    });
    from.rpc("sendpay", params).await?;
    from.rpc("waitsendpay", json!([invoice["payment_hash"]])).await
}

/// Hears everything of the life of a payment, whichever part in it its node has.
fn clerk() -> Mock {
    ["invoice_creation", "sendpay_success", "sendpay_failure", "forward_event", "coin_movement"]
        .into_iter()
        .fold(Mock::notification("invoice_payment").named("clerk"), |mock, topic| {
            mock.and(Mock::notification(topic))
        })
}

/// Is asked about HTLCs, and about invoices that are being paid, and lets them pass.
fn cashier() -> Mock {
    Mock::hook("htlc_accepted").and(Mock::hook("invoice_payment")).named("cashier")
}

/// Without the coins of the wallets and channels themselves.
fn of_payments(all: Transcript) -> Transcript {
    all.keep(|frame: &Frame| !mentions(frame, "coin_movement") || mentions(frame, "channel_mvt"))
}

pub(crate) fn payment_life() -> Scenario {
    let net = || {
        ["l1", "l2", "l3"]
            .into_iter()
            .fold(Net::line(["l1", "l2", "l3"]), |net, node| net.mount(node, clerk()).mount(node, cashier()))
    };
    let scenario = Scenario::new(
        "a payment over three nodes and two that fail: what each node's plugins are asked and told",
        net,
        |net| Box::pin(pay(net)),
    );
    let clerks = scenario
        .golden_view("l1", "clerk", of_payments)
        // Which of its two channels is done first is chance.
        .golden_view("l2", "clerk", |all| all.without(["coin_movement"]))
        .golden_view("l3", "clerk", of_payments);
    clerks.golden("l2", "cashier").golden("l3", "cashier")
}

async fn pay(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let sent = send(&[&l1, &l2, &l3], 50_000_000, "forwarded").await?;
    assert_eq!((&sent["status"], &sent["amount_msat"]), (&json!("complete"), &json!(50_000_000)));
    let fee_msat = sent["amount_sent_msat"].as_u64().unwrap_or_default() - 50_000_000;
    assert_eq!(fee_msat, 1 + 500, "1 msat and 10 millionths");
    for node in [&l1, &l2, &l3] {
        node.wait_for_htlcs().await?;
    }
    assert_eq!(l1.channel(&l2).await?["to_us_msat"], 1_000_000_000 - 50_000_000 - fee_msat);
    assert_eq!(l2.channel(&l1).await?["to_us_msat"], 50_000_000 + fee_msat);
    assert_eq!(l3.channel(&l2).await?["to_us_msat"], 50_000_000);

    // Its receiver knows of no invoice with this hash.
    let there = route(&[&l1, &l2, &l3], 1_000_000).await?;
    let unknown = fail(&l1, &there, PAYMENT_HASH).await?;
    assert_eq!(
        (unknown.code(), unknown.headline().contains("WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")),
        (203, true)
    );
    // The second node has no such channel.
    let mut nowhere = there;
    nowhere[1]["channel"] = json!("999x1x1");
    let lost = fail(&l1, &nowhere, &"22".repeat(32)).await?;
    assert_eq!((lost.code(), lost.headline().contains("WIRE_UNKNOWN_NEXT_PEER")), (204, true));
    for node in [&l1, &l2, &l3] {
        node.wait_for_htlcs().await?;
    }
    heard(net, "l1", "clerk", "sendpay_failure", 2).await?;
    heard(net, "l2", "clerk", "forward_event", 4).await?;
    for (node, movements) in [("l1", 1), ("l2", 2), ("l3", 1)] {
        let of_channel = |params: &Value| params["coin_movement"]["type"] == "channel_mvt";
        heard_with(net, node, "clerk", "coin_movement", movements, of_channel).await?;
    }
    // With its manifest and `init`.
    answered(net, "l3", "cashier", 2 + 2 + 1).await?;
    Ok(())
}

/// Sends a payment that must fail, and gives its failure.
pub(crate) async fn fail(from: &Node, route: &Value, payment_hash: &str) -> Result<leyden::Error> {
    let params = json!({"route": route, "payment_hash": payment_hash, "payment_secret": "33".repeat(32)});
    from.rpc("sendpay", params).await?;
    failure(from, payment_hash).await
}

/// Waits for the failure of a payment. Who waits before it happens is told another `status` than who asks later, so it asks later.
pub(crate) async fn failure(from: &Node, payment_hash: &str) -> Result<leyden::Error> {
    let look = || async {
        let listed = from.rpc("listsendpays", json!({"payment_hash": payment_hash})).await?;
        let parts = listed["payments"].as_array().cloned().unwrap_or_default();
        let states: Vec<Value> = parts.iter().map(|part| part["status"].clone()).collect();
        Ok::<_, leyden::Error>(seen(states, |states| states.iter().all(|state| *state != "pending")))
    };
    eventually(format!("no part of {}'s payment is under way", from.name()), look).await?;
    let failed = from.rpc("waitsendpay", json!([payment_hash])).await;
    Ok(failed.expect_err("nobody can take this payment"))
}

pub(crate) fn htlc_verdicts() -> Scenario {
    let net = || Net::line(["l1", "l2", "l3"]);
    Scenario::new(
        "a plugin fails an HTLC, settles one that nobody has an invoice for, and holds one as long as it likes",
        net,
        |net| Box::pin(judge(net)),
    ).golden("l2", "judge").golden("l3", "judge")
}

async fn judge(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let judge = |reply: Reply| Mock::hook("htlc_accepted").reply(reply).expect(1).named("judge");

    // At the node that would forward it.
    let guard = l2.mount_scoped(judge(Reply::fail("1007"))).await?;
    let there = route(&[&l1, &l2, &l3], 1_000_000).await?;
    let failed = fail(&l1, &there, &"44".repeat(32)).await?;
    assert_eq!((failed.code(), failed.headline().contains("WIRE_TEMPORARY_CHANNEL_FAILURE")), (204, true));
    guard.finish().await?;

    let guard = l3.mount_scoped(judge(Reply::resolve(PREIMAGE))).await?;
    let params = json!({"route": there, "payment_hash": PAYMENT_HASH, "payment_secret": "33".repeat(32)});
    l1.rpc("sendpay", params).await?;
    let resolved = l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
    assert_eq!(resolved["payment_preimage"], PREIMAGE);
    guard.finish().await?;

    let holder = Mock::hook("htlc_accepted").reply(Reply::hang()).expect(1).named("holder");
    let holder = l2.mount_scoped(holder).await?;
    let held = "55".repeat(32);
    let params = json!({"route": there, "payment_hash": held, "payment_secret": "33".repeat(32)});
    l1.rpc("sendpay", params).await?;
    holder.wait_for("htlc_accepted", 1).await?;
    let channel = l2.channel(&l1).await?;
    assert_eq!(channel["htlcs"][0]["direction"], "in");
    assert_eq!(channel["htlcs"][0]["payment_hash"], *held);
    assert_eq!(channel["htlcs"][0]["status"], "Waiting for the htlc_accepted hook of plugin holder");
    let waiting = l1.rpc("waitsendpay", json!({"payment_hash": held, "timeout": 0})).await;
    assert_eq!(waiting.expect_err("it is held").code(), 200);
    // A plugin that goes lets its HTLCs go on.
    holder.finish().await?;
    let unknown = failure(&l1, &held).await?;
    assert_eq!(unknown.code(), 203, "{unknown}");
    Ok(())
}
