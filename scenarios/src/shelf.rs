//! The mocks on the shelf of `mock-plugins/scripts`, each doing what its file says.

use std::path::Path;

use leyden::event::EventKind;
use leyden::{Error, Mock, Net, Node, Result};
use serde_json::{Value, json};

use crate::heard::{answered, heard, heard_with};
use crate::scenario::Scenario;
use crate::socket::Client;

/// JSON-RPC codes of lightningd (`common/jsonrpc_errors.h`).
const PLUGIN_ERROR: i64 = -3;
const PLUGIN_TERMINATED: i64 = -4;

/// The mock of a script.
fn shelf(script: &str) -> Result<Mock> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mock-plugins/scripts");
    Mock::script(folder.join(script).with_extension("toml"))
        .map_err(|error| Error::test(format!("taking '{script}' from the shelf")).because(error))
}

/// Loads a script for as long as the node runs.
async fn load(node: &Node, script: &str) -> Result {
    node.mount(shelf(script)?).await.map(drop)
}

pub(crate) fn shelf_of_starts() -> Scenario {
    Scenario::new(
        "scripts whose start is special: refused with a reason, late, in pieces, or never done",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(start_all(net)),
    )
}

async fn start_all(net: &Net) -> Result {
    let [l1] = net.nodes();
    let refused = [
        ("bad-manifest", "result.rpcmethods"),
        ("dies-in-init", "exited before replying to init"),
        ("disabled", "disabled itself: no database"),
        ("disabled-at-init", "disabled itself at init: wrong network"),
        ("garbage-at-start", ""),
        ("not-dynamic", "Not a dynamic plugin"),
    ];
    for (script, why) in refused {
        let error = load(&l1, script).await.expect_err(script);
        assert_eq!(error.code(), PLUGIN_ERROR, "{script}: {error}");
        assert!(error.to_string().contains(why), "{script}: {error}");
    }
    for script in ["in-pieces", "no-newline", "slow-init"] {
        l1.mount_scoped(shelf(script)?).await?.finish().await?;
    }
    // It is never up, and keeps nobody else from his answer.
    let late = tokio::spawn(l1.mount(shelf("hangs-in-init")?));
    heard(net, "l1", "hangs-in-init", "init", 1).await?;
    l1.rpc("getinfo", json!({})).await?;
    late.abort();
    Ok(())
}

pub(crate) fn shelf_of_methods() -> Scenario {
    Scenario::new(
        "scripts with a method: one answers well, others late, twice, wrongly or never",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(call_all(net)),
    )
    .golden("l1", "busy-at-first")
    .golden("l1", "answers-twice")
    .golden("l1", "makes-progress")
    .golden("l1", "greet")
    .golden("l1", "no-jsonrpc")
    .golden("l1", "method-fails")
    .golden("l1", "dies-in-a-method")
    .golden("l1", "hangs-in-a-method")
}

async fn hello(node: &Node) -> Result<Value> {
    node.rpc("hello", json!({})).await
}

