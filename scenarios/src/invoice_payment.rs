//! Payments that arrive: the hook `invoice_payment`, payments in parts, what a payment must be, and payments that nobody asked for.

use leyden::{Mock, Net, Node, Reply, Result};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::payments::{fail, failure, route};
use crate::scenario::Scenario;

const REJECTED: &str = "WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS";

pub(crate) fn invoice_payment_verdicts() -> Scenario {
    Scenario::new(
        "plugins refuse payments of invoices, each in its own words; one that all of them accept is paid",
        || {
            Net::line(["l1", "l2"])
                .mount("l2", Mock::notification("invoice_payment").expect(1).named("clerk"))
        },
        |net| Box::pin(judge(net)),
    )
    .golden("l2", "judge")
    .golden("l2", "later")
    .golden("l2", "first")
    .golden("l2", "second")
}

async fn judge(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let invoice = l2.rpc("invoice", json!([1_000_000, "judged", "judged"])).await?;
    let there = route(&[&l1, &l2], 1_000_000).await?;
    for (answer, code, name) in [
        (json!({"result": "reject"}), 203, REJECTED),
        (json!({"failure_message": "2002"}), 204, "WIRE_TEMPORARY_NODE_FAILURE"),
        (json!({"failure_message": "4016"}), 203, "WIRE_INVALID_ONION_PAYLOAD"),
    ] {
        let judge =
            Mock::hook("invoice_payment").reply(Reply::result(answer.clone())).expect(1).named("judge");
        let later = Mock::hook("invoice_payment").expect(0).named("later");
        let (judge, later) = (l2.mount_scoped(judge).await?, l2.mount_scoped(later).await?);
        send(&l1, &there, &invoice, json!({})).await?;
        let failed = failed(&l1, &invoice).await?;
        assert_eq!(failed.code(), code, "{answer}: {failed}");
        assert!(failed.headline().contains(name), "{answer}: {failed}");
        judge.finish().await?;
        later.finish().await?;
    }
    assert_eq!(listed(&l2, "judged").await?["status"], "unpaid");

    let first = l2.mount_scoped(Mock::hook("invoice_payment").expect(1).named("first")).await?;
    let second = l2.mount_scoped(Mock::hook("invoice_payment").expect(1).named("second")).await?;
    send(&l1, &there, &invoice, json!({})).await?;
    let paid = waited(&l1, &invoice, json!({})).await?;
    let told = second.wait_for("invoice_payment", 1).await?[0].params()["payment"].clone();
    let expected = json!({
        "label": "judged",
        "preimage": paid["payment_preimage"],
        "msat": 1_000_000,
        "extratlvs": [],
    });
    assert_eq!(told, expected);
    first.finish().await?;
    second.finish().await?;
    heard(net, "l2", "clerk", "invoice_payment", 1).await?;

    let listed = listed(&l2, "judged").await?;
    assert_eq!((&listed["status"], &listed["pay_index"]), (&json!("paid"), &json!(1)));
    assert_eq!(listed["amount_received_msat"], 1_000_000);
    assert_eq!(listed["payment_preimage"], paid["payment_preimage"]);
    assert_eq!(l2.rpc("waitinvoice", json!(["judged"])).await?, listed);
    assert_eq!(l2.rpc("waitanyinvoice", json!([0])).await?, listed);
    let none = l2.rpc("waitanyinvoice", json!([1, 0])).await.expect_err("nothing was paid since");
    assert_eq!(none.code(), 904);
    Ok(())
}

pub(crate) fn invoice_in_parts() -> Scenario {
    Scenario::new(
        "a payment in two parts waits for the second, and plugins are asked once; a payment that is wrong is refused",
        || Net::line(["l1", "l2"]).mount("l2", Mock::hook("invoice_payment").expect(1).named("cashier")),
        |net| Box::pin(pay_in_parts(net)),
    ).golden("l2", "cashier")
}

