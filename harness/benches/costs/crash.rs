//! How long a node is away that crashes and starts again.

use crate::contest::{self, Effort, take_turns, timed};
use crate::start::bare_database;
use leyden::env::Settings;
use leyden::{Backend, Net};
use std::time::Duration;
use tokio::runtime::Runtime;

const ROUNDS: usize = 25;

/// A node with a channel, killed and started again: against a process that is killed and opens its SQLite file again, and against a lightningd
/// where there is one.
pub(crate) fn and_restart(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let net = runtime.block_on(Net::line(["l1", "l2"]).backend(Backend::Embedded).start())?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("database");
    let [crash, bare] = take_turns(
        effort.of(ROUNDS),
        1,
        [&mut || crash_and_restart(&runtime, &net), &mut || bare_database(&file)],
    )?;
    contest::compare("a crash and a restart", &crash, "a process and its SQLite", &bare);
    if Backend::Lightningd.missing(&Settings::from_env()).is_none() {
        let real = runtime.block_on(Net::line(["l1", "l2"]).backend(Backend::Lightningd).start())?;
        let [crash, theirs] = take_turns(
            effort.of(3),
            1,
            [&mut || crash_and_restart(&runtime, &net), &mut || crash_and_restart(&runtime, &real)],
        )?;
        contest::compare("a crash and a restart", &crash, "those of a lightningd", &theirs);
        runtime.block_on(real.finish())?;
    }
    runtime.block_on(net.finish())
}

fn crash_and_restart(runtime: &Runtime, net: &Net) -> leyden::Result<Duration> {
    let l2 = net.node("l2");
    let (took, ()) = timed(|| {
        runtime.block_on(async {
            l2.kill().await?;
            l2.start().await
        })
    })?;
    Ok(took)
}
