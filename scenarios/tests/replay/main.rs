//! The replay of payments for authors of plugins: what it reports of plugins that do right, and of those that do not.

mod wrong;

use leyden::replay::PaymentEnd;
use leyden::{Mock, Net, Result};

#[tokio::test]
async fn a_plugin_that_lets_payments_pass_makes_no_mistake_on_either_end() -> Result {
    let net = Net::line(["l1", "l2", "l3"])
        .mount("l2", Mock::hook("htlc_accepted").named("between"))
        .mount("l3", Mock::hook("htlc_accepted").and(Mock::hook("invoice_payment")).named("receiver"))
        .start()
        .await?;
    let [l1, l2, l3] = net.nodes();
    let received = net.replay(&l3, "receiver").along([&l2, &l3]).run().await?;
    println!("{received}");
    received.check()?;
    assert!(received.crashes() >= 15, "{received}");
    let all_paid = received.attempts().iter().all(|attempt| attempt.end == PaymentEnd::Paid);
    assert!(all_paid, "who is asked again takes the payment: {received}");
    let forwarded = net.replay(&l2, "between").along([&l1, &l2, &l3]).run().await?;
    println!("{forwarded}");
    forwarded.check()?;
    net.finish().await
}
