//! The hook `rpc_command`: plugins in the way of a command.
//!
//! Every mock filters by method, since lightningd's own plugins call commands too.

use leyden::{Call, Capability, Filter, Mock, Net, Node, Reply, Result, Units};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::Scenario;

/// The plugin whose methods are called, or not.
fn server() -> Mock {
    let answer = |call: &Call| Reply::result(json!({"ran": call.name(), "params": call.params()}));
    Mock::method("original").reply(answer).and(Mock::method("other").reply(answer)).named("server")
}

fn original() -> [Filter; 1] {
    [Filter::Method("original".into())]
}

/// Gives the verdict that the command's parameter `verdict` asks for.
fn judge(call: &Call) -> Reply {
    match call.params()["rpc_command"]["params"]["verdict"].as_str() {
        Some("replace") => Reply::replace("other", json!({"by": "judge"})),
        Some("result") => Reply::return_(json!({"by": "judge"})),
        Some("error") => Reply::return_error(-1234, "judged"),
        _ => Reply::cont(),
    }
}

pub(crate) fn rpc_command_verdicts() -> Scenario {
    let net = || {
        let judge = Mock::hook("rpc_command").filters(original()).reply(judge).expect(4).named("judge");
        Net::builder().nodes(["l1"]).mount("l1", server()).mount("l1", judge)
    };
    Scenario::new(
        "a command goes on, is replaced, or is answered with a result or an error in its place",
        net,
        |net| Box::pin(judge_commands(net)),
    )
    .golden("l1", "judge")
    .golden("l1", "server")
}

async fn judge_commands(net: &Net) -> Result {
    let [l1] = net.nodes();
    let ask = |verdict: &str| l1.rpc("original", json!({"verdict": verdict}));
    assert_eq!(ask("continue").await?, json!({"ran": "original", "params": {"verdict": "continue"}}));
    assert_eq!(ask("replace").await?, json!({"ran": "other", "params": {"by": "judge"}}));
    assert_eq!(ask("result").await?, json!({"by": "judge"}));
    let error = ask("error").await.expect_err("the judge says so");
    assert_eq!(error.code(), -1234);
    assert!(error.headline().contains("judged"), "{error}");
    // Another command is none of the judge's business.
    assert_eq!(l1.rpc("other", json!([1])).await?, json!({"ran": "other", "params": [1]}));
    Ok(())
}

pub(crate) fn rpc_command_chain() -> Scenario {
    let net = || {
        let late = Mock::hook("rpc_command").filters(original()).expect(2).named("late");
        let early = Mock::hook("rpc_command").filters(original()).before("late").reply(judge).named("early");
        Net::builder().nodes(["l1"]).mount("l1", server()).mount("l1", late).mount("l1", early)
    };
    Scenario::new(
        "`before` decides who is asked first; who comes later is asked although the command was modified",
        net,
        |net| Box::pin(ask_in_order(net)),
    )
    .golden("l1", "early")
    .golden("l1", "late")
    .golden("l1", "server")
}

async fn ask_in_order(net: &Net) -> Result {
    let [l1] = net.nodes();
    for (verdict, expected) in [
        ("continue", json!({"ran": "original", "params": {"verdict": "continue"}})),
        ("replace", json!({"ran": "other", "params": {"by": "judge"}})),
    ] {
        assert_eq!(l1.rpc("original", json!({"verdict": verdict})).await?, expected);
    }
    let asked = |plugin: &str| {
        let calls = l1.transcript(plugin).only(["rpc_command"]);
        calls.frames().iter().map(|frame| frame.seq).collect::<Vec<u64>>()
    };
    let (early, late) = (asked("early"), asked("late"));
    assert!(
        early[1] < late[0] && late[1] < early[2],
        "each answers before the next is asked: {early:?} {late:?}"
    );
    Ok(())
}

pub(crate) fn rpc_command_modified_twice() -> Scenario {
    let net = || {
        let second =
            Mock::hook("rpc_command").filters(original()).reply(Reply::return_("second")).named("second");
        let first =
            Mock::hook("rpc_command").filters(original()).before("second").reply(judge).named("first");
        Net::builder().nodes(["l1"]).mount("l1", server()).mount("l1", second).mount("l1", first)
    };
    Scenario::new(
        "of two plugins that modify a command the first counts, and the log tells of the second",
        net,
        |net| Box::pin(modify_twice(net)),
    )
    .needs(Capability::TwoModifiers)
}

async fn modify_twice(net: &Net) -> Result {
    let [l1] = net.nodes();
    let answer = l1.rpc("original", json!({"verdict": "result"})).await?;
    assert_eq!(answer, json!({"by": "judge"}));
    l1.wait_for_log("UNUSUAL .*rpc_command hook 'original' already modified, ignoring.").await?;
    assert_eq!(l1.rpc("original", json!({})).await?, "second");
    Ok(())
}

/// The commands of which `withdraw` and its like are made.
const INNER: [&str; 4] = ["fundpsbt", "signpsbt", "sendpsbt", "unreserveinputs"];

pub(crate) fn rpc_command_within() -> Scenario {
    Scenario::new(
        "plugins see the commands that a bundled plugin gives to do its own, and can refuse one of them",
        || {
            let methods = ["withdraw", "txprepare", "txsend", "txdiscard"].into_iter().chain(INNER);
            let filters = methods.map(|method| Filter::Method(method.to_owned()));
            // The second transaction must not be sent.
            let guard = |call: &Call| {
                let sent = call.params()["rpc_command"]["method"] == "sendpsbt";
                let second = sent && call.params()["rpc_command"]["id"].to_string().contains("withdraw");
                if second { Reply::return_error(-7, "not today") } else { Reply::cont() }
            };
            let guard = Mock::hook("rpc_command").filters(filters).reply(guard).named("guard");
            Net::builder().nodes(["l1"]).mount("l1", guard)
        },
        |net| Box::pin(see_within(net)),
    )
}

