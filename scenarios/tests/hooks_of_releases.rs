//! Hooks and topics of every release that the embedded node can be: what differs, as the table of releases has it.

use leyden::{Backend, Call, Filter, Mock, Net, Node, Profile, Reply, Result};
use serde_json::{Value, json};

/// What one release does.
struct Release {
    profile: Profile,
    /// The payload of `custommsg` but for `peer_id`, and whether an answer other than continue is taken.
    custommsg: Value,
    answers_freely: bool,
    /// The members of `peer` in `peer_connected`.
    peer: &'static [&'static str],
    /// What two lines in one `log` become.
    logged: &'static str,
    /// How often a plugin is asked about a command that its filter does not name.
    asked_in_spite_of_filter: usize,
    /// Of the topics that the watcher subscribes to, those that nobody knows.
    unknown_topics: &'static [&'static str],
    /// The end of the node over an answer without result, from its `Plugin` on.
    without_result: &'static str,
}

const MESSAGE: &str = "80010a0b";

fn releases() -> [Release; 4] {
    let warning = "The `message` field is deprecated and has been replaced with the payload` field which skips the \
                   internal type and the length prefix. Please update to use that instead.";
    let raw = r"plugin-speaker: one\\ntwo";
    [
        Release {
            profile: Profile::Manual,
            custommsg: json!({ "message": MESSAGE }),
            answers_freely: true,
            peer: &["id", "addr", "features"],
            logged: raw,
            asked_in_spite_of_filter: 1,
            unknown_topics: &["*", "balance_snapshot", "plugin_started"],
            without_result: "Plugin for rpc_command returned non-result response",
        },
        Release {
            profile: Profile::V0_10,
            custommsg: json!({ "message": format!("04070004{MESSAGE}"), "warning": warning, "payload": MESSAGE }),
            answers_freely: false,
            peer: &["id", "direction", "addr", "features"],
            logged: raw,
            asked_in_spite_of_filter: 1,
            unknown_topics: &["*", "balance_snapshot", "plugin_started"],
            without_result: "Plugin for rpc_command returned non-result response",
        },
        Release {
            profile: Profile::V23_02,
            custommsg: json!({ "payload": MESSAGE }),
            answers_freely: false,
            peer: &["id", "direction", "addr", "features"],
            logged: raw,
            asked_in_spite_of_filter: 1,
            unknown_topics: &["*", "plugin_started"],
            without_result: "Plugin for rpc_command returned non-result response",
        },
        Release {
            profile: Profile::V26_06,
            custommsg: json!({ "payload": MESSAGE }),
            answers_freely: false,
            peer: &["id", "direction", "addr", "features"],
            logged: "plugin-speaker: two",
            asked_in_spite_of_filter: 0,
            unknown_topics: &[],
            without_result: "Plugin judge for rpc_command returned non-result response",
        },
    ]
}

/// Subscribes to topics that not every release has.
fn watcher() -> Mock {
    let watcher = Mock::notification("*").and(Mock::notification("balance_snapshot"));
    watcher.and(Mock::notification("plugin_started")).named("watcher")
}

/// Wants to be asked about `speak` only, and answers `ping` with an error.
fn judge() -> Mock {
    let is = |method: &'static str| move |call: &Call| call.params()["rpc_command"]["method"] == method;
    let hook = || Mock::hook("rpc_command").filters([Filter::Method("die".into())]);
    hook().when(is("die")).reply(Reply::error(-1, "no")).and(hook()).named("judge")
}

async fn net(release: &Release) -> Result<Net> {
    let answer = if release.answers_freely { Reply::result(json!({})) } else { Reply::cont() };
    let ear = Mock::hook("custommsg").reply(answer).and(Mock::hook("peer_connected")).named("ear");
    let speaker = Mock::method("speak").reply(Reply::result(json!({})).log("info", "one\ntwo"));
    Net::builder()
        .nodes(["l1", "l2"])
        .backend(Backend::Embedded)
        .profile(release.profile)
        .option("l1", "allow-deprecated-apis", true)
        .may_fail("l1")
        .broken_log("l1", "")
        .mount("l1", watcher())
        .mount("l1", ear)
        .mount("l1", speaker.and(Mock::method("die")).named("speaker"))
        .mount("l1", judge())
        .start()
        .await
}

