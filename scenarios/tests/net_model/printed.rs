//! A sequence of the property net_model.

use super::stage::{Fault, Stage, judge};
use leyden::{Commit, Hook, Net, Reply, Result, Units};

#[tokio::test]
#[rustfmt::skip] // It was printed.
async fn a_sequence_of_the_net_model() -> Result {
    let net = Net::builder()
        .nodes(["l1", "l2"])
        .feerates([1000, 1000, 1000, 1000])
        .mount("l1", judge())
        .mount("l2", judge())
        .start()
        .await?;
    let [l1, l2] = net.nodes();
    let mut stage = Stage::new(&net, &[&l1, &l2]);
    stage.open(&l1, &l2, 500_000.sat(), 200_000_500.msat()).await?;
    stage.owns(&l1, 1_000_000.sat()).await?;
    stage.invoice(1, &l2, 1_000_000.msat()).await?;
    stage.arm(Fault::Crash(l2.clone(), net.crash(&l2).at(Commit::nth(2).after())?));
    stage.send(1, &[&l1, &l2], 1_000_000.msat(), 1).await?;
    stage.sees(&l2, &["with l1: 200000500 msat, in 1: 1000000 msat", "invoice 1: unpaid"]).await?;
    stage.disarm().await?;
    stage.arm(Fault::Crash(l2.clone(), net.crash(&l2).at(Hook::answered("htlc_accepted"))?));
    stage.answer(&l2, 1, Reply::cont()).await?;
    stage.sees(&l1, &["with l2: 298999500 msat", "payment 1: complete"]).await?;
    stage.disarm().await?;
    stage.paid(&l1, 1).await?;
    stage.asked(&l2, &[(1, 1..=3)]).await?;
    l1.restart().await?;
    stage.sees(&l1, &["with l2: 298999500 msat", "payment 1: complete"]).await?;
    stage.sees(&l2, &["with l1: 201000500 msat", "invoice 1: paid"]).await?;
    stage.invoice(2, &l1, 2_000_000.msat()).await?;
    stage.send(2, &[&l2, &l1], 2_000_000.msat(), 2).await?;
    stage.sees(&l1, &["with l2: 298999500 msat, in 2: 1000000 msat, in 2: 1000000 msat", "payment 1: complete", "invoice 2: unpaid"]).await?;
    stage.arm(Fault::Cut(l1.clone(), l1.outgoing("revoke_and_ack")?.nth(1).cut_after()));
    stage.answer(&l1, 2, Reply::fail("2002")).await?;
    stage.sees(&l2, &["with l1: 201000500 msat", "payment 2, part 1: failed", "payment 2, part 2: failed", "invoice 1: paid"]).await?;
    stage.disarm().await?;
    stage.failed(&l2, 2, 204).await?;
    l2.kill().await?;
    l2.start().await?;
    stage.sees(&l2, &["with l1: 201000500 msat", "payment 2, part 1: failed", "payment 2, part 2: failed", "invoice 1: paid"]).await?;
    stage.sees(&l1, &["with l2: 298999500 msat", "payment 1: complete", "invoice 2: unpaid"]).await?;
    stage.invoice(3, &l2, 3_000_000.msat()).await?;
    stage.arm(Fault::Crash(l2.clone(), net.crash(&l2).at(Hook::called("htlc_accepted"))?));
    stage.send(3, &[&l1, &l2], 3_000_000.msat(), 1).await?;
    stage.answer(&l2, 3, Reply::resolve(format!("{:064x}", 3))).await?;
    stage.sees(&l1, &["with l2: 295999500 msat", "payment 1: complete", "payment 3: complete", "invoice 2: unpaid"]).await?;
    stage.disarm().await?;
    stage.disconnect(&l1, &l2).await?;
    stage.sees(&l2, &["with l1: 204000500 msat", "payment 2, part 1: failed", "payment 2, part 2: failed", "invoice 1: paid", "invoice 3: unpaid"]).await?;
    stage.crash_plugin(&l1).await?;
    net.generate_block(2).await?;
    stage.reorg(2, 1).await?;
    stage.sees(&l2, &["with l1: 204000500 msat", "payment 2, part 1: failed", "payment 2, part 2: failed", "invoice 1: paid", "invoice 3: unpaid"]).await?;
    stage.sees(&l1, &["with l2: 295999500 msat", "payment 1: complete", "payment 3: complete", "invoice 2: unpaid"]).await?;
    stage.close(&l1, &l2, &l1).await?;
    stage.owns(&l1, 1_296_000.sat()).await?;
    stage.owns(&l2, 204_000.sat()).await?;
    stage.open(&l2, &l1, 500_000.sat(), 0.msat()).await?;
    stage.invoice(4, &l1, 20_000_000.msat()).await?;
    stage.send(4, &[&l2, &l1], 20_000_000.msat(), 1).await?;
    stage.sees(&l1, &["with l2: 0 msat, in 4: 20000000 msat", "payment 1: complete", "payment 3: complete", "invoice 2: unpaid", "invoice 4: unpaid"]).await?;
    stage.close_alone(&l2, &l1, &l2, true).await?;
    stage.answer(&l1, 4, Reply::cont()).await?;
    stage.claim(4, &l1, &l2, false).await?;
    stage.paid(&l2, 4).await?;
    stage.owns(&l1, 1_316_000.sat()).await?;
    stage.owns(&l2, 1_684_000.sat()).await?;
    net.finish().await
}
