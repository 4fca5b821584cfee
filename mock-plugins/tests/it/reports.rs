//! The text of failures: what was expected, what came, and everything received.

use crate::lightningd::Lightningd;
use leyden_mock_plugins::{Mock, MockPlugin, matching};
use serde_json::json;
use std::time::Duration;

/// The report with this file's line numbers left out.
fn without_lines(report: &dyn std::fmt::Display) -> String {
    let text = report.to_string();
    let mut parts = text.split(concat!(file!(), ":"));
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("HERE");
        out.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    }
    out
}

#[tokio::test]
async fn a_wrong_count_is_reported_with_the_nearest_misses() {
    let plugin = MockPlugin::new(
        Mock::hook("peer_connected")
            .when(matching::member("/peer/id", "02"))
            .expect(1)
            .and(Mock::method("hello").expect(2..))
            .and(Mock::notification("connect").expect(0))
            .named("gatekeeper"),
    );
    let mut lightningd = Lightningd::start(&plugin);
    lightningd.call("peer_connected", json!({"peer": {"id": "03"}})).await;
    lightningd.call("hello", json!([1])).await;
    lightningd.notify("connect", json!({"connect": {"id": "03"}})).await;
    lightningd.hang_up().await.unwrap();
    let expected = r#"mock 'gatekeeper' did not get what it expected
  hook peer_connected: expected 1 call, received 0 (HERE)
    not counted: peer_connected #1: /peer/id is "03", not "02"
  method hello: expected at least 2 calls, received 1 (HERE)
  notification connect: expected no call, received 1 (HERE)
received, in order:
  hook peer_connected #1 {"peer":{"id":"03"}}
    no clause matched; /peer/id is "03", not "02" (HERE)
  method hello #1 [1]
  notification connect #1 {"connect":{"id":"03"}}"#;
    assert_eq!(without_lines(&plugin.verify().unwrap_err()), expected);
}

#[tokio::test]
async fn a_wrong_order_is_reported() {
    let mock = || {
        Mock::notification("connect")
            .expect(1)
            .and(Mock::notification("disconnect").expect(1))
            .and(Mock::notification("connect").expect(1))
            .named("watcher")
    };
    let served = async |mock: Mock, topics: [&str; 3]| {
        let plugin = MockPlugin::new(mock);
        let mut lightningd = Lightningd::start(&plugin);
        for topic in topics {
            lightningd.notify(topic, json!({})).await;
        }
        lightningd.hang_up().await.unwrap();
        plugin.verify()
    };
    assert_eq!(served(mock().in_order(), ["connect", "disconnect", "connect"]).await, Ok(()));
    let wrong = served(mock().in_order(), ["disconnect", "connect", "connect"]).await.unwrap_err();
    let expected = r"mock 'watcher' did not get what it expected
  notification connect #2: expected before notification disconnect #1, came after it (HERE)
received, in order:
  notification disconnect #1 {}
  notification connect #1 {}
  notification connect #2 {}";
    assert_eq!(without_lines(&wrong), expected);

    assert_eq!(wrong.plugin(), "watcher");
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_vain_says_what_came_instead() {
    let plugin = MockPlugin::new(Mock::notification("connect").named("watcher"));
    let mut lightningd = Lightningd::start(&plugin);
    lightningd.notify("disconnect", json!({"disconnect": {}})).await;
    let error = plugin.wait_for("connect", 1, Duration::from_secs(5)).await.unwrap_err();
    let expected = "mock 'watcher' waited 5s for at least 1 call of connect, received 0
received, in order:
  notification disconnect #1 {\"disconnect\":{}}";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_long_report_shows_the_nearest_and_counts_the_rest() {
    let wanted = Mock::hook("custommsg")
        .when(matching::member("/peer_id", "02"))
        .when(matching::member("/payload", "8001"))
        .expect(1);
    let plugin = MockPlugin::new(wanted.and(Mock::notification("log")).named("ear"));
    let mut lightningd = Lightningd::start(&plugin);
    for number in 0..30 {
        lightningd.notify("log", json!({"log": {"number": number}})).await;
        // The eleventh is right in one point.
        let peer = if number == 10 { "02" } else { "03" };
        lightningd.call("custommsg", json!({"peer_id": peer, "payload": number})).await;
    }
    lightningd.hang_up().await.unwrap();
    let report = plugin.verify().unwrap_err().to_string();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[2], r#"    not counted: custommsg #11: /payload is 10, not "8001""#, "{report}");
    assert_eq!(lines[3], r#"    not counted: custommsg #1: /peer_id is "03", not "02""#, "{report}");
    assert_eq!(lines[7], "    not counted: 25 more", "{report}");
    assert_eq!(lines[8], "received, and not shown: 10 × hook custommsg, 30 × notification log", "{report}");
    assert!(lines[10].starts_with("  hook custommsg #11 "), "{report}");
}

#[test]
fn nothing_received_is_said_so() {
    let unmet = MockPlugin::new(Mock::method("hello").expect(1)).verify().unwrap_err();
    assert!(unmet.to_string().ends_with("\nreceived nothing"), "{unmet}");
    assert_eq!(unmet.failures().len(), 1);
}
