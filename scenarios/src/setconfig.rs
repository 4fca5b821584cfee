//! Options that are changed while the node runs.

use std::fs;

use leyden::{Call, Mock, Net, NetBuilder, Node, OptionType, PluginOption, Reply, Result};
use serde_json::{Value, json};

use crate::options::{in_report, listed, option};
use crate::scenario::Scenario;

fn dynamic(name: &str, option_type: OptionType) -> PluginOption {
    PluginOption { dynamic: true, ..option(name, option_type) }
}

fn says(value: &'static str) -> impl Fn(&Call) -> bool {
    move |call| call.params()["val"] == value
}

/// A plugin with options that change, which dislikes two values.
fn changeable(name: &str) -> Mock {
    Mock::method("setconfig")
        .when(says("bad"))
        .reply(Reply::error(-77, "no \"bad\""))
        .and(Mock::method("setconfig").when(says("odd")).reply(Reply::result(1).without("result")))
        .and(Mock::method("setconfig"))
        .and(Mock::method("check").when(says("bad")).reply(Reply::error(-78, "would be bad")))
        .and(Mock::method("check"))
        .named(name)
}

pub(crate) fn changed_options() -> Scenario {
    let net = || -> NetBuilder {
        let mock = changeable("changeable")
            .option(option("fixed", OptionType::String))
            .option(dynamic("text", OptionType::String).default("x"))
            .option(dynamic("number", OptionType::Int))
            .option(dynamic("flag", OptionType::Flag))
            .option(dynamic("switch", OptionType::Bool).default("false"))
            .option(PluginOption { multi: true, ..dynamic("several", OptionType::String) })
            .manifest(|manifest| manifest.cancheck = true);
        let unchecked = changeable("unchecked").option(dynamic("unchecked", OptionType::String));
        Net::builder()
            .nodes(["l1"])
            .mount("l1", mock)
            .mount("l1", unchecked)
            .broken_log("l1", "Invalid setconfig")
    };
    Scenario::new(
        "setconfig asks the plugin, and what it takes is kept in a file or for the time being",
        net,
        |net| Box::pin(change_options(net)),
    )
    .golden("l1", "unchecked")
    .golden_view("l1", "changeable", |all| all.only(["setconfig", "check", "init"]))
}

async fn change_options(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.stop().await?;
    let config = l1.lightning_dir().join("regtest/config");
    fs::write(&config, "several=a\ntext=b")?;
    l1.start().await?;
    take_changes(&l1).await?;
    refuse_changes(&l1).await?;
    check_changes(&l1).await?;
    take_several(&l1).await?;

    let text = fs::read_to_string(&config)?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "# setconfig commented out (see config.setconfig): several=a");
    assert_eq!(lines[1], "# setconfig commented out (see config.setconfig): text=b");
    assert!(lines[2].starts_with("# Inserted by setconfig "), "{text}");
    assert_eq!(lines[3..], ["include config.setconfig"]);

    l1.restart().await?;
    let init = l1.mock("changeable").expect("it is mounted").calls("init").pop().expect("it was started");
    let kept = json!({"text": "new2", "number": 5, "flag": true, "switch": true});
    assert_eq!(init.params()["options"], kept, "what was transient is forgotten");
    Ok(())
}

/// Asserts what `setconfig` answers, but for the plugin.
async fn set(node: &Node, params: Value, expected: Value) -> Result {
    let mut answer = node.rpc("setconfig", params.clone()).await?;
    answer["config"].as_object_mut().expect("an object").shift_remove("plugin");
    assert_eq!(answer, json!({ "config": expected }), "{params}");
    Ok(())
}

