//! The database: SQLite, with every write seen by `db_write` before it is committed
//! (`db/exec.c`, `lightningd/plugin_hook.c:plugin_hook_db_sync`).

pub(crate) mod schema;
mod tables;

use crate::config::Journal;
use rusqlite::config::DbConfig;
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row};
use std::cell::{Cell, RefCell};
use std::path::Path;
#[cfg(debug_assertions)]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// To compile a statement takes longer than to execute it.
const CACHED_STATEMENTS: usize = 256;

/// A node's database. One transaction at a time, begun by the first read or write and ended by [`Db::commit`], or by [`Db::writes`] if
/// nothing was written: to lock the file for each statement takes longer than most statements.
///
/// The first error sticks and is given out by [`Db::writes`]: nothing of a transaction that had one is
/// committed.
pub(crate) struct Db {
    connection: Connection,
    writes: Vec<String>,
    /// In a cell, because reading begins one too.
    in_transaction: Cell<bool>,
    /// As it is stored. Plugins are shown its lowest 32 bits.
    data_version: i64,
    /// In a cell, because reading can fail too.
    failure: RefCell<Option<rusqlite::Error>>,
    /// True while `exec` runs: a row that changes at another time has gone around `db_write`.
    #[cfg(debug_assertions)]
    writing: Arc<AtomicBool>,
}

