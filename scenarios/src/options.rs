//! Options: where their values come from, how they are listed, and how they are changed while the node runs.

use std::fs;

use leyden::{Call, Deprecated, Mock, Net, NetBuilder, Node, OptionType, PluginOption, Reply, Result};
use serde_json::{Value, json};

use crate::scenario::Scenario;

fn option(name: &str, option_type: OptionType) -> PluginOption {
    PluginOption::new(name, option_type, "an option")
}

/// The path of a plugin as the node knows it.
async fn path_of(node: &Node, plugin: &str) -> Result<Value> {
    let list = node.rpc("plugin", json!(["list"])).await?;
    let mut names = list["plugins"].as_array().into_iter().flatten().map(|plugin| plugin["name"].clone());
    let ours = names.find(|name| name.as_str().is_some_and(|name| name.ends_with(&format!("/{plugin}"))));
    Ok(ours.expect("the plugin runs"))
}

/// A text as reports quote it.
fn in_report(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

async fn listed(node: &Node, name: &str) -> Result<Value> {
    Ok(node.rpc("listconfigs", json!({ "config": name })).await?["configs"][name].take())
}

pub(crate) fn listed_options() -> Scenario {
    let net = || {
        let mock = Mock::plugin("optioned")
            .option(option("text", OptionType::String).default("a"))
            .option(option("text-absent", OptionType::String))
            .option(option("secret", OptionType::StringConceal).default("b"))
            .option(option("number", OptionType::Int).default("7"))
            .option(option("switch", OptionType::Bool).default("yes"))
            .option(option("flag", OptionType::Flag))
            .option(option("flag-absent", OptionType::Flag))
            .option(PluginOption { multi: true, ..option("several", OptionType::String) })
            .option(PluginOption { multi: true, ..option("several-default", OptionType::Int).default("3") })
            .option(PluginOption { dynamic: true, ..option("dynamic", OptionType::Int).default("1") });
        Net::builder()
            .nodes(["l1"])
            .mount("l1", mock)
            .option("l1", "network", "regtest")
            .option("l1", "alias", " me ")
            .option("l1", "rescan", 2)
            .option("l1", "allow-deprecated-apis", false)
            .option("l1", "secret", "hunter2")
            .option("l1", "several", "from the command line")
    };
    Scenario::new(
        "options are listed with their value and its source: default, configuration files, command line",
        net,
        |net| Box::pin(list_options(net)),
    )
}

async fn list_options(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.stop().await?;
    let dir = l1.lightning_dir();
    let (base, network) = (dir.join("config"), dir.join("regtest/config"));
    fs::write(&base, "# of all networks\ntext=base\nseveral=base\nnumber=1\n")?;
    fs::write(&network, "several=network\n\nnumber=16\nflag\n")?;
    l1.start().await?;

    let at = |file: &std::path::Path, line: u32| format!("{}:{line}", file.display());
    let plugin = path_of(&l1, "optioned").await?;
    let of_plugin = [
        ("text", json!({"value_str": "base", "source": at(&base, 2)})),
        ("secret", json!({"value_str": "...", "source": "cmdline"})),
        ("number", json!({"value_int": 16, "source": at(&network, 3)})),
        ("switch", json!({"value_bool": true, "source": "default"})),
        ("flag", json!({"set": true, "source": at(&network, 4)})),
        ("flag-absent", json!({"set": false, "source": "default"})),
        (
            "several",
            json!({
                "values_str": ["base", "network", "from the command line"],
                "sources": [at(&base, 3), at(&network, 1), "cmdline".to_owned()],
            }),
        ),
        ("several-default", json!({"values_int": [], "sources": []})),
        ("dynamic", json!({"value_int": 1, "source": "default", "dynamic": true})),
    ];
    let of_node = [
        ("developer", json!({"set": true, "source": "cmdline"})),
        ("lightning-dir", json!({"value_str": dir.display().to_string(), "source": "cmdline"})),
        ("network", json!({"value_str": "regtest", "source": "cmdline"})),
        ("alias", json!({"value_str": " me ", "source": "cmdline"})),
        ("rescan", json!({"value_int": 2, "source": "cmdline"})),
        ("allow-deprecated-apis", json!({"value_bool": false, "source": "cmdline"})),
        ("always-use-proxy", json!({"value_bool": false, "source": "default"})),
        ("min-capacity-sat", json!({"value_int": 10_000, "source": "default", "dynamic": true})),
        ("log-file", json!({"values_str": [dir.join("log").display().to_string()], "sources": ["cmdline"]})),
        ("important-plugin", json!({"values_str": [], "sources": []})),
        ("dev-allow-localhost", json!({"set": true, "source": "cmdline"})),
    ];
    let all = l1.rpc("listconfigs", json!({})).await?;
    for (name, mut expected) in of_plugin {
        expected["plugin"] = plugin.clone();
        assert_eq!(all["configs"][name], expected, "{name}");
        assert_eq!(listed(&l1, name).await?, expected, "{name}");
    }
    for (name, expected) in of_node {
        assert_eq!(all["configs"][name], expected, "{name}");
        assert_eq!(listed(&l1, name).await?, expected, "{name}");
    }
    for without_value in ["text-absent", "help"] {
        assert_eq!(all["configs"][without_value], Value::Null);
        assert_eq!(l1.rpc("listconfigs", json!([without_value])).await?, json!({"configs": {}}));
    }
    let error = l1.rpc("listconfigs", json!(["nonesuch"])).await.expect_err("there is no such option");
    assert_eq!(error.code(), -32602);
    assert!(
        error.headline().contains("config: Unknown config option: invalid token '\\\"nonesuch\\\"'"),
        "{error}"
    );

    let init = l1.mock("optioned").expect("it is mounted").calls("init").pop().expect("it was started");
    let told = json!({
        "text": "base", "secret": "hunter2", "number": 16, "switch": true, "flag": true,
        "several": ["base", "network", "from the command line"], "several-default": [3], "dynamic": 1,
    });
    assert_eq!(init.params()["options"], told);
    Ok(())
}

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

pub(crate) fn options_at_plugin_start() -> Scenario {
    let net = || Net::builder().nodes(["l1"]).mount("l1", Mock::plugin("resident"));
    Scenario::new("options that come with `plugin start` count until the plugin ends", net, |net| {
        Box::pin(start_with_options(net))
    })
}

async fn start_with_options(net: &Net) -> Result {
    let [l1] = net.nodes();
    let visitor = Mock::plugin("visitor")
        .option(option("text", OptionType::String).default("x"))
        .option(option("flag", OptionType::Flag))
        .option(option("number", OptionType::Int))
        .option(PluginOption { multi: true, ..option("several", OptionType::String) });
    l1.mount(visitor).await?;
    let path = path_of(&l1, "visitor").await?;
    l1.stop_plugin("visitor").await?;

    let start = |options: Value| {
        let mut params = json!({"subcommand": "start", "plugin": path});
        params.as_object_mut().expect("it is one").extend(options.as_object().cloned().unwrap_or_default());
        l1.rpc("plugin", params)
    };
    // A flag is set, whatever the value.
    start(json!({"text": "a\"b", "flag": false, "several": "one"})).await?;
    let said = |member: &str, value: Value| {
        let (value, source) = match member {
            "values_str" => (value, ("sources", json!(["pluginstart"]))),
            _ => (value, ("source", json!("pluginstart"))),
        };
        json!({member: value, source.0: source.1, "plugin": path})
    };
    assert_eq!(listed(&l1, "text").await?, said("value_str", json!(r#"a\"b"#)));
    assert_eq!(listed(&l1, "flag").await?, said("set", json!(true)));
    assert_eq!(listed(&l1, "several").await?, said("values_str", json!(["one"])));
    l1.stop_plugin("visitor").await?;
    let gone = l1.rpc("listconfigs", json!(["text"])).await.expect_err("its options went with it");
    assert_eq!(gone.code(), -32602);

    start(json!({})).await?;
    assert_eq!(listed(&l1, "text").await?["value_str"], "x");
    l1.stop_plugin("visitor").await?;
    for (options, text) in [
        (json!({"number": "seven"}), "/visitor: 'seven' is not a number"),
        (json!({"size": 3}), "/visitor: unknown parameter size"),
    ] {
        let error = start(options.clone()).await.expect_err("it is refused");
        assert_eq!(error.code(), -3, "{options}: {error}");
        assert!(error.headline().contains(text), "{options}: {error}");
    }
    Ok(())
}

pub(crate) fn deprecated_options() -> Scenario {
    let net = || {
        let mock = Mock::plugin("aged")
            .option(PluginOption {
                deprecated: Deprecated::Range("v26.09".into(), None),
                ..option("soon", OptionType::String).default("x")
            })
            .option(PluginOption {
                deprecated: Deprecated::Range("v26.04".into(), Some("v26.12".into())),
                ..option("now", OptionType::String)
            })
            .option(PluginOption {
                deprecated: Deprecated::Range("v23.08".into(), Some("v24.02".into())),
                ..option("begged", OptionType::String)
            });
        Net::builder()
            .nodes(["l1"])
            .mount("l1", mock)
            .option("l1", "soon", "a")
            .option("l1", "begged", "b")
            .option("l1", "i-promise-to-fix-broken-api-user", "aged.--begged")
    };
    Scenario::new(
        "what becomes of a deprecated option depends on the release, and on what was promised",
        net,
        |net| Box::pin(use_deprecated_options(net)),
    )
}

async fn use_deprecated_options(net: &Net) -> Result {
    let [l1] = net.nodes();
    let init = l1.mock("aged").expect("it is mounted").calls("init").remove(0);
    assert_eq!(init.params()["options"], json!({"soon": "a", "begged": "b"}));
    let path = path_of(&l1, "aged").await?;
    l1.stop_plugin("aged").await?;
    let start = json!({"subcommand": "start", "plugin": path, "now": "c"});
    let error = l1.rpc("plugin", start).await.expect_err("deprecated things are not allowed");
    assert_eq!(error.code(), -3, "{error}");
    assert!(error.headline().contains("/aged: deprecated option (will be removed!)"), "{error}");
    l1.wait_for_log("DEBUG +plugin-manager: Note: disallowing deprecated aged.--now").await?;
    Ok(())
}
