//! What a mock does about what it is asked.

use crate::lightningd::Lightningd;
use leyden_mock_plugins::{Call, Ended, Mock, MockPlugin, Reply, ServeError, matching};
use leyden_protocol::hook::Filter;
use leyden_protocol::option::{OptionType, PluginOption};
use serde_json::{Value, json};
use std::time::Duration;

async fn started(mock: impl Into<Mock>) -> (MockPlugin, Lightningd) {
    let plugin = MockPlugin::new(mock);
    let lightningd = Lightningd::with(&plugin).await;
    (plugin, lightningd)
}

#[tokio::test]
async fn the_manifest_is_what_the_clauses_say() {
    let mock = Mock::hook("rpc_command")
        .before("a.py")
        .after("b.py")
        .filters([Filter::Method("pay".to_owned())])
        .and(Mock::method("hello").usage("[name]"))
        .and(Mock::notification("connect"))
        .option(PluginOption::new("limit", OptionType::Int, "how many").default("3"));
    let manifest = Lightningd::start(&MockPlugin::new(mock)).call("getmanifest", json!({})).await;
    assert_eq!(
        manifest["result"],
        json!({
            "options": [{"name": "limit", "type": "int", "description": "how many", "default": "3"}],
            "rpcmethods": [{"name": "hello", "usage": "[name]", "description": "a mock"}],
            "subscriptions": ["connect"],
            "hooks": [{"name": "rpc_command", "before": ["a.py"], "after": ["b.py"], "filters": ["pay"]}],
            "dynamic": true,
            "nonnumericids": true,
        })
    );
}

#[tokio::test]
async fn clauses_about_one_name_share_one_declaration() {
    let mock = Mock::hook("peer_connected")
        .before("a.py")
        .and(Mock::hook("peer_connected").before("b.py"))
        .and(Mock::method("hello").usage("a"))
        .and(Mock::method("hello").usage("b"))
        .and(Mock::notification("connect"))
        .and(Mock::notification("connect"))
        .dynamic(false)
        .manifest(|manifest| manifest.custommessages = vec![7777]);
    let manifest = mock.declaration();
    assert_eq!(json!(manifest.hooks), json!([{"name": "peer_connected", "before": ["a.py", "b.py"]}]));
    assert_eq!(manifest.rpcmethods.len(), 1);
    assert_eq!(manifest.subscriptions, ["connect"]);
    assert!(!manifest.dynamic);
    assert_eq!(manifest.custommessages, [7777]);
}

#[tokio::test]
async fn a_hook_is_answered_as_the_first_matching_clause_says() {
    let (plugin, mut lightningd) = started(
        Mock::hook("peer_connected")
            .when(matching::member("/peer/id", "02"))
            .reply(Reply::result(json!({"result": "disconnect"})))
            .expect(1)
            .and(
                Mock::hook("peer_connected")
                    .when(|call: &Call| call.params()["peer"]["id"] == "03")
                    .expect(1),
            ),
    )
    .await;
    let mut ask =
        async |id| lightningd.call("peer_connected", json!({"peer": {"id": id}})).await["result"].take();
    assert_eq!(ask("02").await, json!({"result": "disconnect"}));
    assert_eq!(ask("03").await, json!({"result": "continue"}));
    assert_eq!(ask("04").await, json!({"result": "continue"}));
    assert_eq!(plugin.verify(), Ok(()));
    assert_eq!(plugin.unmatched().len(), 1);
    assert_eq!(lightningd.hang_up().await.unwrap(), Ended::Eof);
}

#[tokio::test]
async fn a_method_may_be_answered_by_a_closure() {
    let (plugin, mut lightningd) = started(
        Mock::method("hello")
            .reply(|call: &Call| Reply::result(json!({"hi": call.argument(0, "name")})))
            .expect(1..=3),
    )
    .await;
    assert_eq!(lightningd.call("hello", json!(["ann"])).await["result"], json!({"hi": "ann"}));
    assert_eq!(lightningd.call("hello", json!({"name": "bob"})).await["result"], json!({"hi": "bob"}));
    assert_eq!(plugin.verify(), Ok(()));
}

#[tokio::test]
async fn a_method_call_that_was_not_expected_says_what_was() {
    let (plugin, mut lightningd) =
        started(Mock::method("hello").when(matching::params(json!({"name": "ann"}))).named("greeter")).await;
    let response = lightningd.call("hello", json!({"name": "bob"})).await;
    assert_eq!(response["error"]["code"], -32603);
    let message = response["error"]["message"].as_str().unwrap();
    let expected = r#"mock 'greeter' expected no such call of hello: /name is "bob", not "ann" ("#;
    assert!(message.starts_with(expected), "{message}");
    assert!(message.contains("behaviour.rs:"), "{message}");
    assert_eq!(plugin.unmatched().len(), 1);
}

