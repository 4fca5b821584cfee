//! Plugins that take too long, and how older releases ended and listed plugins: what only the embedded node can be told to do.

use leyden::{Backend, Mock, Net, NetBuilder, Profile, Reply, Result};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SMALL: &str = include_str!("../src/small.sh");
/// It is not dynamic.
const STEADY: &str = include_str!("../src/fragile.sh");

/// A node that does not wait long for its plugins to start, but long enough for those that do, where every core is busy.
fn hasty() -> NetBuilder {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded);
    net.option("l1", "dev-plugin-startup-timeout", "0.5")
}

#[tokio::test]
async fn a_plugin_that_hangs_at_the_start_of_a_node_ends_it() {
    for (mock, state) in [
        (Mock::plugin("hung").on_getmanifest(Reply::hang()), "before replying to getmanifest"),
        (Mock::plugin("hung").on_init(Reply::hang()), "before replying to init"),
    ] {
        let error = hasty().mount("l1", mock).start().await.expect_err("the node does not start").to_string();
        assert!(
            error.contains("exited with code 1: Can't recover from plugin failure, terminating."),
            "{error}"
        );
        assert!(
            error.contains(&format!("UNUSUAL plugin-hung: Killing plugin: timed out {state}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_plugin_that_hangs_later_is_killed_alone() -> Result {
    let net = hasty().option("l1", "dev-plugin-shutdown-timeout", "0.1").start().await?;
    let [l1] = net.nodes();
    let error = l1.mount(Mock::plugin("hung").on_init(Reply::hang())).await.err().expect("it hangs");
    assert!(error.headline().contains("/hung: timed out before replying to init\" (RPC code -3)"), "{error}");

    let deaf = || Mock::notification("shutdown").reply(Reply::hang()).expect(1).named("deaf");
    let stopped = l1.mount_scoped(deaf()).await?;
    stopped.finish().await?;
    l1.wait_for_log("UNUSUAL plugin-deaf: Timeout on shutdown: killing anyway").await?;
    l1.wait_for_log("INFO +plugin-deaf: Killing plugin: stopped by lightningd via RPC").await?;

    l1.mount(deaf()).await?;
    l1.stop().await?;
    l1.wait_for_log("DEBUG +lightningd: deaf: failed to self-terminate in time, killing.").await?;
    net.finish().await
}

#[tokio::test]
async fn v0_10_1_lists_and_stops_plugins_in_its_own_way() -> Result {
    let told = Mock::notification("shutdown").expect(0).named("told");
    let net =
        Net::builder().nodes(["l1"]).backend(Backend::Embedded).profile(Profile::V0_10).mount("l1", told);
    let net = net.start().await?;
    let [l1] = net.nodes();
    let list = l1.rpc("plugin", json!(["list"])).await?;
    let told = list["plugins"].as_array().into_iter().flatten().find_map(|row| {
        row["name"].as_str().filter(|name| name.ends_with("/told")).map(|name| (name, row.get("dynamic")))
    });
    let (path, dynamic) = told.expect("it is listed");
    assert_eq!(dynamic, None);
    let error = l1.rpc("plugin", json!(["start", path])).await.expect_err("it runs already");
    assert!(error.headline().contains(&format!("\"{path}: already registered\"")), "{error}");
    let stopped = l1.rpc("plugin", json!(["stop", path])).await?;
    assert_eq!(stopped["result"], format!("Successfully stopped {path}."));
    l1.wait_for_log("INFO +plugin-told: Killing plugin: stopped by lightningd via RPC").await?;
    net.finish().await
}

#[tokio::test]
async fn options_about_plugins_take_effect_in_order() -> Result {
    let named = |name: &str| Mock::plugin(name);
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded);
    let net = net.mount("l1", named("wanted")).mount("l1", named("unwanted")).option(
        "l1",
        "disable-plugin",
        "unwanted",
    );
    let net = net.option("l1", "disable-plugin", "pay").start().await?;
    let [l1] = net.nodes();
    l1.wait_for_log("INFO +plugin-manager: .*/unwanted: disabled via disable-plugin").await?;
    let list = l1.rpc("plugin", json!(["list"])).await?.to_string();
    assert!(list.contains("/wanted\"") && !list.contains("unwanted"), "{list}");
    // What a bundled plugin has is taken, unless that is disabled.
    l1.mount(Mock::method("pay").named("payer")).await?;
    let error = l1.mount(Mock::method("xpay").named("thief")).await.err().expect("it is taken");
    assert!(
        error
            .headline()
            .contains("already registered by plugin /usr/local/libexec/c-lightning/plugins/cln-xpay")
    );

    net.finish().await?;
    let cleared = Net::builder().nodes(["l1"]).backend(Backend::Embedded).mount("l1", named("first"));
    let cleared = cleared.option("l1", "clear-plugins", Value::Null).start().await?;
    let [l1] = cleared.nodes();
    assert_eq!(l1.rpc("plugin", json!(["list"])).await?, json!({"command": "list", "plugins": []}));
    l1.mount(Mock::plugin("second")).await?;
    cleared.finish().await
}

/// Writes an executable file.
fn write(path: &Path, text: &str) -> Result {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, path)?;
    Ok(())
}

/// A real lightningd forgets those who wait when the last plugin of them is not dynamic.
#[tokio::test]
async fn a_directory_is_answered_for_though_a_plugin_in_it_is_not_dynamic() -> Result {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded);
    let net = net.option("l1", "dev-no-plugin-checksum", Value::Null).start().await?;
    let [l1] = net.nodes();
    let dir = net.run_dir().canonicalize()?.join("plugins");
    fs::create_dir(&dir)?;
    write(&dir.join("steady"), STEADY)?;
    let listed = l1.rpc("plugin", json!(["startdir", dir])).await?;
    assert_eq!(listed, json!({"command": "startdir", "plugins": []}));
    l1.wait_for_log("INFO +plugin-steady: Killing plugin: Not a dynamic plugin").await?;

    let small = dir.join("small");
    write(&small, SMALL)?;
    fs::remove_file(dir.join("steady"))?;
    let listed = l1.rpc("plugin", json!(["startdir", dir])).await?;
    let row = json!({"name": small, "active": true, "dynamic": true});
    assert_eq!(listed, json!({"command": "startdir", "plugins": [row]}));
    // Nobody looks whether it has changed.
    write(&small, &format!("{SMALL}# changed\n"))?;
    let error = l1.rpc("plugin", json!(["start", small])).await.expect_err("it is there");
    assert!(error.headline().contains("/small: Invalid argument"), "{error}");
    net.finish().await
}
