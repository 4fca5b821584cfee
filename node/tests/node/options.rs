//! How a start fails or succeeds by its options, and `--help`. Plugins are scripts for sh here.

use crate::chain::Chain;
use crate::stage::Stage;
use leyden_node::config::{Bitcoind, Config};
use leyden_node::event::{Event, Exit};
use leyden_node::{Host, Node, options};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Nothing here takes that long.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory for a node and its plugins.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a plugin that answers with this manifest, and keeps the `init` that it gets as `<name>.init`.
    fn plugin(&self, name: &str, manifest: &Value) -> PathBuf {
        let script = format!(
            r#"#!/bin/sh
while read -r line; do
    id=$(printf '%s' "$line" | sed -n 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/p')
    case $line in
        *'"getmanifest"'*) result='{manifest}' ;;
        *'"init"'*) printf '%s' "$line" >{name}.init; result='{{}}' ;;
        *) continue ;;
    esac
    printf '%s' "{{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":$result}}"
done
"#
        );
        self.script(name, &script)
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("the directory is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        path.canonicalize().expect("it is there")
    }

    /// What a node with this command line tells `<name>` of itself, as `<name>.init` says. Older releases do not wait for plugins to read it.
    async fn configuration(&self, name: &str, args: &[&str]) -> Value {
        let Ok(_node) = self.run(args).await else { panic!("{args:?} must start") };
        let path = self.path().join(format!("regtest/{name}.init"));
        let written = async {
            loop {
                let text = fs::read_to_string(&path).unwrap_or_default();
                match serde_json::from_str::<Value>(&text) {
                    Ok(mut init) => return init["params"]["configuration"].take(),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, written).await.expect("the plugin is told in time");
        fs::remove_file(&path).expect("it is there");
        found
    }

    /// How a node with this command line ended; `None` if it started.
    async fn start(&self, args: &[&str]) -> Option<Exit> {
        self.run(args).await.err()
    }

    /// A node with this command line once it has started, or how it ended.
    async fn run(&self, args: &[&str]) -> Result<Node, Exit> {
        let bitcoind = Bitcoind {
            rpc: Chain::new().serve().await,
            user: "user".to_owned(),
            password: "password".to_owned(),
        };
        let mut config = Config::new(self.path().to_owned(), Some(bitcoind));
        config.bitcoind_poll = DEADLINE;
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        options::parse(&mut config, &args).expect("the node knows its own options");
        let (sender, mut events) = mpsc::unbounded_channel();
        let ear = move |event| drop(sender.send(event));
        let node = Node::start(config, Host { events: Some(Arc::new(ear)), ..Host::default() });
        let outcome = async {
            loop {
                match events.recv().await {
                    Some(Event::Started { .. }) => return Ok(node),
                    Some(Event::Exited(exit)) => return Err(exit),
                    Some(Event::Log(_) | Event::DbWrite { .. }) => {}
                    None => panic!("a node tells of its end"),
                }
            }
        };
        tokio::time::timeout(DEADLINE, outcome).await.expect("it starts or ends in time")
    }

    /// The words with which a node that cannot start ends.
    async fn refusal(&self, args: &[&str]) -> String {
        let exit = self.start(args).await.unwrap_or_else(|| panic!("{args:?} must not start"));
        assert_eq!(exit.code, 1, "{exit:?}");
        exit.message.unwrap_or_default()
    }
}

fn with_options(options: &Value) -> Value {
    json!({ "options": options, "rpcmethods": [], "dynamic": true })
}

fn option(name: &str, option_type: &str) -> Value {
    json!({ "name": name, "type": option_type, "description": "an option" })
}

fn plugin_arg(path: &Path) -> String {
    format!("--plugin={}", path.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_the_wrong_type_ends_the_start() {
    let place = Place::new();
    let options = json!([option("number", "int"), option("switch", "bool"), option("flag", "flag")]);
    let plugin = plugin_arg(&place.plugin("typed", &with_options(&options)));
    let cases = [
        ("--number=notok", "lightningd: --number=notok: 'notok' is not a number"),
        ("--switch=!", "lightningd: --switch=!: Invalid argument '!'"),
        ("--flag=True", "lightningd: --flag=True: doesn't allow an argument"),
        ("--number", "lightningd: --number: requires an argument"),
        ("--size=1", "lightningd: --size=1: unknown option"),
    ];
    for (arg, expected) in cases {
        assert_eq!(place.refusal(&[&plugin, arg]).await, expected);
    }
    let file = place.path().join("config");
    fs::write(&file, "# numbers\nnumber=x\n").expect("the directory is ours");
    let expected =
        format!("lightningd: Config file {} line 2: number=x: 'x' is not a number", file.display());
    assert_eq!(place.refusal(&[&plugin]).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_that_is_taken_ends_the_start_if_the_release_minds() {
    let place = Place::new();
    let manifest = json!({ "options": [option("size", "int")], "rpcmethods": [] });
    let plugins = ["first", "second"].map(|name| place.plugin(name, &manifest));
    // The one whose manifest comes later is to blame.
    let assert_fatal = |message: String, name: &str| {
        let fatal = plugins.each_ref().map(|plugin| {
            format!("error starting plugin '{}': option name '{name}' is already taken", plugin.display())
        });
        assert!(fatal.contains(&message), "expected one of {fatal:?}, got {message:?}");
    };
    let [first, second] = plugins.each_ref().map(|plugin| plugin_arg(plugin));
    let mut args = vec![first.as_str(), second.as_str(), "--size=1"];
    assert_fatal(place.refusal(&args).await, "size");
    args.push("--release-profile=v23.02");
    assert_fatal(place.refusal(&args).await, "--size");
    args[3] = "--release-profile=v0.10";
    assert_eq!(place.start(&args).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_lists_the_options_of_plugins_and_starts_nothing() {
    let place = Place::new();
    let mut greeting = option("greeting", "string");
    greeting["default"] = json!("World");
    let mut old = option("old", "flag");
    old["deprecated"] = json!(true);
    let options = json!([greeting, option("loud", "flag"), old]);
    let plugin = plugin_arg(&place.plugin("helped", &with_options(&options)));
    let exit = place.start(&[&plugin, "--help"]).await.expect("no node is started");
    let text = exit.message.unwrap_or_default();
    assert_eq!(exit.code, 0, "{text}");
    assert!(
        text.contains("\n--greeting <arg>                        an option (default: World)\n"),
        "{text}"
    );
    assert!(text.contains("\n--loud                                  an option\n"), "{text}");
    assert!(text.contains("\n--alias <arg> "), "{text}");
    assert!(!text.contains("--old"), "{text}");
    assert!(!place.path().join("regtest/hsm_secret").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn help_fails_with_a_plugin_that_fails() {
    let place = Place::new();
    let missing = plugin_arg(&place.path().join("missing"));
    let why = place.refusal(&[&missing, "--help"]).await;
    assert!(why.ends_with("/missing: No such file or directory"), "{why}");
    let silent = plugin_arg(&place.script("silent", "#!/bin/sh\nwhile read -r line; do :; done\n"));
    let why = place.refusal(&[&silent, "--help", "--dev-plugin-startup-timeout=0.1"]).await;
    assert_eq!(why, "Can't recover from plugin failure, terminating.");
}

#[tokio::test(flavor = "multi_thread")]
async fn init_tells_of_the_proxy_in_the_release_s_words() {
    let place = Place::new();
    let plugin = plugin_arg(&place.plugin("told", &json!({ "options": [], "rpcmethods": [] })));
    let without = place.configuration("told", &[&plugin]).await;
    let proxy = ["--proxy=[::1]:9999", "--always-use-proxy=yes", &plugin];
    let with = place.configuration("told", &proxy).await;
    assert_eq!(with["proxy"], json!({ "type": "ipv6", "address": "::1", "port": 9999 }));
    assert_eq!((&with["torv3-enabled"], &with["always_use_proxy"]), (&json!(true), &json!(true)));
    for member in ["proxy", "torv3-enabled", "always_use_proxy"] {
        assert_eq!(without.get(member), None);
    }
    let old = [&proxy[..], &["--release-profile=v0.10"]].concat();
    let old = place.configuration("told", &old).await;
    assert_eq!((&old["use_proxy_always"], old.get("always_use_proxy")), (&json!(true), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_lightningd_that_change_nothing_are_listed_with_what_it_has_for_them() {
    let stage = Stage::new();
    let given =
        ["--autoconnect-seeker-peers=3", "--disable-dns", "--subdaemon=hsmd:x", "--min-emergency-msat=1sat"];
    let mut play = stage.start(&given).await;
    let listed = play.ok("listconfigs", json!({})).await["configs"].take();
    for (name, expected) in [
        ("autoconnect-seeker-peers", json!({ "value_int": 3, "source": "cmdline" })),
        ("disable-dns", json!({ "set": true, "source": "cmdline" })),
        ("subdaemon", json!({ "values_str": ["hsmd:x"], "sources": ["cmdline"] })),
        ("min-emergency-msat", json!({ "value_msat": 1000, "source": "cmdline" })),
        ("commit-fee", json!({ "value_int": 100, "source": "default" })),
        ("announce-addr-discovered", json!({ "value_str": "auto", "source": "default" })),
        ("message-padding", json!({ "value_bool": false, "source": "default" })),
        ("testnet", json!({ "set": false, "source": "default" })),
        ("rescan", json!({ "value_int": 30, "source": "default" })),
    ] {
        assert_eq!(listed[name], expected, "{name}");
    }
    // Not unless they were given, or are asked about.
    assert_eq!((listed.get("large-channels"), listed.get("dev-fast-gossip")), (None, None));
    let one = play.ok("listconfigs", json!(["large-channels"])).await;
    assert_eq!(one, json!({ "configs": { "large-channels": { "set": false, "source": "default" } } }));
}

#[test]
fn what_lightningd_would_do_and_this_node_cannot_is_refused_by_name() {
    for (arg, why) in [
        ("--testnet", "--testnet: only regtest is there"),
        ("--hsm-passphrase", "--hsm-passphrase: a secret with a passphrase is not understood here"),
        (
            "--list-features-only",
            "--list-features-only: the embedded node cannot tell: a real lightningd can",
        ),
        ("--commit-time=soon", "--commit-time=soon: 'soon' is not a number"),
        ("--disable-dns=x", "--disable-dns=x: doesn't allow an argument"),
        ("--commit-fee", "--commit-fee: requires an argument"),
    ] {
        let dir = tempfile::tempdir().expect("there is room for a directory");
        let mut config = Config::new(dir.path().to_owned(), None);
        let refused = options::parse(&mut config, &[arg.to_owned()]);
        assert_eq!(refused.map(drop), Err(why.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_still_fetched_is_waited_for_unless_told_otherwise() {
    let waits = "Waiting for initial block download (this can take a while!)";
    for (args, waited_for) in
        [(&["--developer", "--dev-ignore-ibd=true"][..], false), (&["--developer"], true)]
    {
        let stage = Stage::new();
        stage.chain.fall_behind();
        let play = stage.start(args).await;
        assert_eq!(
            play.log().iter().any(|line| line.contains(waits)),
            waited_for,
            "{args:?}: {:#?}",
            play.log()
        );
    }
}
