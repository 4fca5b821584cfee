//! The calls of `db_write` that a node's plugins have had, judged.

use std::panic::Location;
use std::sync::PoisonError;

use leyden_protocol::json;

use super::{Answer, DbWrite, Rules};
use crate::database;
use crate::error::{Error, Result};
use crate::event::{Direction, EventKind};
use crate::node::Node;
use crate::transcript::{Content, Frame};

/// A call of `db_write`, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) write: DbWrite,
    pub(super) answer: Answer,
    /// The frame of the call.
    pub(super) frame: String,
}

impl Node {
    /// Checks the answers that a plugin has given to `db_write`, over all starts of the node, against the [`Rules`].
    ///
    /// What the plugin has made of the writes cannot be seen from here: compare its copy with [`Replica`](crate::Replica).
    ///
    /// # Errors
    /// If an answer was wrong; with every such answer. If the plugin was never asked.
    #[track_caller]
    pub fn check_backup(&self, plugin: &str) -> Result {
        let at = Location::caller();
        let calls = self.db_writes(plugin);
        let doing = format!("{}: the answers of {plugin} to db_write", self.name());
        if calls.is_empty() {
            return Err(Error::test(doing).expected("calls").came("it was never asked").at(at));
        }
        let mut rules = Rules::default();
        let mistakes: Vec<String> = calls
            .iter()
            .filter_map(|(write, answer)| rules.judge(write, answer))
            .map(|mistake| mistake.to_string())
            .collect();
        if mistakes.is_empty() {
            return Ok(());
        }
        let error = Error::plugin(doing).came(format!("{} of {} are wrong", mistakes.len(), calls.len()));
        Err(error.evidence("which", mistakes).at(at))
    }

    /// Gives the database another `data_version`, as if an older one had been put in its place, or as if plugins had missed
    /// writes. The node must not run.
    ///
    /// # Errors
    /// If it runs, or has no database yet.
    #[track_caller]
    pub fn set_data_version(&self, data_version: u32) -> Result {
        let at = Location::caller();
        let doing =
            || Error::test(format!("{}: setting the data_version of its database", self.name())).at(at);
        if self.is_running() {
            return Err(doing().came("it runs").advice("stop it first"));
        }
        database::set_data_version(&self.database(), data_version).map_err(|error| doing().because(error))?;
        if let Some(shadow) = &self.0.shadow {
            shadow.end();
        }
        Ok(())
    }

    /// Every transaction that a plugin was shown, and what it answered, over all starts of the node.
    pub fn db_writes(&self, plugin: &str) -> Vec<(DbWrite, Answer)> {
        self.shown_writes(plugin).into_iter().map(|shown| (shown.write, shown.answer)).collect()
    }

    /// As [`Node::db_writes`], with the frames.
    pub(super) fn shown_writes(&self, plugin: &str) -> Vec<Shown> {
        let transcript = self.transcript(plugin).only(["db_write"]);
        let mut calls: Vec<Shown> = Vec::new();
        for frame in transcript.frames() {
            match frame.direction {
                Direction::ToPlugin => {
                    let write = frame.params().as_ref().and_then(DbWrite::from_params);
                    let text = text_of(frame);
                    calls.extend(write.map(|write| Shown { write, answer: Answer::None, frame: text }));
                }
                // lightningd waits for one answer before it asks again.
                Direction::FromPlugin => {
                    if let Some(call) = calls.last_mut() {
                        call.answer = Answer::of(frame);
                    }
                }
            }
        }
        calls
    }

    /// Every transaction that the node is known to have shown, over all its starts; `None` if nobody could see them all.
    ///
    /// The embedded node tells. Of a real lightningd only a plugin with `db_write` knows, which a test must have given it from its
    /// first start on: one that the harness added would change what the others see, their requests' ids for one.
    pub(crate) fn known_writes(&self) -> Option<Vec<DbWrite>> {
        let events = self.timeline().events();
        let ours = events.iter().filter(|event| event.node.as_deref() == Some(self.name()));
        let told: Vec<DbWrite> = ours
            .filter_map(|event| match &event.kind {
                EventKind::DbWrite(write) => Some(write.clone()),
                _ => None,
            })
            .collect();
        if !told.is_empty() {
            return Some(told);
        }
        let mocks = self.0.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = mocks.iter().map(|mounted| self.db_writes(mounted.mock.name()));
        let shown = shown.find(|calls| calls.first().is_some_and(|(write, _)| write.data_version == 1))?;
        Some(shown.into_iter().map(|(write, _)| write).collect())
    }
}

impl Answer {
    fn of(frame: &Frame) -> Self {
        let text = text_of(frame);
        let result = json::member(&text, "result").and_then(|result| json::member(result, "result"));
        if result == Some(r#""continue""#) { Self::Continue } else { Self::Refusal(text) }
    }
}

fn text_of(frame: &Frame) -> String {
    match &frame.content {
        Content::Json(text) => text.clone(),
        Content::Garbage(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
