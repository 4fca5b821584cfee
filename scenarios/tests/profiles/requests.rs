//! Requests in both directions: ids, the RPC socket, how answers are written.

use crate::four::{Four, killed, manifest, told, without_numbers};
use leyden::{Mock, Net, Node, Reply, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

pub(crate) async fn request_id() -> Result {
    // One plugin says that it takes ids that are no numbers, the other does not.
    let silent = || Mock::plugin("silent").on_getmanifest(Reply::result(manifest(&json!({}))));
    let willing = || Mock::plugin("willing").manifest(|manifest| manifest.nonnumericids = Some(true));
    let ids = |node: &Node, plugin: &str| {
        let ids = ["getmanifest", "init"].map(|method| told(node, plugin, method)[0]["id"].to_string());
        format!("{plugin} {}", without_numbers(&ids.join(" ")))
    };
    Four::new()
        .option("allow-deprecated-apis", true)
        .mount(silent)
        .mount(willing)
        .look(
            async |_, node| Ok(["silent", "willing"].map(|plugin| ids(node, plugin)).join(", ")),
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