async fn call_all(net: &Net) -> Result {
    let [l1] = net.nodes();
    let greeter = l1.mount_scoped(shelf("greet")?).await?;
    assert_eq!(hello(&l1).await?, json!({"greeting": "Hello there"}));
    l1.wait_for_log("INFO .*plugin-greet: greeted somebody").await?;
    greeter.finish().await?;

    let refuser = l1.mount_scoped(shelf("method-fails")?).await?;
    assert_eq!(hello(&l1).await.expect_err("it only knows an error").code(), 1234);
    refuser.finish().await?;

    let busy = l1.mount_scoped(shelf("busy-at-first")?).await?;
    for _ in 0..2 {
        assert_eq!(hello(&l1).await.expect_err("it is busy twice").code(), 503);
    }
    assert_eq!(hello(&l1).await?, json!({"done": true}));
    busy.finish().await?;

    for script in ["closes-stdout", "dies-in-a-method", "no-jsonrpc"] {
        load(&l1, script).await?;
        let error = hello(&l1).await.expect_err(script);
        assert_eq!(error.code(), PLUGIN_TERMINATED, "{script}: {error}");
        l1.wait_for_log(&format!("plugin-{script}: Killing plugin: ")).await?;
    }
    // Of two answers the first counts.
    let twice = l1.mount_scoped(shelf("answers-twice")?).await?;
    for calls in 1..=2 {
        assert_eq!(hello(&l1).await?, json!({}));
        // The second answer comes when the caller has gone on already.
        answered(net, "l1", "answers-twice", 2 + 2 * calls).await?;
    }
    twice.finish().await?;

    let listener = l1.mount_scoped(Mock::notification("news").expect(200).named("listener")).await?;
    let flood = l1.mount_scoped(shelf("floods")?).await?;
    assert_eq!(hello(&l1).await?, json!({}));
    listener.wait_for("news", 200).await?;
    flood.finish().await?;
    listener.finish().await?;

    let mut curious = Client::connect(&l1).await?;
    curious.send(r#"{"jsonrpc":"2.0","id":"on","method":"notifications","params":[true]}"#).await?;
    curious.next().await?;
    let worker = l1.mount_scoped(shelf("makes-progress")?).await?;
    let call = r#"{"jsonrpc":"2.0","id":"mine","method":"hello","params":{}}"#;
    curious.send(call).await?;
    for step in 0..3 {
        let told: Value = serde_json::from_str(&curious.next().await?)?;
        assert_eq!(told["params"], json!({"id": "mine", "num": step, "total": 3}));
    }
    assert!(curious.next().await?.contains("result"));
    worker.finish().await?;

    // An answer to nobody is none.
    for script in ["hangs-in-a-method", "wrong-id"] {
        let silent = l1.mount_scoped(shelf(script)?).await?;
        curious.send(call).await?;
        silent.wait_for("hello", 1).await?;
        silent.finish().await?;
        let answer: Value = serde_json::from_str(&curious.next().await?)?;
        assert_eq!(answer["error"]["code"], PLUGIN_TERMINATED, "{script}: {answer}");
    }

    // The node waits for it, and would for a long time.
    load(&l1, "ignores-shutdown").await?;
    curious.send(r#"{"jsonrpc":"2.0","id":"end","method":"stop","params":{}}"#).await?;
    heard(net, "l1", "ignores-shutdown", "shutdown", 1).await?;
    l1.kill().await
}

pub(crate) fn shelf_of_commands() -> Scenario {
    Scenario::new(
        "scripts in the way of a command: it is let through, replaced, answered or refused, also when the plugin breaks",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(command_all(net)),
    ).golden("l1", "return-an-error").golden("l1", "return-a-result").golden("l1", "replace-a-command").golden("l1", "continue-every-command").golden("l1", "garbage-in-a-hook")
}

async fn command_all(net: &Net) -> Result {
    let [l1] = net.nodes();
    let patient = l1.mount_scoped(shelf("continue-every-command")?).await?;
    let peers = l1.rpc("listpeers", json!({})).await?;
    assert_eq!(peers, json!({"peers": []}));
    patient.finish().await?;

    let swapper = l1.mount_scoped(shelf("replace-a-command")?).await?;
    assert_eq!(l1.rpc("listinvoices", json!({})).await?["id"], l1.id());
    swapper.finish().await?;

    let oracle = l1.mount_scoped(shelf("return-a-result")?).await?;
    assert_eq!(l1.rpc("decode", json!(["anything"])).await?, json!({"type": "mocked", "valid": true}));
    oracle.finish().await?;

    let guard = l1.mount_scoped(shelf("return-an-error")?).await?;
    assert_eq!(l1.rpc("newaddr", json!({})).await.expect_err("it is forbidden").code(), -401);
    guard.finish().await?;

    for script in ["dies-in-a-hook", "garbage-in-a-hook"] {
        load(&l1, script).await?;
        assert_eq!(l1.rpc("listpeers", json!({})).await?, json!({"peers": []}), "{script}");
        l1.wait_for_log(&format!("plugin-{script}: Killing plugin: ")).await?;
    }
    Ok(())
}

pub(crate) fn shelf_of_peers() -> Scenario {
    Scenario::new(
        "scripts about peers: refused always or at first, thought about, watched, and their messages heard",
        || Net::builder().nodes(["l1", "l2"]).may_fail("l2").broken_log("l2", "."),
        |net| Box::pin(meet_all(net)),
    )
}

async fn meet_all(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let everything = l2.mount_scoped(shelf("hear-everything")?).await?;
    let door = l2.mount_scoped(shelf("refuse-peers")?).await?;
    // It is told that it is connected, or not, as fast as the refusal comes.
    drop(l1.connect(&l2).await);
    l1.wait_for_log("WARNING: not today").await?;
    everything.wait_for("disconnect", 1).await?;
    door.finish().await?;

    let door = l2.mount_scoped(shelf("refuse-the-first-peer")?).await?;
    drop(l1.connect(&l2).await);
    everything.wait_for("disconnect", 2).await?;
    door.finish().await?;

    let thinker = l2.mount_scoped(shelf("slow-hook")?).await?;
    let watcher = l2.mount_scoped(shelf("watch-peers")?).await?;
    l1.connect(&l2).await?;
    watcher.wait_for("connect", 1).await?;
    l1.rpc("disconnect", json!({"id": l2.id(), "force": true})).await?;
    watcher.wait_for("disconnect", 1).await?;
    watcher.finish().await?;
    thinker.finish().await?;

    load(&l2, "hear-custommsg").await?;
    l1.connect(&l2).await?;
    let message = json!({"node_id": l2.id(), "msg": "80010a"});
    l1.rpc("sendcustommsg", message.clone()).await?;
    l2.wait_for_log("INFO .*plugin-hear-custommsg: a custom message").await?;
    // lightningd takes an error for a plugin that has gone mad, and ends.
    load(&l2, "error-in-a-hook").await?;
    l1.rpc("sendcustommsg", message).await?;
    let ours = |params: &Value| params["payload"].as_str().is_some_and(|payload| payload.starts_with("8001"));
    let asked = heard_with(net, "l2", "error-in-a-hook", "custommsg", 1, ours).await?;
    let end = |event: &leyden::event::Event| {
        let ended = matches!(&event.kind, EventKind::NodeExited { code, .. } if *code != Some(0));
        (ended && event.node.as_deref() == Some("l2")).then_some(())
    };
    let deadline = leyden::Deadline::standard(&leyden::env::Settings::from_env());
    net.timeline().wait_for("l2 to end", None, asked, deadline, end).await
}
