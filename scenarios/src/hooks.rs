//! What all hooks have in common: who is asked, in which order, and what becomes of a chain.
//!
//! `rpc_command` stands for all; its mocks filter by method, since lightningd's own plugins call commands too.

use leyden::mock::{Clause, Hook};
use leyden::{Call, Filter, Mock, Net, Reply, Result};
use serde_json::json;

use crate::heard::{answered, heard};
use crate::scenario::Scenario;

fn echo() -> Mock {
    Mock::method("echo").reply(|call: &Call| Reply::result(call.params().clone())).named("server")
}

/// A registration for the command `echo`.
fn about_echo() -> Clause<Hook> {
    Mock::hook("rpc_command").filters([Filter::Method("echo".into())])
}

/// The plugins of `names` in the order in which they were asked about `echo`.
fn asked<'a>(net: &Net, names: &[&'a str]) -> Vec<&'a str> {
    let l1 = net.node("l1");
    let place = |name: &&'a str| {
        let calls = l1.transcript(name).only(["rpc_command"]);
        calls.frames().last().map(|frame| (frame.seq, *name))
    };
    let mut asked: Vec<(u64, &str)> = names.iter().filter_map(place).collect();
    asked.sort_unstable();
    asked.into_iter().map(|(_, name)| name).collect()
}

pub(crate) fn hook_order() -> Scenario {
    let net = || {
        let never = Mock::hook("rpc_command").filters([]).expect(0);
        Net::builder()
            .nodes(["l1"])
            .mount("l1", echo())
            .mount("l1", about_echo().after("third").after("nobody").expect(1).named("first"))
            .mount("l1", about_echo().expect(1).named("second"))
            .mount("l1", about_echo().before("second").expect(1).named("third"))
            .mount("l1", never.named("never"))
    };
    Scenario::new(
        "neighbours that are named decide who is asked first, else registration; an empty list of filters is no call",
        net,
        |net| Box::pin(ask_in_order(net)),
    ).golden("l1", "server").golden("l1", "first").golden("l1", "second")
    .golden("l1", "third")
}

async fn ask_in_order(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.wait_for_log("DEBUG +plugin-first: hook rpc_command after unknown plugin nobody").await?;
    assert_eq!(l1.rpc("echo", json!([1])).await?, json!([1]));
    assert_eq!(asked(net, &["first", "second", "third"]), ["third", "first", "second"]);
    Ok(())
}

pub(crate) fn hook_cycles() -> Scenario {
    let net = || {
        Net::builder()
            .nodes(["l1"])
            .mount("l1", echo())
            .mount("l1", about_echo().expect(1).named("free"))
            .mount("l1", about_echo().after("tail").named("head"))
            .mount("l1", about_echo().after("head").named("tail"))
            .mount("l1", about_echo().after("tail").named("behind"))
    };
    Scenario::new(
        "plugins that wait for each other, and who waits for them, are killed; later only the newcomer is",
        net,
        |net| Box::pin(go_round_in_circles(net)),
    )
    .golden("l1", "server")
    .golden("l1", "late")
    .golden("l1", "free")
    .golden("l1", "behind")
}

async fn go_round_in_circles(net: &Net) -> Result {
    let [l1] = net.nodes();
    let killed =
        |name: &str| format!("UNUSUAL plugin-{name}: Killing plugin: Cannot meet required hook dependencies");
    l1.wait_for_logs(["head", "tail", "behind"].map(killed).iter().map(String::as_str)).await?;
    let error = l1
        .mount(about_echo().before("selfish").named("selfish"))
        .await
        .map(drop)
        .expect_err("it is before itself");
    assert_eq!(error.code(), -3, "{error}");
    assert!(error.to_string().contains("selfish: Cannot meet required hook dependencies"), "{error}");
    l1.mount(about_echo().before("free").expect(1).named("late")).await?;
    let error = l1.mount(about_echo().before("late").after("free").named("between")).await;
    error.map(drop).expect_err("free is asked behind late");
    l1.rpc("echo", json!({})).await?;
    assert_eq!(asked(net, &["free", "late", "between"]), ["late", "free"]);
    Ok(())
}

