//! Options: where their values come from, and how they are listed.

use std::fs;

use leyden::{Capability, Deprecated, Mock, Net, Node, OptionType, PluginOption, Profile, Result};
use serde_json::{Value, json};

use crate::scenario::Scenario;

pub(crate) fn option(name: &str, option_type: OptionType) -> PluginOption {
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
pub(crate) fn in_report(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

pub(crate) async fn listed(node: &Node, name: &str) -> Result<Value> {
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
    .golden("l1", "optioned")
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

pub(crate) fn options_at_plugin_start() -> Scenario {
    let net = || Net::builder().nodes(["l1"]).mount("l1", Mock::plugin("resident"));
    Scenario::new("options that come with `plugin start` count until the plugin ends", net, |net| {
        Box::pin(start_with_options(net))
    })
    .golden("l1", "visitor")
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
    .golden("l1", "aged")
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

pub(crate) fn older_listconfigs() -> Scenario {
    let net = || {
        let mock = Mock::plugin("optioned")
            .option(option("number", OptionType::Int).default("0x10"))
            .option(option("switch", OptionType::Bool).default("1"))
            .option(option("absent", OptionType::String))
            .option(PluginOption { multi: true, ..option("several", OptionType::String) });
        Net::builder()
            .nodes(["l1"])
            .profile(Profile::V23_02)
            .mount("l1", mock)
            .option("l1", "rescan", 2)
            .option("l1", "several", "one")
    };
    Scenario::new(
        "up to v23.05, listconfigs has no sources, lists plugins with their options, and there is no setconfig",
        net,
        |net| Box::pin(list_as_of_old(net)),
    )
    .needs(Capability::AnyProfile)
}

async fn list_as_of_old(net: &Net) -> Result {
    let [l1] = net.nodes();
    let all = l1.rpc("listconfigs", json!({})).await?;
    assert_eq!(all["# version"], "v23.02.2");
    assert_eq!((&all["rescan"], &all["network"]), (&json!(2), &json!("regtest")));
    assert_eq!(all.get("number"), None, "options of plugins are listed with the plugins");
    let plugin = json!({
        "path": path_of(&l1, "optioned").await?,
        "name": "optioned",
        "options": {"number": 16, "switch": true, "several": ["one"]},
    });
    assert_eq!((&all["plugins"], &all["important-plugins"]), (&json!([plugin]), &json!([])));

    assert_eq!(l1.rpc("listconfigs", json!(["rescan"])).await?, json!({"rescan": 2}));
    let error = l1.rpc("listconfigs", json!(["nonesuch"])).await.expect_err("there is no such option");
    assert_eq!(error.code(), -32602);
    assert!(error.headline().contains("Unknown config option nonesuch"), "{error}");
    let error = l1.rpc("setconfig", json!(["rescan", 3])).await.expect_err("it came with v23.08");
    assert_eq!(error.code(), -32601, "{error}");
    Ok(())
}
