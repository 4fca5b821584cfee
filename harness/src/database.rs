//! A look into a node's SQLite database, and the one change that a test may make to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Result, Row};
use serde_json::{Map, Value};

/// The node holds the lock only for the length of a commit.
const LOCK_TAKES: Duration = Duration::from_secs(10);

/// The rows of a query, without a chance to write.
pub(crate) fn query(file: &Path, sql: &str) -> Result<Vec<Map<String, Value>>> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(LOCK_TAKES)?;
    let mut statement = database.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| object(&columns, row))?;
    rows.collect()
}

/// Changes the number of the last transaction. lightningd counts in 32 bits with a sign: it does not find a greater one again.
pub(crate) fn set_data_version(file: &Path, data_version: u32) -> Result<()> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database
        .execute("UPDATE vars SET intval = ? WHERE name = 'data_version'", [data_version.cast_signed()])
        .map(drop)
}

/// The number of the last transaction.
pub(crate) fn data_version(file: &Path) -> Result<u32> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    data_version_of(&database)
}

/// The same, of a database that is open.
pub(crate) fn data_version_of(database: &Connection) -> Result<u32> {
    let sql = "SELECT intval & 4294967295 FROM vars WHERE name = 'data_version'";
    database.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn object(columns: &[String], row: &Row<'_>) -> Result<Map<String, Value>> {
    let member = |(index, name): (usize, &String)| Ok((name.clone(), json(row.get_ref(index)?)));
    columns.iter().enumerate().map(member).collect()
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => integer.into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(blob) => hex::encode(blob).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_of_a_column_has_its_json_and_nothing_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        Connection::open(&file)
            .unwrap()
            .execute_batch("CREATE TABLE t (a, b, c, d); INSERT INTO t VALUES (1, NULL, 'x', x'0aff');")
            .unwrap();
        let rows = query(&file, "SELECT * FROM t").unwrap();
        assert_eq!(Value::from(rows[0].clone()), json!({"a": 1, "b": null, "c": "x", "d": "0aff"}));
        assert!(query(&file, "DELETE FROM t").is_err());
    }
}
