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

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_checked_before_anything_is_sent() {
    let mut node = RunningNode::start().await;
    let hash = "00".repeat(32);
    let hop = json!({ "channel": "1x1x1", "id": FIRST, "amount_msat": 7, "delay": 5 });
    for (params, text) in [
        (json!({ "route": 5 }), "route: must be an array: invalid token '5'"),
        (
            json!({ "route": [{}] }),
            "route: must have either short_channel_id_dir or channel: invalid token '{}'",
        ),
        (json!({ "route": [{ "channel": "x" }] }), r#"route: bad short_channel_id: invalid token '"x"'"#),
        (
            json!({ "route": [{ "channel": "1x1x1" }] }),
            r#"route: must have either node_id_out or id: invalid token '{"channel":"1x1x1"}'"#,
        ),
        (json!({ "route": [] }), "Self-payment requires amount_msat"),
        (
            json!({ "route": [], "amount_msat": 5, "partid": 1 }),
            "Self-payment does not allow (non-zero) partid",
        ),
        (
            json!({ "route": [hop], "amount_msat": 5 }),
            "Do not specify msatoshi (5msat) without partid: if you do, it must be exactly the final amount (7msat)",
        ),
        (json!({ "route": [hop], "partid": 5 }), "Must specify msatoshi with partid"),
        (
            json!({ "route": [hop], "partid": 5, "amount_msat": 5 }),
            "Final amount 7msat is greater than 5msat, despite MPP",
        ),
        (json!({ "route": [hop], "partid": 5, "amount_msat": 9 }), "partid requires payment_secret"),
    ] {
        let mut params = params;
        params["payment_hash"] = json!(hash);
        assert_eq!(node.error("sendpay", params).await, (INVALID_PARAMS, text.to_owned()));
    }
    let no_channel = (204, "No connection to first peer found".to_owned());
    let params = json!({ "route": [hop], "payment_hash": hash });
    assert_eq!(node.error("sendpay", params.clone()).await, no_channel);
    let data = json!({
        "erring_index": 0,
        "failcode": 16394,
        "failcodename": "WIRE_UNKNOWN_NEXT_PEER",
        "erring_node": node.id,
    });
    assert_eq!(node.error_data("sendpay", params).await, data);
    assert_eq!(node.ok("listsendpays", json!([])).await, json!({ "payments": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_onion_is_checked_before_it_is_sent() {
    let mut node = RunningNode::start().await;
    let hop = json!({ "id": FIRST, "amount_msat": 5, "delay": 5 });
    let (good, bad_version) = (format!("00{FIRST}{}", "00".repeat(1332)), "01".repeat(1366));
    for (onion, hop, text) in [
        (&good, json!({}), "Either 'id' or 'channel' is required for a route_hop"),
        (&good, json!({ "id": FIRST }), "'amount_msat' is required"),
        (&good, json!({ "id": FIRST, "amount_msat": 5 }), "'delay' is required"),
        (
            &good,
            json!({ "id": "x", "amount_msat": 5, "delay": 5 }),
            r#"first_hop: should be a node_id: invalid token '"x"'"#,
        ),
        (
            &good,
            json!({ "id": FIRST, "amount_msat": 5, "delay": 0 }),
            "first_hop: should be a positive, non-zero, number: invalid token '0'",
        ),
        (&"00".to_owned(), hop.clone(), "Could not parse the onion. Parsing failed with failcode=49158"),
        (&bad_version, hop.clone(), "Could not parse the onion. Parsing failed with failcode=49156"),
    ] {
        let params = json!([onion, hop, "00".repeat(32)]);
        assert_eq!(node.error("sendonion", params).await, (INVALID_PARAMS, text.to_owned()));
    }
    let no_channel = (204, "No connection to first peer found".to_owned());
    assert_eq!(node.error("sendonion", json!([good, hop, "00".repeat(32)])).await, no_channel);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_pays_itself() {
    let mut node = RunningNode::start().await;
    let hash = "00".repeat(32);
    let unknown = node.error("sendpay", json!({ "route": [], "payment_hash": hash, "amount_msat": 5 })).await;
    assert_eq!(unknown, (203, format!("Unknown invoice {hash}")));
    let (code, text) = node.error("waitsendpay", json!([hash])).await;
    assert_eq!(code, 203);
    let expected = format!("failed: WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS (Unknown invoice {hash})");
    assert_eq!(text, expected);

    let invoice = node.ok("invoice", json!([7000, "mine", "d"])).await;
    let paid = node.ok("xpay", json!([invoice["bolt11"]])).await;
    assert_eq!((&paid["amount_sent_msat"], &paid["successful_parts"]), (&json!(7000), &json!(1)));
    let part = node.ok("listsendpays", json!([invoice["bolt11"]])).await["payments"][0].take();
    assert_eq!((&part["status"], &part["partid"]), (&json!("complete"), &json!(1)));
    assert_eq!(part["payment_preimage"], paid["payment_preimage"]);
    assert_eq!(node.ok("listinvoices", json!(["mine"])).await["invoices"][0]["status"], "paid");
    let again = node.error("xpay", json!([invoice["bolt11"]])).await;
    assert_eq!(again, (219, "Already paid this invoice successfully".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_is_refused() {
    let mut node = RunningNode::start().await;
    let bolt11 = node.ok("invoice", json!([20_000, "some", "d"])).await["bolt11"].take();
    let any = node.ok("invoice", json!(["any", "any", "d"])).await["bolt11"].take();
    for (params, text) in [
        (json!({ "invstring": "junk" }), "Invalid bolt11 invoice: Bad bech32 string"),
        (json!({ "invstring": bolt11, "amount_msat": 1 }), "amount_msat unnecessary"),
        (json!({ "invstring": any }), "amount_msat required"),
        (
            json!({ "invstring": bolt11, "partial_msat": 20_001 }),
            "partial_msat must be less or equal to total amount 20000msat",
        ),
        (json!({ "invstring": bolt11, "partial_msat": 0 }), "partial_msat must be non-zero"),
    ] {
        assert_eq!(node.error("xpay", params).await, (INVALID_PARAMS, text.to_owned()));
    }
    node.pass(604_802);
    let expired = (207, "Invoice expired 2 seconds ago".to_owned());
    assert_eq!(node.error("xpay", json!([bolt11])).await, expired);
    let nowhere = node.error("xkeysend", json!([SECOND, 5000])).await;
    assert_eq!(nowhere, (205, format!("Failed: Unknown source node {}", node.id)));
    let to_myself = "We are the destination. Keysend cannot be used to send funds to yourself";
    assert_eq!(
        node.error("xkeysend", json!([node.id.clone(), 5])).await,
        (INVALID_PARAMS, to_myself.to_owned())
    );
}
