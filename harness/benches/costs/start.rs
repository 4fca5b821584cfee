//! How long until a node answers, until two of them are connected, and until they have a channel.

use crate::contest::{self, Effort, take_turns, timed};
use crate::node::{self, Access, Client};
use crate::process::{Running, tell};
use leyden::env::Settings;
use leyden::{Backend, Net, NetBuilder, Units};
use rusqlite::Connection;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROUNDS: usize = 25;

/// A node in this process, and one in a process of its own, against a process that makes a bare SQLite file.
pub(crate) fn of_a_node(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let net = runtime.block_on(Net::builder().backend(Backend::Embedded).start())?;
    let bitcoind = Access::of(&net);
    let dir = tempfile::tempdir()?;
    let made = Cell::new(0);
    let fresh = || {
        made.set(made.get() + 1);
        dir.path().join(made.get().to_string())
    };
    let [bare, inside, process] = take_turns(
        effort.of(ROUNDS),
        1,
        [&mut || bare_database(&fresh()), &mut || node_inside(fresh(), &bitcoind), &mut || {
            node_process(&fresh(), &bitcoind)
        }],
    )?;
    let against = "a process and its SQLite";
    contest::compare("a node in this process", &inside, against, &bare);
    contest::compare("a node as a process", &process, against, &bare);
    runtime.block_on(net.finish())
}

/// A process that makes a SQLite file, or opens it again.
pub(crate) fn bare_database(file: &Path) -> leyden::Result<Duration> {
    let (took, child) = timed(|| {
        let mut child = Running::start(&["database", &file.to_string_lossy()])?;
        child.line()?;
        Ok(child)
    })?;
    child.end()?;
    Ok(took)
}

/// The child: a new SQLite file with one durable transaction.
pub(crate) fn database(file: &str) -> leyden::Result {
    let made = Connection::open(file).and_then(|database| {
        database.execute_batch(
            "BEGIN; CREATE TABLE IF NOT EXISTS vars (name TEXT, val INTEGER); INSERT INTO vars VALUES ('a', 1); COMMIT;",
        )
    });
    made.map_err(|error| leyden::Error::environment("making a database").because(error))?;
    tell("made")
}

fn node_inside(dir: PathBuf, bitcoind: &Access) -> leyden::Result<Duration> {
    let (took, nodes) = timed(|| {
        let nodes = node::start(&[dir], bitcoind)?;
        Client::connect(nodes[0].socket(), "getinfo")?.call()?;
        Ok(nodes)
    })?;
    drop(nodes);
    Ok(took)
}

fn node_process(dir: &Path, bitcoind: &Access) -> leyden::Result<Duration> {
    let (took, child) = timed(|| {
        let Access { port, user, password } = bitcoind;
        let mut child = Running::start(&["nodes", "1", &dir.to_string_lossy(), port, user, password])?;
        child.line()?;
        Client::connect(&dir.join("1/regtest/lightning-rpc"), "getinfo")?.call()?;
        Ok(child)
    })?;
    child.end()?;
    Ok(took)
}

/// Two connected nodes, against the bitcoind that they need.
pub(crate) fn of_a_net(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let start = |net: NetBuilder| -> leyden::Result<(Duration, Duration)> {
        let (took, net) = timed(|| runtime.block_on(net.backend(Backend::Embedded).start()))?;
        let (end, ()) = timed(|| runtime.block_on(net.finish()))?;
        Ok((took, end))
    };
    let (mut ends, mut bare_ends) = (Vec::new(), Vec::new());
    let [pair, alone] = take_turns(
        effort.of(ROUNDS / 3),
        1,
        [
            &mut || {
                let (took, end) = start(Net::line(["l1", "l2"]).without_channels())?;
                ends.push(end);
                Ok(took)
            },
            &mut || {
                let (took, end) = start(Net::builder())?;
                bare_ends.push(end);
                Ok(took)
            },
        ],
    )?;
    contest::compare("two connected nodes", &pair, "their bitcoind alone", &alone);
    contest::compare("their end", &ends.into(), "the end of bitcoind alone", &bare_ends.into());
    Ok(())
}

/// Two nodes with a channel that is announced, from nothing: against the bitcoind that they need, and against two lightningds where
/// there is one. Then twenty nodes in a line, until a payment has gone along it.
pub(crate) fn of_a_channel(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let start = |net: NetBuilder, backend: Backend| -> leyden::Result<Duration> {
        let (took, net) = timed(|| runtime.block_on(net.backend(backend).start()))?;
        runtime.block_on(net.finish())?;
        Ok(took)
    };
    let rounds = effort.of(ROUNDS / 3);
    let mut embedded = || start(Net::line(["l1", "l2"]), Backend::Embedded);
    let [pair, alone] =
        take_turns(rounds, 1, [&mut embedded, &mut || start(Net::builder(), Backend::Embedded)])?;
    contest::compare("two nodes with a channel", &pair, "their bitcoind alone", &alone);
    if Backend::Lightningd.missing(&Settings::from_env()).is_none() {
        let mut real = || start(Net::line(["l1", "l2"]), Backend::Lightningd);
        let [pair, theirs] = take_turns(effort.of(3), 1, [&mut embedded, &mut real])?;
        contest::compare("two nodes with a channel", &pair, "two lightningds with one", &theirs);
    }
    let along = || -> leyden::Result<Duration> {
        let (took, net) = timed(|| {
            runtime.block_on(async {
                let nodes = (1..=20).map(|number| format!("l{number}"));
                let net = Net::line(nodes).backend(Backend::Embedded).start().await?;
                net.node("l1").pay(&net.node("l20"), 1_000.sat()).await?;
                Ok(net)
            })
        })?;
        runtime.block_on(net.finish())?;
        Ok(took)
    };
    let [twenty, pair] = take_turns(effort.of(3), 1, [&mut || along(), &mut embedded])?;
    contest::compare("a payment along twenty nodes", &twenty, "two nodes with a channel", &pair);
    Ok(())
}
