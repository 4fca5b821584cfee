//! What plugins may declare, and what they are told at their start.

use crate::four::{Four, first_told, manifest, started};
use leyden::{Mock, Net, Node, Reply, Result};
use serde_json::{Value, json};

/// Which of these manifests a node takes.
async fn taken<'a>(node: &Node, manifests: impl IntoIterator<Item = (&'a str, Value)>) -> Result<String> {
    let mut taken = Vec::new();
    for (name, declared) in manifests {
        if started(node, "newcomer", manifest(&declared)).await? == "started" {
            taken.push(name);
        }
    }
    Ok(taken.join(" "))
}

fn option(more: &Value) -> Value {
    let mut option = json!({ "name": "choice", "type": "string", "description": "what is chosen" });
    for (name, value) in more.as_object().into_iter().flatten() {
        option[name] = value.clone();
    }
    json!({ "options": [option] })
}

fn method(method: &Value) -> Value {
    json!({ "rpcmethods": [method] })
}

pub(crate) async fn features_key() -> Result {
    // A bit that nobody uses.
    let bits = format!("08{}", "00".repeat(25));
    let declared = manifest(&json!({ "features": { "node": bits }, "dynamic": false }));
    let plugin = || Mock::plugin("bits").on_getmanifest(Reply::result(declared.clone()));
    let look = async |_: &Net, node: &Node| {
        let info = node.rpc("getinfo", json!({})).await?;
        let node = info["our_features"]["node"].as_str().unwrap_or_default().to_owned();
        Ok(if node.len() == bits.len() { "announced" } else { "ignored" }.to_owned())
    };
    Four::new().mount(plugin).look(look, ["announced", "ignored", "ignored", "ignored"]).await
}

pub(crate) async fn feature_set_keys() -> Result {
    let look = async |net: &Net, node: &Node| {
        let init = first_told(net, node, "any", "init").await?;
        let places = init["params"]["configuration"]["feature_set"].as_object();
        Ok(places.into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" "))
    };
    let four = "init node channel invoice";
    let eight = "init node channel invoice bolt12_offer bolt12_invreq bolt12_invoice channel_type";
    Four::new().mount(|| Mock::plugin("any")).look(look, [four, four, four, eight]).await
}

pub(crate) async fn option_types() -> Result {
    let look = async |_: &Net, node: &Node| {
        let types = ["string", "bool", "int", "flag", "string-conceal", "float"];
        taken(node, types.map(|name| (name, option(&json!({ "type": name }))))).await
    };
    let old = "string bool int flag";
    Four::new().look(look, [old, old, old, "string bool int flag string-conceal"]).await
}

pub(crate) async fn bool_values() -> Result {
    let look = async |_: &Net, node: &Node| {
        let values = ["true", "True", "TRUE", "1", "yes", "false", "False", "0", "no"];
        taken(node, values.map(|value| (value, option(&json!({ "type": "bool", "default": value }))))).await
    };
    let old = "true True 1 false False 0";
    Four::new().look(look, [old, old, old, "true True TRUE yes false False no"]).await
}

pub(crate) async fn flag_default() -> Result {
    let look = async |_: &Net, node: &Node| {
        let defaults = [("false", json!(false)), ("true", json!(true)), ("null", Value::Null)];
        taken(
            node,
            defaults.map(|(name, value)| (name, option(&json!({ "type": "flag", "default": value })))),
        )
        .await
    };
    let any = "false true null";
    Four::new().look(look, [any, any, any, "false"]).await
}

pub(crate) async fn option_name() -> Result {
    let look = async |_: &Net, node: &Node| {
        let names = ["plain_1-a", "LOUD", "dot.ted", "two|names"];
        taken(node, names.map(|name| (name, option(&json!({ "name": name }))))).await
    };
    let any = "plain_1-a LOUD dot.ted two|names";
    Four::new().look(look, [any, any, "plain_1-a LOUD dot.ted", "plain_1-a"]).await
}

pub(crate) async fn duplicate_option() -> Result {
    let first = || Mock::plugin("first").on_getmanifest(Reply::result(manifest(&option(&json!({})))));
    let look = async |_: &Net, node: &Node| started(node, "second", manifest(&option(&json!({})))).await;
    let refused = r#"Option "choice" already registered"#;
    // While a node starts it ends it, in the manual, in v23.02 and in v26.06.
    Four::new().mount(first).look(look, [refused, "started", "started", refused]).await
}

pub(crate) async fn duplicate_method() -> Result {
    let greet = || manifest(&method(&json!({ "name": "greet", "usage": "", "description": "greets" })));
    let first = || Mock::plugin("first").on_getmanifest(Reply::result(greet()));
    let look = async |_: &Net, node: &Node| {
        let second = started(node, "second", greet()).await?;
        Ok(if second == "started" { "started" } else { "refused" }.to_owned())
    };
    Four::new().mount(first).look(look, ["refused"; 4]).await
}

pub(crate) async fn method_description() -> Result {
    let look = async |_: &Net, node: &Node| {
        taken(node, [("without", method(&json!({ "name": "greet", "usage": "" })))]).await
    };
    Four::new().look(look, ["", "", "", "without"]).await
}

pub(crate) async fn method_usage() -> Result {
    let look = async |_: &Net, node: &Node| {
        taken(node, [("without", method(&json!({ "name": "greet", "description": "greets" })))]).await
    };
    Four::new().option("allow-deprecated-apis", true).look(look, ["", "without", "", ""]).await
}

pub(crate) async fn deprecated() -> Result {
    let look = async |_: &Net, node: &Node| {
        let kinds = [("boolean", json!(false)), ("range", json!(["v26.06", "v27.06"]))];
        taken(node, kinds.map(|(name, value)| (name, option(&json!({ "deprecated": value }))))).await
    };
    Four::new().look(look, ["boolean", "boolean", "boolean", "boolean range"]).await
}

pub(crate) async fn init_error_reply() -> Result {
    let look = async |_: &Net, node: &Node| {
        let unhappy = Mock::plugin("unhappy").on_init(Reply::error(1, "never"));
        let started = node.mount(unhappy).await.is_ok();
        Ok(if started { "success" } else { "failure" }.to_owned())
    };
    Four::new().look(look, ["success"; 4]).await
}

pub(crate) async fn init_proxy_flag() -> Result {
    let look = async |net: &Net, node: &Node| {
        let init = first_told(net, node, "any", "init").await?;
        let names: Vec<&String> =
            init["params"]["configuration"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        let flag = names.into_iter().find(|name| name.contains("always"));
        Ok(flag.cloned().unwrap_or_default())
    };
    Four::new()
        .option("proxy", "127.0.0.1:9050")
        .option("always-use-proxy", true)
        .mount(|| Mock::plugin("any"))
        .look(look, ["use_proxy_always", "use_proxy_always", "always_use_proxy", "always_use_proxy"])
        .await
}
