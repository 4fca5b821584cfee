//! What is logged: the notifications `warning` and `log`.

use leyden::{Mock, Net, Reply, Result};
use serde_json::json;

use crate::heard::{heard_with, mentions};
use crate::scenario::Scenario;

pub(crate) fn warning_and_log() -> Scenario {
    let net = || {
        let noise = Reply::result(json!({}))
            .log("debug", "a detail")
            .log("info", "two\nlines")
            .log("warn", "odd")
            .log("error", "broken");
        let noisy = Mock::method("noise").reply(noise).named("noisy");
        let watcher = Mock::notification("warning").and(Mock::notification("log")).named("watcher");
        Net::builder()
            .nodes(["l1"])
            .broken_log("l1", "plugin-noisy: broken")
            .mount("l1", watcher)
            .mount("l1", noisy)
    };
    Scenario::new(
        "what one plugin logs, another hears: `log` of every line, `warning` of those that are unusual or broken",
        net,
        |net| Box::pin(make_noise(net)),
    )
    .golden("l1", "noisy")
    .golden_view("l1", "watcher", |all| {
        all.only(["warning", "log"]).keep(|frame| mentions(frame, "\"plugin-noisy\""))
    })
}

async fn make_noise(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.rpc("noise", json!({})).await?;
    l1.wait_for_logs([
        "DEBUG +plugin-noisy: a detail",
        "UNUSUAL +plugin-noisy: odd",
        r"\*\*BROKEN\*\* plugin-noisy: broken",
    ])
    .await?;
    let broken = |topic: &'static str| {
        move |params: &serde_json::Value| {
            params[topic]["source"] == "plugin-noisy" && params[topic]["log"] == "broken"
        }
    };
    heard_with(net, "l1", "watcher", "warning", 1, broken("warning")).await?;
    heard_with(net, "l1", "watcher", "log", 1, broken("log")).await?;
    Ok(())
}
