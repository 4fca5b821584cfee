//! Hooks: who may register, in which order plugins are asked, what they are told, what answers mean.

use crate::four::{Four, first_told, logged, manifest, members, peer_of, started, told};
use leyden::{Call, Filter, Mock, Net, Node, Reply, Result};
use serde_json::json;

pub(crate) async fn hook_mode() -> Result {
    let early = || Mock::hook("custommsg").named("early");
    let look = async |_: &Net, node: &Node| {
        let second = started(node, "late", manifest(&json!({ "hooks": ["custommsg"] }))).await?;
        let chained = started(node, "other", manifest(&json!({ "hooks": ["db_write"] }))).await?;
        Ok(format!("second of custommsg {second}, of db_write {chained}"))
    };
    let chain = "second of custommsg started, of db_write started";
    let single = "second of custommsg could not register hook 'custommsg', either the name doesn't exist or another plugin \
                  already registered it., of db_write started";
    Four::new().mount(early).look(look, [single, chain, chain, chain]).await
}

pub(crate) async fn before_and_after() -> Result {
    let early = || Mock::hook("rpc_command").named("early");
    let late = || Mock::hook("rpc_command").before("early").named("late");
    let look = async |net: &Net, node: &Node| {
        node.rpc("getinfo", json!({})).await?;
        let mut asked = Vec::new();
        for event in net.timeline().events() {
            let leyden::event::EventKind::Frame { plugin, text, .. } = &event.kind else { continue };
            let is_ours =
                event.node.as_deref() == Some(node.name()) && text.contains(r#""method":"getinfo""#);
            if is_ours {
                asked.push(plugin.clone());
            }
        }
        Ok(if asked.len() == 1 { "only one".to_owned() } else { asked.join(" ") })
    };
    // The manual knows neither; its `rpc_command` takes one plugin.
    Four::new()
        .mount(early)
        .mount(late)
        .look(look, ["only one", "late early", "late early", "late early"])
        .await
}

pub(crate) async fn filters() -> Result {
    let picky = || Mock::hook("rpc_command").filters([Filter::Method("listpeers".to_owned())]).named("picky");
    let look = async |_: &Net, node: &Node| {
        node.rpc("getinfo", json!({})).await?;
        node.rpc("listpeers", json!({})).await?;
        let asked = told(node, "picky", "rpc_command");
        Ok(asked
            .iter()
            .filter_map(|frame| frame["params"]["rpc_command"]["method"].as_str())
            .collect::<Vec<_>>()
            .join(" "))
    };
    let all = "getinfo listpeers";
    Four::new().mount(picky).look(look, [all, all, all, "listpeers"]).await
}

pub(crate) async fn hook_error_reply() -> Result {
    let wrong = || Mock::hook("rpc_command").reply(Reply::error(1, "no")).named("wrong");
    let look = async |net: &Net, node: &Node| {
        // The node ends, so there may be no answer.
        drop(node.rpc("getinfo", json!({})).await);
        let broken = leyden::eventually("the node to say why it ends", || async {
            let lines = logged(net, node, "lightningd");
            let line = lines.into_iter().find(|(level, _)| *level == "broken").map(|(_, text)| text);
            Ok(leyden::seen(line, Option::is_some))
        })
        .await?;
        let text = broken.unwrap_or_default();
        Ok(text.split(" {").next().unwrap_or_default().to_owned())
    };
    let old = "Plugin for rpc_command returned non-result response";
    Four::new()
        .may_fail()
        .mount(wrong)
        .look(look, [old, old, old, "Plugin wrong for rpc_command returned non-result response"])
        .await
}

pub(crate) async fn hooks_available() -> Result {
    const HOOKS: [&str; 17] = [
        "commitment_revocation",
        "custommsg",
        "db_write",
        "htlc_accepted",
        "invoice_payment",
        "onion_message",
        "onion_message_blinded",
        "onion_message_recv",
        "onion_message_recv_secret",
        "openchannel",
        "openchannel2",
        "openchannel2_changed",
        "openchannel2_sign",
        "peer_connected",
        "rbf_channel",
        "recover",
        "rpc_command",
    ];
    let look = async |_: &Net, node: &Node| {
        let mut refused = Vec::new();
        for hook in HOOKS {
            if started(node, "hooked", manifest(&json!({ "hooks": [hook] }))).await? != "started" {
                refused.push(hook);
            }
        }
        Ok(format!("without {}", refused.join(" ")))
    };
    Four::new()
        .look(
            look,
            [
                "without onion_message onion_message_blinded onion_message_recv onion_message_recv_secret openchannel2 \
                 openchannel2_changed openchannel2_sign rbf_channel recover",
                "without onion_message_recv onion_message_recv_secret recover",
                "without onion_message onion_message_blinded recover",
                "without onion_message onion_message_blinded",
            ],
        )
        .await
}

pub(crate) async fn peer_connected() -> Result {
    let look = async |net: &Net, node: &Node| {
        node.connect(&peer_of(net, node)).await?;
        Ok(members(&first_told(net, node, "doorman", "peer_connected").await?["params"]["peer"]))
    };
    Four::new()
        .with_peers()
        .mount(|| Mock::hook("peer_connected").named("doorman"))
        .look(
            look,
            [
                "id:string addr:string features:string",
                "id:string direction:string addr:string features:string",
                "id:string direction:string addr:string remote_addr:string features:string",
                "id:string direction:string addr:string remote_addr:string features:string",
            ],
        )
        .await
}

pub(crate) async fn custommsg_hook() -> Result {
    // What is answered decides nothing in the manual, and ends the node later.
    let odd = || Mock::hook("custommsg").reply(Reply::result(json!({ "result": "odd" }))).named("ear");
    let look = async |net: &Net, node: &Node| {
        let peer = peer_of(net, node);
        node.connect(&peer).await?;
        leyden::eventually("the peer to be connected", || async {
            let peers = peer.rpc("listpeers", json!({ "id": node.id() })).await;
            peers.map(|peers| leyden::seen(peers, |peers| peers["peers"][0]["connected"] == true))
        })
        .await?;
        let message = json!({ "node_id": node.id(), "msg": "7777aabb" });
        peer.rpc("sendcustommsg", message.clone()).await?;
        // A node that has ended over the first takes no second.
        drop(peer.rpc("sendcustommsg", message).await);
        let payload = first_told(net, node, "ear", "custommsg").await?["params"].clone();
        let fate = leyden::eventually("what becomes of the node", || async {
            let is_end =
                |(level, text): &(&str, String)| *level == "broken" && text.contains("custommsg hook");
            let ends = logged(net, node, "lightningd").iter().any(is_end);
            let lives = told(node, "ear", "custommsg").len() == 2;
            let fate = if ends { Some("ends") } else { lives.then_some("lives") };
            Ok(leyden::seen(fate, Option::is_some))
        })
        .await?;
        Ok(format!("{} {}", members(&payload), fate.unwrap_or_default()))
    };
    Four::new()
        .with_peers()
        .may_fail()
        .mount(odd)
        .look(
            look,
            [
                "peer_id:string message:string lives",
                "payload:string peer_id:string ends",
                "payload:string peer_id:string ends",
                "payload:string peer_id:string ends",
            ],
        )
        .await
}

pub(crate) async fn rpc_command_payload() -> Result {
    let look = async |_: &Net, node: &Node| {
        node.rpc("getinfo", json!({})).await?;
        let asked = told(node, "judge", "rpc_command");
        Ok(members(&asked[0]["params"]["rpc_command"]))
    };
    let request = "jsonrpc:string id:number method:string params:object";
    Four::new()
        .option("allow-deprecated-apis", true)
        .mount(|| Mock::hook("rpc_command").named("judge"))
        .look(look, [request, &format!("rpc_command:object {request}"), request, request])
        .await
}

pub(crate) async fn rpc_command_replace() -> Result {
    let replace = |call: &Call| {
        let request = &call.params()["rpc_command"];
        match request["method"].as_str() {
            Some("listpeers") => {
                let request = json!({ "id": request["id"], "method": "getinfo", "params": {} });
                Reply::result(json!({ "replace": request }))
            }
            _ => Reply::cont(),
        }
    };
    let judge = || Mock::hook("rpc_command").reply(replace).named("judge");
    let look = async |_: &Net, node: &Node| match node.rpc("listpeers", json!({})).await {
        Ok(result) => Ok(if result["id"].is_string() { "replaced" } else { "not replaced" }.to_owned()),
        Err(error) => Ok(error.code().to_string()),
    };
    Four::new().mount(judge).look(look, ["replaced", "replaced", "replaced", "-32600"]).await
}
