//! One case, played on one node.

use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::calls::Shown;
use super::driver::Restore;
use super::report::{Breach, Played};
use super::{Answer, Case, Duty, Rules};
use crate::crash::{Commit, Hook};
use crate::database;
use crate::error::{Error, Result};
use crate::net::Net;
use crate::node::Node;
use crate::replica;
use crate::wait::{eventually, pause};

/// By how many numbers a gap is wider than none.
const MISSED: u32 = 5;

/// How many transactions an older database lacks, at least: one alone looks like a crash.
const OLDER_BY: usize = 3;

/// What a node writes that does not live to commit it. Whatever it writes of its own accord, about blocks for example, would be written again.
const LOST: &str = "leyden lost";

/// How often that is to happen, and how often it is tried: the node may come to another commit first.
const LOSSES: usize = 2;
const ATTEMPTS: usize = 8;

/// A node that has caught up with the chain, and writes nothing for so long, has nothing to write, most probably.
const REST: Duration = Duration::from_millis(30);

/// The plugin that refuses.
pub(super) const REFUSER: &str = "refuser";

pub(super) struct Stage<'a> {
    net: &'a Net,
    node: Node,
    plugin: String,
    restore: Option<Restore>,
    case: Case,
    /// Whether the other plugin refuses.
    refuses: Arc<AtomicBool>,
    /// How often the node was told to write something.
    written: AtomicUsize,
    breaches: Vec<Breach>,
    notes: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        net: &'a Net,
        plugin: String,
        restore: Option<Restore>,
        case: Case,
        refuses: Arc<AtomicBool>,
    ) -> Self {
        let [node] = net.nodes();
        let (written, breaches, notes) = (AtomicUsize::new(0), Vec::new(), Vec::new());
        Self { net, node, plugin, restore, case, refuses, written, breaches, notes }
    }

    pub(super) async fn play(&mut self) -> Result {
        self.write("first").await?;
        match self.case {
            Case::Deltas => {
                self.node.stop().await?;
                self.run_on().await
            }
            Case::CrashBeforeCommit => self.crash_before_commit().await,
            Case::DeathInDbWrite => self.die_in_db_write().await,
            Case::RefusedByAnother => self.refuse().await,
            Case::Gap => {
                self.node.stop().await?;
                let last = self.last().unwrap_or_default();
                self.node.set_data_version(last.wrapping_add(MISSED))?;
                self.run_on().await
            }
            Case::OlderDatabase => self.put_back_an_older_database().await,
            Case::Wrap => {
                self.node.stop().await?;
                self.node.set_data_version(u32::MAX - 2)?;
                self.run_on().await
            }
        }
    }

    async fn crash_before_commit(&mut self) -> Result {
        let mut lost = 0;
        for _ in 0..ATTEMPTS {
            self.wait_for_rest().await?;
            let crash = self.net.crash(&self.node).at(Commit::nth(1).before())?;
            // Its end is the answer.
            drop(self.write("lost").await);
            crash.happened().await?;
            lost += usize::from(self.has_lost_the_write());
            if !self.start().await? {
                return Ok(());
            }
            self.write("kept").await?;
            if lost == LOSSES {
                break;
            }
        }
        self.stop_and_compare().await
    }

    async fn die_in_db_write(&mut self) -> Result {
        for hook in [Hook::called("db_write"), Hook::answered("db_write")] {
            self.wait_for_rest().await?;
            let fault = self.net.fault(&self.node, &self.plugin).at(hook)?.die();
            drop(self.write("lost").await);
            fault.happened().await?;
            self.node.wait_for_exit().await?;
            if !self.start().await? {
                return Ok(());
            }
            self.write("kept").await?;
        }
        self.stop_and_compare().await
    }

    async fn refuse(&mut self) -> Result {
        for _ in 0..ATTEMPTS {
            self.wait_for_rest().await?;
            // The other one refuses when this one has kept it: both are asked at once.
            self.refuses.store(true, Ordering::SeqCst);
            let refusal = self.net.fault(&self.node, REFUSER).at(Hook::answered("db_write"))?.hold();
            let refuse = async {
                refusal.happened().await?;
                let is_kept =
                    || async { self.calls().last().is_some_and(|call| call.answer != Answer::None) };
                eventually(format!("{} has answered", self.plugin), is_kept).await?;
                refusal.release();
                self.node.wait_for_exit().await.map(drop)
            };
            let (written, refused) = tokio::join!(self.write("lost"), refuse);
            refused?;
            drop(written);
            self.refuses.store(false, Ordering::SeqCst);
            let is_enough = self.has_lost_the_write();
            if !self.start().await? {
                return Ok(());
            }
            self.write("kept").await?;
            if is_enough {
                break;
            }
        }
        self.stop_and_compare().await
    }

    async fn put_back_an_older_database(&mut self) -> Result {
        self.node.stop().await?;
        let database = self.node.database();
        let [older, newer] = ["older", "newer"].map(|name| self.node.lightning_dir().join(name));
        std::fs::copy(&database, &older)?;
        if !self.start().await? {
            return Ok(());
        }
        for _ in 0..OLDER_BY {
            self.write("newer").await?;
        }
        self.node.stop().await?;
        std::fs::copy(&database, &newer)?;
        std::fs::copy(&older, &database)?;
        if self.start().await? {
            return self.node.stop().await;
        }
        let (found, put_back) = (database::data_version(&database), database::data_version(&older));
        if found != put_back {
            let came = format!("it was {put_back:?} before, and is {found:?} now");
            return Err(Error::node("a refused db_write").expected("the data_version to stay").came(came));
        }
        // What it refused must not be in its copy.
        self.compare(&newer);
        Ok(())
    }

    /// Starts it, lets it write, stops it, and looks at the copy.
    async fn run_on(&mut self) -> Result {
        if !self.start().await? {
            return Ok(());
        }
        for _ in 0..OLDER_BY {
            self.write("further").await?;
        }
        self.stop_and_compare().await
    }

    /// Waits until the node has caught up with the chain, and then writes nothing for a while.
    async fn wait_for_rest(&self) -> Result {
        self.node.has_all_blocks(Location::caller()).await?;
        let rests = || async {
            let before = self.calls().len();
            pause(REST).await;
            self.calls().len() == before
        };
        eventually(format!("{} has nothing to write", self.node.name()), rests).await
    }

    /// Whether what the plugin was shown last is what the test wanted to be lost, and no transaction of the node's own.
    fn has_lost_the_write(&self) -> bool {
        let calls = self.calls();
        calls.last().is_some_and(|call| call.write.writes.iter().any(|write| write.contains(LOST)))
    }

    /// Has the node write this text: as the label of an invoice, for those are in every release. No two may have the same.
    async fn write(&self, text: &str) -> Result {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let label = format!("leyden {text} {number}");
        self.node.rpc("invoice", json!(["any", label, "a write"])).await.map(drop)
    }

    /// Starts the node; gives whether it runs. It does not if the plugin refuses, which is judged in the end.
    async fn start(&mut self) -> Result<bool> {
        let Err(error) = self.node.start().await else { return Ok(true) };
        let is_refused = matches!(self.calls().last(), Some(Shown { answer: Answer::Refusal(_), .. }));
        if !is_refused {
            return Err(error);
        }
        self.node.wait_for_exit().await?;
        Ok(false)
    }

    async fn stop_and_compare(&mut self) -> Result {
        self.node.stop().await?;
        self.compare(&self.node.database());
        Ok(())
    }

    /// Compares the copy with a database.
    fn compare(&mut self, database: &Path) {
        let Some(restore) = &self.restore else { return };
        let restored = self.node.lightning_dir().join("restored");
        let breach = match restore(&self.node.lightning_dir().join("regtest"), &restored) {
            Err(error) => Some(("its backup cannot be restored".to_owned(), vec![error.to_string()])),
            Ok(()) => match replica::differences(database, &restored) {
                Ok(lines) if lines.is_empty() => None,
                Ok(lines) => Some(("its copy is not the node's database".to_owned(), lines)),
                Err(error) => Some(("its copy cannot be read".to_owned(), vec![error.to_string()])),
            },
        };
        if let Some((fault, evidence)) = breach {
            let frame = self.frame_of_the_case().unwrap_or_default();
            self.breaches.push(Breach { fault, frame, rule: self.case.duty(), evidence });
        }
    }

    fn calls(&self) -> Vec<Shown> {
        self.node.shown_writes(&self.plugin)
    }

    /// The last number that the plugin was shown.
    fn last(&self) -> Option<u32> {
        self.calls().last().map(|call| call.write.data_version)
    }

    /// The call in which the case is.
    fn frame_of_the_case(&self) -> Option<String> {
        let mut calls = self.calls();
        calls.retain(|call| !call.write.is_lone_pragma());
        let numbers: Vec<u32> = calls.iter().map(|call| call.write.data_version).collect();
        self.case.index_in(&numbers).map(|index| calls.swap_remove(index).frame)
    }

    /// Judges all answers; `ended` is how the case went.
    pub(super) fn close(mut self, ended: Result) -> Result<Played> {
        let calls = self.calls();
        self.judge(&calls);
        match ended {
            Err(error) if self.breaches.is_empty() => {
                // It has died or hangs, or it is not about the plugin at all.
                let Some(call) = calls.last().filter(|call| call.answer == Answer::None) else {
                    return Err(error);
                };
                let fault = format!("it did not answer to data_version {}", call.write.data_version);
                let evidence = error.to_string().lines().map(str::to_owned).collect();
                let rule = self.case.duty();
                self.breaches.push(Breach { fault, frame: call.frame.clone(), rule, evidence });
            }
            Err(error) => self.notes.push(error.headline()),
            Ok(()) => self.check_that_it_came_about()?,
        }
        let shown = calls.into_iter().map(|call| (call.write, call.answer)).collect();
        Ok(Played { case: self.case, shown, breaches: self.breaches, notes: self.notes })
    }

    fn judge(&mut self, calls: &[Shown]) {
        let mut rules = Rules::default();
        for Shown { write, answer, frame } in calls {
            let last = rules.last().map_or("none".to_owned(), |last| last.to_string());
            let refused_gap = rules.duty(write) == Duty::Snapshot && matches!(answer, Answer::Refusal(_));
            if refused_gap {
                self.notes.push(format!("it refuses {} behind {last}, as it may", write.data_version));
            }
            let Some(mistake) = rules.judge(write, answer) else { continue };
            let (did, answer) = match mistake.answer {
                Answer::Refusal(text) => ("refused", text),
                Answer::Continue | Answer::None => ("accepted", "continue".to_owned()),
            };
            let fault = format!("it {did} data_version {} behind {last}", write.data_version);
            let evidence = vec![format!("answer: {answer}")];
            self.breaches.push(Breach { fault, frame: frame.clone(), rule: mistake.duty, evidence });
        }
    }

    fn check_that_it_came_about(&self) -> Result {
        let is_settled = !self.breaches.is_empty() || !self.notes.is_empty();
        if is_settled || self.frame_of_the_case().is_some() {
            return Ok(());
        }
        let numbers: Vec<String> = self.calls().iter().map(|call| call.write.to_string()).collect();
        Err(Error::node(format!("playing {} to {}", self.case, self.plugin))
            .came("the node did not come to it")
            .evidence("what it showed", numbers))
    }
}
