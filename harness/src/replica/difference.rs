//! In what two databases differ: the names of their tables, indices and triggers, and every row.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result};

/// How many lines of a difference are shown of each side.
const SHOWN: usize = 5;

/// The first lines that only one of two databases has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) only_left: Vec<String>,
    pub(super) only_right: Vec<String>,
}

impl Difference {
    /// Of everything that is in them.
    pub(super) fn of(left: &Connection, right: &Connection) -> Result<Option<Self>> {
        Self::between(&contents(left)?, &contents(right)?)
    }

    /// Of some tables, which both have. Nothing is kept of rows that are the same in the same order.
    pub(super) fn of_tables(
        left: &Connection,
        right: &Connection,
        tables: &BTreeSet<String>,
    ) -> Result<Option<Self>> {
        for table in tables {
            if !same_rows(left, right, table)? {
                return Self::between(&rows(left, table)?, &rows(right, table)?);
            }
        }
        Ok(None)
    }

    fn between(left: &BTreeSet<String>, right: &BTreeSet<String>) -> Result<Option<Self>> {
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).take(SHOWN).cloned().collect::<Vec<_>>()
        };
        let (only_left, only_right) = (only(left, right), only(right, left));
        Ok((!only_left.is_empty() || !only_right.is_empty()).then_some(Self { only_left, only_right }))
    }
}

/// The names of all tables, indices and triggers, and the rows of all tables.
fn contents(database: &Connection) -> Result<BTreeSet<String>> {
    let mut schema = database.prepare("SELECT type, name FROM sqlite_master")?;
    let things = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut lines = BTreeSet::new();
    for thing in things.collect::<Result<Vec<(String, String)>>>()? {
        if thing.0 == "table" {
            lines.append(&mut rows(database, &thing.1)?);
        }
        lines.insert(format!("{} {}", thing.0, thing.1));
    }
    Ok(lines)
}

fn rows(database: &Connection, table: &str) -> Result<BTreeSet<String>> {
    let mut statement = database.prepare(&in_order(table))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut lines = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let cells: Result<Vec<String>> =
            (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?))).collect();
        lines.insert(format!("{table}: {}", cells?.join(" | ")));
    }
    Ok(lines)
}

fn same_rows(left: &Connection, right: &Connection, table: &str) -> Result<bool> {
    let (mut left, mut right) =
        (left.prepare_cached(&in_order(table))?, right.prepare_cached(&in_order(table))?);
    let (mut left, mut right) = (left.query([])?, right.query([])?);
    loop {
        let (left, right) = match (left.next()?, right.next()?) {
            (None, None) => return Ok(true),
            (Some(left), Some(right)) => (left, right),
            _ => return Ok(false),
        };
        // Asked of the rows: a statement that was prepared before a table changed learns of it when it is stepped.
        let columns = left.as_ref().column_count();
        if columns != right.as_ref().column_count() {
            return Ok(false);
        }
        for column in 0..columns {
            if left.get_ref(column)? != right.get_ref(column)? {
                return Ok(false);
            }
        }
    }
}

fn in_order(table: &str) -> String {
    format!("SELECT rowid, * FROM \"{table}\" ORDER BY rowid")
}
