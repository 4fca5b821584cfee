//! What a plugin declares, and what it is told of it in `init`.

use leyden::{Mock, Net, OptionType, PluginOption, Reply, Result};
use serde_json::{Value, json};

use crate::scenario::Scenario;

pub(crate) fn options_of_every_type() -> Scenario {
    let net = || {
        let text = |name: &str| PluginOption::new(name, OptionType::String, "a text");
        let number = |name: &str| PluginOption::new(name, OptionType::Int, "a number");
        let switch = |name: &str| PluginOption::new(name, OptionType::Bool, "a switch");
        let flag = |name: &str| PluginOption::new(name, OptionType::Flag, "a flag");
        let mock = Mock::plugin("optioned")
            .option(text("text-given").default("a default"))
            .option(text("text-default").default("a \"quoted\" default"))
            .option(text("text-absent"))
            .option(PluginOption { multi: true, ..text("text-twice") })
            .option(PluginOption::new("text-concealed", OptionType::StringConceal, "a password"))
            .option(number("number-given"))
            .option(number("number-default").default("-7"))
            .option(switch("switch-given"))
            .option(switch("switch-default").default("true"))
            .option(flag("flag-given"))
            .option(flag("flag-absent"));
        Net::builder()
            .nodes(["l1"])
            .mount("l1", mock)
            .option("l1", "text-given", "from the command line")
            .option("l1", "text-twice", "one")
            .option("l1", "text-twice", "two")
            .option("l1", "text-concealed", "hunter2")
            .option("l1", "number-given", 4_000_000_000_000_i64)
            .option("l1", "switch-given", "no")
            .option("l1", "flag-given", Value::Null)
    };
    Scenario::new(
        "a plugin is told the values of its options: given, default, several, and none where none is known",
        net,
        |net| Box::pin(tell_the_options(net)),
    )
    .golden("l1", "optioned")
}

async fn tell_the_options(net: &Net) -> Result {
    let [l1] = net.nodes();
    let init = l1.mock("optioned").expect("it was mounted").calls("init").remove(0);
    let expected = json!({
        "text-given": "from the command line",
        // lightningd does not read the escapes of a default, but writes its own.
        "text-default": r#"a \"quoted\" default"#,
        "text-twice": ["one", "two"],
        "text-concealed": "hunter2",
        "number-given": 4_000_000_000_000_i64,
        "number-default": -7,
        "switch-given": false,
        "switch-default": true,
        "flag-given": true,
    });
    assert_eq!(init.params()["options"], expected);
    assert_eq!(init.params()["configuration"]["startup"], true);
    Ok(())
}

pub(crate) fn manifest_in_pieces() -> Scenario {
    let net = || {
        let manifest = r#"{"jsonrpc": "2.0", "id": %ID%,"#.to_owned()
            + "\n\n  "
            + r#""result": {"options": [], "rpcmethods": [{"name": "greet", "usage": "", "description": "{\"}"}], "dynamic": true}}"#;
        let glued = r#"{"jsonrpc":"2.0","method":"log","params":{"message":"half way"}}"#.to_owned()
            + r#"{"jsonrpc":"2.0","id":%ID%,"result":{"greeting":"hello"}}"#;
        let mock = Mock::method("greet")
            .reply(Reply::raw(glued).in_pieces(5))
            .named("stutterer")
            .on_getmanifest(Reply::raw(manifest).in_pieces(7))
            .on_init(Reply::raw(r#"{"jsonrpc":"2.0","id":%ID%,"result":{}}"#).in_pieces(1));
        Net::builder().nodes(["l1"]).mount("l1", mock)
    };
    Scenario::new(
        "what a plugin writes is cut by JSON, not by lines: no newline at the end, two inside, two frames glued",
        net,
        |net| Box::pin(greet_in_pieces(net)),
    )
    .golden("l1", "stutterer")
}

async fn greet_in_pieces(net: &Net) -> Result {
    let [l1] = net.nodes();
    for _ in 0..2 {
        assert_eq!(l1.rpc("greet", json!({})).await?, json!({"greeting": "hello"}));
        l1.wait_for_log("INFO +plugin-stutterer: half way").await?;
    }
    Ok(())
}

pub(crate) fn bad_manifests() -> Scenario {
    Scenario::new(
        "`plugin start` of a plugin with a bad manifest is the error -3, which says what is wrong",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(start_with_bad_manifests(net)),
    )
    .golden("l1", "bad")
}

/// Manifests, and how lightningd words its refusal.
fn refusals() -> Vec<(Value, &'static str)> {
    let with = |member: &str, value: Value| {
        let mut manifest = json!({"options": [], "rpcmethods": [], "dynamic": true});
        manifest[member] = value;
        manifest
    };
    vec![
        (json!({}), r#""result.options" was not found in the manifest"#),
        (json!({"options": [], "dynamic": true}), r#""result.rpcmethods" missing"#),
        (with("dynamic", json!(false)), "Not a dynamic plugin"),
        (with("dynamic", json!("yes")), r#"getmanifest: invalid "dynamic" field yes"#),
        (
            with("options", json!([{"name": "x", "type": "float", "description": "d"}])),
            r#"Only "string", "int", "bool", and "flag" options are supported"#,
        ),
        (with("hooks", json!([{"name": "no_such_hook"}])), "Unknown hook name no_such_hook"),
    ]
}

async fn start_with_bad_manifests(net: &Net) -> Result {
    let [l1] = net.nodes();
    for (manifest, text) in refusals() {
        let bad = Mock::plugin("bad").on_getmanifest(Reply::result(manifest.clone()));
        let error = l1.mount(bad).await.err().expect("the manifest is bad");
        assert_eq!(error.code(), -3, "{manifest}: {error}");
        assert!(
            error.headline().contains(&format!("/bad: {text}").escape_debug().to_string()),
            "{manifest}: {error}"
        );
    }
    Ok(())
}

pub(crate) fn taken_names() -> Scenario {
    let net = || Net::builder().nodes(["l1"]).mount("l1", rich("owner"));
    Scenario::new("a method or an option that another plugin has cannot be declared again", net, |net| {
        Box::pin(take_names(net))
    })
    .golden("l1", "owner")
    .golden("l1", "method-thief")
    .golden("l1", "option-thief")
}

fn rich(name: &str) -> Mock {
    Mock::method("greet").named(name).option(PluginOption::new("greeting", OptionType::String, "what to say"))
}

async fn take_names(net: &Net) -> Result {
    let [l1] = net.nodes();
    let thief = Mock::method("greet").named("method-thief");
    let error = l1.mount(thief).await.err().expect("the method is taken");
    assert_eq!(error.code(), -3, "{error}");
    let text =
        r#"Could not register method "greet", a method with that name is already registered by plugin"#;
    assert!(error.headline().contains(&text.escape_debug().to_string()), "{error}");

    let thief =
        Mock::plugin("option-thief").option(PluginOption::new("greeting", OptionType::Int, "how often"));
    let error = l1.mount(thief).await.err().expect("the option is taken");
    assert_eq!(error.code(), -3, "{error}");
    assert!(error.headline().contains("greeting"), "{error}");
    // The owner keeps what it has.
    assert_eq!(l1.rpc("greet", json!({})).await?, json!({}));
    Ok(())
}
