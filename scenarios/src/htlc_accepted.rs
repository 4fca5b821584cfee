//! The hook `htlc_accepted`: what plugins may change of an HTLC, how they fail one, and that a node which starts again asks again.

use leyden::{Call, Mock, MockGuard, Net, Node, Reply, Result};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::payments::{PAYMENT_HASH, PREIMAGE, fail, route};
use crate::scenario::Scenario;

/// The secret of invoices that nobody has made.
const NO_SECRET: &str = "3333333333333333333333333333333333333333333333333333333333333333";

/// Answers every HTLC so.
fn judge(result: Value) -> Mock {
    Mock::hook("htlc_accepted").reply(Reply::result(result)).expect(1).named("judge")
}

/// What a plugin was asked about its only HTLC.
fn asked(plugin: &MockGuard) -> Value {
    let calls = plugin.calls("htlc_accepted");
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls[0].params().clone()
}

pub(crate) fn htlc_modified() -> Scenario {
    Scenario::new(
        "plugins change where an HTLC goes, what it says and what it brings along; later plugins see that, and the next node too",
        || Net::line(["l1", "l2", "l3"]),
        |net| Box::pin(modify(net)),
    ).golden("l2", "first").golden("l2", "second").golden("l3", "judge").golden("l3", "receiver")
}

async fn modify(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let there = route(&[&l1, &l2, &l3], 1_000_000).await?;
    let invoice = l3.rpc("invoice", json!([1_000_000, "changed", "changed"])).await?;
    // The payer asks for a channel that is not there.
    let mut nowhere = there.clone();
    nowhere[1]["channel"] = json!("999x1x1");
    let channel_id = l2.channel(&l3).await?["channel_id"].take();

    let tlvs = "fdffff012afe00010001020539";
    let first = json!({"result": "continue", "forward_to": channel_id, "extra_tlvs": tlvs});
    let first =
        l2.mount_scoped(Mock::hook("htlc_accepted").reply(Reply::result(first)).named("first")).await?;
    let second = l2.mount_scoped(Mock::hook("htlc_accepted").named("second")).await?;
    let receiver = l3.mount_scoped(Mock::hook("htlc_accepted").named("receiver")).await?;
    let paid = pay(&l1, &nowhere, &invoice).await?;
    assert_eq!(paid["status"], "complete");

    let was = asked(&first);
    assert_eq!((&was["forward_to"], &was["htlc"]["extra_tlvs"]), (&Value::Null, &Value::Null));
    assert_eq!(was["onion"]["short_channel_id"], "999x1x1");
    let is = asked(&second);
    assert_eq!((&is["forward_to"], &is["htlc"]["extra_tlvs"]), (&channel_id, &json!(tlvs)));
    let came = asked(&receiver);
    assert_eq!(
        (&came["htlc"]["extra_tlvs"], &came["htlc"]["amount_msat"]),
        (&json!(tlvs), &json!(1_000_000))
    );
    assert_eq!(came["onion"]["payment_secret"], invoice["payment_secret"]);
    assert_eq!(came["peer_id"], l2.id());
    for guard in [first, second, receiver] {
        guard.finish().await?;
    }

    // The receiver's plugin says that half of it will do, and the payer sends no more.
    let invoice = l3.rpc("invoice", json!([2_000_000, "half", "half"])).await?;
    let generous = l3.mount_scoped(judge(json!({"result": "continue", "invoice_msat": 1_000_000}))).await?;
    pay(&l1, &there, &invoice).await?;
    generous.finish().await?;
    let half = l3.rpc("listinvoices", json!(["half"])).await?["invoices"][0].take();
    assert_eq!((&half["status"], &half["amount_received_msat"]), (&json!("paid"), &json!(1_000_000)));

    // A payload that pays another invoice than the payer meant.
    let invoice = l3.rpc("invoice", json!([1_000_000, "other", "other"])).await?;
    let secret = invoice["payment_secret"].as_str().unwrap_or_default();
    let cltv = |call: &Call| call.params()["onion"]["outgoing_cltv_value"].as_u64().unwrap_or_default();
    let payload = format!("02030f4240{{cltv}}0823{secret}0f4240");
    let corrector = Mock::hook("htlc_accepted").reply(move |call: &Call| {
        let height = format!("{:02x}", cltv(call));
        Reply::result(
            json!({"result": "continue", "payload": payload.replace("{cltv}", &format!("0401{height}"))}),
        )
    });
    let corrector = l3.mount_scoped(corrector.named("corrector")).await?;
    let wrong = json!({"payment_hash": invoice["payment_hash"], "payment_secret": NO_SECRET});
    pay(&l1, &there, &wrong).await?;
    corrector.finish().await?;
    for node in [&l1, &l2, &l3] {
        node.wait_for_htlcs().await?;
    }
    Ok(())
}

