//! Channels and payments, by their verbs.

use leyden::{Backend, Mock, Net, Reply, Units};

#[tokio::test]
async fn a_refused_htlc_is_not_shown_to_the_next_plugin() -> leyden::Result {
    let second = Mock::hook("htlc_accepted").expect(0).named("my-plugin");
    let net = Net::line(["l1", "l2"]).backend(Backend::Embedded).mount("l2", second).start().await?;
    let [l1, l2] = net.nodes();
    let first = Mock::hook("htlc_accepted").before("my-plugin").reply(Reply::fail("400f")).expect(1..);
    let first = l2.mount_scoped(first.named("first")).await?;
    let error = l1.pay(&l2, 1_000.sat()).await.unwrap_err();
    assert_eq!(error.code(), 203, "{error}");
    first.finish().await?;
    net.finish().await
}

#[tokio::test]
async fn a_line_of_twenty_nodes_carries_a_payment_from_end_to_end() -> leyden::Result {
    let names: Vec<String> = (1..=20).map(|number| format!("l{number}")).collect();
    let net = Net::line(names).backend(Backend::Embedded).start().await?;
    let (first, last) = (net.node("l1"), net.node("l20"));
    let paid = first.pay(&last, 1_000.sat()).await?;
    assert_eq!(paid["status"], "complete");
    assert_eq!(last.channel(&net.node("l19")).await?["to_us_msat"], 1_000_000);
    net.finish().await
}

#[tokio::test]
async fn channels_are_funded_balanced_and_drained() -> leyden::Result {
    let net = Net::builder().nodes(["l1", "l2"]).backend(Backend::Embedded).start().await?;
    let [l1, l2] = net.nodes();
    let channel = net.fundbalancedchannel(&l1, &l2, 1_000_000.sat()).announce_channel(false).await?;
    l1.wait_local_channel_active(&channel.scid).await?;
    assert_eq!(l1.channel(&l2).await?["to_us_msat"], 500_000_000);
    assert_eq!(l2.get_channel_scid(&l1).await?, channel.scid);
    let drained = l2.drain(&l1).await?;
    assert!(drained > 480_000.sat() && drained < 500_000.sat(), "{drained}");
    assert_eq!(l2.channel(&l1).await?["spendable_msat"], 0);
    net.finish().await
}
