//! How plugins come, are listed, and go.

use crate::four::{Four, first_told, killed, manifest, members, told};
use leyden::event::{Direction, EventKind};
use leyden::{Backend, Mock, Net, Node, Profile, Reply, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A plugin that does nothing.
const MINIMAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/profiles/minimal.sh");

/// How late a plugin answers `init`: late enough for a node that does not wait for it to be up.
pub(crate) const SLOW: Duration = Duration::from_millis(600);

/// A directory of a test's own beside the nodes.
fn dir(net: &Net, node: &Node) -> Result<PathBuf> {
    let dir = net.run_dir().join(format!("plugins-of-{}", node.name()));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

async fn start_plugin(node: &Node, path: &Path) -> Result<Value> {
    node.rpc("plugin", json!({ "subcommand": "start", "plugin": path })).await
}

pub(crate) async fn env_and_cwd() -> Result {
    let look = async |net: &Net, node: &Node| {
        let launched = net.timeline().events().iter().find_map(|event| match &event.kind {
            EventKind::PluginLaunched { env, cwd, .. } if event.node.as_deref() == Some(node.name()) => {
                let env: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let below = cwd.strip_prefix(node.lightning_dir()).map(|below| below.display().to_string());
                Some(format!("{} in {}", env.join(" "), below.unwrap_or_default()))
            }
            _ => None,
        });
        Ok(launched.unwrap_or_default())
    };
    let of = |version: &str| format!("LIGHTNINGD_PLUGIN=1 LIGHTNINGD_VERSION={version} in regtest");
    Four::new()
        .mount(|| Mock::plugin("any"))
        .look(look, [&of("v0.10.1"), &of("v0.10.1"), &of("v23.02.2"), &of("v26.06.6")])
        .await
}

pub(crate) async fn timeouts() -> Result {
    // In units of 1.5 seconds, which stand for a minute.
    let (divisor, minute) = (40, Duration::from_millis(1500));
    let look = async |net: &Net, node: &Node| {
        let minutes = async |mock: Mock| {
            let begun = Instant::now();
            node.mount(mock).await.map(drop).expect_err("it has had its time");
            begun.elapsed().as_millis() / minute.as_millis()
        };
        // Nobody is sent init while a manifest is waited for.
        let silent = async {
            first_told(net, node, "idle", "init").await?;
            Ok::<_, leyden::Error>(minutes(Mock::plugin("silent").on_getmanifest(Reply::hang())).await)
        };
        let (idle, silent) = tokio::join!(minutes(Mock::plugin("idle").on_init(Reply::hang())), silent);
        let silent = silent?;
        Ok(format!("getmanifest {silent}, init {idle}"))
    };
    let (short, long) = ("getmanifest 1, init 1", "getmanifest 2, init 2");
    let four = Four::new().option("dev-plugin-timeout-divisor", divisor);
    four.look(look, [short, short, short, long]).await
}

pub(crate) async fn waits_for_init_replies() -> Result {
    let slow = || Mock::plugin("slow").on_init(Reply::result(json!({})).delay(SLOW));
    let look = async |net: &Net, node: &Node| {
        let answered = leyden::eventually("slow to answer init", || async {
            let answers = node.transcript("slow").direction(Direction::FromPlugin);
            let second = answers.frames().get(1).map(|frame| frame.seq);
            Ok(leyden::seen(second, Option::is_some))
        })
        .await?;
        let up = net.timeline().events().iter().find_map(|event| {
            let is_it = event.node.as_deref() == Some(node.name());
            matches!(event.kind, EventKind::NodeStarted { .. } if is_it).then_some(event.seq)
        });
        Ok(if up < answered { "is up before" } else { "waits" }.to_owned())
    };
    Four::new().mount(slow).look(look, ["is up before", "is up before", "waits", "waits"]).await
}

pub(crate) async fn plugin_path() -> Result {
    let look = async |net: &Net, node: &Node| {
        let link = dir(net, node)?.join("link.sh");
        std::os::unix::fs::symlink(MINIMAL, &link)?;
        let list = start_plugin(node, &link).await?;
        let names =
            list["plugins"].as_array().into_iter().flatten().filter_map(|plugin| plugin["name"].as_str());
        let names = names
            .filter_map(|name| Path::new(name).file_name()?.to_str())
            .filter(|name| name.ends_with(".sh"));
        Ok(names.collect::<Vec<_>>().join(" "))
    };
    Four::new().look(look, ["link.sh", "link.sh", "minimal.sh", "minimal.sh"]).await
}

pub(crate) async fn same_plugin_twice() -> Result {
    let mut seen = Vec::new();
    for profile in Profile::ALL {
        let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).profile(profile);
        let net = net.option("l1", "plugin", MINIMAL).option("l1", "plugin", MINIMAL);
        match net.start().await {
            Ok(net) => {
                let [l1] = net.nodes();
                let list = l1.rpc("plugin", json!(["list"])).await?;
                let listed = list["plugins"].to_string().matches("minimal.sh").count();
                net.finish().await?;
                seen.push(format!("{profile}: loaded {listed} times"));
            }
            Err(error) => {
                let refused = error.to_string().contains("Failed to register");
                seen.push(format!("{profile}: {}", if refused { "refused" } else { "ended" }));
            }
        }
    }
    let expected = ["manual: loaded 1 times", "v0.10: loaded 1 times", "v23.02: refused", "v26.06: refused"];
    assert_eq!(seen, expected);
    Ok(())
}

pub(crate) async fn plugin_list_entry() -> Result {
    let look = async |_: &Net, node: &Node| {
        let list = node.rpc("plugin", json!(["list"])).await?;
        Ok(members(list["plugins"].as_array().and_then(|plugins| plugins.last()).unwrap_or(&Value::Null)))
    };
    let old = "name:string active:boolean";
    let new = "name:string active:boolean dynamic:boolean";
    Four::new().mount(|| Mock::plugin("any")).look(look, [old, old, new, new]).await
}

pub(crate) async fn plugin_stop_text() -> Result {
    let look = async |net: &Net, node: &Node| {
        let path = net.timeline().events().iter().find_map(|event| match &event.kind {
            EventKind::PluginLaunched { plugin, path, .. } if plugin == "any" => {
                (event.node.as_deref() == Some(node.name())).then(|| path.display().to_string())
            }
            _ => None,
        });
        let path = path.expect("it was launched");
        let stopped = node.rpc("plugin", json!({ "subcommand": "stop", "plugin": path })).await?;
        Ok(stopped["result"].as_str().unwrap_or_default().replace(&path, "<path>"))
    };
    let typed = "Successfully stopped <path>.";
    let short = "Successfully stopped any.";
    Four::new().mount(|| Mock::plugin("any")).look(look, [typed, typed, short, short]).await
}

pub(crate) async fn plugin_stop_mechanics() -> Result {
    let look = async |net: &Net, node: &Node| {
        node.stop_plugin("ear").await?;
        let told = told(node, "ear", "shutdown").len();
        Ok(format!("told {told} times, {}", killed(net, node, "ear").await?))
    };
    let killed = "told 0 times, info stopped by lightningd via RPC";
    let asked = "told 1 times, info exited during normal operation";
    Four::new()
        .mount(|| Mock::notification("shutdown").named("ear"))
        .look(look, [killed, killed, asked, asked])
        .await
}

pub(crate) async fn plugin_start_relative() -> Result {
    let look = async |_: &Net, node: &Node| {
        let default = node.lightning_dir().join("plugins");
        std::fs::create_dir_all(&default)?;
        std::os::unix::fs::symlink(MINIMAL, default.join("minimal.sh"))?;
        let started = start_plugin(node, Path::new("minimal.sh")).await;
        Ok(if started.is_ok() { "found" } else { "not found" }.to_owned())
    };
    Four::new().look(look, ["not found", "not found", "found", "found"]).await
}

pub(crate) async fn restart_on_changed_file() -> Result {
    let look = async |net: &Net, node: &Node| {
        let path = dir(net, node)?.join("changing.sh");
        std::fs::copy(MINIMAL, &path)?;
        start_plugin(node, &path).await?;
        // A running script must not be written into: the new one takes its place.
        let text = std::fs::read_to_string(MINIMAL)? + "# changed\n";
        let next = path.with_extension("next");
        std::fs::copy(MINIMAL, &next)?;
        std::fs::write(&next, text)?;
        std::fs::rename(&next, &path)?;
        let again = start_plugin(node, &path).await.is_ok();
        Ok(format!("started {again}, {}", killed(net, node, "changing.sh").await?))
    };
    Four::new().look(look, ["started true, info Plugin changed, needs restart."; 4]).await
}

pub(crate) async fn disable_log_level() -> Result {
    let look = async |net: &Net, node: &Node| {
        let shy = Mock::plugin("shy").manifest(|manifest| manifest.disable = Some("not today".to_owned()));
        node.mount(shy).await.err().expect("it does not want to run");
        killed(net, node, "shy").await
    };
    let quiet = "debug disabled itself: not today";
    Four::new().look(look, [quiet, quiet, quiet, "info disabled itself: not today"]).await
}

pub(crate) async fn check() -> Result {
    let method = json!({ "name": "greet", "usage": "", "description": "greets" });
    let declared = manifest(&json!({ "rpcmethods": [method], "cancheck": true }));
    let checker = || Mock::plugin("checker").on_getmanifest(Reply::result(declared.clone()));
    let look = async |net: &Net, node: &Node| {
        // A mock refuses what it was not told to answer.
        let checked = node.rpc("check", json!({ "command_to_check": "greet" })).await.is_ok();
        first_told(net, node, "checker", "init").await?;
        let asked = !told(node, "checker", "check").is_empty();
        Ok(format!("ok {checked}, asked {asked}"))
    };
    let own = "ok true, asked false";
    Four::new().mount(checker).look(look, [own, own, own, "ok false, asked true"]).await
}
