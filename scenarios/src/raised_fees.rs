//! What a node sends to the chain pays more as fees rise, and as time runs out.

use leyden::{Mock, Net, Node, Reply, Result, eventually, seen};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::payments::{PAYMENT_HASH, route};
use crate::scenario::Scenario;

/// For 2, 6, 12 and 100 blocks, in sat per kw.
const FEERATES: [u32; 4] = [5000, 4000, 3000, 2000];

/// An address of nobody's.
const NOBODY: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

const HTLC_MSAT: u64 = 200_000_000;

pub(crate) fn fees_raised() -> Scenario {
    let net = || {
        let holder = Mock::hook("htlc_accepted").reply(Reply::hang()).named("holder");
        Net::line(["l1", "l2"]).feerates(FEERATES).mount("l2", holder)
    };
    Scenario::new(
        "a commitment with an HTLC is pushed by its anchor, its HTLC by the wallet, and both the more the higher fees are",
        net,
        |net| Box::pin(raise_fees(net)),
    )
}

async fn raise_fees(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let there = route(&[&l1, &l2], HTLC_MSAT).await?;
    let payment = json!({"route": there, "payment_hash": PAYMENT_HASH, "payment_secret": "33".repeat(32)});
    l1.rpc("sendpay", payment).await?;
    heard(net, "l2", "holder", "htlc_accepted", 1).await?;
    let expiry = l1.channel(&l2).await?["htlcs"][0]["expiry"].as_u64().unwrap_or_default();
    l2.stop().await?;
    let closed = l1.rpc("close", json!({"id": l2.id(), "unilateraltimeout": 1})).await?;
    let commitment = &closed["txids"][0];

    let child = spender(net, commitment, 0).await?;
    let package =
        [&child["fees"]["ancestor"], &child["ancestorsize"]].map(|number| number.as_f64().unwrap_or(0.0));
    let sat_per_kw = package[0] * 1e8 / package[1] / 4.0 * 1000.0;
    assert!((2000.0..5000.0).contains(&sat_per_kw), "{child}");
    rise(net, &l1, FEERATES.map(|rate| rate * 2)).await?;
    spender(net, commitment, fee_sat(&child) + 500).await?;

    net.bitcoind().generate_block(1).wait_for_mempool(2).await?;
    l1.wait_for_channel_onchain(&l2).await?;
    let height = u64::from(net.bitcoind().block_count().await?);
    net.bitcoind().generate_block(u32::try_from(expiry - height).unwrap_or_default()).await?;
    let taken = htlc_spender(net, commitment, 0).await?;
    rise(net, &l1, FEERATES.map(|rate| rate * 4)).await?;
    htlc_spender(net, commitment, taken + 500).await.map(drop)
}

/// Lets fees rise, waits until a node knows, and mines a block without what is waiting for one.
async fn rise(net: &Net, node: &Node, feerates: [u32; 4]) -> Result {
    net.set_feerates(feerates);
    let look = || async {
        let rates = node.rpc("feerates", json!(["perkw"])).await?;
        Ok::<_, leyden::Error>(seen(rates["perkw"]["opening"].clone(), |rate| *rate == feerates[2]))
    };
    eventually("the node knows of the new fees", look).await?;
    net.bitcoind().rpc("generateblock", json!([NOBODY, []])).await.map(drop)
}

/// What bitcoind says of each transaction that waits.
async fn mempool(net: &Net) -> Result<Vec<Value>> {
    let entries = net.bitcoind().rpc("getrawmempool", json!([true])).await?;
    let with_txid = |(txid, entry): (&String, &Value)| {
        let mut entry = entry.clone();
        entry["txid"] = json!(txid);
        entry
    };
    Ok(entries.as_object().into_iter().flatten().map(with_txid).collect())
}

fn fee_sat(entry: &Value) -> u64 {
    (entry["fees"]["base"].as_f64().unwrap_or(0.0) * 1e8).round() as u64
}

/// Waits for a transaction that spends an output of another that waits too, for such a fee or more.
async fn spender(net: &Net, parent: &Value, at_least_sat: u64) -> Result<Value> {
    let look = || async {
        let child = mempool(net).await?.into_iter().find(|entry| entry["depends"][0] == *parent);
        Ok::<_, leyden::Error>(seen(child.unwrap_or_default(), |child| {
            !child.is_null() && fee_sat(child) >= at_least_sat
        }))
    };
    eventually(format!("a child of the commitment pays {at_least_sat} sat or more"), look).await
}

/// Waits for a transaction that spends the HTLC of a commitment, for such a fee or more; gives the fee.
async fn htlc_spender(net: &Net, commitment: &Value, at_least_sat: u64) -> Result<u64> {
    let look = || async {
        let mut fee = 0;
        for entry in mempool(net).await? {
            let tx = net.bitcoind().rpc("getrawtransaction", json!([entry["txid"], true])).await?;
            // Our own balance is swept by a transaction with one input.
            let inputs = tx["vin"].as_array().map_or(0, Vec::len);
            if inputs > 1 && tx["vin"][0]["txid"] == *commitment {
                fee = fee_sat(&entry);
            }
        }
        Ok::<_, leyden::Error>(seen(fee, |fee| *fee > 0 && *fee >= at_least_sat))
    };
    eventually(format!("the HTLC is taken back for {at_least_sat} sat or more"), look).await
}
