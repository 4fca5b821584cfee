//! A second database that has seen what `db_write` shows, and must equal the node's.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::backup::{DbWrite, Duty, Rules};
use crate::error::{Error, Result};
use crate::node::Node;

/// How many lines of a difference are shown of each side.
const SHOWN: usize = 5;

/// What a correct backup plugin has kept of a node: every transaction since the database was new.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    kept: Vec<DbWrite>,
    rules: Rules,
}

impl Replica {
    /// Keeps a write, or lets it take the place of the last one, which was not committed then.
    ///
    /// # Errors
    /// If writes were missed, or if the database of the node is an older one.
    pub fn keep(&mut self, write: DbWrite) -> Result {
        match self.rules.duty(&write) {
            Duty::Append | Duty::AppendPragma => {}
            Duty::Replace => drop(self.kept.pop()),
            duty @ (Duty::Snapshot | Duty::Halt) => {
                let last = self.kept.last().map_or("nothing".into(), ToString::to_string);
                return Err(Error::node("keeping a replica of a database")
                    .expected(format!("what follows {last}"))
                    .came(format!("{write}: {duty}")));
            }
        }
        self.rules.kept(&write);
        self.kept.push(write);
        Ok(())
    }

    /// Compares it with the database of a node that does not run: the names of tables, indices and triggers, and every row.
    ///
    /// # Errors
    /// With the first lines of which they differ; if the writes cannot be replayed; if the database cannot be read.
    pub fn compare(&self, database: &Path) -> Result {
        // To write is to roll back what a node that was killed has left half done.
        let original = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(|error| unreadable(error, database))?;
        let committed = data_version(&original).map_err(|error| unreadable(error, database))?;
        let replica = self.replay(committed)?;
        let original = dump(&original).map_err(|error| unreadable(error, database))?;
        let replica = dump(&replica).map_err(|error| unreadable(error, database))?;
        if original == replica {
            return Ok(());
        }
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).take(SHOWN).cloned().collect::<Vec<_>>()
        };
        Err(Error::node(format!("comparing {} with a replay of what db_write showed", database.display()))
            .expected("the same")
            .came("they differ")
            .evidence("only in the database", only(&original, &replica))
            .evidence("only in the replay", only(&replica, &original)))
    }

    /// Executes what was kept in a new database: all of it, but for a last transaction that was shown and then not committed.
    fn replay(&self, committed: u32) -> Result<Connection> {
        let lost = self.kept.last().filter(|last| last.data_version == committed.wrapping_add(1));
        let kept = &self.kept[..self.kept.len() - usize::from(lost.is_some())];
        let replica =
            Connection::open_in_memory().map_err(|error| Error::node("a replica").because(error))?;
        // As lightningd opens its own. It turns them off and on again where `writes` say so.
        let mut result = replica.execute_batch("PRAGMA foreign_keys = ON");
        for write in kept {
            let statements = write.writes.join(";\n");
            result = result.and_then(|()| match write.is_lone_pragma() {
                true => replica.execute_batch(&statements),
                false => replica.execute_batch(&format!("BEGIN;\n{statements};\nCOMMIT;")),
            });
            if let Err(error) = result {
                return Err(Error::node(format!("replaying {write}"))
                    .because(error)
                    .evidence("its statements", write.writes.clone()));
            }
        }
        Ok(replica)
    }
}

impl Node {
    /// Compares its database with a [`Replica`]; it must not run. Gives nothing if they are the same, if nobody
    /// has seen all its writes, or if the test has changed the database itself.
    pub(crate) fn compare_with_replica(&self) -> Option<Error> {
        if self.life().database_changed {
            return None;
        }
        let mut replica = Replica::default();
        let kept = self.known_writes()?.into_iter().try_for_each(|write| replica.keep(write));
        kept.and_then(|()| replica.compare(&self.database())).err()
    }
}

fn unreadable(error: rusqlite::Error, database: &Path) -> Error {
    Error::node(format!("looking into {} and its replica", database.display())).because(error)
}

fn data_version(database: &Connection) -> rusqlite::Result<u32> {
    let sql = "SELECT intval & 4294967295 FROM vars WHERE name = 'data_version'";
    database.query_row(sql, [], |row| row.get(0))
}

/// The names of all tables, indices and triggers, and the rows of all tables.
fn dump(database: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut schema = database.prepare("SELECT type, name FROM sqlite_master")?;
    let things = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut lines = BTreeSet::new();
    for thing in things.collect::<rusqlite::Result<Vec<(String, String)>>>()? {
        if thing.0 == "table" {
            rows(database, &thing.1, &mut lines)?;
        }
        lines.insert(format!("{} {}", thing.0, thing.1));
    }
    Ok(lines)
}

fn rows(database: &Connection, table: &str, lines: &mut BTreeSet<String>) -> rusqlite::Result<()> {
    let mut statement = database.prepare(&format!("SELECT rowid, * FROM \"{table}\""))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cells: rusqlite::Result<Vec<String>> =
            (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?))).collect();
        lines.insert(format!("{table}: {}", cells?.join(" | ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&str; 3] = [
        "CREATE TABLE vars (name TEXT PRIMARY KEY, intval INTEGER)",
        "CREATE TABLE t (a INTEGER, b BLOB)",
        "INSERT INTO vars VALUES ('data_version', 1)",
    ];

    fn write(data_version: u32, statement: &str) -> DbWrite {
        let bump = format!("UPDATE vars SET intval = {data_version} WHERE name = 'data_version'");
        DbWrite { data_version, writes: vec![statement.to_owned(), bump] }
    }

    fn replica() -> Replica {
        let mut replica = Replica::default();
        replica.keep(DbWrite { data_version: 1, writes: TABLES.map(str::to_owned).to_vec() }).unwrap();
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
        replica.keep(write(2, "INSERT INTO t VALUES (1, x'00')")).unwrap();
        replica.compare(&file).unwrap();

        replica.keep(write(2, "INSERT INTO t VALUES (2, 'it''s')")).unwrap();
        let committed = Connection::open(&file).unwrap();
        committed.execute_batch("INSERT INTO t VALUES (2, 'it''s'); UPDATE vars SET intval = 2").unwrap();
        replica.compare(&file).unwrap();
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
        let error = replica().keep(write(3, "DELETE FROM t")).unwrap_err();
        assert!(error.to_string().contains("db_write 3 of 2 statements: writes were missed"), "{error}");
    }
}
