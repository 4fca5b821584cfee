//! The demo's Rust plugin, on the crate `cln-plugin`: it greets, counts the peers that come, and remembers the last block.
//!
//! A plugin is an executable. `cargo leyden` builds only this binary, so the plugin is a hidden subcommand of it, behind a script.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Error;
use cln_plugin::options::DefaultStringConfigOption;
use cln_plugin::{Builder, Plugin};
use serde_json::{Value, json};

/// The hidden subcommand.
pub(crate) const SUBCOMMAND: &str = "plugin-doorman";
/// Its option, and how it is asked.
pub(crate) const OPTION: &str = "doorman-greeting";
pub(crate) const METHOD: &str = "doorman";

const GREETING: DefaultStringConfigOption = DefaultStringConfigOption::new_str_with_default(
    OPTION,
    "hello",
    "what the doorman says to those who ask",
);

/// What it has seen so far.
#[derive(Clone, Default)]
struct Seen(Arc<Counters>);

#[derive(Default)]
struct Counters {
    guests: AtomicU64,
    height: AtomicU64,
}

/// The script by which a node runs it.
pub(crate) fn script() -> io::Result<String> {
    let exe = std::env::current_exe()?;
    Ok(format!("#!/bin/sh\nexec {} {SUBCOMMAND}\n", quoted(&exe)))
}

/// A path as one word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Is the plugin until lightningd closes its standard input.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("doorman: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Error> {
    let builder = Builder::new(tokio::io::stdin(), tokio::io::stdout())
        .option(GREETING)
        .rpcmethod(METHOD, "what the doorman says and has seen", greet)
        .hook("peer_connected", let_in)
        .subscribe("block_added", note_block)
        .dynamic();
    match builder.start(Seen::default()).await? {
        Some(plugin) => plugin.join().await,
        // It was only asked for its manifest.
        None => Ok(()),
    }
}

async fn greet(plugin: Plugin<Seen>, _params: Value) -> Result<Value, Error> {
    let Seen(seen) = plugin.state();
    let (guests, height) = (seen.guests.load(Ordering::SeqCst), seen.height.load(Ordering::SeqCst));
    Ok(json!({"greeting": plugin.option(&GREETING)?, "guests": guests, "height": height}))
}

async fn let_in(plugin: Plugin<Seen>, _peer: Value) -> Result<Value, Error> {
    plugin.state().0.guests.fetch_add(1, Ordering::SeqCst);
    Ok(json!({"result": "continue"}))
}

async fn note_block(plugin: Plugin<Seen>, notification: Value) -> Result<(), Error> {
    // Releases wrap it in `block_added`, those before v23 in `block`.
    let block = ["block_added", "block"].iter().find_map(|name| notification.get(name));
    if let Some(height) = block.and_then(|block| block["height"].as_u64()) {
        plugin.state().0.height.store(height, Ordering::SeqCst);
    }
    Ok(())
}
