//! A plugin's methods beyond the call itself: whose ids it sees, `check`, and what is deprecated.

use leyden::event::Direction;
use leyden::{Filter, Mock, Net, Reply, Result};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::scenario::Scenario;
use crate::socket::Client;

pub(crate) fn caller_ids() -> Scenario {
    let net = || Net::builder().nodes(["l1"]).mount("l1", Mock::method("id").named("counter"));
    Scenario::new(
        "a plugin sees in the id of a request whose it is; the caller gets its own id back, whatever it is",
        net,
        |net| Box::pin(call_with_ids(net)),
    )
}

/// A caller's id, and what the plugin sees of it.
const IDS: [(&str, &str); 13] = [
    ("5", "5"),
    ("-1.50e+3", "-1.50e+3"),
    ("true", "true"),
    ("null", "null"),
    ("tru", "tru"),
    (r#""""#, ""),
    (r#""x/y""#, "x/y"),
    (r#""a/cln:id#7/cln:id#8""#, "a/cln:id#7/cln:id#8"),
    (r#""é""#, "é"),
    (r#""a\"b""#, "weird-id"),
    (r#""\u0041""#, "weird-id"),
    ("\"a\tb\"", "weird-id"),
    ("123456789012345678901234567890", "123456789012345678901234567890"),
];

async fn call_with_ids(net: &Net) -> Result {
    let [l1] = net.nodes();
    let mut client = Client::connect(&l1).await?;
    for (id, _) in IDS {
        client.send(&format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"id","params":[]}}"#)).await?;
        assert_eq!(client.next().await?, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
    let asked = l1.transcript("counter").only(["id"]).direction(Direction::ToPlugin);
    let tokens: Vec<&str> = asked.frames().iter().filter_map(|frame| frame.envelope()?.id).collect();
    assert_eq!(tokens.len(), IDS.len());
    for (token, (id, seen)) in tokens.into_iter().zip(IDS) {
        assert!(token.starts_with(&format!("\"{seen}/cln:id#")), "{id} was seen as {token}");
    }
    Ok(())
}

pub(crate) fn checked_methods() -> Scenario {
    let net = || {
        let careful = Mock::method("care")
            .usage("what")
            .and(
                Mock::method("check")
                    .reply(Reply::raw(
                        r#"{"jsonrpc":"2.0","id":%ID%,"result":{ "command_to_check" : "care" }}"#,
                    ))
                    .expect(2),
            )
            .named("careful")
            .manifest(|manifest| manifest.cancheck = true);
        let careless = Mock::method("rush").usage("what").expect(0).named("careless");
        Net::builder().nodes(["l1"]).mount("l1", careful).mount("l1", careless)
    };
    Scenario::new(
        "check of a plugin's method is passed to a plugin that can check, and else taken for good",
        net,
        |net| Box::pin(check_methods(net)),
    )
    .golden("l1", "careful")
    .golden("l1", "careless")
}

async fn check_methods(net: &Net) -> Result {
    let [l1] = net.nodes();
    let mut client = Client::connect(&l1).await?;
    let unchecked = r#"{"jsonrpc":"2.0","id":"c","result":{"command_to_check":"rush"}}"#;
    client
        .send(r#"{"jsonrpc":"2.0","id":"c","method":"check","params":{"command_to_check":"rush","x":1}}"#)
        .await?;
    assert_eq!(client.next().await?, unchecked);
    l1.wait_for_log(r#"UNUSUAL plugin-careless: Plugin does not support check command for rush \(id "c"\)"#)
        .await?;
    for params in [r#"{ "command_to_check":"care", "what" : 1.0 }"#, r#"["care"]"#] {
        client.send(&format!(r#"{{"jsonrpc":"2.0","id":7,"method":"check","params":{params}}}"#)).await?;
        let checked = r#"{"jsonrpc":"2.0","id":7,"result":{ "command_to_check" : "care" }}"#;
        assert_eq!(client.next().await?, checked);
    }
    Ok(())
}

pub(crate) fn deprecated_methods() -> Scenario {
    let net = || {
        let method = |name: &str, usage: &str, deprecated: bool| json!({"name": name, "usage": usage, "description": "a mock", "deprecated": deprecated});
        let manifest = |methods: Value, subscriptions: Value| {
            Reply::result(json!({
                "options": [],
                "rpcmethods": methods,
                "subscriptions": subscriptions,
                "dynamic": true,
                "nonnumericids": true,
            }))
        };
        let told = Mock::method("old")
            .and(Mock::method("new"))
            .and(Mock::notification("deprecated_oneshot"))
            .named("told")
            .on_getmanifest(manifest(
                json!([method("old", "[a]", true), method("new", "[b]", false)]),
                json!(["deprecated_oneshot"]),
            ));
        let untold = Mock::method("older")
            .named("untold")
            .on_getmanifest(manifest(json!([method("older", "", true)]), json!([])));
        Net::builder().nodes(["l1"]).mount("l1", told).mount("l1", untold)
    };
    Scenario::new(
        "a deprecated method is refused and not shown, unless the caller wants it, of which the plugin is told",
        net,
        |net| Box::pin(call_deprecated(net)),
    ).golden("l1", "told").golden("l1", "untold")
}

async fn call_deprecated(net: &Net) -> Result {
    let [l1] = net.nodes();
    let mut client = Client::connect(&l1).await?;
    let call = |id: u32, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    };
    let refused = |id: u32, why: &str| {
        let why = Value::from(why);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":{why}}}}}"#)
    };
    let done = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    let shown = |id: u32, usage: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"help":[{{"command":"{usage}"}}],"format-hint":"simple"}}}}"#
        )
    };
    for (request, answer) in [
        (call(1, "old", "[]"), refused(1, r#"Command "old" is deprecated"#)),
        (call(2, "help", r#"["old"]"#), refused(2, "Deprecated command old")),
        (call(3, "help", r#"["new"]"#), shown(3, "new [b]")),
        (call(4, "new", "[]"), done(4)),
        (call(5, "deprecations", "[true]"), done(5)),
        (call(6, "old", "[]"), done(6)),
        (call(7, "new", "[]"), done(7)),
        (call(8, "help", r#"["old"]"#), shown(8, "old (DEPRECATED!) [a]")),
        (call(9, "older", "[]"), done(9)),
        (call(10, "deprecations", r#"{"enable":false}"#), done(10)),
        (call(11, "new", "[]"), done(11)),
        (call(12, "old", "[]"), refused(12, r#"Command "old" is deprecated"#)),
    ] {
        client.send(&request).await?;
        assert_eq!(client.next().await?, answer, "{request}");
    }
    heard(net, "l1", "told", "deprecated_oneshot", 2).await?;
    l1.wait_for_log(
        r"DEBUG .*plugin-untold: Plugin does not support deprecation setting for cmd older \(id 9\)",
    )
    .await?;
    let listed = l1.rpc("help", json!({})).await?.to_string();
    assert!(listed.contains(r#""new [b]""#) && !listed.contains("DEPRECATED"), "{listed}");

    // Nor does a plugin get around that.
    let redirect = Mock::hook("rpc_command").filters([Filter::Method("new".into())]);
    let redirect =
        l1.mount_scoped(redirect.reply(Reply::replace("old", json!([]))).named("redirect")).await?;
    let error = l1.rpc("new", json!({})).await.expect_err("it is deprecated");
    assert_eq!(error.code(), -32600, "{error}");
    assert!(error.headline().contains("redirected to deprecated command 'old'"), "{error}");
    redirect.finish().await
}

pub(crate) fn messages() -> Scenario {
    let net = || {
        let chatty = Mock::method("chat").reply(
            Reply::result(json!({}))
                .notify("message", json!({"id": "nobody", "level": "info", "message": "not for you"}))
                .progress(1, 2),
        );
        let rude = Mock::method("shout")
            .reply(Reply::result(json!({})).notify("message", json!({"level": "info", "message": "whose?"})));
        Net::builder().nodes(["l1"]).mount("l1", chatty.named("chatty")).mount("l1", rude.named("rude"))
    };
    Scenario::new(
        "a message for an unknown call is ignored, one without a call costs the plugin its life",
        net,
        |net| Box::pin(chat(net)),
    )
    .golden("l1", "chatty")
}

async fn chat(net: &Net) -> Result {
    let [l1] = net.nodes();
    let mut client = Client::connect(&l1).await?;
    let call = |id: &str, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}","params":{params}}}"#)
    };
    client.send(&call("on", "notifications", "[true]")).await?;
    assert_eq!(client.next().await?, r#"{"jsonrpc":"2.0","id":"on","result":{}}"#);
    client.send(&call("mine", "chat", "[]")).await?;
    let heard: Value = serde_json::from_str(&client.next().await?)?;
    assert_eq!((&heard["method"], &heard["params"]["id"]), (&json!("progress"), &json!("mine")));
    assert_eq!(client.next().await?, r#"{"jsonrpc":"2.0","id":"mine","result":{}}"#);

    client.send(&call("last", "shout", "[]")).await?;
    let answer: Value = serde_json::from_str(&client.next().await?)?;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("last"), &json!(-4)));
    l1.wait_for_log(r#"UNUSUAL plugin-rude: Killing plugin: JSON-RPC notify "id"-field is not present"#)
        .await?;
    Ok(())
}