async fn see_within(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    let address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    let refused = l1.rpc("withdraw", json!([address, 10_000])).await.expect_err("a plugin forbids it");
    assert!(refused.code() == -7 && refused.headline().contains("not today"), "{refused}");
    let outputs = l1.rpc("listfunds", json!({})).await?["outputs"].take();
    assert_eq!(outputs[0]["reserved"], false, "{outputs}");
    let prepare = json!({"outputs": [{address: 10_000}]});
    let first = l1.rpc("txprepare", prepare.clone()).await?;
    l1.rpc("txdiscard", json!([first["txid"]])).await?;
    let second = l1.rpc("txprepare", prepare).await?;
    let sent = l1.rpc("txsend", json!([second["txid"]])).await?;
    assert_eq!(sent["txid"], second["txid"]);

    let mut methods = Vec::new();
    for request in requests(&l1) {
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        if INNER.contains(&method.as_str()) {
            // <client's id>/cln:withdraw#<n>/txprepare:fundpsbt#<n>
            let id = request["id"].as_str().unwrap_or_default();
            let (cause, own) = id.rsplit_once('/').unwrap_or_default();
            assert!(own.starts_with(&format!("txprepare:{method}#")) && cause.contains("/cln:"), "{request}");
        }
        methods.push(method);
    }
    let expected = "withdraw fundpsbt signpsbt sendpsbt unreserveinputs txprepare fundpsbt txdiscard unreserveinputs \
                    txprepare fundpsbt txsend signpsbt sendpsbt";
    assert_eq!(methods.join(" "), expected);
    Ok(())
}

/// What the plugin `guard` was asked about.
fn requests(node: &Node) -> Vec<Value> {
    let transcript = node.transcript("guard").only(["rpc_command"]);
    let asked = transcript.frames().iter().filter_map(|frame| frame.text());
    let asked = asked.filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let calls = asked.filter(|frame| frame["method"] == "rpc_command");
    calls.map(|mut frame| frame["params"]["rpc_command"].take()).collect()
}

/// Commands of bundled plugins, with those that they give.
const BUNDLED: [(&str, &str); 7] = [
    ("fundchannel", "spenderp:multifundchannel"),
    (
        "multifundchannel",
        "spenderp:connect spenderp:parsefeerate spenderp:fundpsbt spenderp:fundchannel_start \
         spenderp:fundchannel_complete spenderp:signpsbt spenderp:sendpsbt",
    ),
    ("multiwithdraw", "spenderp:fundpsbt spenderp:newaddr spenderp:signpsbt spenderp:sendpsbt"),
    ("getroutes", "cln-askrene:listpeerchannels"),
    ("listpays", "cln-xpay:listsendpays"),
    ("xpay", "cln-xpay:preapproveinvoice"),
    ("xkeysend", "cln-xpay:preapprovekeysend"),
];

pub(crate) fn rpc_command_bundled() -> Scenario {
    Scenario::new(
        "plugins see the commands of which channels, withdrawals and payments are made, and can refuse a payment",
        || {
            let given = BUNDLED.iter().flat_map(|(_, given)| given.split(' '));
            let methods = given.filter_map(|given| given.split(':').nth(1));
            let filters: BTreeSet<&str> = methods.collect();
            let filters = filters.into_iter().map(|method| Filter::Method(method.to_owned()));
            let guard = |call: &Call| match call.params()["rpc_command"]["method"].as_str() {
                Some("preapproveinvoice" | "preapprovekeysend") => Reply::return_error(-7, "not today"),
                _ => Reply::cont(),
            };
            let guard = Mock::hook("rpc_command").filters(filters).reply(guard).named("guard");
            Net::line(["l1", "l2"]).without_channels().mount("l1", guard)
        },
        |net| Box::pin(see_bundled(net)),
    )
}

async fn see_bundled(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    net.fundwallet(&l1, 1_000_000.sat()).await?;
    l1.rpc("fundchannel", json!([l2.id(), 100_000])).await?;
    let address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    l1.rpc("multiwithdraw", json!([[{address: 10_000}]])).await?;
    // Nobody knows of the channel yet.
    let routes = json!([l1.id(), l2.id(), 1000, ["auto.localchans"], 1000, 10]);
    l1.rpc("getroutes", routes).await.expect_err("there is no route");
    l1.rpc("listpays", json!({})).await?;
    let invoice = l2.rpc("invoice", json!([1000, "label", "description"])).await?["bolt11"].take();
    for (method, params) in [("xpay", json!([invoice])), ("xkeysend", json!([l2.id(), 1000]))] {
        let refused = l1.rpc(method, params).await.expect_err("a plugin forbids it");
        assert!(refused.code() == -7 && refused.headline().contains("not today"), "{refused}");
    }

    // <…>/cln:fundchannel#<n>/spenderp:multifundchannel#<n>
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in requests(&l1) {
        let id = request["id"].as_str().unwrap_or_default();
        let mut parts = id.rsplit('/').filter_map(|part| part.split('#').next());
        let (Some(own), Some(cause)) = (parts.next(), parts.next()) else { continue };
        if let Some(outer) = cause.strip_prefix("cln:") {
            seen.entry(outer.to_owned()).or_default().push(own.to_owned());
        }
    }
    for (outer, given) in BUNDLED {
        assert_eq!(seen.get(outer).map(|given| given.join(" ")).as_deref(), Some(given), "{outer}");
    }
    Ok(())
}
