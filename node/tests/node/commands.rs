//! The node's own commands. What is expected here was answered by lightningd v26.06.6.

use crate::running::{NOW, RunningNode};
use serde_json::{Value, json};

const INVALID_PARAMS: i64 = -32602;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_answers_and_stops() {
    let mut node = RunningNode::start().await;
    let info = node.ok("getinfo", json!({})).await;
    assert_eq!(info["id"], Value::from(&*node.id));
    assert_eq!((&info["blockheight"], &info["network"]), (&json!(0), &json!("regtest")));
    assert_eq!(node.ok("stop", json!([])).await, json!({ "result": "Shutdown complete" }));
    assert_eq!(node.exit().await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_shows_usage() {
    let mut node = RunningNode::start().await;
    let help = node.ok("help", json!(["datastore"])).await;
    let usage = "datastore key [string] [hex] [mode] [generation]";
    assert_eq!(help, json!({ "help": [{ "command": usage }], "format-hint": "simple" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_from_the_mnemonic_and_are_counted_over_a_restart() {
    let mut node = RunningNode::start().await;
    let first = node.ok("newaddr", json!([])).await;
    let second = node.ok("newaddr", json!({ "addresstype": "all" })).await;
    assert_eq!(first, json!({ "p2tr": "bcrt1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0waslcutpz" }));
    assert_eq!(
        second,
        json!({ "bech32": "bcrt1q3cjqwz6gvaq7u3cwuueeg370cpratsyg00rg4s", "p2tr": "bcrt1p0d0rhyynq0awa9m8cqrcr8f5nxqx3aw29w4ru5u9my3h0sfygnzsl8t0dj" })
    );
    node.ok("stop", json!([])).await;
    node.exit().await;
    let mut node = node.restart().await;
    let third = node.ok("newaddr", json!(["bech32"])).await;
    assert_eq!(third, json!({ "bech32": "bcrt1qef29l455d8erlyng8vum68wwxq0uv9dydcy5fs" }));
    let text = "'addresstype' should be 'p2tr', 'bech32', or 'all', not 'foo'";
    assert_eq!(node.error("newaddr", json!(["foo"])).await, (INVALID_PARAMS, text.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_made_listed_and_decoded() {
    let mut node = RunningNode::start().await;
    let preimage = "01".repeat(32);
    let made = node
        .ok(
            "invoice",
            json!({ "amount_msat": "1sat", "label": "a \"b\"", "description": "d", "preimage": preimage }),
        )
        .await;
    let members: Vec<&String> = made.as_object().expect("an object").keys().collect();
    let expected =
        ["payment_hash", "expires_at", "bolt11", "payment_secret", "created_index", "warning_capacity"];
    assert_eq!(members, expected);
    assert_eq!(made["payment_hash"], "72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793");
    assert_eq!(made["expires_at"], NOW + 604_800);

    let listed = node.ok("listinvoices", json!(["a \"b\""])).await;
    let entry = json!({
        "label": "a \"b\"",
        "bolt11": made["bolt11"],
        "payment_hash": made["payment_hash"],
        "amount_msat": 1000,
        "status": "unpaid",
        "description": "d",
        "expires_at": made["expires_at"],
        "created_index": 1,
    });
    assert_eq!(listed, json!({ "invoices": [entry] }));
    for way in [json!({ "invstring": made["bolt11"] }), json!({ "payment_hash": made["payment_hash"] })] {
        assert_eq!(node.ok("listinvoices", way).await, listed);
    }

    let mut decoded = node.ok("decode", json!([made["bolt11"]])).await;
    assert!(decoded["signature"].take().as_str().is_some_and(|der| der.starts_with("304")));
    let expected = json!({
        "type": "bolt11 invoice",
        "currency": "bcrt",
        "created_at": NOW,
        "expiry": 604_800,
        "payee": node.id,
        "amount_msat": 1000,
        "description": "d",
        "min_final_cltv_expiry": 10,
        "payment_secret": made["payment_secret"],
        "features": "02024100",
        "payment_hash": made["payment_hash"],
        "signature": null,
        "valid": true,
    });
    assert_eq!(decoded.to_string(), expected.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_cannot_be_is_refused_and_leaves_nothing() {
    let mut node = RunningNode::start().await;
    let preimage = "01".repeat(32);
    node.ok("invoice", json!({ "amount_msat": "any", "label": 5, "description": "", "preimage": preimage }))
        .await;
    let long = "x".repeat(640);
    for (params, code, text) in [
        (json!(["any", "5", "d"]), 900, "Duplicate label '5'"),
        (json!(["any", "5", "d", null, null, preimage]), 901, "preimage already used"),
        (
            json!({ "amount_msat": 1, "label": "b", "description": "d", "exposeprivatechannels": "1x2x3" }),
            902,
            "None of those hints were suitable local channels",
        ),
        (
            json!([0, "b", "d"]),
            INVALID_PARAMS,
            "amount_msat: should be positive msat or 'any': invalid token '0'",
        ),
        (json!([1, [], "d"]), INVALID_PARAMS, "label: should be a string or number: invalid token '[]'"),
        (
            json!([1, "b", long]),
            INVALID_PARAMS,
            "Description greater than 639 bytes invalid (description length 640)",
        ),
        (
            json!([1, "b", "d", "1h"]),
            INVALID_PARAMS,
            "expiry: should be an unsigned 64 bit integer: invalid token '\"1h\"'",
        ),
        (json!([1, "b"]), INVALID_PARAMS, "missing required parameter: description"),
    ] {
        assert_eq!(node.error("invoice", params).await, (code, text.to_owned()));
    }
    let listed = node.ok("listinvoices", json!({})).await;
    assert_eq!(listed["invoices"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["invoices"][0].get("amount_msat"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_expires_by_the_clock_of_the_node() {
    let mut node = RunningNode::start().await;
    node.ok("invoice", json!([1000, "short", "d", 60])).await;
    node.ok("invoice", json!([1000, "long", "d", 6000])).await;
    node.pass(60);
    let listed = node.ok("listinvoices", json!({ "index": "updated", "start": 1 })).await;
    let [short] = listed["invoices"].as_array().expect("an array").as_slice() else { panic!("{listed}") };
    assert_eq!((&short["label"], &short["status"]), (&json!("short"), &json!("expired")));
    assert_eq!(short["updated_index"], 1);
    let long = node.ok("listinvoices", json!(["long"])).await;
    assert_eq!(long["invoices"][0]["status"], "unpaid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_datastore_is_a_tree_with_data_at_its_leaves() {
    let mut node = RunningNode::start().await;
    let stored = node.ok("datastore", json!({ "key": ["p", "q", 7], "string": "é" })).await;
    let entry = json!({ "key": ["p", "q", "7"], "generation": 0, "hex": "c3a9", "string": "é" });
    assert_eq!(stored, entry);
    node.ok("datastore", json!({ "key": ["p", "q2"], "hex": "ff" })).await;
    node.ok("datastore", json!({ "key": "b", "hex": "" })).await;

    let roots = node.ok("listdatastore", json!({})).await;
    let b = json!({ "key": ["b"], "generation": 0, "hex": "", "string": "" });
    assert_eq!(roots, json!({ "datastore": [b, { "key": ["p"] }] }));
    let below = node.ok("listdatastore", json!(["p"])).await;
    let q2 = json!({ "key": ["p", "q2"], "generation": 0, "hex": "ff" });
    assert_eq!(below, json!({ "datastore": [{ "key": ["p", "q"] }, q2] }));
    let leaf = node.ok("listdatastore", json!({ "key": ["p", "q", "7"] })).await;
    assert_eq!(leaf, json!({ "datastore": [entry] }));

    assert_eq!(node.ok("deldatastore", json!([["p", "q", "7"]])).await, entry);
    let none = node.ok("listdatastore", json!({ "key": ["p", "q"] })).await;
    assert_eq!(none, json!({ "datastore": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_and_generations_guard_the_datastore() {
    let mut node = RunningNode::start().await;
    let key = |mode: &str| json!({ "key": "a", "string": "x", "mode": mode });
    let text = "Key does not exist";
    assert_eq!(node.error("datastore", key("must-replace")).await, (1203, text.to_owned()));
    assert_eq!(node.error("deldatastore", json!(["a"])).await, (1200, text.to_owned()));
    node.ok("datastore", json!({ "key": "a", "string": "x" })).await;
    let appended = node.ok("datastore", key("must-append")).await;
    assert_eq!((&appended["string"], &appended["generation"]), (&json!("xx"), &json!(1)));
    for (params, code, text) in [
        (key("must-create"), 1202, "Key already exists"),
        (
            json!({ "key": "a", "hex": "", "mode": "must-replace", "generation": 0 }),
            1204,
            "generation is different",
        ),
        (json!({ "key": ["a", "b"], "hex": "" }), 1206, "Parent key [a] exists"),
        (json!({ "key": "a" }), INVALID_PARAMS, "Must have either hex or string"),
        (
            json!({ "key": "a", "hex": "00", "generation": 0 }),
            INVALID_PARAMS,
            "generation only valid with must-replace or must-append",
        ),
        (json!({ "key": [], "hex": "" }), INVALID_PARAMS, "key: should not be empty: invalid token '[]'"),
    ] {
        assert_eq!(node.error("datastore", params).await, (code, text.to_owned()));
    }
    let different = (1201, "generation is different".to_owned());
    assert_eq!(node.error("deldatastore", json!(["a", 0])).await, different);
    node.ok("datastore", json!({ "key": ["c", "d"], "hex": "" })).await;
    let children = (1205, "Key has children already".to_owned());
    assert_eq!(node.error("datastore", json!(["c", "x"])).await, children);
}
