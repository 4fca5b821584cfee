//! The hook `db_write`: a plugin that keeps a copy of the node's database.

use std::path::Path;

use leyden::{Call, Mock, Net, Result};
use rusqlite::Connection;
use serde_json::json;

use crate::scenario::Scenario;

pub(crate) fn db_write() -> Scenario {
    Scenario::new(
        "a plugin sees every write before it is committed, numbered without a gap from the first on; a copy made of them is the database",
        || Net::builder().nodes(["l1"]).mount("l1", Mock::hook("db_write").expect(1..).named("backup")),
        |net| Box::pin(copy_the_database(net)),
    )
}

async fn copy_the_database(net: &Net) -> Result {
    let [l1] = net.nodes();
    let backup = l1.mock("backup").expect("it was mounted");
    let names: Vec<String> = backup.received().iter().map(|call| call.name().to_owned()).collect();
    assert_eq!(names[..2], ["getmanifest", "db_write"], "the first write comes before init");
    assert_eq!(names.iter().filter(|name| *name == "init").count(), 1);

    let text =
        json!({"key": ["leyden", "it's"], "string": "quotes ' and \" and é\n", "mode": "create-or-replace"});
    l1.rpc("datastore", text).await?;
    l1.restart().await?;
    l1.rpc("getinfo", json!({})).await?;
    l1.stop().await?;

    let calls = backup.calls("db_write");
    let versions: Vec<i64> = calls.iter().filter_map(|call| call.params()["data_version"].as_i64()).collect();
    assert_eq!(versions.len(), calls.len());
    // Where it rewrites a table of its own, lightningd uses a number twice, but only before any plugin's `init`.
    let early = names.iter().take_while(|name| *name != "init").filter(|name| *name == "db_write").count();
    let steps: Vec<i64> = versions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps[..early].iter().all(|step| [0, 1].contains(step)), "{versions:?}");
    assert!(steps[early..].iter().all(|step| *step == 1), "{versions:?}, {early} of them before init");
    let database = Connection::open(l1.lightning_dir().join("regtest/lightningd.sqlite3")).map_err(sql)?;
    let last: i64 = database
        .query_row("SELECT intval FROM vars WHERE name = 'data_version'", [], |row| row.get(0))
        .map_err(sql)?;
    assert_eq!(versions.last(), Some(&last));

    let copy = replayed(&calls, &net.run_dir().join("copy.sqlite3"))?;
    assert_eq!(dump(&copy).map_err(sql)?, dump(&database).map_err(sql)?);
    Ok(())
}

/// A second database that has seen the same writes.
fn replayed(calls: &[Call], file: &Path) -> Result<Connection> {
    let copy = Connection::open(file).map_err(sql)?;
    for call in calls {
        let writes = call.params()["writes"].as_array().into_iter().flatten();
        let writes: Vec<&str> = writes.filter_map(|write| write.as_str()).collect();
        copy.execute_batch(&format!("BEGIN;\n{};\nCOMMIT;", writes.join(";\n"))).map_err(|error| {
            leyden::Error::node(format!(
                "replaying the writes of data_version {}",
                call.params()["data_version"]
            ))
            .because(error)
            .evidence("the writes", writes)
        })?;
    }
    Ok(copy)
}

/// The names of all tables, indices and triggers, and the rows of all tables.
fn dump(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut schema = database.prepare("SELECT type, name FROM sqlite_master ORDER BY type, name")?;
    let things = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut lines = Vec::new();
    for thing in things.collect::<rusqlite::Result<Vec<(String, String)>>>()? {
        lines.push(format!("{} {}", thing.0, thing.1));
        if thing.0 == "table" {
            rows(database, &thing.1, &mut lines)?;
        }
    }
    Ok(lines)
}

fn rows(database: &Connection, table: &str, lines: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cells: rusqlite::Result<Vec<String>> =
            (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?))).collect();
        lines.push(format!("{table}: {}", cells?.join(" | ")));
    }
    Ok(())
}

fn sql(error: rusqlite::Error) -> leyden::Error {
    leyden::Error::node("looking into the node's database and its copy").because(error)
}
