//! Plugins and mocks: loaded, asked, recorded, stopped.

use leyden::event::{Direction, EventKind};
use leyden::{Backend, Call, Mock, Net, Node, Plugin, Reply, eventually};
use serde_json::json;

use crate::{ShellPlugin, on_each_backend};

fn echo() -> Mock {
    Mock::method("echo")
        .reply(|call: &Call| Reply::result(json!({"echoed": call.argument(0, "text")})))
        .named("echo")
}

/// The frames of one direction that contain a word.
fn frames(net: &Net, node: &Node, plugin: &str, way: Direction, word: &str) -> usize {
    let is_one = |kind: &EventKind| match kind {
        EventKind::Frame { plugin: name, direction, text } => {
            *direction == way && name == plugin && text.contains(word)
        }
        _ => false,
    };
    let events = net.timeline().events();
    events.iter().filter(|event| event.node.as_deref() == Some(node.name()) && is_one(&event.kind)).count()
}

#[tokio::test]
async fn an_executable_and_a_mock_answer_and_every_frame_is_recorded() {
    on_each_backend(async |backend| {
        let greeter = ShellPlugin::new();
        let net = Net::line(["l1", "l2"])
            .without_channels()
            .backend(backend)
            .plugin("l1", Plugin::exe(greeter.path()).option("greeting", "hello world"))
            .mount("l2", echo())
            .start()
            .await?;
        let [l1, l2] = net.nodes();
        let greeted = l1.rpc("greet", json!({})).await?;
        assert_eq!(greeted["greeting"], "hello world");
        assert_eq!(greeted["cwd"], json!(l1.lightning_dir().join("regtest")));
        assert_eq!(l2.rpc("echo", json!(["abc"])).await?, json!({"echoed": "abc"}));
        assert_eq!(l2.mock("echo").unwrap().calls("echo").len(), 1);
        assert_eq!(
            l2.transcript("echo").only(["echo"]).to_string().trim_end(),
            "lightningd -> echo  echo \"<id#1>/cln:echo#<2>\" [\"abc\"]\n\
             echo -> lightningd  result \"<id#1>/cln:echo#<2>\" {\"echoed\":\"abc\"}",
            "on {backend}"
        );

        for (node, plugin, method) in [(&l1, "greeter.sh", "greet"), (&l2, "echo", "echo")] {
            for asked in ["\"getmanifest\"", "\"init\"", &format!("\"method\":\"{method}\"")] {
                assert_eq!(frames(&net, node, plugin, Direction::ToPlugin, asked), 1, "{asked} on {backend}");
            }
            assert_eq!(
                frames(&net, node, plugin, Direction::FromPlugin, "\"result\""),
                3,
                "{plugin} on {backend}"
            );
        }
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn the_node_knows_a_plugin_by_its_name_and_its_process() {
    on_each_backend(async |backend| {
        let (greeter, net) =
            (ShellPlugin::new(), Net::builder().nodes(["l1"]).backend(backend).start().await?);
        let [l1] = net.nodes();
        l1.start_plugin(Plugin::exe(greeter.path()).named("doorman")).await?;
        let list = l1.rpc("plugin", json!(["list"])).await?.to_string();
        assert!(list.contains("/doorman\""), "{list}");
        // The relay has become the plugin: the process that the node has started is the one that the plugin sees.
        l1.wait_for_log(&format!(r"plugin-manager: started\({}\) .*/doorman$", greeter.pid())).await?;
        l1.stop_plugin("doorman").await?;
        assert_eq!(l1.rpc("greet", json!({})).await.unwrap_err().code(), -32601);
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn a_killed_plugin_is_noticed_by_node_and_timeline() {
    on_each_backend(async |backend| {
        let greeter = ShellPlugin::new();
        let plugin = Plugin::exe(greeter.path());
        let net = Net::builder().nodes(["l1"]).plugin("l1", plugin).backend(backend).start().await?;
        let [l1] = net.nodes();
        let mut events = net.events();
        let pid = rustix::process::Pid::from_raw(greeter.pid().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        while events.next().await?.kind != (EventKind::PluginGone { plugin: "greeter.sh".into() }) {}
        l1.wait_for_log("plugin-greeter.sh: Killing plugin: exited during normal operation").await?;
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn a_mock_stays_over_a_restart_and_a_scoped_one_until_its_guard_is_finished() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).mount("l1", echo()).backend(backend).start().await?;
        let [l1] = net.nodes();
        let before = (l1.id(), l1.port());
        l1.restart().await?;
        assert_eq!((l1.id(), l1.port()), before);
        assert_eq!(l1.rpc("echo", json!(["x"])).await?["echoed"], "x");

        let scoped = l1.mount_scoped(Mock::method("twice").reply(Reply::result(json!({}))).expect(2)).await?;
        l1.rpc("twice", json!({})).await?;
        assert_eq!(scoped.wait_for("twice", 1).await?.len(), 1);
        let line = line!() + 1;
        let unmet = scoped.finish().await.unwrap_err();
        assert!(unmet.to_string().contains("expected 2 calls, received 1"), "{unmet}");
        assert!(unmet.location().file().ends_with("plugins.rs") && unmet.location().line() < line, "{unmet}");
        assert_eq!(l1.rpc("twice", json!({})).await.unwrap_err().code(), -32601);
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn a_mock_that_exits_is_gone_and_can_be_mounted_again() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
        let [l1] = net.nodes();
        let quitter = || Mock::method("quit").reply(Reply::exit(1)).named("quitter");
        l1.mount(quitter()).await?;
        let error = l1.rpc("quit", json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.fault()), (-4, leyden::Fault::Plugin), "{error}");
        eventually("the plugin is gone", || async {
            Ok::<_, leyden::Error>(!l1.rpc("plugin", json!(["list"])).await?.to_string().contains("quitter"))
        })
        .await?;
        l1.mount(quitter()).await?;
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn an_executable_that_is_not_there_is_the_tests_fault() {
    let start = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .plugin("l1", Plugin::exe("/nonexistent/plugin"));
    let error = start.start().await.unwrap_err();
    assert_eq!(error.fault(), leyden::Fault::Test);
    assert!(error.to_string().contains("CARGO_BIN_EXE"), "{error}");
}

#[tokio::test]
async fn a_script_is_written_and_run_under_its_name() {
    on_each_backend(async |backend| {
        // Both nodes have one of this name, and they are not the same.
        let greeter = |word: &str| {
            let text =
                include_str!("greeter.sh").replace(r#""default":"hi""#, &format!(r#""default":"{word}""#));
            Plugin::script("greeter.sh", text)
        };
        let net = Net::builder()
            .nodes(["l1", "l2"])
            .backend(backend)
            .plugin("l1", greeter("one"))
            .plugin("l2", greeter("two"))
            .start()
            .await?;
        for (node, word) in net.nodes::<2>().iter().zip(["one", "two"]) {
            assert_eq!(node.rpc("greet", json!({})).await?["greeting"], word, "on {backend}");
            assert!(node.rpc("plugin", json!(["list"])).await?.to_string().contains("/greeter.sh\""));
        }
        net.finish().await
    })
    .await;
}