async fn take_changes(node: &Node) -> Result {
    let file = node.lightning_dir().join("regtest/config.setconfig").display().to_string();
    let kept = |name: &str, member: &str, value: Value, line: u32| json!({"config": name, member: value, "source": format!("{file}:{line}"), "dynamic": true});
    set(node, json!(["text", "new"]), kept("text", "value_str", json!("new"), 2)).await?;
    set(node, json!({"config": "text", "val": "new2"}), kept("text", "value_str", json!("new2"), 2)).await?;
    set(node, json!(["number", 5]), kept("number", "value_int", json!(5), 3)).await?;
    set(node, json!(["flag"]), kept("flag", "set", json!(true), 4)).await?;
    set(node, json!(["switch", "yes"]), kept("switch", "value_bool", json!(true), 5)).await?;
    set(node, json!(["min-capacity-sat", 7]), kept("min-capacity-sat", "value_int", json!(7), 6)).await?;
    let transient = json!({"config": "text", "val": "briefly", "transient": true});
    let expected = json!({
        "config": "text", "value_str": "briefly", "source": "setconfig transient", "dynamic": true,
    });
    set(node, transient, expected).await?;
    assert_eq!(listed(node, "text").await?["value_str"], "briefly");
    node.wait_for_log("INFO +lightningd: setconfig: text new \\(updated .*config.setconfig:2\\)").await?;
    node.wait_for_log("INFO +lightningd: setconfig: flag SET ").await?;
    node.wait_for_log("INFO +lightningd: setconfig: text briefly \\(updated NULL:0\\)").await?;
    Ok(())
}

async fn refuse_changes(node: &Node) -> Result {
    let cases = [
        (json!(["text", "bad"]), -77, r#"no \"bad\""#),
        (json!(["text", "odd"]), -1, "Malformed setvalue text plugin return"),
        (json!(["text"]), -32602, "text requires a value"),
        (json!(["flag", true]), -32602, "flag does not take a value"),
        (json!(["min-capacity-sat", "x"]), -32602, "Error setting min-capacity-sat: 'x' is not a number"),
        (json!(["fixed", "x"]), -32602, r#"config: Not a dynamic config option: invalid token '"fixed"'"#),
        (json!(["nonesuch"]), -32602, r#"config: Unknown config option: invalid token '"nonesuch"'"#),
        (
            json!({"config": "text", "val": ["x"]}),
            -32602,
            "text is not a multi option: val must not be an array",
        ),
        (json!({"config": "several", "val": "x"}), -32602, "several is a multi option: val must be an array"),
    ];
    for (params, code, text) in cases {
        let error = node.rpc("setconfig", params.clone()).await.expect_err("it is refused");
        assert_eq!(error.code(), code, "{params}: {error}");
        assert!(error.headline().contains(&in_report(text)), "{params}: {error}");
    }
    assert_eq!(listed(node, "text").await?["value_str"], "briefly");
    Ok(())
}

async fn check_changes(node: &Node) -> Result {
    let checked = json!({"command_to_check": "setconfig"});
    for params in [json!(["setconfig", "text", "good"]), json!(["setconfig", "unchecked", "bad"])] {
        assert_eq!(node.rpc("check", params).await?, checked);
    }
    let error = node.rpc("check", json!(["setconfig", "text", "bad"])).await.expect_err("the plugin minds");
    assert_eq!(error.code(), -78, "{error}");
    assert_eq!(listed(node, "text").await?["value_str"], "briefly", "a check changes nothing");
    Ok(())
}

async fn take_several(node: &Node) -> Result {
    let values = |all: Value| json!({"config": "several", "val": all});
    let mut answer = node.rpc("setconfig", values(json!(["b", "c"]))).await?["config"].take();
    assert_eq!(answer["values_str"].take(), json!(["b", "c"]));
    let transient = json!({"config": "several", "val": ["d"], "transient": true});
    let mut answer = node.rpc("setconfig", transient).await?["config"].take();
    assert_eq!(answer["values_str"].take(), json!(["d"]));
    assert_eq!(answer["sources"].take(), json!(["setconfig transient"]));
    let mut answer = node.rpc("setconfig", json!({"config": "several"})).await?["config"].take();
    assert_eq!(answer["values_str"].take(), json!([]), "without values there are none");
    Ok(())
}
