//! Fees, as the backend estimates them.

use leyden::{Capability, Mock, MockChain, Net, Node, Profile, Reply, Result, eventually, seen};
use serde_json::{Value, json};

use crate::payments::send;
use crate::scenario::Scenario;

pub(crate) fn feerates() -> Scenario {
    Scenario::new(
        "a node makes its fees of the estimates of its backend",
        || Net::builder().nodes(["l1"]).chain(MockChain::new()),
        |net| Box::pin(estimate(net)),
    )
}

async fn estimate(net: &Net) -> Result {
    let ([l1], chain) = (net.nodes(), net.mock_chain());
    let estimate =
        |blocks: u32, rate: u32| json!({"blockcount": blocks, "feerate": rate, "smoothed_feerate": rate});
    let estimates = |factor: u32| {
        [(2, 15_000), (6, 11_000), (12, 7_500), (100, 3_750)]
            .map(|(blocks, rate)| estimate(blocks, rate * factor))
    };
    let onchain = json!({
        "opening_channel_satoshis": 5265,
        "mutual_close_satoshis": 2523,
        "unilateral_close_satoshis": 4170,
        "unilateral_close_nonanchor_satoshis": 6578,
        "htlc_timeout_satoshis": 7293,
        "htlc_success_satoshis": 7733,
    });
    let rates = |factor: u32| {
        json!({
            "opening": 7500 * factor,
            "mutual_close": 3750 * factor,
            "unilateral_close": 11_000 * factor,
            "unilateral_anchor_close": 3750 * factor,
            "penalty": 7500 * factor,
            "splice": 7505 * factor,
            "min_acceptable": 1875 * factor,
            "max_acceptable": 150_000 * factor,
            "floor": 253 * factor,
            "estimates": estimates(factor),
        })
    };
    let perkw = l1.rpc("feerates", json!(["perkw"])).await?;
    assert_eq!(perkw.to_string(), json!({"perkw": rates(1), "onchain_fee_estimates": onchain}).to_string());
    let perkb = l1.rpc("feerates", json!({"style": "perkb"})).await?;
    assert_eq!(perkb.to_string(), json!({"perkb": rates(4), "onchain_fee_estimates": onchain}).to_string());
    for (params, text) in [
        (json!(["perkx"]), "'style' should be 'perkw' or 'perkb', not '\"perkx\"'"),
        (json!([]), "missing required parameter: style"),
    ] {
        let error = l1.rpc("feerates", params).await.expect_err("it must be refused");
        assert_eq!(error.code(), -32602);
        assert!(error.headline().contains(&format!("{text:?}")), "{error}");
    }

    // A rise is smoothed over minutes; the newest estimates stand beside it.
    chain.set_feerates([30_000, 22_000, 15_000, 7_500]);
    let risen = fees_when(&l1, |fees| fees["estimates"][0]["feerate"] == 30_000).await?;
    let smoothed = risen["estimates"][0]["smoothed_feerate"].as_u64().unwrap_or_default();
    assert!((15_001..20_000).contains(&smoothed), "{risen}");
    assert_eq!((&risen["max_acceptable"], &risen["min_acceptable"]), (&json!(300_000), &json!(1875)));

    // Nobody pays more to wait longer.
    chain.set_feerates([10_000, 12_000, 300, 0]);
    l1.wait_for_log("UNUSUAL.* Presented with 3 feerates this time \\(was 4!\\)").await?;
    let clamped = fees_when(&l1, |fees| fees["estimates"][1]["feerate"] == 10_000).await?;
    assert_eq!(clamped["estimates"], json!([estimate(2, 10_000), estimate(6, 10_000), estimate(12, 300)]));
    assert!(
        l1.is_in_log("UNUSUAL.* Feerate for 6 blocks \\(48000\\) is > rate for 2 blocks \\(40000\\)!")?
            .is_some()
    );
    chain.set_feerate_floor(500);
    let floored = fees_when(&l1, |fees| fees["floor"] == 500).await?;
    assert_eq!((&floored["opening"], &floored["estimates"][2]["feerate"]), (&json!(500), &json!(500)));

    // Old estimates are better than none.
    chain.set_feerates([0; 4]);
    l1.wait_for_log("DEBUG.* Unable to estimate any fees").await?;
    assert_eq!(l1.rpc("feerates", json!(["perkw"])).await?["perkw"]["opening"], 500);
    Ok(())
}

async fn fees_when(l1: &Node, is_it: fn(&Value) -> bool) -> Result<Value> {
    let looked = || async {
        let mut fees = l1.rpc("feerates", json!(["perkw"])).await?;
        Ok::<_, leyden::Error>(seen(fees["perkw"].take(), is_it))
    };
    eventually("the node has the new estimates", looked).await
}

pub(crate) fn fee_change() -> Scenario {
    Scenario::new(
        "who opened a channel raises the fee of its commitments, and the other side follows",
        || Net::line(["l1", "l2"]).feerates([15_000, 11_000, 7_500, 3_750]),
        |net| Box::pin(raise_the_fee(net)),
    )
}

