//! Requests in both directions: ids, the RPC socket, how answers are written.

use crate::four::{Four, first_told, killed, manifest, without_numbers};
use leyden::{Mock, Net, Node, Reply, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

pub(crate) async fn request_id() -> Result {
    // One plugin says that it takes ids that are no numbers, the other does not.
    let silent = || Mock::plugin("silent").on_getmanifest(Reply::result(manifest(&json!({}))));
    let willing = || Mock::plugin("willing").manifest(|manifest| manifest.nonnumericids = Some(true));
    let look = async |net: &Net, node: &Node| {
        let mut seen = Vec::new();
        for plugin in ["silent", "willing"] {
            let manifest = first_told(net, node, plugin, "getmanifest").await?;
            let init = first_told(net, node, plugin, "init").await?;
            seen.push(without_numbers(&format!("{plugin} {} {}", manifest["id"], init["id"])));
        }
        Ok(seen.join(", "))
    };
    Four::new()
        .option("allow-deprecated-apis", true)
        .mount(silent)
        .mount(willing)
        .look(
            look,
            [
                "silent N N, willing N N",
                "silent N N, willing N N",
                r#"silent N N, willing N "cln:init#N""#,
                r#"silent "cln:getmanifest#N" "cln:init#N", willing "cln:getmanifest#N" "cln:init#N""#,
            ],
        )
        .await
}

pub(crate) async fn unknown_response_id() -> Result {
    let answers = r#"{"jsonrpc":"2.0","id":999999,"result":{}}{"jsonrpc":"2.0","id":%ID%,"result":{}}"#;
    let odd = || Mock::method("odd").reply(Reply::raw(answers)).named("odd");
    let look = async |net: &Net, node: &Node| match node.rpc("odd", json!({})).await {
        Ok(_) => Ok("answered".to_owned()),
        Err(_) => killed(net, node, "odd").await,
    };
    let old = "unusual Received a JSON-RPC response for non-existent request";
    Four::new().mount(odd).look(look, [old, old, &format!("{old} '999999'"), "answered"]).await
}

pub(crate) async fn rpc_without_jsonrpc() -> Result {
    let look = async |_: &Net, node: &Node| {
        let mut socket = UnixStream::connect(node.rpc_file()).await?;
        socket.write_all(br#"{"id":1,"method":"getinfo","params":{}}"#).await?;
        let mut reply = Vec::new();
        while !reply.ends_with(b"\n\n") && socket.read_buf(&mut reply).await? > 0 {}
        let reply: Value = serde_json::from_slice(&reply).expect("an answer is JSON");
        Ok(if reply["result"]["id"].is_string() {
            "accepted".to_owned()
        } else {
            reply["error"]["code"].to_string()
        })
    };
    Four::new().look(look, ["accepted", "accepted", "accepted", "-32600"]).await
}

pub(crate) async fn help_entry() -> Result {
    let greeter = || {
        let method = json!({ "name": "greet", "usage": "[name]", "description": "says hello" });
        Mock::plugin("greeter").on_getmanifest(Reply::result(manifest(&json!({ "rpcmethods": [method] }))))
    };
    let look = async |_: &Net, node: &Node| {
        let help = node.rpc("help", json!(["greet"])).await?;
        let unknown = node.rpc("help", json!(["nobody"])).await.expect_err("nobody has it");
        let text = unknown.headline();
        let quoted = if text.contains("Unknown command 'nobody'") { "quoted" } else { "not quoted" };
        Ok(format!("{} {quoted}", help["help"][0]))
    };
    let old = r#"{"command":"greet [name]","category":"plugin","description":"says hello","verbose":"says hello"} quoted"#;
    Four::new().mount(greeter).look(look, [old, old, old, r#"{"command":"greet [name]"} not quoted"#]).await
}

pub(crate) async fn amounts() -> Result {
    let clerk = || Mock::notification("invoice_creation").named("clerk");
    let look = async |net: &Net, node: &Node| {
        node.rpc("invoice", json!({ "amount_msat": 1000, "label": "l", "description": "d" })).await?;
        let listed = node.rpc("listinvoices", json!({})).await?;
        let fees = node.rpc("getinfo", json!({})).await?;
        let told = first_told(net, node, "clerk", "invoice_creation").await?;
        let heard = &told["params"]["invoice_creation"]["msat"];
        Ok(format!("{} {} {heard}", listed["invoices"][0]["amount_msat"], fees["fees_collected_msat"]))
    };
    let text = r#""1000msat" "0msat" "1000msat""#;
    // With deprecated APIs off, v23.02 writes numbers, but not in what it says of invoices.
    Four::new().mount(clerk).look(look, [text, text, r#"1000 0 "1000msat""#, "1000 0 1000"]).await
}

pub(crate) async fn commands() -> Result {
    let look = async |_: &Net, node: &Node| {
        let help = node.rpc("help", json!({})).await?;
        let entries = help["help"].as_array().into_iter().flatten();
        let listed: Vec<&str> =
            entries.filter_map(|entry| entry["command"].as_str()?.split(' ').next()).collect();
        let names = ["listsendpays", "datastore", "setchannel", "wait", "xpay"];
        Ok(names.into_iter().filter(|name| listed.contains(name)).collect::<Vec<_>>().join(" "))
    };
    let first = "listsendpays";
    let later = "listsendpays datastore setchannel";
    Four::new().look(look, [first, first, later, "listsendpays datastore setchannel wait xpay"]).await
}
