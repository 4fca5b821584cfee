//! One payment of a replay, with a crash or without.

use std::sync::Arc;

use serde_json::Value;

use super::Replay;
use super::payment::End;
use crate::backend::Backend;
use crate::crash::{Crash, CrashPoint};
use crate::error::{Error, Result};
use crate::event::{Direction, Event, EventKind};
use crate::wait::{eventually, seen};

/// What a payment was like, before anybody has looked at its frames.
pub(super) struct Attempted {
    pub(super) point: Option<CrashPoint>,
    /// The place of the crash in the timeline, if the node came to the point.
    pub(super) crash: Option<u64>,
    pub(super) end: End,
    /// How often each effect happened.
    pub(super) effects: Vec<usize>,
    /// How many transactions the node committed.
    pub(super) commits: usize,
    /// From where to where it goes in the timeline.
    pub(super) frames: std::ops::Range<u64>,
}

impl Replay<'_> {
    pub(super) async fn attempt(&self, nth: usize, point: Option<CrashPoint>) -> Result<Attempted> {
        let invoice = self.invoice(nth).await?;
        self.come_to_rest().await?;
        let route = self.route().await?;
        let from = self.node.timeline().now();
        let before = self.effects.count(&self.node, from).await?;
        let commits = self.node.commits().unwrap_or_default();
        let crash = point.clone().map(|point| self.net.crash(&self.node).at(point)).transpose()?;
        self.send(&route, &invoice).await?;
        let end = match crash {
            None => self.end(&invoice).await?,
            Some(crash) => self.crash(crash, &invoice).await?,
        };
        let after = self.effects.count(&self.node, from).await?;
        let crashes = |event: &Arc<Event>| {
            let is_ours = event.node.as_deref() == Some(self.node.name());
            (is_ours && matches!(event.kind, EventKind::Crash(_))).then_some(event.seq)
        };
        Ok(Attempted {
            point,
            crash: self.node.timeline().since(from).iter().find_map(crashes),
            end,
            effects: after.iter().zip(before).map(|(after, before)| after.saturating_sub(before)).collect(),
            commits: self.node.commits().unwrap_or_default() - commits,
            frames: from..self.node.timeline().now(),
        })
    }

    /// Waits until an embedded node is through with every block: what it commits from then on is about the payment.
    async fn come_to_rest(&self) -> Result {
        let height = |event: &Arc<Event>| match event.kind {
            EventKind::Block { height, .. } => Some(height),
            _ => None,
        };
        let tip = self.node.timeline().events().iter().filter_map(height).next_back();
        let Some(tip) = tip.filter(|_| self.node.backend() == Backend::Embedded) else { return Ok(()) };
        let look = || async {
            let rows = self.node.db_query("SELECT intval FROM vars WHERE name = 'last_processed_block'")?;
            Ok::<_, Error>(seen(rows, |rows| rows.first().is_some_and(|row| row["intval"] == tip)))
        };
        let what = format!("{} is through with block {tip}", self.node.name());
        eventually(what, look).until(self.node.deadline()).at(self.at).await?;
        // What it forgets because of the block, it forgets before it answers.
        self.node.rpc_at("getinfo", Value::Null, self.at).await.map(drop)
    }

    /// Waits for the crash and starts the node again, unless the payment ends before.
    async fn crash(&self, crash: Crash, invoice: &Value) -> Result<End> {
        let ended = tokio::select! {
            biased;
            crashed = crash.happened() => crashed.map(|_| None),
            ended = self.end(invoice) => ended.map(Some),
        };
        match crash.disarm() {
            None => return ended.map(|end| end.expect("the crash has not happened")),
            // Whoever waited for the end may have heard first of that of the node.
            Some(crash) => drop(crash.happened().await?),
        }
        self.node.start().await?;
        self.reconnect().await?;
        self.end(invoice).await
    }

    /// How often the plugin was called during a payment.
    pub(super) fn calls(&self, attempt: &Attempted, hook: &str) -> usize {
        let transcript = self.node.transcript(&self.plugin).only([hook]);
        let calls = transcript
            .keep(|frame| frame.direction == Direction::ToPlugin && attempt.frames.contains(&frame.seq));
        calls.frames().len()
    }
}