/// The parameters of the only call of `name` that a mock has received.
async fn only_call(node: &Node, mock: &str, name: &str) -> Result<Value> {
    let mock = node.mock(mock).expect("it is mounted");
    leyden::eventually(format!("a call of {name}"), || async { !mock.calls(name).is_empty() }).await?;
    let [call] = mock.calls(name).try_into().expect("there is one call");
    Ok(call.params().clone())
}

async fn play(release: &Release) -> Result {
    let net = net(release).await?;
    let [l1, l2] = net.nodes();
    let name = release.profile.name();

    for topic in ["*", "balance_snapshot", "plugin_started"] {
        let topic_is_unknown = format!("plugin-watcher: topic '{}' is not", topic.replace('*', r"\*"));
        let unknown = l1.is_in_log(&topic_is_unknown)?.is_some();
        assert_eq!(unknown, release.unknown_topics.contains(&topic), "{name}: {topic}");
    }

    l2.connect(&l1).await?;
    let peer = only_call(&l1, "ear", "peer_connected").await?;
    let members: Vec<&String> = peer["peer"].as_object().expect("an object").keys().collect();
    assert_eq!(members, release.peer, "{name}");
    l2.rpc("sendcustommsg", json!([l1.id(), MESSAGE])).await?;
    let mut message = only_call(&l1, "ear", "custommsg").await?;
    assert_eq!(message["peer_id"].take(), l2.id(), "{name}");
    message.as_object_mut().expect("an object").remove("peer_id");
    assert_eq!(message, release.custommsg, "{name}");

    l1.rpc("speak", json!({})).await?;
    l1.wait_for_log(&format!("INFO +{}$", release.logged)).await?;
    let asked = l1.mock("judge").expect("it is mounted").calls("rpc_command");
    let about_speak = asked.iter().filter(|call| call.params()["rpc_command"]["method"] == "speak").count();
    assert_eq!(about_speak, release.asked_in_spite_of_filter, "{name}");

    l1.rpc("die", json!({})).await.expect_err("the node ends");
    let last_words = l1.wait_for_exit().await?;
    assert!(last_words.starts_with(release.without_result), "{name}: {last_words}");
    net.finish().await
}

#[tokio::test]
async fn each_release_asks_and_tells_in_its_own_way() -> Result {
    for release in releases() {
        play(&release).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_manual_kills_the_second_plugin_of_a_single_hook() -> Result {
    let hooks = |name: &str| {
        let chained = Mock::hook("htlc_accepted").and(Mock::hook("commitment_revocation"));
        chained.manifest(|manifest| manifest.subscriptions = vec!["connect".into()]).named(name)
    };
    let net = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .profile(Profile::Manual)
        .mount("l1", hooks("one"))
        .mount("l1", hooks("two"))
        .mount("l1", Mock::hook("db_write").named("first"))
        .start()
        .await?;
    let [l1] = net.nodes();
    let text = "could not register hook 'db_write', either the name doesn't exist or another plugin already registered it.";
    let error = l1.mount(Mock::hook("db_write").named("second")).await.map(drop).expect_err("it is single");
    assert!(error.to_string().contains(text), "{error}");
    l1.wait_for_log(&format!("UNUSUAL plugin-second: Killing plugin: {text}")).await?;
    // Whoever had it has it still; once it has gone, somebody else can have it.
    l1.rpc("invoice", json!(["any", "label", "description"])).await?;
    l1.stop_plugin("first").await?;
    l1.mount(Mock::hook("db_write").named("third")).await?;
    net.finish().await
}