impl Db {
    /// Opens `path`, which need not exist.
    pub(crate) fn open(path: &Path, journal: Journal) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Not WAL: tools copy the one file. A journal that keeps its length costs least of those that survive the end of the process.
        let journal_mode = match journal {
            Journal::File => "PERSIST",
            Journal::Memory => "MEMORY",
        };
        // Not synchronous: a test's node need not survive a power cut.
        connection.execute_batch(&format!(
            "PRAGMA foreign_keys = ON; PRAGMA journal_mode = {journal_mode}; PRAGMA synchronous = OFF;"
        ))?;
        // SQLite would compile some of them again whenever their values change.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Many of them write only the columns that changed: there is one for each combination.
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        let mut db = Self {
            connection,
            writes: Vec::new(),
            in_transaction: Cell::new(false),
            data_version: 0,
            failure: RefCell::default(),
            #[cfg(debug_assertions)]
            writing: Arc::default(),
        };
        if !db.is_new() {
            db.data_version = db.intvar("data_version").unwrap_or(0);
        }
        #[cfg(debug_assertions)]
        db.watch_rows()?;
        Ok(db)
    }

    #[cfg(debug_assertions)]
    fn watch_rows(&mut self) -> rusqlite::Result<()> {
        let writing = Arc::clone(&self.writing);
        self.connection.update_hook(Some(move |_: rusqlite::hooks::Action, _: &str, table: &str, _| {
            assert!(writing.load(Ordering::Relaxed), "a row of {table} was changed outside of Db::exec");
        }))
    }

    /// Whether it has no tables yet.
    pub(crate) fn is_new(&self) -> bool {
        self.connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)) == Ok(0)
    }

    /// Executes one write. Its text, with the parameters in it, is shown to `db_write`.
    /// Gives how many rows it changed.
    pub(crate) fn exec(&mut self, sql: &str, params: &[&dyn ToSql]) -> usize {
        if self.has_failed() {
            return 0;
        }
        self.try_exec(sql, params).unwrap_or_else(|error| {
            self.fail(error);
            0
        })
    }

    /// Executes the insertion of a row, as [`Db::exec`] does, and gives its number.
    pub(crate) fn insert(&mut self, sql: &str, params: &[&dyn ToSql]) -> i64 {
        self.exec(sql, params);
        self.connection.last_insert_rowid()
    }

    fn try_exec(&mut self, sql: &str, params: &[&dyn ToSql]) -> rusqlite::Result<usize> {
        self.begin()?;
        let mut statement = self.connection.prepare_cached(sql)?;
        for (index, value) in params.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        #[cfg(debug_assertions)]
        self.writing.store(true, Ordering::Relaxed);
        let changed = statement.raw_execute();
        #[cfg(debug_assertions)]
        self.writing.store(false, Ordering::Relaxed);
        self.writes.push(statement.expanded_sql().unwrap_or_else(|| sql.to_owned()));
        changed
    }

    fn begin(&self) -> rusqlite::Result<()> {
        if !self.in_transaction.get() {
            self.connection.prepare_cached("BEGIN")?.raw_execute()?;
            self.in_transaction.set(true);
        }
        Ok(())
    }

    fn end(&self) -> rusqlite::Result<()> {
        if self.in_transaction.replace(false) {
            self.connection.prepare_cached("COMMIT")?.raw_execute()?;
        }
        Ok(())
    }

    /// Executes `sql` outside of any transaction and of `data_version`: CLN does so around the rewriting
    /// of a table, and backup plugins are shown it.
    pub(crate) fn exec_alone(&mut self, sql: &str) -> (u32, Vec<String>) {
        let executed = self.end().and_then(|()| self.connection.execute_batch(sql));
        if let Err(error) = executed {
            self.fail(error);
        }
        (shown(self.data_version), vec![sql.to_owned()])
    }

    /// Every row of `sql`, mapped.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: &[&dyn ToSql],
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let rows = || -> rusqlite::Result<Vec<T>> {
            self.begin()?;
            self.connection.prepare_cached(sql)?.query_map(params, map)?.collect()
        };
        rows().unwrap_or_else(|error| {
            self.fail(error);
            Vec::new()
        })
    }

    fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    fn fail(&self, error: rusqlite::Error) {
        self.failure.borrow_mut().get_or_insert(error);
    }

    /// The integer `name` of the table `vars`.
    pub(crate) fn intvar(&self, name: &str) -> Option<i64> {
        self.rows("SELECT intval FROM vars WHERE name = ?", &[&name], |row| row.get(0)).pop()
    }

    /// Sets the integer `name` of the table `vars`; both attempts show in `writes`
    /// (`db/utils.c:db_set_intvar`).
    pub(crate) fn set_intvar(&mut self, name: &str, value: i64) {
        if self.exec("UPDATE vars SET intval=? WHERE name=?;", &[&value, &name]) == 0 {
            self.exec("INSERT INTO vars (name, intval) VALUES (?, ?);", &[&name, &value]);
        }
    }

    /// Counts the integer `name` up by so many, from 0 on (`lightningd/wait.c:wait_index_bump`).
    pub(crate) fn add_to_index(&mut self, name: &str, number: i64) -> i64 {
        let index = self.intvar(name).unwrap_or(0) + number;
        self.set_intvar(name, index);
        index
    }

    /// Sets the blob `name` of the table `vars`, which must be new.
    pub(crate) fn add_blobvar(&mut self, name: &str, value: &[u8]) {
        self.exec("INSERT INTO vars (name, blobval) VALUES (?, ?);", &[&name, &value]);
    }

    /// Ends the writing of the transaction, if there is one: its number and its statements, which
    /// `db_write` must see before [`Db::commit`].
    pub(crate) fn writes(&mut self) -> Result<Option<(u32, Vec<String>)>, String> {
        if self.writes.is_empty() {
            if let Err(error) = self.end() {
                self.fail(error);
            }
        } else if !self.has_failed() {
            let bump = "UPDATE vars SET intval = intval + 1 WHERE name = 'data_version' AND intval = ?";
            let old = self.data_version;
            if self.exec(bump, &[&old]) == 0 && !self.has_failed() {
                return Err(
                    "Optimistic lock on the database failed. There may be a concurrent access to the \
                     database. Aborting since concurrent access is unsafe."
                        .to_owned(),
                );
            }
        }
        if let Some(error) = self.failure.take() {
            return Err(format!("Error executing statement: {error}"));
        }
        if self.writes.is_empty() {
            return Ok(None);
        }
        self.data_version += 1;
        Ok(Some((shown(self.data_version), std::mem::take(&mut self.writes))))
    }

    /// Commits what [`Db::writes`] gave.
    pub(crate) fn commit(&mut self) -> Result<(), String> {
        self.end().map_err(|error| format!("Error committing: {error}"))
    }
}

