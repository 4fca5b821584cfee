//! A second database that has seen what `db_write` shows, and must equal the node's.

mod difference;
pub(crate) mod shadow;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, OpenFlags};

use crate::backup::{DbWrite, Duty, Rules};
use crate::database::data_version_of;
use crate::error::{Error, Result};
use difference::Difference;

/// What a correct backup plugin has made of a node's `db_write`s: a database in memory, in which the last transaction is open
/// until the number of the next one tells whether it was committed.
pub struct Replica {
    copy: Connection,
    rules: Rules,
    /// The last transaction is executed and open.
    open: bool,
    touched: Arc<Mutex<Touched>>,
}

/// What was written to since the last comparison.
#[derive(Default)]
struct Touched {
    tables: BTreeSet<String>,
    /// Tables came, went or became others.
    schema: bool,
}

impl Default for Replica {
    fn default() -> Self {
        Self::new()
    }
}

impl Replica {
    /// Of a node that has no database yet.
    ///
    /// # Panics
    /// If there is no memory for it.
    pub fn new() -> Self {
        let mut copy = Connection::open_in_memory().expect("SQLite has a database in memory");
        let touched = Arc::new(Mutex::new(Touched::default()));
        let noting = Arc::clone(&touched);
        let note = move |context: AuthContext<'_>| {
            noting.lock().unwrap_or_else(PoisonError::into_inner).note(&context.action);
            Authorization::Allow
        };
        // As lightningd opens its own: `writes` say where they are turned off and on again.
        let ready = copy.execute_batch("PRAGMA foreign_keys = ON").and_then(|()| copy.authorizer(Some(note)));
        ready.expect("a new database can be written to");
        Self { copy, rules: Rules::default(), open: false, touched }
    }

    /// Executes a write. What the last one did is committed by this, or undone if this one has its number.
    ///
    /// # Errors
    /// If writes were missed; if the database of the node is an older one; if the statements cannot be executed.
    pub fn keep(&mut self, write: &DbWrite) -> Result {
        let duty = self.rules.duty(write);
        let settled = match duty {
            Duty::Append | Duty::AppendPragma => self.settle("COMMIT"),
            Duty::Replace => self.settle("ROLLBACK"),
            Duty::Snapshot | Duty::Halt => {
                let last = self.rules.last().map_or("nothing".into(), |last| format!("db_write {last}"));
                return Err(Error::node("keeping a replica of a database")
                    .expected(format!("what follows {last}"))
                    .came(format!("{write}: {duty}")));
            }
        };
        let statements = write.writes.join(";\n");
        let executed = settled.and_then(|()| match duty {
            Duty::AppendPragma => self.copy.execute_batch(&statements),
            _ => self.copy.execute_batch(&format!("BEGIN;\n{statements};")),
        });
        self.open = duty != Duty::AppendPragma;
        self.rules.kept(write);
        executed.map_err(|error| {
            Error::node(format!("replaying {write}"))
                .because(error)
                .evidence("its statements", write.writes.clone())
        })
    }

    fn settle(&mut self, how: &str) -> rusqlite::Result<()> {
        if std::mem::take(&mut self.open) { self.copy.execute_batch(how) } else { Ok(()) }
    }

    /// Compares it with the database of a node that does not run: the names of tables, indices and triggers, and every row. A last
    /// transaction that the node has not committed is undone first.
    ///
    /// # Errors
    /// With the first lines of which they differ; if the database cannot be read.
    pub fn compare(&mut self, database: &Path) -> Result {
        // To write is to roll back what a node that was killed has left half done.
        let original = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let found = original.and_then(|original| {
            self.settle_as(&original)?;
            Difference::of(&original, &self.copy)
        });
        self.touched();
        self.judge(found, database)
    }

    /// Compares the tables that were written to since the last comparison, and everything if there were others then.
    fn compare_touched(&mut self, original: &Connection, database: &Path) -> Result {
        let found = self.settle_as(original).and_then(|()| {
            let Touched { tables, schema } = self.touched();
            match schema {
                true => Difference::of(original, &self.copy),
                false => Difference::of_tables(original, &self.copy, &tables),
            }
        });
        self.judge(found, database)
    }

    /// Undoes a last transaction that the node has not committed.
    fn settle_as(&mut self, original: &Connection) -> rusqlite::Result<()> {
        let was_lost = self.rules.last() == Some(data_version_of(original)?.wrapping_add(1));
        if was_lost { self.settle("ROLLBACK") } else { Ok(()) }
    }

    fn touched(&self) -> Touched {
        std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn judge(&self, found: rusqlite::Result<Option<Difference>>, database: &Path) -> Result {
        let difference = found.map_err(|error| {
            Error::node(format!("looking into {} and its replica", database.display())).because(error)
        })?;
        let Some(Difference { only_left, only_right }) = difference else { return Ok(()) };
        let last = self.rules.last().unwrap_or_default();
        Err(Error::node(format!("comparing {} with a replay of what db_write showed", database.display()))
            .expected("the same")
            .came(format!("they differ at db_write {last}"))
            .evidence("only in the database", only_left)
            .evidence("only in the replay", only_right))
    }

    /// Writes it into a file that is not there yet, as SQLite database: what a backup plugin gives back. The last transaction is in it.
    ///
    /// # Errors
    /// If there is a file, or none can be made.
    pub fn save(&mut self, file: &Path) -> Result {
        let saved = self
            .settle("COMMIT")
            .and_then(|()| self.copy.execute("VACUUM INTO ?", [file.display().to_string()]).map(drop));
        saved.map_err(|error| Error::test(format!("saving a replica as {}", file.display())).because(error))
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("rules", &self.rules)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Touched {
    fn note(&mut self, action: &AuthAction<'_>) {
        match action {
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => match table_name.starts_with("sqlite_") {
                true => self.schema = true,
                false => drop(self.tables.insert((*table_name).to_owned())),
            },
            AuthAction::AlterTable { .. } => self.schema = true,
            _ => {}
        }
    }
}

/// The first lines in which two files differ that should be the same database; none if they are.
pub(crate) fn differences(database: &Path, copy: &Path) -> rusqlite::Result<Vec<String>> {
    // To write is to roll back what a node has left half done.
    let open = |file| Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let difference = Difference::of(&open(database)?, &open(copy)?)?;
    let lines = difference.map(|Difference { only_left, only_right }| {
        let [left, right] = [("database", only_left), ("copy", only_right)]
            .map(|(whose, lines)| lines.into_iter().map(move |line| format!("only in the {whose}: {line}")));
        left.chain(right).collect()
    });
    Ok(lines.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const TABLES: [&str; 3] = [
        "CREATE TABLE vars (name TEXT PRIMARY KEY, intval INTEGER)",
        "CREATE TABLE t (a INTEGER, b BLOB)",
        "INSERT INTO vars VALUES ('data_version', 1)",
    ];

    pub(super) fn write(data_version: u32, statement: &str) -> DbWrite {
        let bump = format!("UPDATE vars SET intval = {data_version} WHERE name = 'data_version'");
        DbWrite { data_version, writes: vec![statement.to_owned(), bump] }
    }

    fn replica() -> Replica {
        let mut replica = Replica::new();
        replica.keep(&DbWrite { data_version: 1, writes: TABLES.map(str::to_owned).to_vec() }).unwrap();
        replica
    }

    fn database(file: &Path, more: &str) {
        let database = Connection::open(file).unwrap();
        database.execute_batch(&format!("{}; {more}", TABLES.join(";"))).unwrap();
    }

    #[test]
    fn what_was_shown_and_not_committed_is_not_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        database(&file, "");
        let mut replica = replica();
        replica.keep(&write(2, "INSERT INTO t VALUES (1, x'00')")).unwrap();
        replica.compare(&file).unwrap();

        replica.keep(&write(2, "INSERT INTO t VALUES (2, 'it''s')")).unwrap();
        let committed = Connection::open(&file).unwrap();
        committed.execute_batch("INSERT INTO t VALUES (2, 'it''s'); UPDATE vars SET intval = 2").unwrap();
        replica.compare(&file).unwrap();
    }

    #[test]
    fn the_same_number_undoes_what_it_had_without_a_look_at_the_database() {
        let dir = tempfile::tempdir().unwrap();
        let (file, saved) = (dir.path().join("db"), dir.path().join("saved"));
        database(&file, "INSERT INTO t VALUES (2, NULL); UPDATE vars SET intval = 2");
        let mut replica = replica();
        replica.keep(&write(2, "INSERT INTO t VALUES (1, x'00')")).unwrap();
        replica.keep(&write(2, "INSERT INTO t VALUES (2, NULL)")).unwrap();
        replica.compare(&file).unwrap();
        replica.save(&saved).unwrap();
        replica.compare(&saved).unwrap();
        replica.save(&saved).unwrap_err();
    }

    #[test]
    fn a_difference_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        database(&file, "INSERT INTO t VALUES (1, NULL)");
        let error = replica().compare(&file).unwrap_err().to_string();
        assert!(
            error.contains("only in the database") && error.contains("t: Integer(1) | Integer(1) | Null"),
            "{error}"
        );
    }

    #[test]
    fn a_gap_cannot_be_kept() {
        let error = replica().keep(&write(3, "DELETE FROM t")).unwrap_err();
        assert!(error.to_string().contains("db_write 3 of 2 statements: writes were missed"), "{error}");
    }
}
