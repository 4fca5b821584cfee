//! The RPC socket: what is no request, several callers, callers that do not wait, and `filter`.

use leyden::{Call, Mock, Net, Node, Reply, Result};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

use crate::scenario::Scenario;
use crate::socket::Client;

/// The beginning of every request.
const HEAD: &str = r#"{"jsonrpc":"2.0","#;

/// The id of nobody.
const STRANGER: &str = "0266e4598d1d3c415f572a8488830b60f7e744ed9235eb0b1ba93283b315c03518";

fn bare_net() -> leyden::NetBuilder {
    Net::builder().nodes(["l1"])
}

fn error(id: &str, code: i64, message: &str) -> String {
    let message = Value::from(message);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#)
}

pub(crate) fn rpc_refusals() -> Scenario {
    Scenario::new(
        "what is no request, no command or no parameter is refused in lightningd's words",
        bare_net,
        |net| Box::pin(refuse(net)),
    )
}

async fn refuse(net: &Net) -> Result {
    let [l1] = net.nodes();
    malformed(&l1).await?;
    wrong_parameters(&l1).await?;
    not_json(&l1).await
}

async fn malformed(node: &Node) -> Result {
    let mut client = Client::connect(node).await?;
    let version = r#"jsonrpc: "2.0" must be specified in the request"#;
    let scalar = "Expected string/primitive for id";
    for (request, id, code, why) in [
        (r#"{"jsonrpc":"1.0","id":1,"method":"help","params":[]}"#, "null", -32600, version),
        (r#"{"jsonrpc":2.0,"id":1,"method":"help","params":[]}"#, "null", -32600, version),
        (r#"{"jsonrpc":"2.0","method":"x","params":[]}"#, "null", -32600, "No id"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"x","params":[]}"#, "null", -32600, scalar),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"x","params":[]}"#, "null", -32600, scalar),
        (r#"{"jsonrpc":"2.0","id":true}"#, "true", -32600, "No method"),
        (r#"{"jsonrpc":"2.0","id":"a","method":"x"}"#, r#""a""#, -32600, "No params"),
        (
            r#"{"jsonrpc":"2.0","id":-1e9,"method":7,"params":[]}"#,
            "-1e9",
            -32600,
            "Expected string for method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":"é\u00e9","method":"no\u0041pe","params":5}"#,
            r#""é\u00e9""#,
            -32601,
            r"Unknown command 'no\u0041pe'",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"nöpe","params":[]}"#, "1", -32601, "Unknown command 'nöpe'"),
    ] {
        client.send(request).await?;
        assert_eq!(client.next().await?, error(id, code, why), "{request}");
    }
    client.send(r#"{"jsonrpc":"2.0","id":1,"method":"listpeers","params":[]}"#).await?;
    assert_eq!(client.next().await?, r#"{"jsonrpc":"2.0","id":1,"result":{"peers":[]}}"#);
    Ok(())
}

async fn wrong_parameters(node: &Node) -> Result {
    let mut client = Client::connect(node).await?;
    let unknown = "unknown parameter: x, this may be caused by a failure to autodetect key=value-style \
                   parameters. Please try using the -k flag and explicit key=value pairs of parameters.";
    let bad_bool = r#"enable: should be 'true' or 'false': invalid token '"true"'"#;
    for (method, params, why) in [
        ("getinfo", "5", "Expected array or object for params"),
        ("getinfo", "[1,2]", "too many parameters: got 2, expected 0"),
        ("getinfo", r#"{"x":1}"#, unknown),
        ("ping", "{}", "missing required parameter: id"),
        ("ping", "[null]", "missing required parameter: id"),
        ("ping", r#"["x"]"#, r#"id: should be a node id: invalid token '"x"'"#),
        ("disconnect", r#"["x"]"#, r#"id: invalid peer id: invalid token '"x"'"#),
        ("deldatastore", r#"{"key":"a","key":"b"}"#, "duplicate json names: key"),
        ("notifications", r#"["true"]"#, bad_bool),
        ("deprecations", r#"["true"]"#, bad_bool),
    ] {
        client.send(&format!(r#"{HEAD}"id":1,"method":"{method}","params":{params}}}"#)).await?;
        assert_eq!(client.next().await?, error("1", -32602, why), "{method} {params}");
    }
    Ok(())
}

async fn not_json(node: &Node) -> Result {
    let no_version = r#"JSON-RPC message does not contain "jsonrpc" field: "#;
    for (bytes, why) in [
        ("garbage }", "Failed to parse RPC JSON response 'garbage }'".to_owned()),
        (r#"{"a":}"#, r#"Failed to parse RPC JSON response '{"a":}'"#.to_owned()),
        ("[1,{}]", format!("{no_version}'[1,{{}}]'")),
        (r#"{} {"b":2}"#, format!(r#"{no_version}'{{}} {{"b":2}}'"#)),
    ] {
        let mut client = Client::connect(node).await?;
        client.send(bytes).await?;
        assert_eq!(client.next().await?, error("null", -32600, &why));
        // Nothing more is read on this connection: the node goes on.
        client.send(&format!(r#"{HEAD}"id":1,"method":"stop","params":[]}}"#)).await?;
    }
    node.rpc("getinfo", json!({})).await?;
    Ok(())
}

pub(crate) fn rpc_checks() -> Scenario {
    Scenario::new(
        "check says of a command's parameters what the command would say, and does nothing",
        bare_net,
        |net| Box::pin(check(net)),
    )
}

async fn check(net: &Net) -> Result {
    let [l1] = net.nodes();
    for params in [
        json!(["stop"]),
        json!(["invoice", 1000, "label", "description"]),
        json!({"command_to_check": "datastore", "key": "k", "string": "v"}),
        json!(["newaddr", "all"]),
        json!(["connect", STRANGER, "127.0.0.1", 9]),
        json!(["plugin", "stop", "nobody"]),
        json!(["waitanyinvoice", 5]),
        json!(["signmessage", "x"]),
    ] {
        let name = params.get("command_to_check").unwrap_or(&params[0]).clone();
        assert_eq!(l1.rpc("check", params).await?, json!({"command_to_check": name}));
    }
    for (params, code, why) in [
        (json!([]), -32602, "missing required parameter: command_to_check".to_owned()),
        (json!(["nope"]), -32601, "Unknown command 'nope'".to_owned()),
        (json!(["check", "nope"]), -32601, "Unknown command 'nope'".to_owned()),
        (json!(["getinfo", 1]), -32602, "too many parameters: got 1, expected 0".to_owned()),
        (
            json!({"command_to_check": "ping", "id": 5}),
            -32602,
            "id: should be a node id: invalid token '5'".into(),
        ),
        (json!(["ping", STRANGER]), -1, "Peer not connected".to_owned()),
        (json!(["ping", STRANGER, 70_000]), -32602, "70000 would result in oversize ping".to_owned()),
        (json!(["disconnect", STRANGER]), -32602, format!("Unknown peer '{STRANGER}'")),
        (json!(["sendcustommsg", STRANGER, "ffff"]), -32600, format!("No such peer: {STRANGER}")),
        (json!(["connect", STRANGER, null, 5]), -32602, "Can't specify port without host".to_owned()),
        (json!(["help", "nope"]), -32601, "Unknown command nope".to_owned()),
        (json!(["datastore", "k"]), -32602, "Must have either hex or string".to_owned()),
        (json!(["datastore", "k", "v", null, "must-replace"]), 1203, "Key does not exist".to_owned()),
        (json!(["deldatastore", "k"]), 1200, "Key does not exist".to_owned()),
        (json!(["delinvoice", "x", "unpaid"]), 905, "Unknown invoice".to_owned()),
        (json!(["waitinvoice", "x"]), -1, "Label not found".to_owned()),
        (json!(["checkmessage", "x", "y"]), -32602, "zbase is not valid zbase32".to_owned()),
        (json!(["makesecret"]), -32602, "Must have either hex or string".to_owned()),
        (json!(["plugin", "x"]), -32602, "Unknown subcommand 'x'".to_owned()),
        (
            json!(["newaddr", "x"]),
            -32602,
            "'addresstype' should be 'p2tr', 'bech32', or 'all', not 'x'".to_owned(),
        ),
    ] {
        let error = l1.rpc("check", params.clone()).await.expect_err("it is refused");
        assert_eq!(error.code(), code, "{params}: {error}");
        assert!(error.headline().contains(&why), "{params}: {error}");
    }
    assert_eq!(l1.rpc("listinvoices", json!([])).await?, json!({"invoices": []}));
    assert_eq!(l1.rpc("listdatastore", json!(["k"])).await?, json!({"datastore": []}));
    Ok(())
}

pub(crate) fn rpc_filters() -> Scenario {
    let net = || {
        let echo = Mock::method("show").reply(Reply::result(json!({"a": 1, "b": 2})));
        bare_net().mount("l1", echo.named("shower"))
    };
    Scenario::new(
        "filter leaves of the node's own results what is wanted; a plugin sees it and answers as it likes",
        net,
        |net| Box::pin(filter(net)),
    )
    .golden("l1", "shower")
}

async fn filter(net: &Net) -> Result {
    let [l1] = net.nodes();
    let mut client = Client::connect(&l1).await?;
    let call = |method: &str, filter: &str| {
        format!(r#"{HEAD}"id":1,"method":"{method}","params":[],"filter":{filter}}}"#)
    };
    let no_object = "filter: Expected object: invalid token";
    for (method, filter, answer) in [
        ("getinfo", r#"{"network":true}"#, json!({"result": {"network": "regtest"}})),
        ("getinfo", r#"{"nope":true,"our_features":true}"#, json!({"result": {"our_features": {}}})),
        (
            "getinfo",
            r#"{"network":true,"our_features":{"init":true}}"#,
            json!({"result": {"network": "regtest", "our_features": {"init": "800898880a8a59a1"}}}),
        ),
        ("listpeers", r#"{"peers":{"id":true}}"#, json!({"result": {"peers": []}})),
        (
            "help",
            r#"{"help":{"command":true},"format-hint":true}"#,
            json!({"result": {"help": [], "format-hint": "simple", "warning_parameter_filter": ".help is an array"}}),
        ),
        ("show", r#"{"a":true}"#, json!({"result": {"a": 1, "b": 2}})),
        ("show", "5", json!({"error": {"code": -32602, "message": format!("{no_object} '5'")}})),
        ("getinfo", "[{}]", json!({"error": {"code": -32602, "message": format!("{no_object} '[{{}}]'")}})),
        (
            "getinfo",
            r#"{"id":5}"#,
            json!({"error": {"code": -32602, "message": "filter: value must be true: invalid token '5'"}}),
        ),
        (
            "getinfo",
            r#"{"binding":[{}, {}]}"#,
            json!({"error": {"code": -32602, "message":
                "filter: Arrays can only have one element: invalid token '[{}, {}]'"}}),
        ),
        (
            "ping",
            r#"{"code":true}"#,
            json!({"error": {"code": -32602, "message": "missing required parameter: id"}}),
        ),
    ] {
        client.send(&call(method, filter)).await?;
        let mut got: Value = serde_json::from_str(&client.next().await?)?;
        let members = got.as_object_mut().expect("an answer is an object");
        members.retain(|name, _| name == "result" || name == "error");
        assert_eq!(got, answer, "{method} {filter}");
    }
    Ok(())
}

/// Ids of calls that a plugin has not answered.
type Held = Arc<Mutex<Vec<String>>>;

/// `hold` is not answered until `release` is called.
fn holder() -> Mock {
    let held = Held::default();
    let holding = Arc::clone(&held);
    let hold = Mock::method("hold").reply(move |call: &Call| {
        let id = call.id().map(|id| id.token().to_owned()).unwrap_or_default();
        holding.lock().expect("nobody panics with it").push(id);
        Reply::hang()
    });
    let release = Mock::method("release").reply(move |_: &Call| {
        let mut ids = std::mem::take(&mut *held.lock().expect("nobody panics with it"));
        ids.reverse();
        let answer = |id: &String| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"id":{id}}}}}"#);
        let held: String = ids.iter().map(answer).collect();
        Reply::raw(held + r#"{"jsonrpc":"2.0","id":%ID%,"result":{}}"#)
    });
    hold.and(release).named("holder")
}

pub(crate) fn rpc_callers() -> Scenario {
    Scenario::new(
        "every caller gets its own answers, of many requests on one connection and in any order",
        || bare_net().mount("l1", holder()),
        |net| Box::pin(serve_callers(net)),
    )
    .golden("l1", "holder")
}

async fn serve_callers(net: &Net) -> Result {
    let [l1] = net.nodes();
    one_connection(&l1).await?;
    ten_callers(&l1).await
}

/// Requests that are cut anywhere, and answered in another order.
async fn one_connection(node: &Node) -> Result {
    let mut client = Client::connect(node).await?;
    let call = |id: &str, method: &str| format!(r#"{HEAD}"id":"{id}","method":"{method}","params":[]}}"#);
    let first = format!("{}\n {}{}", call("ü1", "hold"), call("ü2", "hold"), call("info", "listpeers"));
    for byte in first.into_bytes() {
        client.send_bytes(&[byte]).await?;
    }
    let own: Value = serde_json::from_str(&client.next().await?)?;
    assert_eq!(own["id"], "info", "held calls hold nobody up");
    client.send(&call("ü3", "release")).await?;
    for id in ["ü2", "ü1", "ü3"] {
        let answer: Value = serde_json::from_str(&client.next().await?)?;
        assert_eq!(answer["id"], id);
    }
    Ok(())
}

async fn ten_callers(node: &Node) -> Result {
    let mut clients = Vec::new();
    for caller in 0..10 {
        let mut client = Client::connect(node).await?;
        client.send(&format!(r#"{HEAD}"id":{caller},"method":"hold","params":[]}}"#)).await?;
        client.send(&format!(r#"{HEAD}"id":"own-{caller}","method":"listpeers","params":[]}}"#)).await?;
        // Whose call comes first to the plugin is certain only now.
        let own: Value = serde_json::from_str(&client.next().await?)?;
        assert_eq!(own["id"], format!("own-{caller}"));
        clients.push(client);
    }
    node.rpc("release", json!([])).await?;
    for (caller, client) in clients.iter_mut().enumerate() {
        let answer: Value = serde_json::from_str(&client.next().await?)?;
        assert_eq!(answer["id"], caller);
        let asked = answer["result"]["id"].as_str().unwrap_or_default();
        assert!(asked.starts_with(&format!("{caller}/cln:hold#")), "the plugin was asked with {asked}");
    }
    Ok(())
}

pub(crate) fn rpc_caller_gone() -> Scenario {
    Scenario::new(
        "the answer for a caller that has hung up is dropped; the plugin hears nothing of it",
        || bare_net().mount("l1", holder()),
        |net| Box::pin(hang_up(net)),
    )
}

async fn hang_up(net: &Net) -> Result {
    let [l1] = net.nodes();
    // Whether the node sees the caller go before the plugin answers is up to the system: usually it does.
    for _ in 0..20 {
        let mut client = Client::connect(&l1).await?;
        client.send(&format!(r#"{HEAD}"id":1,"method":"hold","params":[]}}"#)).await?;
        client.send(&format!(r#"{HEAD}"id":2,"method":"listpeers","params":[]}}"#)).await?;
        client.next().await?;
        drop(client);
        l1.rpc("listpeers", json!([])).await?;
        l1.rpc("release", json!([])).await?;
        if l1.is_in_log("DEBUG .*lightningd: Command returned result after jcon close")?.is_some() {
            return Ok(());
        }
    }
    l1.wait_for_log("DEBUG .*lightningd: Command returned result after jcon close").await?;
    Ok(())
}
