//! What `init` tells of the node, beside the options, and what a plugin adds to the node's features.

use leyden::{Mock, Net, Reply, Result};
use serde_json::{Value, json};

use crate::heard::answered;
use crate::scenario::Scenario;

pub(crate) fn proxy_in_init() -> Scenario {
    let net = || {
        Net::builder()
            .nodes(["l1"])
            .mount("l1", Mock::plugin("told"))
            .option("l1", "proxy", "127.0.0.1")
            .option("l1", "always-use-proxy", true)
    };
    Scenario::new("`init` tells of the proxy, if there is one", net, |net| Box::pin(tell_of_the_proxy(net)))
        .golden("l1", "told")
}

async fn tell_of_the_proxy(net: &Net) -> Result {
    let [l1] = net.nodes();
    let init = l1.mock("told").expect("it is mounted").calls("init").remove(0);
    let configuration = &init.params()["configuration"];
    assert_eq!(configuration["proxy"], json!({"type": "ipv4", "address": "127.0.0.1", "port": 9050}));
    assert_eq!(configuration["torv3-enabled"], true);
    assert_eq!(configuration["always_use_proxy"], true);
    Ok(())
}

/// A feature that nobody else has, as a field of bits.
fn feature(bit: usize) -> String {
    let first = 1 << (bit % 8);
    format!("{first:02x}{}", "00".repeat(bit / 8))
}

/// Whether a field of bits has the bit.
fn has(field: &Value, bit: usize) -> bool {
    let hex = field.as_str().unwrap_or_default();
    let digit = hex.len().checked_sub(bit / 4 + 1).and_then(|at| hex.get(at..=at));
    digit
        .and_then(|digit| u32::from_str_radix(digit, 16).ok())
        .is_some_and(|digit| digit >> (bit % 4) & 1 == 1)
}

/// `var_onion_optin`, which every node has.
const VAR_ONION: usize = 8;

pub(crate) fn features_of_plugins() -> Scenario {
    let net = || {
        let featured = Mock::plugin("featured").dynamic(false).manifest(|manifest| {
            manifest.featurebits.init = Some(feature(201));
            manifest.featurebits.node = Some(feature(203));
            manifest.featurebits.invoice = Some(feature(205));
            manifest.featurebits.channel = Some(feature(207));
        });
        let fickle = Mock::plugin("fickle")
            .dynamic(false)
            .manifest(|manifest| manifest.featurebits.init = Some(feature(301)))
            .on_init(Reply::result(json!({"disable": "not today"})));
        let clumsy = Mock::plugin("clumsy")
            .dynamic(false)
            .manifest(|manifest| manifest.featurebits.init = Some(feature(VAR_ONION)));
        Net::builder()
            .nodes(["l1", "l2"])
            .mount("l1", featured)
            .mount("l1", fickle)
            .mount("l1", clumsy)
            .mount("l2", Mock::hook("peer_connected").named("doorman"))
    };
    Scenario::new(
        "the features of plugins are the node's, in `init`, in getinfo and for its peers",
        net,
        |net| Box::pin(show_features(net)),
    )
    .golden("l2", "doorman")
}

async fn show_features(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    l1.wait_for_log("UNUSUAL +plugin-clumsy: Killing plugin: Custom featurebits already present").await?;
    let init = l1.mock("featured").expect("it is mounted").calls("init").remove(0);
    let told = init.params()["configuration"]["feature_set"].clone();
    l1.wait_for_log("plugin-fickle: Killing plugin: disabled itself at init: not today").await?;
    let ours = l1.rpc("getinfo", json!({})).await?["our_features"].take();
    for (place, bit) in [("init", 201), ("node", 203), ("invoice", 205), ("channel", 207)] {
        assert!(has(&told[place], bit), "{place}: {told}");
        assert!(has(&ours[place], bit), "{place}: {ours}");
    }
    assert!(has(&told["init"], 301), "{told}");
    assert!(!has(&ours["init"], 301), "who disables himself takes his features along: {ours}");

    l2.connect(&l1).await?;
    // Who connects is told before his plugins have agreed: after the manifest and `init` this is their third answer.
    answered(net, "l2", "doorman", 3).await?;
    let hook = l2.mock("doorman").expect("it is mounted").calls("peer_connected").remove(0);
    let seen = &hook.params()["peer"]["features"];
    assert!(has(seen, 201), "{seen}");
    assert!(has(seen, 301), "what peers are told was settled before `init`: {seen}");
    Ok(())
}
