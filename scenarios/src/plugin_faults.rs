//! Faults on demand: a real plugin dies, hangs, holds its answer or says something else at a hook; the Bitcoin backend fails for a while.

use leyden::{Faulted, Hook, Mock, Net, Plugin, PluginFault, Reply, Result, Units, eventually, seen};
use serde_json::{Value, json};

use crate::scenario::Scenario;

fn guard() -> Plugin {
    Plugin::script("guard.sh", include_str!("guard.sh"))
}

pub(crate) fn plugin_faults() -> Scenario {
    Scenario::new(
        "a plugin that is made to die, hang or talk nonsense at a hook is left out, and its answers can be held and changed",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(misbehave(net)),
    )
}

async fn misbehave(net: &Net) -> Result {
    let [l1] = net.nodes();
    // It needs no database: v26.06.6 crashes when a command that does goes on because a plugin was killed for its nonsense.
    let ask = || l1.rpc("makesecret", json!({"string": "guarded"}));
    let fault = |hook: Hook| net.fault(&l1, "guard.sh").at(hook);
    let ends: [fn(PluginFault) -> Faulted; 3] =
        [PluginFault::die, PluginFault::garbage, PluginFault::close_stdout];
    for end in ends {
        for hook in [Hook::called("rpc_command"), Hook::answered("rpc_command")] {
            l1.start_plugin(guard()).await?;
            let ended = end(fault(hook)?);
            // It is asked no more.
            ask().await?;
            assert!(ended.happened().await?.contains(r#""method":"makesecret""#));
            l1.wait_for_log("plugin-guard.sh: Killing plugin: ").await?;
        }
    }

    l1.start_plugin(guard()).await?;
    let refused = fault(Hook::answered("rpc_command").nth(2))?.reply(Reply::return_error(-401, "not now"));
    ask().await?;
    assert_eq!(ask().await.expect_err("the second").code(), -401);
    refused.happened().await?;

    // Of two answers the first counts.
    let twice = fault(Hook::answered("rpc_command"))?.answer_twice();
    ask().await?;
    twice.happened().await?;

    let held = fault(Hook::answered("rpc_command"))?.hold();
    let in_between = async {
        held.happened().await?;
        // Everybody else is served meanwhile.
        l1.rpc("getinfo", json!({})).await?;
        held.release();
        Result::Ok(())
    };
    let (answered, between) = tokio::join!(ask(), in_between);
    between?;
    answered?;

    let hung = fault(Hook::called("rpc_command"))?.hang();
    let in_between = async {
        hung.happened().await?;
        l1.stop_plugin("guard.sh").await
    };
    let (answered, between) = tokio::join!(ask(), in_between);
    between?;
    answered?;

    // A mock misbehaves as well as an executable.
    let mock = l1
        .mount(Mock::hook("rpc_command").filters([leyden::Filter::Method("makesecret".into())]).named("mock"))
        .await?;
    let died = net.fault(&l1, "mock").at(Hook::called("rpc_command"))?.die();
    ask().await?;
    died.happened().await?;
    assert!(mock.calls("rpc_command").len() <= 1);
    Ok(())
}

pub(crate) fn chain_faults() -> Scenario {
    Scenario::new(
        "a bitcoind that fails for a while is asked again, and one that refuses a transaction is believed",
        || Net::builder().nodes(["l1"]).feerates([15_000, 11_000, 7_500, 3_750]),
        |net| Box::pin(fail_and_recover(net)),
    )
}

async fn fail_and_recover(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.fundwallet(&l1, 100_000.sat()).await?;
    let height = |info: &Value| info["blockheight"].as_u64();
    let before = height(&l1.rpc("getinfo", json!({})).await?);

    let failing = net.chain_fault("getblockhash").next(3).error(-1, "not in the mood");
    net.bitcoind().generate_block(1).await?;
    failing.happened().await?;
    let wanted = before.map(|before| before + 1);
    eventually("l1 has the block all the same", || async {
        let info = l1.rpc("getinfo", json!({})).await;
        info.map(|info| seen(info, |info| height(info) == wanted))
    })
    .await?;

    let address = l1.rpc("newaddr", json!(["bech32"])).await?["bech32"].take();
    let refused = net.chain_fault("sendrawtransaction").next(1).error(-26, "not this one");
    let error = l1.rpc("withdraw", json!([address, 10_000])).await.expect_err("it is refused");
    assert!(error.headline().contains("not this one"), "{error}");
    refused.happened().await?;
    l1.rpc("withdraw", json!([address, 10_000])).await?;
    Ok(())
}
