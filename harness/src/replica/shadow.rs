//! A replica that follows a node while it lives, and is compared with its database at every commit.
//!
//! Both nodes wait while they show a transaction, and have committed the one before by then. So the comparison is made at that moment, by whoever
//! records it, and costs the node its time: of the tables that the replica was written to since the last comparison, every row. What a node changes
//! elsewhere, and does not show, is found when everything is compared: whenever it is started again, and at the end of the net. (A debug build
//! of the embedded node panics at such a change.)

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use leyden_protocol::Envelope;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Replica;
use crate::backup::DbWrite;
use crate::error::{Error, Result};
use crate::event::{Direction, Event, EventKind};

/// The replica of one node. Clones are the same.
#[derive(Clone)]
pub(crate) struct Shadow(Arc<Mutex<State>>);

struct State {
    database: PathBuf,
    replica: Replica,
    /// Who tells of the writes: the embedded node itself, or the first of a real one's plugins.
    told_by: Option<String>,
    /// Open as long as the node lives.
    original: Option<Connection>,
    compared: usize,
    /// The first difference. Everything behind it would differ as well.
    trouble: Option<Error>,
    /// The test has changed the database itself.
    is_off: bool,
}

impl Shadow {
    pub(crate) fn of(database: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(State {
            database,
            replica: Replica::new(),
            told_by: None,
            original: None,
            compared: 0,
            trouble: None,
            is_off: false,
        })))
    }

    /// Looks at what happens to a node, before anything else happens to it.
    pub(crate) fn notice(&self, event: &Event) {
        match &event.kind {
            EventKind::NodeLaunched => self.with(State::begin_life),
            EventKind::DbWrite(write) => self.with(|state| state.shown("", write)),
            EventKind::Frame { plugin, direction: Direction::ToPlugin, text }
                if text.contains("db_write") =>
            {
                if let Some(write) = write_in(text) {
                    self.with(|state| state.shown(plugin, &write));
                }
            }
            _ => {}
        }
    }

    /// Ends it: the test changes the database itself.
    pub(crate) fn end(&self) {
        self.with(|state| state.is_off = true);
    }

    /// The first difference; the node must not run any more.
    pub(crate) fn complaint(&self) -> Option<Error> {
        self.with(|state| {
            state.compare_all();
            state.trouble.take()
        })
    }

    /// How often it was compared while the node lived.
    #[cfg(test)]
    fn compared(&self) -> usize {
        self.with(|state| state.compared)
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn begin_life(&mut self) {
        self.original = None;
        self.compare_all();
    }

    fn shown(&mut self, by: &str, write: &DbWrite) {
        // The embedded node has told before it asks its plugins. A plugin that was not there from the start has not seen everything.
        let is_teller = match &self.told_by {
            Some(teller) => teller == by,
            None => write.data_version == 1,
        };
        if !is_teller || self.is_over() {
            return;
        }
        self.told_by = Some(by.to_owned());
        let kept = self.look().and_then(|()| self.replica.keep(write));
        self.trouble = kept.err();
    }

    fn is_over(&self) -> bool {
        self.is_off || self.trouble.is_some()
    }

    /// The first transaction makes the tables, and may not have been committed.
    fn has_tables(&self) -> bool {
        self.database.metadata().is_ok_and(|file| file.len() > 0)
    }

    /// Compares what the transactions so far have written to.
    fn look(&mut self) -> Result {
        if !self.has_tables() {
            return Ok(());
        }
        let original = match self.original.take() {
            Some(original) => original,
            None => read_only(&self.database)?,
        };
        // A transaction that does not fit into the node's memory locks the file before it is committed.
        let is_locked = original.prepare_cached("SELECT 1 FROM vars").and_then(|mut any| any.exists([]));
        if is_locked.as_ref().is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)) {
            self.original = Some(original);
            return Ok(());
        }
        self.replica.compare_touched(&original, &self.database)?;
        self.original = Some(original);
        self.compared += 1;
        Ok(())
    }

    fn compare_all(&mut self) {
        if self.told_by.is_some() && !self.is_over() && self.has_tables() {
            self.trouble = self.replica.compare(&self.database).err();
        }
    }
}

fn read_only(database: &Path) -> Result<Connection> {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| Error::node(format!("reading {}", database.display())).because(error))
}

fn write_in(frame: &str) -> Option<DbWrite> {
    let call = Envelope::parse(frame).filter(|call| call.method_name().as_deref() == Some("db_write"))?;
    DbWrite::from_params(&serde_json::from_str(call.params?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TABLES, write};
    use super::*;
    use std::time::Duration;

    fn told(write: DbWrite) -> Event {
        Event { seq: 0, at: Duration::ZERO, node: None, kind: EventKind::DbWrite(write) }
    }

    #[test]
    fn a_difference_that_would_heal_is_found_at_the_commit_that_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let shadow = Shadow::of(file.clone());
        let node = Connection::open(&file).unwrap();
        let commit = |statements: &str| node.execute_batch(statements).unwrap();

        shadow.notice(&told(DbWrite { data_version: 1, writes: TABLES.map(str::to_owned).to_vec() }));
        commit(&TABLES.join(";"));
        shadow.notice(&told(write(2, "INSERT INTO t VALUES (1, 'shown')")));
        commit("INSERT INTO t VALUES (1, 'committed'); UPDATE vars SET intval = 2");
        assert_eq!(shadow.compared(), 1);
        shadow.notice(&told(write(3, "DELETE FROM t")));
        commit("DELETE FROM t; UPDATE vars SET intval = 3");
        let error = shadow.complaint().unwrap().to_string();
        assert!(error.contains("they differ at db_write 2") && error.contains("Text"), "{error}");
    }

    #[test]
    fn a_change_that_was_not_shown_is_found_when_the_node_starts_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let shadow = Shadow::of(file.clone());
        let node = Connection::open(&file).unwrap();
        shadow.notice(&told(DbWrite { data_version: 1, writes: TABLES.map(str::to_owned).to_vec() }));
        node.execute_batch(&format!("{}; INSERT INTO t VALUES (7, NULL)", TABLES.join(";"))).unwrap();
        shadow.notice(&Event { seq: 0, at: Duration::ZERO, node: None, kind: EventKind::NodeLaunched });
        node.execute_batch("DELETE FROM t").unwrap();
        let error = shadow.complaint().unwrap().to_string();
        assert!(error.contains("t: Integer(1) | Integer(7) | Null"), "{error}");
    }

    #[test]
    fn of_a_real_node_one_plugin_that_has_seen_everything_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        let shadow = Shadow::of(file.clone());
        let asked = |plugin: &str, write: &DbWrite| {
            let params = serde_json::json!({"data_version": write.data_version, "writes": write.writes});
            let text = format!(r#"{{"jsonrpc":"2.0","id":"x","method":"db_write","params":{params}}}"#);
            let (plugin, direction) = (plugin.to_owned(), Direction::ToPlugin);
            let kind = EventKind::Frame { plugin, direction, text };
            shadow.notice(&Event { seq: 0, at: Duration::ZERO, node: None, kind });
        };
        asked("late", &write(5, "DELETE FROM t"));
        for plugin in ["one", "two"] {
            asked(plugin, &DbWrite { data_version: 1, writes: TABLES.map(str::to_owned).to_vec() });
        }
        Connection::open(&file).unwrap().execute_batch(&TABLES.join(";")).unwrap();
        assert!(shadow.complaint().is_none());
    }
}
