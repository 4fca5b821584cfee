//! Payments, as far as they need no channel. What is expected here was answered by lightningd v26.06.6.

use crate::running::RunningNode;
use serde_json::json;

const INVALID_PARAMS: i64 = -32602;
const FIRST: &str = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";
const SECOND: &str = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";

fn session_key() -> String {
    "41".repeat(32)
}

#[tokio::test(flavor = "multi_thread")]
async fn onions_are_those_of_lightningd() {
    let mut node = RunningNode::start().await;
    let hops = json!([{ "pubkey": FIRST, "payload": "0302aabb" }, { "pubkey": SECOND, "payload": "020101" }]);
    let expected = json!({
        "onion": "0002eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619e6f3e9eb7265bb3d5705efa6b31bc85511a3cf7a09\
                  ea62c2ab273096c9e613d92fdc05095ec9733206629d1009471ebe58beb93431cf929b33f3766527a1d520076fce917727bebcdca7e84c\
                  5c3ebe254f13633c79dbb6742efe4fdeffabe4e7aae4aa441b55145588285896e93696a4",
        "shared_secrets": [
            "53eb63ea8a3fec3b3cd433b85cd62a4b145e1dda09391b348c4e1cd36a03ea66",
            "a6519e98832a0b179f62123b3567c106db99ee37bef036e783263602f3488fae",
        ],
    });
    assert_eq!(node.ok("createonion", json!([hops, "4242", session_key(), 80])).await, expected);
    let one_hop = json!([{ "pubkey": FIRST, "payload": "0302aabb" }]);
    let with_no_data = node.ok("createonion", json!([one_hop, "zz", session_key(), 36])).await;
    assert!(with_no_data["onion"].as_str().expect("hex").ends_with("aa64a4fd7835f"), "{with_no_data}");
    let of_an_htlc = node.ok("createonion", json!([one_hop, "00"])).await;
    assert_eq!(of_an_htlc["onion"].as_str().map(str::len), Some(2 * 1366));
}

#[tokio::test(flavor = "multi_thread")]
async fn onions_that_cannot_be_made_are_refused() {
    let mut node = RunningNode::start().await;
    let hop = |payload: &str| json!([{ "pubkey": FIRST, "payload": payload }]);
    for (params, text) in [
        (json!([[], "00"]), "At least one hop must be specified."),
        (json!([5, "00"]), "hops: should be an array of hops: invalid token '5'"),
        (json!([[{}], "00"]), "Hop 0 does not have a pubkey"),
        (json!([[{ "pubkey": FIRST }], "00"]), "Hop 0 does not have a payload"),
        (
            json!([[{ "pubkey": "x", "payload": "00" }], "00"]),
            r#"hops: should be a pubkey: invalid token '"x"'"#,
        ),
        (json!([hop("zz"), "00"]), r#"hops: should be hex: invalid token '"zz"'"#),
        (json!([hop("0302aa"), "00"]), "hops[0] payload is not prefixed with length!"),
        (
            json!([hop("0302aabb"), "00", "41"]),
            r#"session_key: should be a 32 byte hex value: invalid token '"41"'"#,
        ),
        (json!([hop("0302aabb"), "00", session_key(), 35]), "Payloads exceed maximum onion packet size."),
    ] {
        assert_eq!(node.error("createonion", params).await, (INVALID_PARAMS, text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_were_never_made_are_not_there() {
    let mut node = RunningNode::start().await;
    let hash = "00".repeat(32);
    let no_such = |text: &str| (208, format!("{text}{hash}"));
    let never = format!("Never attempted payment part 0 for '{hash}'");
    assert_eq!(node.error("waitsendpay", json!([hash])).await, (208, never));
    let unknown = no_such("Unknown payment with payment_hash: ");
    assert_eq!(node.error("delpay", json!([hash, "complete"])).await, unknown);
    for (method, params, text) in [
        (
            "delpay",
            json!([hash, "pending"]),
            r#"status: Cannot delete pending status: invalid token '"pending"'"#,
        ),
        ("delpay", json!([hash, "complete", 1]), "Must set both partid and groupid, or neither"),
        (
            "listsendpays",
            json!({ "status": "x" }),
            r#"status: should be an invoice status: invalid token '"x"'"#,
        ),
        ("listsendpays", json!({ "start": 5 }), "Can only specify {start} with {index}"),
        ("listsendpays", json!({ "limit": 5 }), "Can only specify {limit} with {index}"),
        (
            "listsendpays",
            json!({ "payment_hash": hash, "start": 5, "index": "created" }),
            "Cannot use start with bolt11 or payment_hash",
        ),
        (
            "listsendpays",
            json!({ "payment_hash": hash, "bolt11": "x" }),
            "Can only specify one of {bolt11} or {payment_hash}",
        ),
        ("listpays", json!({ "start": 5 }), "Can only specify {start} with {index}"),
        ("wait", json!(["x", "created", 1]), r#"subsystem: unknown subsystem: invalid token '"x"'"#),
        ("wait", json!(["invoices", "x", 1]), r#"indexname: unknown index: invalid token '"x"'"#),
    ] {
        assert_eq!(node.error(method, params).await, (INVALID_PARAMS, text.to_owned()), "{method}");
    }
    assert_eq!(node.ok("listsendpays", json!([])).await, json!({ "payments": [] }));
    assert_eq!(node.ok("listpays", json!([])).await, json!({ "pays": [] }));
    let created = json!({ "subsystem": "sendpays", "created": 0 });
    assert_eq!(node.ok("wait", json!(["sendpays", "created", 0])).await, created);
    assert_eq!(node.ok("preapproveinvoice", json!(["x"])).await, json!({}));
    assert_eq!(node.ok("preapprovekeysend", json!([FIRST, hash, 5])).await, json!({}));
}
