//! Paying: routes that a client gives, ready onions, and ways that the node finds itself, in one part or in several.

use leyden::{Mock, Net, Node, Reply, Result, Units};
use serde_json::{Value, json};

use crate::heard::{heard, heard_with, mentions};
use crate::payments::{PAYMENT_HASH, failure, route};
use crate::scenario::Scenario;

/// Hears how payments end.
fn clerk() -> Mock {
    Mock::notification("sendpay_success").and(Mock::notification("sendpay_failure")).named("clerk")
}

/// The code and the text with which a command fails.
async fn refused(node: &Node, method: &str, params: Value) -> (i64, String) {
    let error = node.rpc(method, params).await.expect_err("this cannot be done");
    (error.code(), error.headline().to_owned())
}

#[track_caller]
fn assert_refused((code, headline): (i64, String), expected_code: i64, expected: &str) {
    assert!(
        code == expected_code && headline.contains(expected),
        "{expected_code} {expected}: {code} {headline}"
    );
}

pub(crate) fn sent_again() -> Scenario {
    let net = || Net::line(["l1", "l2"]).mount("l1", clerk());
    let shows = "a payment over a given route: sent again, in parts, beyond what the channel has, forgotten";
    Scenario::new(shows, net, |net| Box::pin(send_again(net))).golden_view("l1", "clerk", |said| {
        // Which of two parts is done first is not certain.
        said.keep(|frame| !mentions(frame, r#""partid""#))
    })
}

async fn send_again(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let invoice = l2.rpc("invoice", json!([10_000, "once", "once"])).await?;
    let hash = &invoice["payment_hash"];
    let params = json!({
        "route": route(&[&l1, &l2], 10_000).await?,
        "payment_hash": hash,
        "payment_secret": invoice["payment_secret"],
        "bolt11": invoice["bolt11"],
        "label": "a label",
        "description": "for what",
    });
    let sent = l1.rpc("sendpay", params.clone()).await?;
    assert_eq!(sent["message"], "Monitor status with listpays or waitsendpay");
    assert_eq!(
        (&sent["status"], &sent["groupid"], &sent["partid"]),
        (&json!("pending"), &json!(1), &Value::Null)
    );
    let paid = l1.rpc("waitsendpay", json!([hash])).await?;
    assert_eq!(
        (&paid["status"], &paid["label"], &paid["description"]),
        (&json!("complete"), &json!("a label"), &json!("for what"))
    );
    assert_eq!(l1.rpc("sendpay", params.clone()).await?, paid, "it is sent once only");
    let mut more = params;
    more["route"][0]["amount_msat"] = json!(10_001);
    let already = "Already succeeded with amount 10000msat (not 10001msat)";
    assert_refused(refused(&l1, "sendpay", more).await, 201, already);

    // The node takes it, its channel does not.
    let too_much = json!({ "route": route(&[&l1, &l2], 2_000_000_000).await?, "payment_hash": PAYMENT_HASH });
    assert_eq!(l1.rpc("sendpay", too_much).await?["status"], "pending");
    heard(net, "l1", "clerk", "sendpay_failure", 1).await?;
    let failed = refused(&l1, "waitsendpay", json!([PAYMENT_HASH])).await;
    assert_refused(
        failed,
        204,
        "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (WIRE_TEMPORARY_CHANNEL_FAILURE: Capacity exceeded",
    );

    send_in_parts(&l1, &l2).await?;

    let other = "has complete status but it different from the one provided failed";
    assert_refused(refused(&l1, "delpay", json!([hash, "failed"])).await, 208, other);
    assert_eq!(l1.rpc("delpay", json!([hash, "complete"])).await?["payments"][0], paid);
    let never = "Never attempted payment part 0";
    assert_refused(refused(&l1, "waitsendpay", json!([hash])).await, 208, never);
    heard(net, "l1", "clerk", "sendpay_success", 3).await?;
    heard(net, "l1", "clerk", "sendpay_failure", 1).await?;
    Ok(())
}

async fn send_in_parts(l1: &Node, l2: &Node) -> Result {
    let invoice = l2.rpc("invoice", json!([30_000, "parts", "parts"])).await?;
    let hash = &invoice["payment_hash"];
    let part = async |amount_msat: u64, partid: u64, groupid: u64| -> Result<Value> {
        Ok(json!({
            "route": route(&[l1, l2], amount_msat).await?,
            "payment_hash": hash,
            "payment_secret": invoice["payment_secret"],
            "amount_msat": 30_000,
            "partid": partid,
            "groupid": groupid,
        }))
    };
    l1.rpc("sendpay", part(10_000, 1, 5).await?).await?;
    let again = l1.rpc("sendpay", part(10_000, 1, 5).await?).await?;
    assert_eq!((&again["status"], &again["partid"]), (&json!("pending"), &json!(1)));
    let group = "Payment with groupid=5 still in progress, cannot retry before that completes.";
    assert_refused(refused(l1, "sendpay", part(10_000, 2, 6).await?).await, 200, group);
    let waits = json!({ "payment_hash": hash, "partid": 1, "timeout": 0 });
    assert_refused(refused(l1, "waitsendpay", waits).await, 200, "Timed out while waiting");
    l1.rpc("sendpay", part(20_000, 2, 5).await?).await?;
    for partid in [1, 2] {
        let paid = l1.rpc("waitsendpay", json!({ "payment_hash": hash, "partid": partid })).await?;
        assert_eq!((&paid["status"], &paid["partid"]), (&json!("complete"), &json!(partid)));
    }
    let listed = l1.rpc("listpays", json!({ "payment_hash": hash })).await?["pays"][0].take();
    assert_eq!((&listed["number_of_parts"], &listed["amount_msat"]), (&json!(2), &json!(30_000)));
    Ok(())
}

pub(crate) fn ready_onion() -> Scenario {
    let net = || Net::line(["l1", "l2"]).mount("l1", clerk());
    let shows = "an onion that a client made: its payload reaches the other node's plugin, and its failure comes back as it is";
    Scenario::new(shows, net, |net| Box::pin(send_onion(net))).golden("l2", "receiver")
}

async fn send_onion(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let receiver = Mock::hook("htlc_accepted").reply(Reply::cont()).named("receiver");
    let receiver = l2.mount_scoped(receiver).await?;
    let height = l1.rpc("getinfo", json!([])).await?["blockheight"].as_u64().unwrap_or_default();
    let invoice = l2.rpc("invoice", json!([1000, "onion", "onion"])).await?;
    let secret = invoice["payment_secret"].as_str().unwrap_or_default().to_owned();
    let payload = payload(1000, height + 20, &secret);
    let onion = async |hash: &Value| {
        let hops = json!([{ "pubkey": l2.id(), "payload": payload }]);
        l1.rpc("createonion", json!([hops, hash])).await
    };
    let first = json!({ "id": l2.id(), "amount_msat": 1000, "delay": 20 });

    let made = onion(&invoice["payment_hash"]).await?;
    let params = json!([made["onion"], first, invoice["payment_hash"], "mine", made["shared_secrets"]]);
    l1.rpc("sendonion", params).await?;
    let paid = l1.rpc("waitsendpay", json!([invoice["payment_hash"]])).await?;
    assert_eq!(
        (&paid["status"], &paid["label"], &paid["amount_msat"]),
        (&json!("complete"), &json!("mine"), &Value::Null)
    );
    let shown = receiver.calls("htlc_accepted");
    assert_eq!(shown[0].params()["onion"]["payload"], payload, "every byte of it");

    let unknown = json!(PAYMENT_HASH);
    let made = onion(&unknown).await?;
    l1.rpc("sendonion", json!([made["onion"], first, unknown])).await?;
    let error = failure(&l1, PAYMENT_HASH).await?;
    assert_eq!((error.code(), error.headline().contains("Malformed error reply")), (202, true), "{error}");
    let made = onion(&unknown).await?;
    let params = json!({
        "onion": made["onion"], "first_hop": first, "payment_hash": unknown, "shared_secrets": made["shared_secrets"],
    });
    l1.rpc("sendonion", params).await?;
    // The node knows no route, and so not that it was the last who failed.
    let text = "failed: WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS (reply from remote)";
    let is_one = move |params: &Value| {
        let told = &params["sendpay_failure"];
        told["code"] == 204 && told["message"].as_str().is_some_and(|message| message.contains(text))
    };
    heard_with(net, "l1", "clerk", "sendpay_failure", 1, is_one).await?;
    // Without a node there is nothing to keep for who asks later.
    let failed = failure(&l1, PAYMENT_HASH).await?;
    assert_eq!((failed.code(), failed.headline().contains("Payment failure reason unknown")), (209, true));
    receiver.finish().await
}

/// A payload in hex: amount, height, secret, and a record that only plugins understand.
fn payload(amount_msat: u64, cltv: u64, secret: &str) -> String {
    let (amount, height) = (number(amount_msat), number(cltv));
    let (amounts, heights, data) = (amount.len() / 2, height.len() / 2, (secret.len() + amount.len()) / 2);
    let records =
        format!("02{amounts:02x}{amount}04{heights:02x}{height}08{data:02x}{secret}{amount}fe000100010201aa");
    format!("{:02x}{records}", records.len() / 2)
}

/// Without zeros in front.
fn number(number: u64) -> String {
    let hex = format!("{number:x}");
    format!("{hex:0>width$}", width = hex.len().next_multiple_of(2))
}

pub(crate) fn ways_found() -> Scenario {
    let net = || Net::line(["l1", "l2", "l3"]);
    let shows = "xpay, pay and xkeysend over another node: fees, limits, failures";
    Scenario::new(shows, net, |net| Box::pin(find_ways(net)))
}

async fn find_ways(net: &Net) -> Result {
    let [l1, _, l3] = net.nodes();
    let invoice = async |amount_msat: u64, label: &str| -> Result<Value> {
        Ok(l3.rpc("invoice", json!([amount_msat, label, label])).await?["bolt11"].take())
    };
    let one = invoice(10_000, "one").await?;
    let paid = l1.rpc("xpay", json!([one])).await?;
    assert_eq!((&paid["amount_msat"], &paid["amount_sent_msat"]), (&json!(10_000), &json!(10_001)));
    assert_eq!((&paid["successful_parts"], &paid["failed_parts"]), (&json!(1), &json!(0)));
    assert_refused(refused(&l1, "xpay", json!([one])).await, 219, "Already paid this invoice successfully");
    let listed = l1.rpc("listpays", json!([one])).await?["pays"][0].take();
    assert_eq!((&listed["status"], &listed["preimage"]), (&json!("complete"), &paid["payment_preimage"]));
    let part = l1.rpc("listsendpays", json!([one])).await?["payments"][0].take();
    assert_eq!((&part["partid"], &part["destination"]), (&json!(1), &json!(l3.id())));

    let two = invoice(20_000, "two").await?;
    let paid = l1.rpc("pay", json!([two])).await?;
    assert_eq!(
        (&paid["status"], &paid["parts"], &paid["amount_sent_msat"]),
        (&json!("complete"), &json!(1), &json!(20_001))
    );
    let again = l1.rpc("pay", json!([two])).await?;
    assert_eq!(again["payment_preimage"], paid["payment_preimage"]);

    let three = invoice(30_000, "three").await?;
    let costs = json!({ "invstring": three, "maxfee": 0 });
    assert_refused(
        refused(&l1, "xpay", costs).await,
        206,
        "Failed: Could not find route without excessive cost",
    );
    let waits = json!({ "invstring": three, "maxdelay": 1 });
    assert_refused(
        refused(&l1, "xpay", waits).await,
        206,
        "Failed: Could not find route without excessive delays",
    );
    l3.rpc("delinvoice", json!(["three", "unpaid"])).await?;
    let unknown = "Destination said it doesn't know invoice: incorrect_or_unknown_payment_details";
    assert_refused(refused(&l1, "xpay", json!([three])).await, 203, unknown);
    let failed = l1.rpc("listpays", json!({ "bolt11": three, "status": "failed" })).await?;
    assert_eq!(failed["pays"][0]["amount_sent_msat"], 0);
    let much = invoice(5_000_000_000, "much").await?;
    let lack = "Failed: We could not find a usable set of paths. Total source capacity is only 1000000000msat (in 1 channels).";
    assert_refused(refused(&l1, "xpay", json!([much])).await, 205, lack);

    let params = json!({ "destination": l3.id(), "amount_msat": 5000, "extratlvs": { "65537": "aabb" } });
    let sent = l1.rpc("xkeysend", params).await?;
    assert_eq!((&sent["amount_msat"], &sent["amount_sent_msat"]), (&json!(5000), &json!(5001)));
    let nowhere = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
    let unknown = format!("Failed: Unknown destination node {nowhere}");
    assert_refused(refused(&l1, "xkeysend", json!([nowhere, 5000])).await, 205, &unknown);
    Ok(())
}

pub(crate) fn paid_by_pay() -> Scenario {
    let net = || {
        let ear = Mock::notification("pay_failure").and(Mock::notification("pay_success")).named("ear");
        Net::line(["l1", "l2", "l3"])
            .option("l1", "allow-deprecated-apis", true)
            .option("l1", "xpay-handle-pay", false)
            .mount("l1", ear)
    };
    let shows = "pay, where xpay does not take it over: what it is told of ways and descriptions, and tells of its ends";
    Scenario::new(shows, net, |net| Box::pin(pay_by_pay(net)))
}

async fn pay_by_pay(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let text = "a cup of tea";
    let asked = json!({"amount_msat": 10_000, "label": "tea", "description": text, "deschashonly": true});
    let invoice = l3.rpc("invoice", asked).await?["bolt11"].take();
    let wrong = json!({"bolt11": invoice, "description": "a cup of coffee"});
    assert_refused(refused(&l1, "pay", wrong).await, -32602, "h: does not match description");
    let around = json!({"bolt11": invoice, "description": text, "exclude": [l2.id()], "retry_for": 1});
    // v26.06.6 has no code for that: it says 0.
    let (_, failure) = refused(&l1, "pay", around).await;
    let paid = l1.rpc("pay", json!({"bolt11": invoice, "description": text, "riskfactor": 1})).await?;
    assert_eq!((&paid["status"], &paid["amount_sent_msat"]), (&json!("complete"), &json!(10_001)));
    let payment = json!({ "payment_hash": paid["payment_hash"], "bolt11": invoice });
    // With what is deprecated comes the form of before.
    let told = |topic: &str, fields: &Value| json!({ "origin": "pay", "payload": fields, topic: fields });
    let (failed, success) = (payment.clone(), told("pay_success", &payment));
    heard_with(net, "l1", "ear", "pay_failure", 1, move |params| {
        let mut failed = failed.clone();
        failed["error"] = params["payload"]["error"].clone();
        let why = failed["error"]["message"].as_str();
        why.is_some_and(|why| failure.contains(why)) && *params == told("pay_failure", &failed)
    })
    .await?;
    heard_with(net, "l1", "ear", "pay_success", 1, move |params| *params == success).await?;
    let listed = l1.rpc("listsendpays", json!([invoice])).await?["payments"].take();
    let last = listed.as_array().and_then(|parts| parts.last()).cloned().unwrap_or_default();
    assert_eq!((&last["status"], &last["description"]), (&json!("complete"), &json!(text)));
    Ok(())
}

pub(crate) fn paid_in_parts() -> Scenario {
    let net = || Net::line(["l1", "l2"]);
    let shows = "a payment that no channel can carry alone";
    Scenario::new(shows, net, |net| Box::pin(pay_in_parts(net)))
}

async fn pay_in_parts(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    net.fundchannel(&l1, &l2, 1_000_000.sat()).await?;
    let invoice = l2.rpc("invoice", json!([1_500_000_000, "large", "large"])).await?;
    let paid = l1.rpc("xpay", json!([invoice["bolt11"]])).await?;
    assert_eq!(
        (&paid["amount_msat"], &paid["amount_sent_msat"]),
        (&json!(1_500_000_000), &json!(1_500_000_000))
    );
    let parts = paid["successful_parts"].as_u64().unwrap_or_default();
    assert!(parts > 1, "{paid}");
    let received = l2.rpc("listinvoices", json!(["large"])).await?["invoices"][0].take();
    assert_eq!(
        (&received["status"], &received["amount_received_msat"]),
        (&json!("paid"), &json!(1_500_000_000))
    );
    Ok(())
}
