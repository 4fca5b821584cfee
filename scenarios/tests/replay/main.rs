//! The replay of payments for authors of plugins: what it reports of plugins that do right, and of those that do not. And what a start makes
//! good of which no plugin is asked.

mod starts;
mod wrong;

use leyden::replay::PaymentEnd;
use leyden::{Call, Commit, Hook, Mock, Net, Reply, Result, Units};
use serde_json::json;
use std::future::ready;

#[tokio::test]
async fn a_plugin_that_lets_payments_pass_makes_no_mistake_on_either_end() -> Result {
    let net = Net::line(["l1", "l2", "l3"])
        .mount("l2", Mock::hook("htlc_accepted").named("between"))
        .mount("l3", Mock::hook("htlc_accepted").and(Mock::hook("invoice_payment")).named("receiver"))
        .start()
        .await?;
    let [l1, l2, l3] = net.nodes();
    let received = net.replay(&l3, "receiver").along([&l2, &l3]).run().await?;
    received.check()?;
    assert!(received.crashes() >= 15, "{received}");
    let all_paid = received.attempts().iter().all(|attempt| attempt.end == PaymentEnd::Paid);
    assert!(all_paid, "who is asked again takes the payment: {received}");
    let points = [
        Hook::answered("htlc_accepted").into(),
        // With the third, l3 can be committed to the HTLC; the sixth has its preimage.
        Commit::nth(3).before(),
        Commit::nth(3).after(),
        Commit::nth(3).after_send(),
        Commit::nth(6).after(),
    ];
    let forwarded = net.replay(&l2, "between").along([&l1, &l2, &l3]).at(points).run().await?;
    forwarded.check()?;
    let ends: Vec<&PaymentEnd> = forwarded.attempts().iter().map(|attempt| &attempt.end).collect();
    // Asked again while the next node is not there yet, it cannot hand the HTLC on.
    let (paid, failed) = (&PaymentEnd::Paid, &PaymentEnd::Failed(204));
    assert_eq!(ends, [paid, failed, failed, paid, paid, paid], "{forwarded}");
    net.finish().await
}

/// A preimage, and its SHA-256, for each of two payments.
const PREIMAGES: [(&str, &str); 2] =
    [("00", "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"), ("11", PAYMENT_HASH)];
const PAYMENT_HASH: &str = "02d449a31fbb267c8f352e9968a79e3e5fc95c1bbeaa502fd6454ebde5a4bedc";

#[tokio::test]
async fn a_plugin_with_invoices_of_its_own_is_replayed_with_those() -> Result {
    let holder = Mock::hook("htlc_accepted").reply(|call: &Call| {
        let hash = &call.params()["htlc"]["payment_hash"];
        let (byte, _) = PREIMAGES.into_iter().find(|(_, known)| hash == known).expect("it is one of the two");
        Reply::resolve(byte.repeat(32))
    });
    let net = Net::line(["l1", "l2"]).mount("l2", holder.named("holder")).start().await?;
    let [l1, l2] = net.nodes();
    let replay = net.replay(&l2, "holder").along([&l1, &l2]).amount(7.sat());
    let replay = replay.invoices(|nth| {
        let (_, payment_hash) = PREIMAGES[nth];
        ready(Ok(json!({ "payment_hash": payment_hash, "payment_secret": "33".repeat(32) })))
    });
    let report = replay.at([Hook::called("htlc_accepted").into()]).run().await?;
    report.check()?;
    assert!(report.attempts().iter().all(|attempt| attempt.end == PaymentEnd::Paid), "{report}");
    assert_eq!(
        report.attempts()[1].verdicts[1].call.params().unwrap_or_default()["htlc"]["amount_msat"],
        7_000
    );
    net.finish().await
}
