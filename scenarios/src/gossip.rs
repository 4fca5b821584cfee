//! What nodes tell each other of channels and of themselves.

use leyden::{Error, Mock, Net, Node, Result, Units, eventually, seen};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::onion_messages::over_channels;
use crate::payments::send;
use crate::scenario::Scenario;

pub(crate) fn known_everywhere() -> Scenario {
    Scenario::new(
        "every node of a line knows the same channels and nodes, what they ask for, and when a channel is gone",
        || Net::line(["l1", "l2", "l3"]),
        |net| Box::pin(tell(net)),
    )
}

async fn tell(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let of_l1 = channels(&l1).await?;
    assert_eq!(of_l1.len(), 4, "two channels, both ways: {of_l1:?}");
    assert_eq!(channels(&l3).await?, of_l1);

    let nodes = nodes(&l1, 3).await?;
    assert_eq!(self::nodes(&l3, 3).await?, nodes);
    for (node, entry) in [(&l1, "l1"), (&l2, "l2"), (&l3, "l3")] {
        let info = node.rpc("getinfo", json!({})).await?;
        let told = nodes.iter().find(|told| told["nodeid"] == node.id());
        let told = told.unwrap_or_else(|| panic!("{entry} is not among {nodes:?}"));
        assert_eq!((&told["alias"], &told["color"]), (&info["alias"], &info["color"]));
        assert_eq!(told["features"], info["our_features"]["node"]);
        assert_eq!(told["addresses"], info["address"]);
    }

    route_over(&l1, &l2, &l3).await?;
    over_channels(&l1, &l2, &l3).await?;
    can_be_paid(&l3, &l2).await?;

    l2.rpc("setchannel", json!({"id": l3.id(), "feebase": 77, "feeppm": 1000})).await?;
    let scid = l2.get_channel_scid(&l3).await?;
    hears(&l1, &scid, &l2, "asks for more", |half| {
        half["base_fee_millisatoshi"] == 77 && half["fee_per_millionth"] == 1000
    })
    .await?;

    l2.rpc("close", json!([l3.id()])).await?;
    hears(&l1, &scid, &l2, "is closing", |half| half["active"] == false).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    // A channel is remembered for a while: a splice would be announced meanwhile.
    net.generate_block(71).await?;
    assert_eq!(halves(&l1, &scid).await?.len(), 2);
    net.generate_block(1).await?;
    let gone = || async { Ok::<_, Error>(seen(halves(&l1, &scid).await?, Vec::is_empty)) };
    eventually("l1 forgets the channel of others", gone).await?;
    self::nodes(&l1, 2).await.map(drop)
}

pub(crate) fn known_after_restart() -> Scenario {
    let net = || {
        let watcher = Mock::notification("balance_snapshot").expect(2).named("watcher");
        Net::builder().nodes(["l1", "l2", "l3", "l4"]).mount("l3", watcher)
    };
    Scenario::new(
        "a node that starts again knows what it knew, tells its peers of its channels, and plugins what is in them",
        net,
        |net| Box::pin(start_again(net)),
    )
    .golden("l3", "watcher")
}

async fn start_again(net: &Net) -> Result {
    let [l1, l2, l3, l4] = net.nodes();
    heard(net, "l3", "watcher", "balance_snapshot", 1).await?;
    net.join_nodes(&[&l1, &l2, &l3]).await?;
    let known = (channels(&l2).await?, nodes(&l2, 3).await?);
    let scid = l2.get_channel_scid(&l3).await?;
    send(&[&l2, &l3], 300_000_000, "something to tell of").await?;
    l2.wait_for_htlcs().await?;
    l3.stop().await?;
    l2.restart().await?;
    assert_eq!(nodes(&l2, 3).await?, known.1);
    let halves = channels(&l2).await?;
    let names =
        |halves: &[Value]| halves.iter().map(|half| half["short_channel_id"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&halves), names(&known.0));

    // Both an old peer and one that has just come hear of all of it, and of what changes now.
    l1.connect(&l2).await?;
    l4.connect(&l2).await?;
    l2.rpc("setchannel", json!({"id": l3.id(), "feebase": 77})).await?;
    for node in [&l1, &l4] {
        hears(node, &scid, &l2, "asks for more", |half| half["base_fee_millisatoshi"] == 77).await?;
        let all = || async { Ok::<_, Error>(seen(channels(node).await?, |halves| halves.len() == 4)) };
        eventually(format!("{} knows both channels", node.name()), all).await?;
        assert_eq!(nodes(node, 3).await?, known.1);
    }
    l3.start().await?;
    heard(net, "l3", "watcher", "balance_snapshot", 2).await?;
    l3.connect(&l2).await?;
    l2.wait_local_channel_active(&scid).await?;
    l1.pay(&l3, 1_000_000.msat()).await.map(drop)
}