/// A `data_version` as plugins see it: it wraps around at 2^32.
fn shown(data_version: i64) -> u32 {
    u32::try_from(data_version & i64::from(u32::MAX)).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use leyden_protocol::Profile;

    fn new_db(dir: &Path) -> Db {
        let mut db = Db::open(&dir.join("test.sqlite3"), Journal::File).unwrap();
        let mut step = 0;
        while db.is_new() || step < 5 {
            schema::create(&mut db, Profile::default(), step);
            if db.writes().unwrap().is_some() {
                db.commit().unwrap();
            }
            step += 1;
        }
        db
    }

    #[test]
    fn a_transaction_ends_with_its_number_and_shows_its_values() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = new_db(dir.path());
        assert_eq!(db.writes().unwrap(), None, "nothing was written");

        db.set_intvar("it's", 7);
        let (version, writes) = db.writes().unwrap().unwrap();
        assert_eq!(version, 4);
        let expected = [
            "UPDATE vars SET intval=7 WHERE name='it''s';",
            "INSERT INTO vars (name, intval) VALUES ('it''s', 7);",
            "UPDATE vars SET intval = intval + 1 WHERE name = 'data_version' AND intval = 3",
        ];
        assert_eq!(writes, expected);
        db.commit().unwrap();
        assert_eq!(db.intvar("data_version"), Some(4));
    }

    #[test]
    fn the_number_wraps_around_for_plugins_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = new_db(dir.path());
        let last = i64::from(u32::MAX) - 1;
        db.set_intvar("data_version", last);
        db.commit().unwrap();
        drop(db);

        for expected in [u32::MAX, 0, 1] {
            let mut db = Db::open(&dir.path().join("test.sqlite3"), Journal::File).unwrap();
            db.set_intvar("x", i64::from(expected));
            assert_eq!(db.writes().unwrap().map(|(version, _)| version), Some(expected));
            db.commit().unwrap();
        }
    }

    #[test]
    fn what_is_not_committed_is_not_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = new_db(dir.path());
        db.set_intvar("kept", 1);
        db.writes().unwrap();
        db.commit().unwrap();
        db.set_intvar("lost", 1);
        db.writes().unwrap();
        drop(db);

        let mut db = Db::open(&dir.path().join("test.sqlite3"), Journal::File).unwrap();
        assert_eq!((db.intvar("kept"), db.intvar("lost")), (Some(1), None));
        db.set_intvar("next", 1);
        let (version, _) = db.writes().unwrap().unwrap();
        assert_eq!(version, 5, "the number of the lost transaction is given again");
    }

    #[test]
    fn the_first_error_of_a_transaction_fails_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = new_db(dir.path());
        db.exec("INSERT INTO nowhere VALUES (1)", &[]);
        db.set_intvar("behind", 1);
        let why = db.writes().unwrap_err();
        assert!(why.contains("no such table: nowhere"), "{why}");
    }

    #[test]
    fn nobody_is_locked_out_by_what_was_only_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = new_db(dir.path());
        assert_eq!(db.intvar("data_version"), Some(3));
        assert_eq!(db.writes().unwrap(), None);
        let other = Connection::open(dir.path().join("test.sqlite3")).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        other.execute("UPDATE vars SET intval = 4 WHERE name = 'data_version'", []).unwrap();
        assert_eq!(db.intvar("data_version"), Some(4));
    }

    #[test]
    fn a_database_that_somebody_else_has_written_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = new_db(dir.path());
        let other = Connection::open(dir.path().join("test.sqlite3")).unwrap();
        other.execute("UPDATE vars SET intval = 90 WHERE name = 'data_version'", []).unwrap();
        db.set_intvar("x", 1);
        assert!(db.writes().unwrap_err().starts_with("Optimistic lock on the database failed."));
    }
}
