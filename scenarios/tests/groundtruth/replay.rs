//! An HTLC that a plugin leaves unanswered until the node is killed, and about which its successor is asked again.

use crate::kind::Kind;
use crate::recording::{Recording, Run};
use crate::{shape, story};
use leyden::{Backend, Mock, Net, Reply, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PLUGIN: &str = "hold";

/// Plays it as the recorded release.
pub(crate) async fn play(recording: &Recording) -> Result<Vec<Run>> {
    let manifest = Reply::result(recording.replay_manifest.clone());
    let hold = Mock::hook("htlc_accepted").reply(Reply::hang()).times(1).then(Reply::cont());
    let mut net = Net::line(["l1", "l2"]).backend(Backend::Embedded).profile(recording.profile());
    for node in ["l1", "l2"] {
        net = net.option(node, "allow-deprecated-apis", recording.deprecated_apis());
        net = net.option(node, "rescan", recording.rescanned_blocks());
    }
    let net = net.mount("l2", hold.named(PLUGIN).on_getmanifest(manifest)).start().await?;
    let [l1, l2] = net.nodes();
    net.generate_block(recording.rescanned_blocks()).await?;
    let invoice =
        l2.rpc("invoice", json!({"amount_msat": 10_000, "label": "held", "description": "d"})).await?;
    let [hash, secret] = ["payment_hash", "payment_secret"].map(|name| &invoice[name]);
    let channel = l1.get_channel_scid(&l2).await?;
    let route = json!([{ "amount_msat": 10_000, "id": l2.id(), "delay": 9, "channel": channel }]);
    l1.rpc("sendpay", json!({ "route": route, "payment_hash": hash, "payment_secret": secret })).await?;
    let asked = async |times: usize| {
        let hold = l2.mock(PLUGIN).expect("it is mounted");
        leyden::eventually(format!("{PLUGIN} is asked {times} times"), || async {
            Ok(leyden::seen(hold.calls("htlc_accepted").len(), |calls| *calls >= times))
        })
        .await
    };
    asked(1).await?;
    // Nobody can connect while it starts: it asks all the same.
    l1.stop().await?;
    l2.kill().await?;
    l2.start().await?;
    asked(2).await?;
    l1.start().await?;
    net.connect(&l1, &l2).await?;
    l1.rpc("waitsendpay", json!({ "payment_hash": hash })).await?;
    l2.wait_for_htlcs().await?;
    let runs = story::runs(&net, l2.name(), PLUGIN, 0);
    net.finish().await?;
    Ok(runs)
}

/// What the plugin is told in each run, frame by frame, and what of the second question is not as in the first.
pub(crate) fn steps(runs: &[Run]) -> Vec<String> {
    let mut steps = Vec::new();
    let mut first: Option<&Value> = None;
    for run in runs {
        // Not how: the node of v26.06.6 was not in developer mode here.
        steps.push(Kind::start().to_string());
        for frame in &run.told {
            steps.push(shape::of_frame(frame));
            if Kind::of(frame).is("htlc_accepted") {
                let params = &frame["params"];
                steps
                    .extend(first.map(|first| format!("asked again: {}", changes(first, params).join(", "))));
                first = Some(params);
            }
        }
    }
    steps
}

/// Where the second of two values is another; of numbers by how much.
fn changes(before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Object(first), Value::Object(second)) => {
            let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
            let below = |name: &String| -> Vec<String> {
                let changes = changes(&before[name], &after[name]);
                changes.into_iter().map(|change| format!("{name}: {change}")).collect()
            };
            names.into_iter().flat_map(below).collect()
        }
        _ if before == after => Vec::new(),
        _ => match (before.as_i64(), after.as_i64()) {
            (Some(before), Some(after)) => vec![format!("{:+}", after - before)],
            _ => vec![format!("{before} is {after}")],
        },
    }
}
