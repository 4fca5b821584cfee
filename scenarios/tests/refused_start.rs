//! What a node that cannot start with its plugins says, on every backend that this machine has.

use leyden::env::Settings;
use leyden::{Backend, Net, NetBuilder, Plugin};

/// A plugin that ends at once.
const STILLBORN: &str = "#!/bin/sh\nexit 1\n";

async fn refused(net: impl Fn() -> NetBuilder, texts: &[&str]) {
    for backend in [Backend::Embedded, Backend::Lightningd] {
        if backend.missing(&Settings::from_env()).is_some() {
            continue;
        }
        let error = net().backend(backend).start().await.expect_err("the node does not start").to_string();
        for text in texts {
            assert!(error.contains(text), "{backend}: {text:?} is not in\n{error}");
        }
    }
}

#[tokio::test]
async fn an_important_plugin_that_does_not_start_keeps_the_node_from_starting() {
    let net =
        || Net::builder().nodes(["l1"]).plugin("l1", Plugin::script("stillborn", STILLBORN).important());
    refused(net, &["exited with code 1", "Could not initialize the plugins, see above for details."]).await;
}

#[tokio::test]
async fn a_plugin_that_is_not_there_is_named() {
    let net = || Net::builder().nodes(["l1"]).option("l1", "plugin", "/no/such/plugin");
    let why = "--plugin=/no/such/plugin: Failed to register /no/such/plugin: No such file or directory";
    refused(net, &["exited with code 1", why]).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_executed_is_named() {
    let net = || Net::builder().nodes(["l1"]).option("l1", "plugin", "/dev/null");
    refused(net, &["error starting plugin '/dev/null': opening pipe: Permission denied"]).await;
}
