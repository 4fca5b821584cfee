//! `delinvoice`, `waitinvoice`, `waitanyinvoice`. What is expected here was answered by lightningd v26.06.6.

use crate::running::RunningNode;
use serde_json::{Value, json};

const INVALID_PARAMS: i64 = -32602;

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_deleted_by_label_and_status() {
    let mut node = RunningNode::start().await;
    node.ok("invoice", json!([1000, "a\"b", "desc"])).await;
    let listed = node.ok("listinvoices", json!([])).await["invoices"][0].take();
    for (params, code, text) in [
        (json!(["nope", "unpaid"]), 905, "Unknown invoice"),
        (json!(["a\"b", "paid"]), 906, "Invoice status is unpaid not paid"),
        (json!(["a\"b"]), INVALID_PARAMS, "missing required parameter: status"),
        (
            json!(["a\"b", "unpaid", 5]),
            INVALID_PARAMS,
            "desconly: should be 'true' or 'false': invalid token '5'",
        ),
    ] {
        assert_eq!(node.error("delinvoice", params.clone()).await, (code, text.to_owned()));
        let check = [&[json!("delinvoice")], &params.as_array().expect("an array")[..]].concat();
        assert_eq!(node.error("check", check.into()).await, (code, text.to_owned()));
    }
    let data = node.error_data("delinvoice", json!(["a\"b", "paid"])).await;
    assert_eq!(data, json!({ "current_status": "unpaid", "expected_status": "paid" }));
    assert_eq!(node.ok("delinvoice", json!(["a\"b", "unpaid"])).await, listed);
    assert_eq!(node.ok("listinvoices", json!([])).await, json!({ "invoices": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_can_be_deleted_alone() {
    let mut node = RunningNode::start().await;
    node.ok("invoice", json!([1000, "a", "desc"])).await;
    let mut expected = node.ok("listinvoices", json!([])).await["invoices"][0].take();
    expected.as_object_mut().expect("an invoice").remove("description");
    let only = json!({ "label": "a", "status": "unpaid", "desconly": true });
    assert_eq!(node.ok("delinvoice", only.clone()).await, expected);
    let again = node.error("delinvoice", only).await;
    assert_eq!(again, (908, "Invoice description already removed".to_owned()));
    expected["updated_index"] = Value::from(1);
    assert_eq!(node.ok("listinvoices", json!([])).await, json!({ "invoices": [expected] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_invoice_hears_of_its_end() {
    let mut node = RunningNode::start().await;
    let not_found = (-1, "Label not found".to_owned());
    assert_eq!(node.error("waitinvoice", json!(["short"])).await, not_found);
    node.ok("invoice", json!([1000, "short", "d", 60])).await;
    node.ok("invoice", json!([1000, "long", "d", 6000])).await;
    let mut waiter = node.connect().await;
    for (id, label) in [(1, "short"), (2, "long"), (3, "short")] {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "waitinvoice", "params": [label] });
        waiter.send(request.to_string()).await;
    }
    let request = json!({ "jsonrpc": "2.0", "id": 4, "method": "listpeers", "params": [] });
    waiter.send(request.to_string()).await;
    assert_eq!(waiter.json().await["id"], 4, "nobody has an answer yet");

    node.pass(60);
    let listed = node.ok("listinvoices", json!(["short"])).await["invoices"][0].take();
    assert_eq!(listed["status"], "expired");
    let expired = json!({ "code": 903, "message": "invoice expired during wait", "data": listed });
    for id in [1, 3] {
        assert_eq!(waiter.json().await, json!({ "jsonrpc": "2.0", "id": id, "error": expired }));
    }
    assert_eq!(node.error("waitinvoice", json!(["short"])).await.0, 903, "it has expired already");

    node.ok("delinvoice", json!(["long", "unpaid"])).await;
    let deleted = json!({ "code": -1, "message": "Invoice deleted during wait" });
    assert_eq!(waiter.json().await, json!({ "jsonrpc": "2.0", "id": 2, "error": deleted }));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_any_invoice_has_an_end_if_one_was_said() {
    let mut node = RunningNode::start().await;
    let timed_out = (904, "Timed out while waiting for invoice to be paid".to_owned());
    assert_eq!(node.error("waitanyinvoice", json!([0, 0])).await, timed_out);
    assert_eq!(node.error("waitanyinvoice", json!({ "timeout": 0 })).await, timed_out);
    let bad = "lastpay_index: should be an unsigned 64 bit integer: invalid token '\"x\"'";
    assert_eq!(node.error("waitanyinvoice", json!(["x"])).await, (INVALID_PARAMS, bad.to_owned()));
}
