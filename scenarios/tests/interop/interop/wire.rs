//! What an embedded node says to a real lightningd on the wire.

use leyden::{Backend, Held, Mock, Net, NetBuilder, Node, Reply, Result, Struck, Units, eventually};
use serde_json::{Value, json};

use crate::is_skipped;

/// l1 is embedded, l2 a real lightningd.
fn pair() -> NetBuilder {
    Net::line(["l1", "l2"]).backend(Backend::Embedded).node_backend("l2", Backend::Lightningd)
}

/// Where in the making of a payment the connection ends.
type Cut = fn(&Node) -> Result<Struck>;

const CUTS: [(&str, Cut); 8] = [
    ("update_add_htlc is lost", |l1| Ok(l1.outgoing("update_add_htlc")?.cut())),
    ("behind update_add_htlc", |l1| Ok(l1.outgoing("update_add_htlc")?.cut_after())),
    ("our commitment_signed is lost", |l1| Ok(l1.outgoing("commitment_signed")?.cut())),
    ("behind our commitment_signed", |l1| Ok(l1.outgoing("commitment_signed")?.cut_after())),
    ("their revoke_and_ack is lost", |l1| Ok(l1.incoming("revoke_and_ack")?.cut())),
    ("their commitment_signed is lost", |l1| Ok(l1.incoming("commitment_signed")?.cut())),
    ("our revoke_and_ack is lost", |l1| Ok(l1.outgoing("revoke_and_ack")?.cut())),
    ("their update_fulfill_htlc is lost", |l1| Ok(l1.incoming("update_fulfill_htlc")?.cut())),
];

#[tokio::test]
async fn a_payment_survives_a_disconnect_at_any_message() -> Result {
    if is_skipped() {
        return Ok(());
    }
    let net = pair().start().await?;
    let [l1, l2] = net.nodes();
    let (mut paid, mut tried) = (0, 0);
    for (place, cut) in CUTS {
        let cut = cut(&l1)?;
        tried += 1;
        let invoice = l2.rpc("invoice", json!([1_000_000, place, place])).await?;
        let hop = json!({"id": l2.id(), "channel": l1.get_channel_scid(&l2).await?, "amount_msat": 1_000_000, "delay": 9});
        let params = json!({
            "route": [hop],
            "payment_hash": invoice["payment_hash"],
            "payment_secret": invoice["payment_secret"],
        });
        l1.rpc("sendpay", params).await?;
        cut.happened().await?;
        reconnect(&l1, &l2).await?;
        // What was not committed is forgotten: then the payment has failed, and its invoice is unpaid.
        let outcome = l1.rpc("waitsendpay", json!([invoice["payment_hash"]])).await;
        l1.wait_for_htlcs().await?;
        l2.wait_for_htlcs().await?;
        let listed = l2.rpc("listinvoices", json!({"label": place})).await?;
        assert_eq!(outcome.is_ok(), listed["invoices"][0]["status"] == "paid", "{place}: {outcome:?}");
        paid += u64::from(outcome.is_ok());
        assert_eq!(l2.channel(&l1).await?["to_us_msat"], paid * 1_000_000, "{place}");
        assert_eq!(l1.channel(&l2).await?["to_us_msat"], 1_000_000_000 - paid * 1_000_000, "{place}");
    }
    assert!(paid >= tried - 3, "{paid} of {tried} payments came through");
    net.finish().await
}

/// Connects again, when both sides have seen that the connection has ended.
async fn reconnect(l1: &Node, l2: &Node) -> Result {
    for (node, other) in [(l1, l2), (l2, l1)] {
        let gone = || async {
            let channel = node.channel(other).await?;
            Ok::<_, leyden::Error>(channel["peer_connected"] == json!(false))
        };
        eventually(format!("{} has lost {}", node.name(), other.name()), gone).await?;
    }
    l1.connect(l2).await
}

#[tokio::test]
async fn extra_tlvs_of_an_htlc_reach_the_other_sides_hook() -> Result {
    if is_skipped() {
        return Ok(());
    }
    const TLVS: &str = "fdffff012afe00010001020539";
    let see = |call: &leyden::Call| {
        assert_eq!(call.params()["htlc"]["extra_tlvs"], TLVS, "{}", call.params());
        Reply::cont()
    };
    let attach = Reply::result(json!({"result": "continue", "extra_tlvs": TLVS}));
    // The one in the middle attaches them, once an embedded node and once a real one.
    for (middle, ends) in [(Backend::Embedded, Backend::Lightningd), (Backend::Lightningd, Backend::Embedded)]
    {
        let net = Net::line(["l1", "l2", "l3"])
            .backend(ends)
            .node_backend("l2", middle)
            .mount("l2", Mock::hook("htlc_accepted").reply(attach.clone()).expect(1).named("attacher"))
            .mount("l3", Mock::hook("htlc_accepted").reply(see).expect(1).named("reader"))
            .option("l3", "accept-htlc-tlv-type", 65537)
            .start()
            .await?;
        let [l1, _, l3] = net.nodes();
        l1.pay(&l3, 1_000.sat()).await?;
        net.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn channels_without_anchors_work_as_well() -> Result {
    if is_skipped() {
        return Ok(());
    }
    let net = pair().option("l2", "dev-force-features", "-23").start().await?;
    let [l1, l2] = net.nodes();
    let channel = l1.channel(&l2).await?;
    assert_eq!(channel["channel_type"]["names"], json!(["static_remotekey/even"]));
    l1.pay(&l2, 100_000.sat()).await?;
    l2.pay(&l1, 40_000.sat()).await?;
    assert_eq!(l1.channel(&l2).await?["to_us_msat"], 940_000_000);
    // The other side opens one, too.
    net.fundchannel(&l2, &l1, 500_000.sat()).announce_channel(false).await?;
    let listed = l1.rpc("listpeerchannels", json!([l2.id()])).await?;
    for channel in listed["channels"].as_array().into_iter().flatten() {
        let closed = l1.rpc("close", json!([channel["channel_id"]])).await?;
        assert_eq!(closed["type"], "mutual", "{closed}");
    }
    net.finish().await
}

#[tokio::test]
async fn a_commitment_that_is_held_back_is_not_lost() -> Result {
    if is_skipped() {
        return Ok(());
    }
    let net = pair().start().await?;
    let [l1, l2] = net.nodes();
    let held: Held = l1.outgoing("commitment_signed")?.hold();
    let (paid, seen): (Result<Value>, Result) = tokio::join!(l1.pay(&l2, 5_000.sat()), async {
        held.happened().await?;
        // Nothing has reached the other side's commitment yet.
        assert_eq!(l2.channel(&l1).await?["to_us_msat"], 0);
        held.release();
        Ok(())
    });
    seen?;
    assert_eq!(paid?["status"], "complete");
    net.finish().await
}
