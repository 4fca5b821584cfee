//! The recorded story again, played by embedded nodes.

use crate::recording::{Recording, Run, Told};
use crate::{payments, replay};
use leyden::event::{Direction, EventKind};
use leyden::{Backend, Mock, Net, Node, Profile, Reply, Result};
use serde_json::{Value, json};

/// The plugin with every hook and topic, and the one with `db_write` alone.
const ALL_HOOKS: &str = "all-hooks";
const DB_WRITE: &str = "db-write";
/// After so many blocks a node has its own coins of a channel that it closed alone (`watchtime-blocks` on regtest).
const TO_SELF_DELAY: u32 = 5;

/// Plays it as the recorded release.
pub(crate) async fn play(recording: &Recording) -> Result<Told> {
    let net = net(recording).await?;
    let [l1, l2, l3, l4] = net.nodes();
    let began = net.timeline().now();
    for node in [&l1, &l2, &l3, &l4] {
        begin_anew(node, recording).await?;
    }
    the_line(&net, [&l1, &l2, &l3], recording).await?;
    the_writes(&net, &l4, recording.profile()).await?;
    for node in [&l1, &l4] {
        node.stop().await?;
    }
    let runs = |node: &Node, plugin| runs(&net, node.name(), plugin, began);
    let told = Told {
        all_hooks: [&l1, &l2, &l3].map(|node| runs(node, ALL_HOOKS)),
        db_write: runs(&l4, DB_WRITE),
        replay: replay::play(recording).await?,
    };
    net.finish().await?;
    Ok(told)
}

async fn net(recording: &Recording) -> Result<Net> {
    let manifest = recording.manifest.clone();
    let writes = json!({ "options": [], "rpcmethods": [], "hooks": ["db_write"], "dynamic": true });
    let plugin = |name, manifest: &Value| Mock::plugin(name).on_getmanifest(Reply::result(manifest.clone()));
    let mut net = Net::builder()
        .nodes(["l1", "l2", "l3", "l4"])
        .backend(Backend::Embedded)
        .profile(recording.profile())
        .mount("l4", plugin(DB_WRITE, &writes));
    for node in ["l1", "l2", "l3"] {
        net = net.mount(node, plugin(ALL_HOOKS, &manifest));
    }
    for node in ["l1", "l2", "l3", "l4"] {
        net = net.option(node, "allow-deprecated-apis", recording.deprecated_apis());
        // The recorded nodes did not believe what a peer on the same machine said of their address, and connected again by themselves.
        net = net.option(node, "dev-allow-localhost", false).option(node, "dev-no-reconnect", false);
    }
    net.start().await
}

/// A new start as lightningd's first: without a database, and without a secret if the recorded node had none.
async fn begin_anew(node: &Node, recording: &Recording) -> Result {
    node.stop().await?;
    let dir = node.lightning_dir().join("regtest");
    std::fs::remove_file(dir.join("lightningd.sqlite3"))?;
    if recording.made_secrets() {
        std::fs::remove_file(dir.join("hsm_secret"))?;
    }
    node.start().await
}

async fn the_line(net: &Net, [l1, l2, l3]: [&Node; 3], recording: &Recording) -> Result {
    l1.connect(l2).await?;
    told(l2, "connect", 1).await?;
    l2.connect(l3).await?;
    net.bitcoind().generate_block(2).await?;
    net.join_nodes(&[l1, l2, l3]).await?;
    payments::make([l1, l2, l3], recording).await?;
    l1.rpc("sendcustommsg", json!({ "node_id": l2.id(), "msg": "7777aabb" })).await?;
    told(l2, "custommsg", 1).await?;
    l1.rpc("disconnect", json!({ "id": l2.id(), "force": true })).await?;
    told(l2, "disconnect", 1).await?;
    // With channels they connect again by themselves: l1 to l2, and after its restart l2 to l3 as well.
    told(l2, "peer_connected", 3).await?;
    l2.restart().await?;
    if recording.has_balance_snapshot() {
        told(l2, "balance_snapshot", 3).await?;
    }
    told(l2, "peer_connected", 5).await?;
    l2.wait_for_channel_state(l1, "CHANNELD_NORMAL").await?;
    the_closes(net, [l1, l2, l3], recording).await?;
    l2.stop().await
}

