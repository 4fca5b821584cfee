//! The end of a net: everything is stopped, everything is checked, and all complaints are raised together.

use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leyden_node::event::{LogLevel, LogLine};

use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::net::{Net, joined};
use crate::node::Node;
use crate::replica::shadow::Shadow;
use crate::wait::eventually;

/// A plugin that reads the end of its standard input only now and then needs a moment.
pub(crate) const PLUGINS_MAY_LINGER: Duration = Duration::from_secs(2);

/// How many BROKEN lines of a source are shown.
const SHOWN: usize = 5;

impl Net {
    /// Stops the nodes and makes the checks:
    ///
    /// * what was expected of mocks;
    /// * no BROKEN line in a log, unless [`broken_log`](crate::NetBuilder::broken_log) allows it;
    /// * every node ended with exit code 0, unless it was [killed](Node::kill), [crashed](Net::crash) or
    ///   [`may_fail`](crate::NetBuilder::may_fail), and wrote no `crash.log` (with `may_fail` it may);
    /// * every [crash](Net::crash) that was armed has happened, or was disarmed;
    /// * each database was at every commit what was shown of it, if [`replicate`](crate::NetBuilder::replicate) asks for that;
    /// * no process of the net lives on.
    ///
    /// The run directory is removed if there is nothing to complain about.
    ///
    /// # Errors
    /// All complaints together, and where the evidence is.
    #[track_caller]
    pub fn finish(self) -> impl Future<Output = Result> + Send {
        let at = Location::caller();
        async move { self.finish_at(at).await }
    }

    /// Keeps the run directory also if [`Net::finish`] finds nothing to complain about: for a test that has found something itself, and goes on.
    ///
    /// # Errors
    /// If the watchdog, which would remove it, has gone.
    pub fn keep(&mut self) -> Result {
        if let Some(run_dir) = &mut self.run_dir {
            run_dir.keep();
        }
        self.surroundings.watchdog.keep_dir()
    }

    async fn finish_at(mut self, at: &'static Location<'static>) -> Result {
        // A future that is dropped half way has asked for no checks; the net then ends as one that failed.
        let mut complaints: Vec<Error> =
            self.nodes.iter().flat_map(|node| node.crash_rules().never_came()).collect();
        complaints.extend(self.stop_nodes(at).await);
        for node in &self.nodes {
            complaints.extend(node.unmet().await);
        }
        complaints.extend(self.nodes.iter().flat_map(|node| broken_lines(node, at)));
        complaints.extend(self.nodes.iter().filter_map(|node| crash_log(node, at)));
        let shadows = self.nodes.iter().filter_map(|node| node.0.shadow.as_ref());
        complaints.extend(shadows.filter_map(Shadow::complaint).map(|error| error.at(at)));
        self.stop_bitcoind().await;
        complaints.extend(self.orphans(at).await);
        if complaints.is_empty() {
            return self.clean_up();
        }
        let evidence = self.run_dir().to_owned();
        self.abandon();
        Err(together(complaints, &evidence, at))
    }

    /// Stops all nodes that run, at the same time.
    async fn stop_nodes(&self, at: &'static Location<'static>) -> Vec<Error> {
        let mut complaints: Vec<Error> = self.nodes.iter().filter_map(|node| unclean_end(node, at)).collect();
        let running = self.nodes.iter().filter(|node| node.is_running()).cloned();
        let stopping: Vec<_> = running
            .map(|node| self.surroundings.runtime.spawn(async move { node.stop_at(at).await }))
            .collect();
        for task in stopping {
            complaints.extend(joined(task).await.and_then(|stopped| stopped).err());
        }
        complaints
    }

    async fn stop_bitcoind(&mut self) {
        if let Some(chain) = self.chain.take() {
            chain.abort();
            // The task has let go of bitcoind when this returns.
            drop(chain.await);
        }
        drop(self.bitcoind.take().and_then(Arc::into_inner));
    }

    async fn orphans(&self, at: &'static Location<'static>) -> Option<Error> {
        let watchdog = &self.surroundings.watchdog;
        let gone =
            eventually("every process of the net has ended", || async { watchdog.orphans().is_empty() });
        if gone.within(PLUGINS_MAY_LINGER).await.is_ok() {
            return None;
        }
        let orphans = watchdog.orphans();
        let error = Error::plugin("ending the net")
            .expected("no process to outlive the nodes")
            .came(format!("{} did", orphans.len()))
            .advice("a plugin must end when its standard input does, and end what it has started")
            .evidence("they live on, and are killed now", orphans.iter().map(ToString::to_string));
        Some(error.at(at))
    }

