//! What plugins are told, and what they tell each other.

use crate::four::{Four, first_told, logged, manifest, members, peer_of, told};
use crate::life::SLOW;
use leyden::event::{Direction, EventKind};
use leyden::{Mock, MockChain, Net, Node, OwnTopic, Reply, Result};
use serde_json::{Value, json};

pub(crate) async fn notifications_before_init_reply() -> Result {
    let slow = || Mock::notification("warning").named("slow").on_init(Reply::result(json!({})).delay(SLOW));
    let loud = || Mock::plugin("loud").on_init(Reply::result(json!({})).log("unusual", "hear, hear"));
    let look = async |net: &Net, node: &Node| {
        let mine = |kind: &EventKind, direction| match kind {
            EventKind::Frame { plugin, direction: way, text } if plugin == "slow" && *way == direction => {
                Some(text.clone())
            }
            _ => None,
        };
        // A node of v0.10.1 is up before its plugins are.
        leyden::eventually("slow to answer init", || async {
            let frames = node.transcript("slow").direction(Direction::FromPlugin).frames().len();
            Ok(leyden::seen(frames, |frames| *frames >= 2))
        })
        .await?;
        let events = net.timeline().events();
        let of_node = events.iter().filter(|event| event.node.as_deref() == Some(node.name()));
        let mut before = of_node.take_while(|event| {
            mine(&event.kind, Direction::FromPlugin).is_none_or(|answer| answer.contains("options"))
        });
        let heard = before.any(|event| {
            mine(&event.kind, Direction::ToPlugin).is_some_and(|frame| frame.contains("hear, hear"))
        });
        Ok(if heard { "heard" } else { "not heard" }.to_owned())
    };
    Four::new().mount(slow).mount(loud).look(look, ["heard", "heard", "heard", "not heard"]).await
}

pub(crate) async fn connect() -> Result {
    let look = async |net: &Net, node: &Node| {
        node.connect(&peer_of(net, node)).await?;
        let params = first_told(net, node, "ear", "connect").await?["params"].clone();
        let fields = params.get("connect").unwrap_or(&params);
        let wrapped = if params.get("connect").is_some() { "wrapped " } else { "" };
        Ok(format!("{wrapped}{} ({})", members(fields), members(&fields["address"])))
    };
    let detailed = "id:string direction:string address:object (type:string address:string port:number)";
    Four::new()
        .with_peers()
        .mount(|| Mock::notification("connect").named("ear"))
        .look(look, ["id:string address:string ()", detailed, detailed, &format!("wrapped {detailed}")])
        .await
}