/// One channel is closed by both sides, the other by one, while its peer is away.
async fn the_closes(net: &Net, [l1, l2, l3]: [&Node; 3], recording: &Recording) -> Result {
    let closed = l1.rpc("close", json!({ "id": l2.id() })).await?;
    assert_eq!(closed["type"], "mutual", "{closed}");
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    l1.wait_for_channel_onchain(l2).await?;
    l2.wait_for_channel_onchain(l1).await?;
    net.generate_block(100).await?;
    l3.stop().await?;
    let closed = l2.rpc("close", json!({ "id": l3.id(), "unilateraltimeout": 1 })).await?;
    assert_eq!(closed["type"], "unilateral", "{closed}");
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    l2.wait_for_channel_onchain(l3).await?;
    if recording.has_sweep() {
        net.generate_block(TO_SELF_DELAY).await?;
        net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    }
    net.sync_blockheight().await?;
    let own = l1.rpc("newaddr", json!({ "addresstype": "bech32" })).await?;
    l1.rpc("withdraw", json!({ "destination": own["bech32"], "satoshi": 100_000 })).await?;
    net.bitcoind().generate_block(1).wait_for_mempool(1).await?;
    net.sync_blockheight().await
}

async fn the_writes(net: &Net, l4: &Node, profile: Profile) -> Result {
    for label in ["a", "b"] {
        l4.rpc("invoice", json!({ "amount_msat": 1000, "label": label, "description": "d" })).await?;
    }
    l4.rpc("delinvoice", json!({ "label": "a", "status": "unpaid" })).await?;
    l4.rpc("newaddr", Value::Null).await?;
    l4.restart().await?;
    net.bitcoind().generate_block(1).await?;
    // v0.10.1 had no datastore yet.
    match profile {
        Profile::Manual | Profile::V0_10 => {
            l4.rpc("invoice", json!({ "amount_msat": 1000, "label": "c", "description": "d" })).await?
        }
        Profile::V23_02 | Profile::V26_06 => {
            l4.rpc("datastore", json!({ "key": "k", "string": "v" })).await?
        }
    };
    Ok(())
}

/// Waits until the plugin of a node has been told of something so many times since the net began.
async fn told(node: &Node, method: &str, times: usize) -> Result {
    let mock = node.mock(ALL_HOOKS).expect("it is mounted");
    leyden::eventually(format!("{} to be told of {times} × {method}", node.name()), || async {
        let calls = mock.calls(method).len();
        Ok(leyden::seen(calls, |calls| *calls >= times))
    })
    .await
    .map(drop)
}

/// What a plugin was told from a place in the timeline on.
pub(crate) fn runs(net: &Net, node: &str, plugin: &str, began: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for event in net.timeline().since(began) {
        if event.node.as_deref() != Some(node) || event.kind.plugin() != Some(plugin) {
            continue;
        }
        match (&event.kind, runs.last_mut()) {
            (EventKind::PluginLaunched { args, env, cwd, .. }, _) => {
                let argv: Vec<&str> =
                    std::iter::once(plugin).chain(args.iter().map(String::as_str)).collect();
                let env: serde_json::Map<_, _> =
                    env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                let start = json!({ "argv": argv, "env": env, "cwd_tail": [cwd.file_name().and_then(|name| name.to_str())] });
                runs.push(Run { start, told: Vec::new() });
            }
            (EventKind::Frame { direction: Direction::ToPlugin, text, .. }, Some(run)) => {
                run.told.push(serde_json::from_str(text).expect("a frame is JSON"));
            }
            _ => {}
        }
    }
    runs
}
