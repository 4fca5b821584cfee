//! HTLCs that are passed on: what they must pay and leave, and how they are listed afterwards.

use leyden::{Net, Node, Result};
use serde_json::{Value, json};

use crate::payments::{PAYMENT_HASH, fail, route, send};
use crate::scenario::Scenario;

pub(crate) fn forwards_refused() -> Scenario {
    Scenario::new(
        "a node passes on what pays its fee, leaves it time and fits into the next channel, and says what is wrong with the rest",
        || Net::line(["l1", "l2", "l3"]),
        |net| Box::pin(refuse(net)),
    )
}

async fn refuse(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    // From now on the second channel has less than the first.
    send(&[&l2, &l3], 500_000_000, "drained").await?;
    for node in [&l2, &l3] {
        node.wait_for_htlcs().await?;
    }
    let right = route(&[&l1, &l2, &l3], 1_000_000).await?;
    let change = |hop: usize, member: &str, value: u64| {
        let mut wrong = right.clone();
        wrong[hop][member] = value.into();
        wrong
    };
    let too_much = route(&[&l1, &l2, &l3], 900_000_000).await?;
    let mut far = change(1, "delay", 2100);
    far[0]["delay"] = json!(2110);
    let delay = right[1]["delay"].as_u64().unwrap_or_default();
    for (what, route, name) in [
        ("half of the fee", change(0, "amount_msat", 1_000_010), "WIRE_FEE_INSUFFICIENT"),
        ("five blocks", change(0, "delay", delay + 5), "WIRE_INCORRECT_CLTV_EXPIRY"),
        ("it ends in weeks", far, "WIRE_EXPIRY_TOO_FAR"),
        ("its channel has less", too_much, "WIRE_TEMPORARY_CHANNEL_FAILURE"),
    ] {
        let failed = fail(&l1, &route, PAYMENT_HASH).await?;
        assert!(failed.headline().contains(name), "{what}: {failed}");
    }
    let all = l2.rpc("listforwards", json!([])).await?["forwards"].take();
    let codes: Vec<&Value> =
        all.as_array().into_iter().flatten().map(|forward| &forward["failcode"]).collect();
    assert_eq!(codes, [4108, 4109, 21, 4103]);

    // Who does not know yet that the channel asks for more, and takes less, has time to hear of it.
    let dearer = json!({"id": l3.id(), "feebase": 1000, "htlcmax": 500_000});
    l2.rpc("setchannel", dearer).await?;
    let passed_on = fail(&l1, &right, PAYMENT_HASH).await?;
    assert!(passed_on.headline().contains("WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "{passed_on}");
    l2.wait_for_log("Allowing payment using older feerate").await?;
    l2.wait_for_log("Allowing htlc using older htlc_minimum/maximum_msat").await?;
    let at_once = json!({"id": l3.id(), "feebase": 2000, "htlcmax": 2_000_000, "enforcedelay": 0});
    l2.rpc("setchannel", at_once).await?;
    let refused = fail(&l1, &right, PAYMENT_HASH).await?;
    assert!(refused.headline().contains("WIRE_FEE_INSUFFICIENT"), "{refused}");
    Ok(())
}

pub(crate) fn forwards_listed() -> Scenario {
    Scenario::new(
        "forwards and HTLCs are listed by status, channel and number, and forwards that have ended can be forgotten",
        || Net::line(["l1", "l2", "l3"]),
        |net| Box::pin(list(net)),
    )
}

async fn list(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    send(&[&l1, &l2, &l3], 1_000_000, "first").await?;
    let there = route(&[&l1, &l2, &l3], 2_000_000).await?;
    fail(&l1, &there, PAYMENT_HASH).await?;
    let mut nowhere = there;
    nowhere[1]["channel"] = json!("999x1x1");
    fail(&l1, &nowhere, PAYMENT_HASH).await?;
    l2.wait_for_htlcs().await?;

    let (before, behind) = (l2.get_channel_scid(&l1).await?, l2.get_channel_scid(&l3).await?);
    let all = statuses(&l2, json!({})).await?;
    assert_eq!(all, ["settled", "failed", "local_failed"]);
    assert_eq!(statuses(&l2, json!({"status": "failed"})).await?, ["failed"]);
    assert_eq!(statuses(&l2, json!({"in_channel": before})).await?.len(), 3);
    assert_eq!(statuses(&l2, json!({"out_channel": behind})).await?, ["settled", "failed"]);
    let later = json!({"index": "created", "start": 2, "limit": 1});
    assert_eq!(statuses(&l2, later).await?, ["failed"]);
    let settled = &l2.rpc("listforwards", json!(["settled"])).await?["forwards"][0];
    assert_eq!((&settled["in_htlc_id"], &settled["out_htlc_id"]), (&json!(0), &json!(0)));
    assert_eq!((&settled["in_msat"], &settled["fee_msat"]), (&json!(1_000_011), &json!(11)));
    for (params, code) in [(json!(["lost"]), -32602), (json!({"start": 1}), -32602)] {
        let refused = l2.rpc("listforwards", params.clone()).await.expect_err("it makes no sense");
        assert_eq!(refused.code(), code, "{params}");
    }

    for (id, status, code) in [(0, "failed", 1401), (7, "settled", 1401), (0, "offered", -32602)] {
        let refused = l2.rpc("delforward", json!([before, id, status])).await;
        assert_eq!(refused.expect_err("there is no such forward").code(), code);
    }
    l2.rpc("delforward", json!([before, 0, "settled"])).await?;
    assert_eq!(statuses(&l2, json!({})).await?, ["failed", "local_failed"]);

    let htlcs = l2.rpc("listhtlcs", json!([])).await?["htlcs"].take();
    let htlcs: Vec<(&Value, &Value, &Value)> = htlcs
        .as_array()
        .into_iter()
        .flatten()
        .map(|htlc| (&htlc["direction"], &htlc["id"], &htlc["state"]))
        .collect();
    let (came, went) = (json!("SENT_REMOVE_ACK_REVOCATION"), json!("RCVD_REMOVE_ACK_REVOCATION"));
    let (incoming, outgoing) = (json!("in"), json!("out"));
    let number = |id: u64| json!(id);
    assert_eq!(
        htlcs,
        [
            (&incoming, &number(0), &came),
            (&outgoing, &number(0), &went),
            (&incoming, &number(1), &came),
            (&outgoing, &number(1), &went),
            (&incoming, &number(2), &came),
        ]
    );
    let of_one = l2.rpc("listhtlcs", json!([behind])).await?["htlcs"].take();
    assert_eq!(of_one.as_array().map(Vec::len), Some(2));
    Ok(())
}

async fn statuses(node: &Node, params: Value) -> Result<Vec<String>> {
    let listed = node.rpc("listforwards", params).await?["forwards"].take();
    let status = |forward: &Value| forward["status"].as_str().unwrap_or_default().to_owned();
    Ok(listed.as_array().into_iter().flatten().map(status).collect())
}
