//! Plugins that lightningd finds by itself, in directories.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use leyden::{Net, Node, Result};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// A plugin that needs nothing but sh.
const SMALL: &str = include_str!("small.sh");

pub(crate) fn plugin_directories() -> Scenario {
    Scenario::new(
        "plugins are found in directories: at the start, by `plugin rescan` and `plugin startdir`; never twice, and anew if they have changed",
        || Net::builder().nodes(["l1"]).option("l1", "disable-plugin", "unwanted"),
        |net| Box::pin(find_plugins(net)),
    )
}

async fn find_plugins(net: &Net) -> Result {
    let [l1] = net.nodes();
    let default = l1.lightning_dir().canonicalize()?.join("plugins");
    fs::create_dir_all(default.join("more/deep"))?;
    let names = ["first", "more/second", "more/with space"];
    for name in names.iter().chain(&["more/par(en", "more/README.md", "more/deep/third", "more/unwanted"]) {
        write(&default.join(name), 0o755)?;
    }
    write(&default.join("text"), 0o644)?;
    let found: Vec<PathBuf> = names.iter().map(|name| default.join(name)).collect();

    let rescanned = l1.rpc("plugin", json!(["rescan"])).await?;
    assert_eq!(rescanned["command"], "rescan");
    assert_eq!(of(&rescanned, &default), found);
    l1.wait_for_log("INFO +plugin-manager: .*/more/unwanted: disabled via disable-plugin").await?;
    // Those that are registered are passed over.
    assert_eq!(of(&l1.rpc("plugin", json!(["rescan"])).await?, &default), found);
    l1.restart().await?;
    assert_eq!(of(&l1.rpc("plugin", json!(["list"])).await?, &default), found);

    let own = net.run_dir().canonicalize()?.join("plugins");
    fs::create_dir(&own)?;
    write(&own.join("other"), 0o755)?;
    let started = l1.rpc("plugin", json!({"subcommand": "startdir", "directory": own})).await?;
    assert_eq!(of(&started, &own), [own.join("other")]);
    let twice = format!("Failed to register {}: Invalid argument", own.join("other").display());
    refused(&l1, json!(["startdir", own]), -32602, &twice).await;
    refused(
        &l1,
        json!(["startdir", own.join("x")]),
        -32602,
        &format!("Could not open {}", own.join("x").display()),
    )
    .await;
    let file = own.join("other");
    let text = format!("Failed to open plugin-dir {}: Not a directory", file.display());
    refused(&l1, json!(["startdir", file]), -32602, &text).await;

    change(&own.join("other"))?;
    assert_eq!(of(&l1.rpc("plugin", json!(["startdir", own])).await?, &own), [own.join("other")]);
    l1.wait_for_log("INFO +plugin-other: Killing plugin: Plugin changed, needs restart.").await?;
    Ok(())
}

pub(crate) fn start_refused() -> Scenario {
    Scenario::new(
        "`plugin` says what is wrong with its parameters, with a path, or with a plugin that is there already",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(refuse_to_start(net)),
    )
}

async fn refuse_to_start(net: &Net) -> Result {
    let [l1] = net.nodes();
    let default = l1.lightning_dir().canonicalize()?.join("plugins");
    fs::create_dir(&default)?;
    let path = default.join("found");
    write(&path, 0o755)?;
    // The name alone is looked for in the default directory; a relative path starts where plugins are run.
    l1.rpc("plugin", json!(["start", "found"])).await?;
    let shown = path.display();
    let missing =
        format!("{} is not executable: No such file or directory", default.join("missing").display());
    for (params, code, text) in [
        (json!(["start", "missing"]), -32602, &*missing),
        (json!(["start", "found"]), -32602, &format!("{shown}: Invalid argument")),
        (json!(["start", "../plugins"]), -3, "../plugins: opening pipe: Permission denied"),
        (json!(["start", "found", "x"]), -32602, "Extra parameters must be in object"),
        (json!(["start"]), -32602, "missing required parameter: plugin"),
        (json!(["startdir"]), -32602, "missing required parameter: directory"),
        (json!(["stop", "missing"]), -32602, "Could not find plugin missing"),
        (json!(["restart"]), -32602, "Unknown subcommand 'restart'"),
        (json!([]), -32602, "missing required parameter: subcommand"),
        (json!(["list", "x"]), -32602, "too many parameters: got 2, expected 1"),
    ] {
        refused(&l1, params, code, text).await;
    }
    let stopped = l1.rpc("plugin", json!(["stop", "../plugins/found"])).await?;
    assert_eq!(stopped, json!({"command": "stop", "result": "Successfully stopped found."}));
    let unknown = json!({"subcommand": "start", "plugin": path, "colour": "red"});
    refused(&l1, unknown, -3, &format!("{shown}: unknown parameter colour")).await;
    Ok(())
}

async fn refused(node: &Node, params: Value, code: i64, text: &str) {
    let error = node.rpc("plugin", params.clone()).await.expect_err("it is refused");
    assert_eq!(error.code(), code, "{params}: {error}");
    assert!(error.headline().contains(&format!("{text:?}")), "{params}: {error}");
}

fn write(path: &Path, mode: u32) -> Result {
    fs::write(path, SMALL)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

/// A plugin that runs cannot be written to, but another file can take its place.
fn change(path: &Path) -> Result {
    let new = path.with_extension("new");
    fs::write(&new, format!("{SMALL}# changed\n"))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, path)?;
    Ok(())
}

/// The plugins of a list that are active and below `dir`, by path: lightningd takes them as the directory has them.
fn of(list: &Value, dir: &Path) -> Vec<PathBuf> {
    let active = list["plugins"].as_array().into_iter().flatten().filter(|row| row["active"] == true);
    let paths = active.filter_map(|row| row["name"].as_str().map(PathBuf::from));
    let mut below: Vec<PathBuf> = paths.filter(|path| path.starts_with(dir)).collect();
    below.sort();
    below
}
