//! The nets on which cases are played, one after the other: one process may play one case or all of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use leyden::event::EventKind;
use leyden::{Backend, Error, MockChain, Net, Node, Result, eventually};
use regex::Regex;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::case::Case;
use crate::outcome::{Answer, Outcome, aliased};
use crate::plugin::misbehaving;

/// As long as a plugin that never answers is waited for.
const TIMEOUT: &str = "0.2";

/// Lines come to the record a little later than answers to the caller.
const LOG_MAY_TAKE: Duration = Duration::from_secs(5);

/// Two nets that start when they are needed. Plugins share names of options and methods, and a net has one at a time.
#[derive(Default)]
pub(crate) struct Stage {
    /// As patient with plugins as lightningd.
    patient: Mutex<Option<Played>>,
    /// For plugins that never answer.
    hasty: Mutex<Option<Played>>,
}

/// A net, and the runtime that waits for it.
struct Played {
    runtime: Runtime,
    net: Net,
}

impl Stage {
    /// Plays a case and tells what came of it. So many `lines` are expected in the log.
    pub(crate) fn play(&self, case: &Case, lines: usize) -> Result<Outcome> {
        let net = if case.hangs { &self.hasty } else { &self.patient };
        let mut net = net.lock().unwrap_or_else(PoisonError::into_inner);
        let started = match net.take() {
            Some(started) => started,
            None => start(case.hangs)?,
        };
        let Played { runtime, net } = net.insert(started);
        runtime.block_on(play(net, case, lines))
    }

    /// Ends the nets that were started, with their checks.
    pub(crate) fn finish(&self) -> Result {
        for net in [&self.patient, &self.hasty] {
            if let Some(Played { runtime, net }) = net.lock().unwrap_or_else(PoisonError::into_inner).take() {
                runtime.block_on(net.finish())?;
            }
        }
        Ok(())
    }
}

fn start(hasty: bool) -> Result<Played> {
    let runtime = Runtime::new()?;
    // Some answer `{}` to `rpc_command`.
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).chain(MockChain::new());
    let net = net.broken_log("l1", "Bad response to 'rpc_command' hook");
    let net = if hasty { net.option("l1", "dev-plugin-startup-timeout", TIMEOUT) } else { net };
    let net = runtime.block_on(net.start())?;
    Ok(Played { runtime, net })
}

async fn play(net: &Net, case: &Case, lines: usize) -> Result<Outcome> {
    let [l1] = net.nodes();
    let from = net.timeline().now();
    let before = help(&l1).await?;
    let started = l1.mount(misbehaving(&case.name, &case.spec)).await;
    let dir = format!("{}/relay/[0-9]+/", regex::escape(&net.run_dir().display().to_string()));
    let dir = Regex::new(&dir).expect("the directory is escaped");
    let alias = |text: &str| aliased(&dir.replace_all(text, "$$DIR/"));
    let mut outcome = Outcome::default();
    if let Err(error) = &started {
        outcome.answer = Answer::Error { code: error.code(), message: alias(&message(error)) };
    } else {
        outcome.answer = Answer::Ok(row(&l1, &case.name, alias).await?);
        let added = help(&l1).await?.into_iter().filter(|shown| !before.contains(shown));
        outcome.help = Some(added.collect::<Vec<_>>()).filter(|added| !added.is_empty()).into();
        outcome.listconfigs = configured(&l1, alias).await?;
    }
    let log = || logged(net, from, &case.name, alias);
    let complete = eventually("the log is complete", || async { log().len() >= lines });
    // If it does not come to that, the comparison tells.
    drop(complete.within(LOG_MAY_TAKE).await);
    outcome.log = log();
    if started.is_ok() {
        let stopped = l1.rpc("plugin", json!(["stop", case.name])).await?;
        outcome.stop = stopped["result"].as_str().map(str::to_owned);
    }
    Ok(outcome)
}

/// What the node answered, without what the harness says around it.
fn message(error: &Error) -> String {
    let headline = error.headline();
    let quoted = headline.split_once("answered with the error ").map_or("", |(_, rest)| rest);
    let quoted = quoted.rsplit_once(" (RPC code").map_or("", |(quoted, _)| quoted);
    // It was quoted as Rust does it; of its escapes only those of JSON occur here.
    serde_json::from_str(quoted).unwrap_or(headline)
}

async fn row(node: &Node, name: &str, alias: impl Fn(&str) -> String) -> Result<Value> {
    let list = node.rpc("plugin", json!(["list"])).await?;
    let ends = |row: &&Value| row["name"].as_str().is_some_and(|path| path.ends_with(&format!("/{name}")));
    let mut row = list["plugins"].as_array().into_iter().flatten().find(ends).cloned().unwrap_or_default();
    row["name"] = alias(row["name"].as_str().unwrap_or_default()).into();
    Ok(row)
}

async fn help(node: &Node) -> Result<Vec<Value>> {
    let help = node.rpc("help", json!({})).await?;
    Ok(help["help"].as_array().cloned().unwrap_or_default())
}

/// What `listconfigs` shows of the option that most plugins here have, if it shows it at all.
async fn configured(node: &Node, alias: impl Fn(&str) -> String) -> Result<Value> {
    let mut listed = node.rpc("listconfigs", json!({})).await?["configs"]["o1"].take();
    if let Some(Value::String(path)) = listed.get_mut("plugin") {
        *path = alias(path);
    }
    Ok(listed)
}

/// The lines about a plugin that were logged since `from`.
fn logged(net: &Net, from: u64, name: &str, alias: impl Fn(&str) -> String) -> Vec<String> {
    let about = |line: &String| {
        let (_, text) = line.split_once(": ").unwrap_or(("", line));
        line.contains(&format!(" plugin-{name}: "))
            || text.ends_with(&format!("/{name}"))
            || text.contains(&format!(" {name}.--"))
    };
    let events = net.timeline().since(from);
    let logged = events.into_iter().filter_map(|event| match &event.kind {
        EventKind::Log(line) => Some(line.to_string()),
        _ => None,
    });
    logged.filter(about).map(|line| alias(&line)).collect()
}
