//! What an embedded node that has crashed makes good when it starts: a database that is half made, a payment of which nobody has heard.

use leyden::{Backend, Commit, CrashPoint, MockChain, Net, Node, Result};
use serde_json::{Map, Value, json};

#[tokio::test]
async fn a_first_start_that_is_cut_off_at_any_commit_is_made_good_by_the_next() -> Result {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).chain(MockChain::new()).start().await?;
    let [l1] = net.nodes();
    let (made, starts) = (contents(&l1)?, l1.commits()?);
    assert!(starts >= 5, "tables, the rewritten one, the rest, who it is, the first block: {starts}");
    for nth in 1..=starts {
        for phase in [Commit::before, Commit::after] as [fn(Commit) -> CrashPoint; 2] {
            l1.stop().await?;
            std::fs::remove_file(l1.lightning_dir().join("regtest/lightningd.sqlite3"))?;
            let crash = net.crash(&l1).at(phase(Commit::nth(nth)))?;
            let (_, crashed) = tokio::join!(l1.start(), crash.happened());
            crashed?;
            l1.start().await?;
            l1.rpc("invoice", json!([1000, "label", "description"])).await?;
            assert_eq!(contents(&l1)?, made, "crashed at commit {nth}");
        }
    }
    net.finish().await
}

/// Every table and index, and the variables that there are.
fn contents(node: &Node) -> Result<[Vec<Map<String, Value>>; 2]> {
    let tables = node.db_query("SELECT name, sql FROM sqlite_master ORDER BY name")?;
    let variables =
        "SELECT name FROM vars WHERE name NOT LIKE 'last_%' AND name NOT LIKE '%_index' ORDER BY name";
    Ok([tables, node.db_query(variables)?])
}

#[tokio::test]
async fn a_payment_of_which_the_peer_has_not_heard_fails_at_the_next_start() -> Result {
    let net = Net::line(["l1", "l2"]).backend(Backend::Embedded).start().await?;
    let [l1, l2] = net.nodes();
    // While the answer to the first is out, the second cannot be committed to.
    let held = l1.incoming("revoke_and_ack")?.hold();
    let first = pay(&l1, &l2, "first").await?;
    held.happened().await?;
    let second = pay(&l1, &l2, "second").await?;
    l1.kill().await?;
    drop(held);
    l1.start().await?;
    let failed = l1.rpc("waitsendpay", json!([second])).await.expect_err("it was never said");
    assert_eq!(failed.code(), 204, "{failed}");
    assert!(
        failed.to_string().contains("WIRE_TEMPORARY_CHANNEL_FAILURE: Outgoing subdaemon died"),
        "{failed}"
    );
    net.connect(&l1, &l2).await?;
    assert_eq!(l1.rpc("waitsendpay", json!([first])).await?["status"], "complete");
    for node in [&l1, &l2] {
        node.wait_for_htlcs().await?;
    }
    net.finish().await
}

/// Begins to pay an invoice; gives its hash.
async fn pay(from: &Node, to: &Node, label: &str) -> Result<Value> {
    let invoice = to.rpc("invoice", json!([1_000_000, label, label])).await?;
    let channel = from.get_channel_scid(to).await?;
    let route = json!([{ "amount_msat": 1_000_000, "id": to.id(), "delay": 9, "channel": channel }]);
    let (hash, secret) = (&invoice["payment_hash"], &invoice["payment_secret"]);
    from.rpc("sendpay", json!({ "route": route, "payment_hash": hash, "payment_secret": secret })).await?;
    Ok(hash.clone())
}