/// What carries a payment over a line, with the fees of the node between.
async fn route_over(l1: &Node, l2: &Node, l3: &Node) -> Result {
    let asked = json!({
        "source": l1.id(), "destination": l3.id(), "amount_msat": 1_000_000, "final_cltv": 9, "maxfee_msat": 100,
        "layers": ["auto.localchans", "auto.sourcefree"],
    });
    let found = l1.rpc("getroutes", asked).await?;
    let route = &found["routes"][0];
    assert_eq!(route["amount_msat"], 1_000_000, "{found}");
    let path = route["path"].as_array().cloned().unwrap_or_default();
    let step = |from: &Node, to: &Node, amounts: [u64; 2], cltvs: [u32; 2]| {
        let ends = json!([from.id(), to.id()]);
        (ends, json!(amounts), json!(cltvs))
    };
    let told: Vec<_> = path
        .iter()
        .map(|step| {
            let pair = |one: &str, other: &str| json!([step[one], step[other]]);
            (
                pair("node_id_in", "node_id_out"),
                pair("amount_in_msat", "amount_out_msat"),
                pair("cltv_in", "cltv_out"),
            )
        })
        .collect();
    let expected =
        [step(l1, l2, [1_000_011, 1_000_011], [15, 15]), step(l2, l3, [1_000_011, 1_000_000], [15, 9])];
    assert_eq!(told, expected);
    Ok(())
}

/// Over its only channel, behind whose peer there is another one.
async fn can_be_paid(node: &Node, peer: &Node) -> Result {
    let listed = node.rpc("listincoming", json!({})).await?;
    let incoming = listed["incoming"].as_array().cloned().unwrap_or_default();
    assert_eq!(incoming.len(), 1, "{listed}");
    let scid = node.get_channel_scid(peer).await?;
    for (name, value) in [
        ("id", json!(peer.id())),
        ("short_channel_id", json!(scid)),
        ("fee_base_msat", json!(1)),
        ("htlc_min_msat", json!(0)),
        ("fee_proportional_millionths", json!(10)),
        ("cltv_expiry_delta", json!(6)),
        // The largest HTLC of the channel to the peer, in the precision of routing.
        ("incoming_capacity_msat", json!(990_380_032)),
        ("public", json!(true)),
        ("enabled", json!(true)),
    ] {
        assert_eq!(incoming[0][name], value, "{name} of {listed}");
    }
    Ok(())
}

/// What a node knows of channels, by channel and direction.
async fn channels(node: &Node) -> Result<Vec<Value>> {
    let listed = node.rpc("listchannels", json!({})).await?;
    let mut channels = listed["channels"].as_array().cloned().unwrap_or_default();
    channels.sort_by_key(|half| (half["short_channel_id"].to_string(), half["direction"].as_u64()));
    Ok(channels)
}

async fn halves(node: &Node, scid: &str) -> Result<Vec<Value>> {
    let listed = node.rpc("listchannels", json!([scid])).await?;
    Ok(listed["channels"].as_array().cloned().unwrap_or_default())
}

/// What a node knows of nodes, once as many have told of themselves.
async fn nodes(node: &Node, number: usize) -> Result<Vec<Value>> {
    let look = || async {
        let listed = node.rpc("listnodes", json!({})).await?;
        let nodes = listed["nodes"].as_array().cloned().unwrap_or_default();
        Ok::<_, Error>(seen(nodes, |nodes: &Vec<Value>| {
            nodes.len() == number && nodes.iter().all(|node| node["alias"].is_string())
        }))
    };
    let mut nodes = eventually(format!("{} knows {number} nodes", node.name()), look).await?;
    nodes.sort_by_key(|node| node["nodeid"].to_string());
    Ok(nodes)
}

/// Waits until `node` knows that `source` says so of its half of a channel.
async fn hears(node: &Node, scid: &str, source: &Node, what: &str, says_so: fn(&Value) -> bool) -> Result {
    let look = || async {
        let halves = halves(node, scid).await?;
        let of_source = |half: &&Value| half["source"] == source.id();
        let half = halves.iter().find(of_source).cloned().unwrap_or_default();
        Ok::<_, Error>(seen(half, says_so))
    };
    eventually(format!("{} hears that {scid} {what}", node.name()), look).await.map(drop)
}
