//! The hook `recover`: a node that is given the secret of a lost one.

use std::fs;

use leyden::{Mock, Net, Node, Reply, Result};

use crate::scenario::Scenario;

pub(crate) fn recovered() -> Scenario {
    let net = || {
        let keeper =
            Mock::hook("recover").reply(Reply::cont()).times(1).then(Reply::result("enough")).expect(2);
        Net::builder().nodes(["l1"]).may_fail("l1").broken_log("l1", "").mount("l1", keeper.named("keeper"))
    };
    Scenario::new(
        "a node with --recover has the lost node's id and tells plugins the secret, which they can only take note of",
        net,
        |net| Box::pin(recover(net)),
    )
    .golden_view("l1", "keeper", |all| all.only(["recover"]))
}

async fn recover(net: &Net) -> Result {
    let [l1] = net.nodes();
    let lost = l1.id();
    let secret = fs::read(l1.lightning_dir().join("regtest/hsm_secret"))?;
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(l1.lightning_dir().join("config"), format!("recover={secret}\n"))?;
    lose(&l1).await?;
    l1.start().await?;
    assert_eq!(l1.id(), lost);
    l1.wait_for_log("Plugin keeper returned from recover hook call").await?;
    lose(&l1).await?;
    // The node may end before it is seen to be up.
    drop(l1.start().await);
    l1.wait_for_log(r"\*\*BROKEN\*\* .*Plugin returned an invalid response to the recover hook").await?;
    l1.wait_for_exit().await?;
    Ok(())
}

/// Stops a node and takes its secret away.
async fn lose(node: &Node) -> Result {
    node.stop().await?;
    fs::remove_file(node.lightning_dir().join("regtest/hsm_secret"))?;
    Ok(())
}
