//! How much memory an idle node takes, in a process with one, ten and a hundred.

use crate::contest::{self, Effort};
use crate::node::{self, Access};
use crate::process::{Running, tell, until_let_go};
use leyden::{Backend, Net};
use std::path::{Path, PathBuf};

/// Prints what each node adds to the memory of its process.
pub(crate) fn per_node(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let net = runtime.block_on(Net::builder().backend(Backend::Embedded).start())?;
    let bitcoind = Access::of(&net);
    let without = resident(0, &bitcoind)?;
    let counts: &[usize] = if effort == Effort::Full { &[1, 10, 100] } else { &[1] };
    for count in counts {
        let (Some(with), Some(without)) = (resident(*count, &bitcoind)?, without) else {
            contest::say("this system does not show the memory of a process in /proc");
            break;
        };
        let each = with.saturating_sub(without) as f64 / *count as f64 / 1024.0;
        contest::say(&format!("{count:>4} idle nodes: {each:.2} MiB each ({with} KiB, {without} without)"));
    }
    runtime.block_on(net.finish())
}

/// The resident memory of a process with so many nodes, in KiB.
fn resident(count: usize, bitcoind: &Access) -> leyden::Result<Option<u64>> {
    let dir = tempfile::tempdir()?;
    let Access { port, user, password } = bitcoind;
    let (count, path) = (count.to_string(), dir.path().to_string_lossy().into_owned());
    let mut child = Running::start(&["nodes", &count, &path, port, user, password])?;
    let said = child.line()?;
    child.end()?;
    Ok(said.parse().ok())
}

/// The child: starts nodes, and tells how much memory it takes when all are up.
pub(crate) fn nodes(count: usize, dir: &Path, bitcoind: &Access) -> leyden::Result {
    let dirs: Vec<PathBuf> = (1..=count).map(|number| dir.join(number.to_string())).collect();
    let nodes = node::start(&dirs, bitcoind)?;
    tell(&own_resident().map_or_else(|| "unknown".to_owned(), |kib| kib.to_string()))?;
    until_let_go()?;
    drop(nodes);
    Ok(())
}

fn own_resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