async fn pay_in_parts(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let invoice = l2.rpc("invoice", json!([1_000_000, "parts", "parts"])).await?;
    let (large, small) = (route(&[&l1, &l2], 600_000).await?, route(&[&l1, &l2], 400_000).await?);
    let part = |partid: u64| json!({"amount_msat": 1_000_000, "partid": partid, "groupid": 1});
    send(&l1, &large, &invoice, part(1)).await?;
    l2.wait_for_log("HTLC set contains 1 HTLCs, for a total of 600000msat out of 1000000msat").await?;
    assert_eq!(listed(&l2, "parts").await?["status"], "unpaid");
    let waiter = {
        let l2 = l2.clone();
        async move { l2.rpc("waitinvoice", json!(["parts"])).await }
    };
    send(&l1, &small, &invoice, part(2)).await?;
    assert_eq!(waiter.await?["amount_received_msat"], 1_000_000);
    for partid in [1, 2] {
        let paid = waited(&l1, &invoice, json!({"partid": partid, "groupid": 1})).await?;
        assert_eq!(paid["status"], "complete");
    }

    let there = route(&[&l1, &l2], 1_000_000).await?;
    let unknown = fail(&l1, &there, &"66".repeat(32)).await?;
    assert!(unknown.headline().contains(REJECTED), "{unknown}");
    let second = l2.rpc("invoice", json!([400_000, "wrong", "wrong"])).await?;
    for (what, route, secret) in [
        ("more than twice of it", &there, &second["payment_secret"]),
        ("another secret", &small, &invoice["payment_secret"]),
    ] {
        let wrong = json!({"payment_hash": second["payment_hash"], "payment_secret": secret});
        send(&l1, route, &wrong, json!({})).await?;
        let failed = failed(&l1, &wrong).await?;
        assert!(failed.headline().contains(REJECTED), "{what}: {failed}");
    }
    // Too late by the receiver's clock of blocks.
    let mut late = small;
    late[0]["delay"] = json!(1);
    send(&l1, &late, &second, json!({})).await?;
    let failed = failed(&l1, &second).await?;
    assert!(failed.headline().contains(REJECTED), "{failed}");
    assert_eq!(listed(&l2, "wrong").await?["status"], "unpaid");
    l2.wait_for_htlcs().await?;
    assert_eq!(l2.channel(&l1).await?["to_us_msat"], 1_000_000);
    Ok(())
}

pub(crate) fn keysend_received() -> Scenario {
    Scenario::new(
        "a payment that nobody asked for leaves an invoice, of which plugins hear; records of its payload are told",
        || {
            // lightningd means to do away with the command `keysend`.
            Net::line(["l1", "l2"])
                .option("l1", "allow-deprecated-apis", true)
                .mount("l2", Mock::notification("invoice_creation").expect(1).named("clerk"))
        },
        |net| Box::pin(receive_keysend(net)),
    )
}

async fn receive_keysend(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let cashier = l2.mount_scoped(Mock::hook("invoice_payment").expect(1).named("cashier")).await?;
    let sent = json!({
        "destination": l2.id(),
        "amount_msat": 70_000,
        "extratlvs": {"133773": hex_of("hello")},
    });
    let sent = l1.rpc("keysend", sent).await?;
    assert_eq!(sent["status"], "complete");
    heard(net, "l2", "clerk", "invoice_creation", 1).await?;
    let listed = l2.rpc("listinvoices", json!([])).await?["invoices"][0].take();
    assert_eq!((&listed["status"], &listed["amount_received_msat"]), (&json!("paid"), &json!(70_000)));
    assert_eq!(listed["payment_hash"], sent["payment_hash"]);
    assert!(listed["label"].as_str().is_some_and(|label| label.starts_with("keysend-")), "{listed}");
    assert_eq!(listed["description"], "keysend: hello");
    let told = cashier.wait_for("invoice_payment", 1).await?[0].params().clone();
    cashier.finish().await?;
    assert_eq!(
        told["payment"]["extratlvs"],
        json!([{"type": 133_773, "length": 5, "value": hex_of("hello")}])
    );
    Ok(())
}

fn hex_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends a part, or all, of what an invoice asks for.
async fn send(from: &Node, route: &Value, invoice: &Value, more: Value) -> Result<Value> {
    let mut params = json!({
        "route": route,
        "payment_hash": invoice["payment_hash"],
        "payment_secret": invoice["payment_secret"],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    from.rpc("sendpay", params).await
}

async fn waited(from: &Node, invoice: &Value, more: Value) -> Result<Value> {
    let mut params = json!({"payment_hash": invoice["payment_hash"]});
    for (name, value) in more.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    from.rpc("waitsendpay", params).await
}

async fn failed(from: &Node, invoice: &Value) -> Result<leyden::Error> {
    failure(from, invoice["payment_hash"].as_str().unwrap_or_default()).await
}

async fn listed(node: &Node, label: &str) -> Result<Value> {
    Ok(node.rpc("listinvoices", json!([label])).await?["invoices"][0].take())
}