    fn clean_up(mut self) -> Result {
        self.finished = true;
        let run_dir = self.run_dir.take().expect("a net has a run directory until it is finished");
        for node in &self.nodes {
            node.abandon();
        }
        if run_dir.is_kept() {
            self.run_dir = Some(run_dir);
            self.write_timeline();
            return Ok(());
        }
        run_dir.remove()
    }
}

/// A node that has ended before the end of the test, otherwise than by `stop`.
fn unclean_end(node: &Node, at: &'static Location<'static>) -> Option<Error> {
    if node.0.rules.may_fail {
        return None;
    }
    let wanted = node.life().wanted_ends.clone();
    let events = node.timeline().events();
    let ours = events.iter().filter(|event| event.node.as_deref() == Some(node.name()));
    let mut crashes = false;
    let mut unclean = ours.filter_map(|event| match &event.kind {
        EventKind::Crash(_) => {
            crashes = true;
            None
        }
        EventKind::NodeExited { code, .. } => {
            let wanted = std::mem::take(&mut crashes) || *code == Some(0) || wanted.contains(&event.seq);
            (!wanted).then(|| event.kind.to_string())
        }
        _ => None,
    });
    let came = unclean.next()?;
    let last: Vec<String> = node.log().map(|line| line.to_string()).collect();
    let error = Error::node(format!("the life of {}", node.name())).expected("to end by `stop`").came(came);
    Some(error.evidence("last lines of its log", last[last.len().saturating_sub(10)..].to_vec()).at(at))
}

/// BROKEN lines that the test did not allow, one complaint for each source.
fn broken_lines(node: &Node, at: &'static Location<'static>) -> Vec<Error> {
    let allowed = |line: &LogLine| {
        node.0.rules.broken_log.as_ref().is_some_and(|regex| regex.is_match(&line.to_string()))
    };
    let mut sources: Vec<(String, Vec<String>)> = Vec::new();
    for line in node.log().filter(|line| line.level == LogLevel::Broken && !allowed(line)) {
        match sources.iter_mut().find(|(source, _)| *source == line.source) {
            Some((_, lines)) => lines.push(line.to_string()),
            None => sources.push((line.source.clone(), vec![line.to_string()])),
        }
    }
    let complaint = |(source, lines): (String, Vec<String>)| {
        let doing = format!("{}: the log of {source}", node.name());
        // lightningd makes a BROKEN line of what a plugin logs as an error.
        let error = if source.starts_with("plugin-") { Error::plugin(doing) } else { Error::node(doing) };
        error
            .expected("no BROKEN line")
            .came(format!("{} came", lines.len()))
            .advice("if the test provokes them: NetBuilder::broken_log")
            .evidence("the first of them", lines.into_iter().take(SHOWN))
            .at(at)
    };
    sources.into_iter().map(complaint).collect()
}

fn crash_log(node: &Node, at: &'static Location<'static>) -> Option<Error> {
    if node.0.rules.may_fail {
        return None;
    }
    let dirs = [node.lightning_dir().to_owned(), node.lightning_dir().join("regtest")];
    let crashed = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
    let log = crashed
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("crash.log")))?;
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let error =
        Error::node(format!("{}: its files", node.name())).expected("no crash.log").came("there is one");
    let last = text.trim_end().lines().count().saturating_sub(20);
    Some(error.evidence(log.display().to_string(), text.lines().skip(last)).at(at))
}

/// One error for all. A single complaint speaks for itself.
fn together(mut complaints: Vec<Error>, run_dir: &Path, at: &'static Location<'static>) -> Error {
    let kept = [run_dir.display().to_string()];
    if complaints.len() == 1 {
        return complaints.remove(0).evidence("the evidence is in", kept);
    }
    let count = complaints.len();
    let mut error =
        Error::new(complaints[0].fault(), "finishing the net").came(format!("there are {count} complaints"));
    for (index, complaint) in complaints.iter().enumerate() {
        error = error.evidence(format!("complaint {} of {count}", index + 1), complaint.to_string().lines());
    }
    error.evidence("the evidence is in", kept).at(at)
}