pub(crate) fn hook_in_use() -> Scenario {
    let net = || {
        let holder = about_echo().reply(Reply::hang()).expect(1);
        let early = about_echo().expect(2).named("early");
        Net::builder()
            .nodes(["l1"])
            .mount("l1", echo())
            .mount("l1", early)
            .mount("l1", holder.named("holder"))
    };
    Scenario::new(
        "who registers while a hook is in use is asked last until it no longer is; a plugin that dies in it says continue",
        net,
        |net| Box::pin(register_while_in_use(net)),
    ).golden("l1", "server").golden("l1", "early").golden("l1", "late")
    .golden("l1", "holder")
}

async fn register_while_in_use(net: &Net) -> Result {
    let [l1] = net.nodes();
    let first = tokio::spawn(l1.rpc("echo", json!(["first"])));
    heard(net, "l1", "holder", "rpc_command", 1).await?;
    l1.mount(about_echo().before("early").expect(2).named("late")).await?;
    l1.wait_for_log("UNUSUAL .*: Deferring registration of hook rpc_command until it's not in use.").await?;

    l1.stop_plugin("holder").await?;
    assert_eq!(first.await.expect("it was asked")?, json!(["first"]));
    l1.wait_for_logs([
        "DEBUG +lightningd: Plugin died from rpc_command hook call",
        "UNUSUAL lightningd: Updating hooks for rpc_command now usage is done.",
    ])
    .await?;
    assert_eq!(asked(net, &["early", "holder", "late"]), ["early", "holder", "late"]);

    l1.rpc("echo", json!(["second"])).await?;
    assert_eq!(asked(net, &["early", "late"]), ["late", "early"]);
    Ok(())
}

pub(crate) fn hook_outlived() -> Scenario {
    let net = || {
        let holder = Mock::hook("peer_connected").reply(Reply::hang()).expect(1).named("holder");
        let watcher =
            Mock::notification("connect").expect(1).and(Mock::notification("disconnect").expect(1..));
        Net::builder().nodes(["l1", "l2"]).mount("l2", holder).mount("l2", watcher.named("watcher"))
    };
    Scenario::new(
        "what plugins think of a peer does not count once it is gone; that it went is told, though it never came",
        net,
        |net| Box::pin(leave_before_the_verdict(net)),
    ).golden("l2", "watcher")
    .golden("l2", "holder")
}

async fn leave_before_the_verdict(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    l1.connect(&l2).await?;
    heard(net, "l2", "holder", "peer_connected", 1).await?;
    l1.rpc("disconnect", json!([l2.id()])).await?;
    heard(net, "l2", "watcher", "disconnect", 1).await?;
    l2.stop_plugin("holder").await?;
    l2.wait_for_log("Plugin died from peer_connected hook call").await?;
    l1.connect(&l2).await?;
    heard(net, "l2", "watcher", "connect", 1).await?;
    Ok(())
}

pub(crate) fn hook_fatal() -> Scenario {
    let net = || {
        let bad = about_echo()
            .reply(Reply::error(-1, "no"))
            .and(
                Mock::hook("peer_connected")
                    .reply(Reply::result(json!({"result": "maybe"})))
                    .then(Reply::cont()),
            )
            .and(
                Mock::hook("custommsg")
                    .filters([Filter::MessageType(0x8001)])
                    .reply(Reply::result(json!({}))),
            );
        Net::builder()
            .nodes(["l1", "l2"])
            .may_fail("l1")
            .broken_log("l1", "")
            .mount("l1", echo())
            .mount("l1", bad.named("bad"))
    };
    Scenario::new("an error, or a result that a hook does not know, is the end of the node", net, |net| {
        Box::pin(answer_badly(net))
    })
    .golden("l1", "server")
    .golden_view("l1", "bad", |all| all.only(["rpc_command", "peer_connected", "custommsg"]))
}

async fn answer_badly(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let ends = async |text: &str| {
        l1.wait_for_log(&format!(r"\*\*BROKEN\*\* .*{text}")).await?;
        l1.wait_for_exit().await
    };
    l1.rpc("echo", json!([])).await.expect_err("the node ends");
    ends("Plugin bad for rpc_command returned non-result response").await?;
    l1.start().await?;
    drop(l2.connect(&l1).await);
    ends("Plugin returned an invalid response to the peer_connected hook").await?;
    l1.start().await?;
    l2.connect(&l1).await?;
    // In each life the manifest, init, and an answer to one hook.
    answered(net, "l1", "bad", 9).await?;
    l2.rpc("sendcustommsg", json!([l1.id(), "8001"])).await?;
    ends("Plugin returned an invalid response to the custommsg hook").await?;
    Ok(())
}