/// Pays an invoice along a route.
async fn pay(from: &Node, route: &Value, invoice: &Value) -> Result<Value> {
    let (hash, secret) = (&invoice["payment_hash"], &invoice["payment_secret"]);
    from.rpc("sendpay", json!({"route": route, "payment_hash": hash, "payment_secret": secret})).await?;
    from.rpc("waitsendpay", json!([hash])).await
}

pub(crate) fn htlc_failed() -> Scenario {
    Scenario::new(
        "plugins fail HTLCs with messages, with onions of their own, and with what nobody can read",
        || Net::line(["l1", "l2"]).broken_log("l2", "Plugin returned a preimage|Both 'failure_onion' and"),
        |net| Box::pin(fail_htlcs(net)),
    )
    .golden("l2", "judge")
}

async fn fail_htlcs(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let there = route(&[&l1, &l2], 1_000_000).await?;
    let onion = "00".repeat(292);
    let cases = [
        (json!({"result": "fail", "failure_message": "2002"}), 204, "WIRE_TEMPORARY_NODE_FAILURE"),
        (
            json!({"result": "fail", "failure_message": "400f"}),
            203,
            "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS",
        ),
        // Codes that BOLT 4 does not have arrive as they are.
        (json!({"result": "fail", "failure_message": "5555"}), 203, "21845"),
        (json!({"result": "fail", "failure_onion": onion}), 202, ""),
        (json!({"result": "fail", "failure_onion": onion, "failure_message": "2002"}), 202, ""),
        // Neither an amount nor a height.
        (json!({"result": "continue", "payload": "0100"}), 203, "WIRE_INVALID_ONION_PAYLOAD"),
        // The preimage of something else.
        (
            json!({"result": "resolve", "payment_key": "22".repeat(32)}),
            203,
            "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS",
        ),
        (json!({"result": "continue"}), 203, "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"),
    ];
    for (answer, code, name) in cases {
        let guard = l2.mount_scoped(judge(answer.clone())).await?;
        let failed = fail(&l1, &there, PAYMENT_HASH).await?;
        assert_eq!(failed.code(), code, "{answer}: {failed}");
        assert!(failed.to_string().contains(name), "{answer}: {failed}");
        guard.finish().await?;
    }
    for node in [&l1, &l2] {
        node.wait_for_htlcs().await?;
    }
    assert_eq!(l2.channel(&l1).await?["to_us_msat"], 0);
    assert!(l2.is_in_log("Plugin returned a preimage \\(sha256\\(22").is_ok_and(|line| line.is_some()));
    Ok(())
}

pub(crate) fn htlc_replayed() -> Scenario {
    Scenario::new(
        "a node that starts again asks again about HTLCs that its plugins had not judged",
        || {
            let slow =
                Mock::hook("htlc_accepted").reply(Reply::hang()).times(1).then(Reply::resolve(PREIMAGE));
            Net::line(["l1", "l2"]).mount("l2", slow.named("slow"))
        },
        |net| Box::pin(replay(net)),
    )
    .golden("l2", "slow")
}

async fn replay(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let there = route(&[&l1, &l2], 1_000_000).await?;
    let params = json!({"route": there, "payment_hash": PAYMENT_HASH, "payment_secret": NO_SECRET});
    l1.rpc("sendpay", params).await?;
    heard(net, "l2", "slow", "htlc_accepted", 1).await?;
    l2.kill().await?;
    l2.start().await?;
    heard(net, "l2", "slow", "htlc_accepted", 2).await?;
    l2.wait_for_log("Replaying old unprocessed HTLC #0").await?;
    net.connect(&l1, &l2).await?;
    let paid = l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
    assert_eq!(paid["payment_preimage"], PREIMAGE);
    l2.wait_for_htlcs().await?;
    assert_eq!(l2.channel(&l1).await?["to_us_msat"], 1_000_000);
    Ok(())
}
