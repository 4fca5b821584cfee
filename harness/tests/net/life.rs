//! Nodes: who they are, how they start, stop and die.

use std::time::{Duration, Instant};

use leyden::{Backend, Net, cln_rpc};
use serde_json::json;

use crate::on_each_backend;

#[tokio::test]
async fn a_name_has_the_id_that_pyln_testing_gives_it() {
    on_each_backend(async |backend| {
        let net = Net::line(["l1", "l2"]).without_channels().backend(backend).start().await?;
        let [l1, l2] = net.nodes();
        assert_eq!(l1.id(), "0266e4598d1d3c415f572a8488830b60f7e744ed9235eb0b1ba93283b315c03518");
        let info = l1.call(cln_rpc::model::requests::GetinfoRequest {}).await?;
        assert_eq!(info.id.to_string(), l1.id());
        assert_eq!(info.binding.unwrap()[0].port, Some(l1.port()));
        let peers = l1.rpc("listpeers", json!({})).await?;
        assert_eq!(peers["peers"][0]["id"], json!(l2.id()));
        let rows = l1.db_query("SELECT intval FROM vars WHERE name = 'data_version'")?;
        assert_eq!(rows.len(), 1);
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn a_killed_node_starts_again_and_was_meant_to_die() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
        let [l1] = net.nodes();
        l1.kill().await?;
        let error = l1.rpc("getinfo", json!({})).await.unwrap_err();
        assert_eq!((error.fault(), error.code()), (leyden::Fault::Node, 0), "{error}");
        let waited = l1.wait_for_log("a line that never comes").await.unwrap_err();
        assert!(waited.headline().contains("exited") || waited.headline().contains("signal"), "{waited}");
        l1.start().await?;
        l1.rpc("getinfo", json!({})).await?;
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn nets_may_share_a_bitcoind() {
    let ground = Net::builder().start().await.unwrap();
    for height in [102, 103] {
        let net = Net::builder()
            .nodes(["l1"])
            .backend(Backend::Embedded)
            .bitcoind_of(&ground)
            .start()
            .await
            .unwrap();
        net.generate_block(1).await.unwrap();
        assert_eq!(ground.bitcoind().block_count().await.unwrap(), height);
        net.finish().await.unwrap();
    }
    ground.finish().await.unwrap();
}

#[tokio::test]
async fn a_new_block_reaches_every_node() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
        let [l1] = net.nodes();
        net.bitcoind().generate_block(2).await?;
        leyden::eventually("l1 sees block 103", || async {
            let height = l1.rpc("getinfo", json!({})).await.map(|info| info["blockheight"].as_u64());
            height.map(|height| leyden::seen(height, |height| *height == Some(103)))
        })
        .await?;
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn an_rpc_error_has_its_code_and_the_authors_line() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
        let [l1] = net.nodes();
        let line = line!() + 1;
        let error = l1.rpc("no-such-method", json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.location().line(), error.location().file()), (-32601, line, file!()));
        net.finish().await
    })
    .await;
}

/// Of a net with two nodes, on a machine that has nothing else to do.
const LONGEST_START: Duration = Duration::from_secs(5);

#[tokio::test]
async fn two_embedded_nodes_are_up_at_once() {
    // The first net of a machine may fetch bitcoind.
    Net::builder().nodes(["l1"]).backend(Backend::Embedded).start().await.unwrap().finish().await.unwrap();
    let mut took: Vec<Duration> = Vec::new();
    // Other tests may have every core for a while.
    while took.len() < 3 && took.iter().all(|took| *took >= LONGEST_START) {
        let began = Instant::now();
        let net =
            Net::line(["l1", "l2"]).without_channels().backend(Backend::Embedded).start().await.unwrap();
        took.push(began.elapsed());
        net.finish().await.unwrap();
    }
    assert!(took.iter().any(|took| *took < LONGEST_START), "0.4 s is usual; it took {took:?}");
}