async fn raise_the_fee(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let both = || async {
        let channels = [l1.channel(&l2).await?, l2.channel(&l1).await?];
        Ok::<_, leyden::Error>(
            channels.map(|channel| channel["feerate"]["perkw"].as_u64().unwrap_or_default()),
        )
    };
    // The first update waits for something else to be committed.
    send(&[&l1, &l2], 200_000_000, "with the old fee").await?;
    let [before, theirs] = both().await?;
    assert_eq!(before, theirs);
    net.set_feerates([30_000, 22_000, 15_000, 7_500]);
    let risen =
        || async { Ok::<_, leyden::Error>(seen(both().await?, |[ours, theirs]| ours.min(theirs) > &before)) };
    eventually("both sides pay more", risen).await?;
    send(&[&l1, &l2], 100_000_000, "with the new fee").await?;
    // A peer that comes back, and one that starts again, know the fee.
    l2.restart().await?;
    l2.connect(&l1).await?;
    l1.wait_for_channel_state(&l2, "CHANNELD_NORMAL").await?;
    send(&[&l2, &l1], 100_000_000, "and back").await?;
    l1.wait_for_htlcs().await?;
    let [ours, theirs] = both().await?;
    assert!(ours.min(theirs) > before, "{ours}, {theirs}");
    let closed = l1.rpc("close", json!([l2.id()])).await?;
    assert_eq!(closed["type"], "mutual", "{closed}");
    Ok(())
}

pub(crate) fn feerates_unknown() -> Scenario {
    let net = || {
        let chain = MockChain::new();
        chain.on(
            "estimatefees",
            |_: &leyden::Call| true,
            Reply::result(json!({"feerate_floor": 2000, "feerates": []})),
        );
        Net::builder().nodes(["l1"]).chain(chain)
    };
    Scenario::new("without estimates a node warns, and lets peers take any fee", net, |net| {
        Box::pin(know_no_fees(net))
    })
}

async fn know_no_fees(net: &Net) -> Result {
    let [l1] = net.nodes();
    let fees = l1.rpc("feerates", json!(["perkb"])).await?;
    let expected = json!({
        "warning_missing_feerates": "Some fee estimates unavailable: bitcoind startup?",
        "perkb": {"min_acceptable": 2000, "max_acceptable": u32::MAX, "floor": 2000, "estimates": []},
    });
    assert_eq!(fees.to_string(), expected.to_string());
    Ok(())
}

pub(crate) fn feerates_by_name() -> Scenario {
    let net = || {
        // The other methods of the backend are left to the one that comes with the node.
        let fees = Mock::from(MockChain::new().serving(["estimatefees"])).named("fees");
        Net::builder().nodes(["l1"]).profile(Profile::V23_02).mount("l1", fees)
    };
    Scenario::new("before v23.05 fees are estimated by what they are for, here by a plugin", net, |net| {
        Box::pin(estimate_by_name(net))
    })
    .needs(Capability::AnyProfile)
}

async fn estimate_by_name(net: &Net) -> Result {
    let [l1] = net.nodes();
    let rates = json!({
        "opening": 7500,
        "mutual_close": 3750,
        "unilateral_close": 11_000,
        "delayed_to_us": 7500,
        "htlc_resolution": 11_000,
        "penalty": 7500,
        "min_acceptable": 1875,
        "max_acceptable": 150_000,
    });
    let onchain = json!({
        "opening_channel_satoshis": 5265,
        "mutual_close_satoshis": 2523,
        "unilateral_close_satoshis": 6578,
        "htlc_timeout_satoshis": 7293,
        "htlc_success_satoshis": 7733,
    });
    let fees = l1.rpc("feerates", json!(["perkw"])).await?;
    assert_eq!(fees.to_string(), json!({"perkw": rates, "onchain_fee_estimates": onchain}).to_string());
    assert_eq!(l1.rpc("waitblockheight", json!([101])).await?["blockheight"], 101);
    Ok(())
}

pub(crate) fn waitblockheight() -> Scenario {
    Scenario::new(
        "waitblockheight answers when the chain is that high, or when it has waited long enough",
        || Net::builder().nodes(["l1"]).chain(MockChain::new()),
        |net| Box::pin(wait_for_height(net)),
    )
}

async fn wait_for_height(net: &Net) -> Result {
    let ([l1], chain) = (net.nodes(), net.mock_chain());
    for params in [json!([101]), json!([101, 0]), json!([7]), json!({"blockheight": "101"})] {
        assert_eq!(l1.rpc("waitblockheight", params).await?, json!({"blockheight": 101}));
    }
    let timed_out = l1.rpc("waitblockheight", json!({"blockheight": 102, "timeout": 0})).await;
    let timed_out = timed_out.expect_err("there is no such block");
    assert_eq!(timed_out.code(), 2000);
    assert!(timed_out.headline().contains("Timed out."), "{timed_out}");
    for (params, text) in [
        (json!([]), "missing required parameter: blockheight"),
        (json!(["soon"]), "blockheight: should be an integer: invalid token '\"soon\"'"),
        (json!([102, -1]), "timeout: should be an integer: invalid token '-1'"),
    ] {
        let error = l1.rpc("waitblockheight", params).await.expect_err("it must be refused");
        assert_eq!(error.code(), -32602);
        assert!(error.headline().contains(&format!("{text:?}")), "{error}");
    }
    let waiting = l1.rpc("waitblockheight", json!([103]));
    let mine = async { chain.generate_block(2) };
    let (waited, _) = tokio::join!(waiting, mine);
    assert_eq!(waited?, json!({"blockheight": 103}));
    Ok(())
}