#[tokio::test]
async fn replies_come_one_after_another_and_the_last_is_repeated() {
    let (_, mut lightningd) = started(
        Mock::method("hello").reply(Reply::result(1)).then(Reply::error(-1, "no")).then(Reply::result(3)),
    )
    .await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let mut response = lightningd.call("hello", json!([])).await;
        answers.push([response["result"].take(), response["error"]["code"].take()]);
    }
    assert_eq!(json!(answers), json!([[1, null], [null, -1], [3, null], [3, null]]));
}

#[tokio::test(start_paused = true)]
async fn other_calls_are_served_while_a_reply_waits() {
    let (_, mut lightningd) = started(
        Mock::method("slow")
            .reply(
                Reply::result(1)
                    .log("info", "so it begins")
                    .delay(Duration::from_secs(5))
                    .log("info", "still here"),
            )
            .and(Mock::method("fast")),
    )
    .await;
    let began = tokio::time::Instant::now();
    let slow = lightningd.request("slow", json!([])).await;
    assert_eq!(lightningd.read().await["params"]["message"], "so it begins");
    lightningd.call("fast", json!([])).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(lightningd.read().await["params"]["message"], "still here");
    assert_eq!(lightningd.read().await["id"], slow);
    assert!(began.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn a_call_that_hangs_does_not_keep_others() {
    let (plugin, mut lightningd) =
        started(Mock::hook("custommsg").reply(Reply::hang()).and(Mock::method("hello"))).await;
    lightningd.request("custommsg", json!({})).await;
    lightningd.call("hello", json!([])).await;
    assert_eq!(plugin.calls("custommsg").len(), 1);
    assert_eq!(lightningd.hang_up().await.unwrap(), Ended::Eof);
}

#[tokio::test]
async fn a_call_that_hangs_may_be_answered_later_in_the_same_life() {
    let (plugin, mut lightningd) = started(Mock::hook("custommsg").reply(Reply::hang())).await;
    let id = lightningd.request("custommsg", json!({})).await;
    let calls = plugin.wait_for("custommsg", 1, Duration::from_secs(20)).await.expect("it was asked");
    assert!(plugin.answer(&calls[0], &Reply::fail("2002")));
    let answer = lightningd.read().await;
    assert_eq!((&answer["id"], &answer["result"]["failure_message"]), (&id, &json!("2002")));
    lightningd.hang_up().await.unwrap();

    let lightningd = Lightningd::with(&plugin).await;
    assert!(!plugin.answer(&calls[0], &Reply::cont()), "who asked is gone");
    lightningd.hang_up().await.unwrap();
}

#[tokio::test]
async fn a_mock_may_exit_with_and_without_an_answer() {
    let (_, mut lightningd) = started(Mock::hook("custommsg").reply(Reply::exit(7))).await;
    lightningd.request("custommsg", json!({})).await;
    assert_eq!(lightningd.read_to_end().await, "");
    assert_eq!(lightningd.ended().await.unwrap(), Ended::Exit(7));

    let (_, mut lightningd) = started(Mock::hook("custommsg").reply(Reply::cont().then_exit(0))).await;
    lightningd.call("custommsg", json!({})).await;
    assert_eq!(lightningd.ended().await.unwrap(), Ended::Exit(0));
}

#[tokio::test]
async fn a_mock_may_write_what_it_likes() {
    let (_, mut lightningd) =
        started(Mock::method("hello").reply(Reply::raw("{\"id\":%ID%,\"resu").then_exit(0))).await;
    lightningd.request("hello", json!([])).await;
    assert_eq!(lightningd.read_to_end().await, r#"{"id":"cln:hello#2","resu"#);
}

#[tokio::test]
async fn closing_stdout_leaves_the_mock_alive() {
    let (plugin, mut lightningd) = started(Mock::method("hello").reply(Reply::close_stdout())).await;
    lightningd.request("hello", json!([])).await;
    assert_eq!(lightningd.read_to_end().await, "");
    lightningd.notify("connect", json!({})).await;
    plugin.wait_for("connect", 1, Duration::from_secs(20)).await.unwrap();
    assert_eq!(lightningd.hang_up().await.unwrap(), Ended::Eof);
}

#[tokio::test]
async fn an_answer_may_come_in_pieces() {
    let (_, mut lightningd) = started(Mock::method("hello").reply(Reply::result(1).in_pieces(10))).await;
    lightningd.request("hello", json!([])).await;
    let sizes =
        lightningd.pieces("{\"jsonrpc\":\"2.0\",\"id\":\"cln:hello#2\",\"result\":1}\n\n".len()).await;
    assert_eq!(sizes, [10, 10, 10, 10, 9]);
}

#[tokio::test]
async fn getmanifest_init_and_the_start_can_be_told_too() {
    let broken =
        Mock::plugin("broken").on_getmanifest(Reply::result(json!({"options": []}))).on_init(Reply::exit(4));
    let mut lightningd = Lightningd::start(&MockPlugin::new(broken));
    assert_eq!(lightningd.call("getmanifest", json!({})).await["result"], json!({"options": []}));
    lightningd.request("init", json!({})).await;
    assert_eq!(lightningd.ended().await.unwrap(), Ended::Exit(4));

    let crashed = Mock::plugin("crashed").on_start(Reply::raw("Traceback").then_exit(1));
    let mut lightningd = Lightningd::start(&MockPlugin::new(crashed));
    assert_eq!(lightningd.read_to_end().await, "Traceback");
    assert_eq!(lightningd.ended().await.unwrap(), Ended::Exit(1));

    let chatty = Mock::method("hello").named("chatty").on_getmanifest(Reply::default().log("debug", "hm"));
    let mut lightningd = Lightningd::start(&MockPlugin::new(chatty));
    lightningd.request("getmanifest", json!({})).await;
    assert_eq!(lightningd.read().await["method"], "log");
    assert_eq!(lightningd.read().await["result"]["rpcmethods"][0]["name"], "hello");
}

#[tokio::test]
async fn shutdown_ends_a_subscriber_unless_it_was_told_otherwise() {
    let (plugin, mut lightningd) = started(Mock::notification("*").expect(2)).await;
    lightningd.notify("connect", json!({"connect": {"id": "02"}})).await;
    lightningd.notify("shutdown", json!({"shutdown": {}})).await;
    assert_eq!(lightningd.ended().await.unwrap(), Ended::Exit(0));
    assert_eq!(plugin.verify(), Ok(()));

    let (plugin, mut lightningd) = started(Mock::notification("shutdown").reply(Reply::hang())).await;
    lightningd.notify("shutdown", json!({"shutdown": {}})).await;
    plugin.wait_for("shutdown", 1, Duration::from_secs(20)).await.unwrap();
    assert_eq!(lightningd.hang_up().await.unwrap(), Ended::Eof);
}

#[tokio::test]
async fn calls_add_up_over_restarts() {
    let plugin = MockPlugin::new(
        Mock::method("hello").when(matching::nth(2)).reply(Reply::result("again")).expect(1).named("greeter"),
    );
    let mut lightningd = Lightningd::with(&plugin).await;
    assert_eq!(lightningd.call("hello", json!([])).await["result"], Value::Null);
    plugin.stop();
    assert_eq!(lightningd.ended().await.unwrap(), Ended::Stopped);

    let mut lightningd = Lightningd::with(&plugin).await;
    assert_eq!(lightningd.call("hello", json!([])).await["result"], "again");
    assert_eq!(plugin.verify(), Ok(()));
    assert_eq!(plugin.calls("init").len(), 2);
}

#[tokio::test]
async fn the_test_sees_what_is_received_while_it_is_served() {
    let (plugin, mut lightningd) = started(Mock::notification("connect")).await;
    let waiting = tokio::spawn({
        let plugin = plugin.clone();
        async move { plugin.wait_for("connect", 2, Duration::from_secs(20)).await }
    });
    for id in ["02", "03"] {
        lightningd.notify("connect", json!({"connect": {"id": id}})).await;
    }
    let calls = waiting.await.unwrap().unwrap();
    let ids: Vec<&Value> = calls.iter().map(|call| &call.params()["connect"]["id"]).collect();
    assert_eq!(ids, ["02", "03"]);
}

#[tokio::test]
async fn what_lay_in_its_pipe_is_received_before_it_has_ended() {
    let (plugin, mut lightningd) = started(Mock::notification("news").expect(2)).await;
    for n in 1..=2 {
        lightningd.notify("news", json!({"n": n})).await;
    }
    // This task has not waited for anything since: the mock has had no chance to read.
    assert_eq!(plugin.calls("news").len(), 0);
    drop(lightningd);
    plugin.ended(Duration::from_secs(20)).await;
    plugin.verify().unwrap();
}

#[tokio::test]
async fn lightningd_s_own_mistakes_are_errors() {
    let plugin = MockPlugin::new(Mock::plugin("strict"));
    let mut lightningd = Lightningd::start(&plugin);
    lightningd.write(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    assert!(matches!(lightningd.ended().await, Err(ServeError::NotACall(_))));

    let mut lightningd = Lightningd::start(&plugin);
    lightningd.write("}").await;
    let error = lightningd.ended().await.unwrap_err();
    assert_eq!(error.to_string(), "expected JSON-RPC from lightningd: not JSON: '}'");
}