pub(crate) async fn disconnect() -> Result {
    let look = async |net: &Net, node: &Node| {
        let peer = peer_of(net, node);
        node.connect(&peer).await?;
        node.rpc("disconnect", json!({ "id": peer.id(), "force": true })).await?;
        Ok(shown(&first_told(net, node, "ear", "disconnect").await?["params"], &peer.id()))
    };
    let bare = r#"{"id":"<peer>"}"#;
    Four::new()
        .with_peers()
        .mount(|| Mock::notification("disconnect").named("ear"))
        .look(look, [bare, bare, bare, r#"{"disconnect":{"id":"<peer>"}}"#])
        .await
}

fn shown(params: &Value, peer: &str) -> String {
    params.to_string().replace(peer, "<peer>")
}

pub(crate) async fn block_added() -> Result {
    let chain = MockChain::new();
    let look = async |_: &Net, node: &Node| {
        chain.generate_block(1);
        let height = chain.block_count();
        leyden::eventually("the node to have the block", || async {
            let info = node.rpc("getinfo", json!({})).await;
            info.map(|info| leyden::seen(info, |info| info["blockheight"] == height))
        })
        .await?;
        let told = told(node, "ear", "block_added");
        let last = told.last().map_or(Value::Null, |frame| frame["params"].clone());
        Ok(last.as_object().map_or("not told".to_owned(), |params| {
            params.iter().map(|(name, fields)| format!("{name}: {}", members(fields))).collect()
        }))
    };
    let fields = "hash:string height:number";
    Four::on(&chain)
        .mount(|| Mock::notification("block_added").named("ear"))
        .look(look, ["not told", "not told", &format!("block: {fields}"), &format!("block_added: {fields}")])
        .await
}

pub(crate) async fn shutdown() -> Result {
    let look = async |_: &Net, node: &Node| {
        node.stop().await?;
        let told = told(node, "ear", "shutdown");
        Ok(told.first().map_or("not told".to_owned(), |frame| frame["params"].to_string()))
    };
    Four::new()
        .mount(|| Mock::notification("shutdown").named("ear"))
        .look(look, ["not told", "not told", "{}", r#"{"shutdown":{}}"#])
        .await
}

pub(crate) async fn warning() -> Result {
    let complain = || Mock::method("complain").reply(Reply::result(json!({})).log("unusual", "ouch"));
    let ear = || complain().and(Mock::notification("warning")).named("ear");
    let look = async |net: &Net, node: &Node| {
        node.rpc("complain", json!({})).await?;
        Ok(members(&first_told(net, node, "ear", "warning").await?["params"]["warning"]))
    };
    let full = "level:string time:string timestamp:string source:string log:string";
    Four::new()
        .mount(ear)
        .look(look, ["level:string time:string source:string log:string", full, full, full])
        .await
}

pub(crate) async fn custom_notifications() -> Result {
    let sender = || {
        let shout = Mock::method("shout").reply(Reply::result(json!({})).notify("news", json!({ "a": [1] })));
        shout.named("sender").manifest(|manifest| {
            manifest.notifications = vec![OwnTopic { method: "news".to_owned() }];
        })
    };
    let look = async |net: &Net, node: &Node| {
        node.rpc("shout", json!({})).await?;
        Ok(first_told(net, node, "ear", "news").await?.to_string())
    };
    let inside = r#"{"jsonrpc":"2.0","method":"news","params":{"origin":"sender","payload":{"a":[1]}}}"#;
    let beside = r#"{"jsonrpc":"2.0","method":"news","origin":"sender","params":{"a":[1]}}"#;
    Four::new()
        .mount(sender)
        .mount(|| Mock::notification("news").named("ear"))
        .look(look, [inside, inside, inside, beside])
        .await
}

pub(crate) async fn star() -> Result {
    let look = async |net: &Net, node: &Node| {
        node.rpc("invoice", json!({ "amount_msat": "any", "label": "l", "description": "d" })).await?;
        let heard = told(node, "ear", "invoice_creation").len();
        let complaint = "topic '*' is not a known notification topic";
        let complained = logged(net, node, "plugin-ear").iter().any(|(_, text)| text == complaint);
        Ok(format!("heard {heard}, complained {complained}"))
    };
    let unknown = "heard 0, complained true";
    Four::new()
        .mount(|| Mock::notification("*").named("ear"))
        .look(look, [unknown, unknown, unknown, "heard 1, complained false"])
        .await
}

pub(crate) async fn newer_topics() -> Result {
    const TOPICS: [&str; 6] = [
        "custommsg",
        "deprecated_oneshot",
        "log",
        "onionmessage_forward_fail",
        "plugin_started",
        "plugin_stopped",
    ];
    let ear =
        || Mock::plugin("ear").on_getmanifest(Reply::result(manifest(&json!({ "subscriptions": TOPICS }))));
    let look = async |net: &Net, node: &Node| {
        let visitor = node.mount_scoped(Mock::plugin("visitor")).await?;
        visitor.finish().await?;
        let lines = logged(net, node, "plugin-ear");
        let complaint = |topic: &str| format!("topic '{topic}' is not a known notification topic");
        let is_unknown = |topic: &&str| lines.iter().any(|(_, text)| *text == complaint(topic));
        let unknown = TOPICS.iter().filter(|topic| is_unknown(topic)).count();
        let heard = |topic: &str| !told(node, "ear", topic).is_empty();
        let heard = ["log", "plugin_started", "plugin_stopped"].iter().filter(|topic| heard(topic)).count();
        Ok(format!("{unknown} of 6 unknown, {heard} of 3 heard"))
    };
    let none = "6 of 6 unknown, 0 of 3 heard";
    Four::new().mount(ear).look(look, [none, none, none, "0 of 6 unknown, 3 of 3 heard"]).await
}

pub(crate) async fn balance_snapshot() -> Result {
    let look = async |net: &Net, node: &Node| {
        let unknown = "topic 'balance_snapshot' is not a known notification topic";
        if logged(net, node, "plugin-ear").iter().any(|(_, text)| text == unknown) {
            return Ok("unknown".to_owned());
        }
        let params = first_told(net, node, "ear", "balance_snapshot").await?["params"].clone();
        let snapshot = &params["balance_snapshot"];
        Ok(format!("{} {}", members(snapshot), snapshot["accounts"]))
    };
    let snapshot = "node_id:string blockheight:number timestamp:number accounts:array \
                    [{\"account_id\":\"wallet\",\"balance_msat\":0,\"coin_type\":\"bcrt\"}]";
    Four::new()
        .mount(|| Mock::notification("balance_snapshot").named("ear"))
        .look(look, ["unknown", "unknown", snapshot, snapshot])
        .await
}

pub(crate) async fn invoice_creation() -> Result {
    let look = async |net: &Net, node: &Node| {
        node.rpc("invoice", json!({ "amount_msat": 1000, "label": "l", "description": "d" })).await?;
        Ok(members(&first_told(net, node, "ear", "invoice_creation").await?["params"]["invoice_creation"]))
    };
    let text = "msat:string preimage:string label:string";
    Four::new()
        .mount(|| Mock::notification("invoice_creation").named("ear"))
        .look(
            look,
            [
                "label:string preimage:string msat:string",
                text,
                text,
                "msat:number preimage:string label:string",
            ],
        )
        .await
}
