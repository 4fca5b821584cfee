//! What of `db_write` can be compared: in which tables and columns each transaction writes, and in which order.
//!
//! The text of statements is the node's own, and recordings have only the first words of those about the schema.

use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Of a transaction that makes the schema, only these tables are compared: the rest is many releases' history.
const OF_THE_SCHEMA: [&str; 2] = ["version", "db_upgrades"];

static TARGET: LazyLock<Regex> = LazyLock::new(|| {
    let form = r"(?s)^(INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|PRAGMA) +(\w+)(.*)$";
    Regex::new(form).expect("it is a regular expression")
});
static COLUMNS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)^\s*\(([^)]*)\)\s*(?:VALUES|SELECT)").expect("it is a regular expression")
});
static ASSIGNED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(\w+)\s*=\s*[^,]*?(?:,|WHERE|;|$)").expect("it is a regular expression"));
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"'([a-z][a-z0-9_]+)'").expect("it is a regular expression"));

/// `params` with a target in place of each statement.
pub(crate) fn of_params(params: &Value) -> Value {
    let targets = of_writes(params);
    let members: Vec<&String> = params.as_object().expect("params are an object").keys().collect();
    let version = if params["data_version"].is_u64() { "<number>" } else { "<no number>" };
    json!({ "members": members, "data_version": version, "writes": targets })
}

/// Where each statement writes: `INSERT INTO blocks height,hash,prev_hash`.
pub(crate) fn of_writes(params: &Value) -> Vec<String> {
    let writes: Vec<&str> =
        params["writes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let makes_schema =
        writes.iter().any(|write| ["CREATE", "ALTER"].iter().any(|word| write.starts_with(word)));
    let mut targets = Vec::new();
    for (index, write) in writes.iter().enumerate() {
        let is_last = index + 1 == writes.len();
        if !makes_schema || is_last || OF_THE_SCHEMA.iter().any(|table| names_table(write, table)) {
            targets.push(target(write));
        } else if targets.last().is_none_or(|last| last != "<schema>") {
            targets.push("<schema>".to_owned());
        }
    }
    targets
}

fn names_table(write: &str, table: &str) -> bool {
    TARGET.captures(write).is_some_and(|parts| &parts[2] == table && !parts[1].starts_with("CREATE"))
}

fn target(write: &str) -> String {
    let Some(parts) = TARGET.captures(write) else { return write.to_owned() };
    let (verb, table, rest) = (&parts[1], &parts[2], &parts[3]);
    let columns = match verb {
        "INSERT INTO" => COLUMNS.captures(rest).map(|found| names(&found[1])).unwrap_or_default(),
        "UPDATE" => {
            let set = rest.trim_start().trim_start_matches("SET").split("WHERE").next().unwrap_or_default();
            names(&ASSIGNED.captures_iter(set).map(|found| found[1].to_owned()).collect::<Vec<_>>().join(","))
        }
        "PRAGMA" => rest.trim_end_matches(';').trim().to_owned(),
        _ => String::new(),
    };
    let variable = if table == "vars" { NAME.captures(rest).map(|found| found[1].to_owned()) } else { None };
    [Some(verb.to_owned()), Some(table.to_owned()), Some(columns), variable]
        .into_iter()
        .flatten()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn names(list: &str) -> String {
    list.split(',').map(str::trim).collect::<Vec<_>>().join(",")
}

#[test]
fn a_statement_is_known_by_where_it_writes() {
    let cases = [
        ("DELETE FROM blocks WHERE height > 100", "DELETE FROM blocks"),
        ("UPDATE vars SET intval=7 WHERE name='bip32_max_index';", "UPDATE vars intval bip32_max_index"),
        (
            "UPDATE vars SET intval = intval + 1 WHERE name = 'data_version' AND intval = 3",
            "UPDATE vars intval data_version",
        ),
        ("INSERT INTO vars (name, intval) VALUES ('a_b', 7);", "INSERT INTO vars name,intval a_b"),
        (
            "INSERT INTO addresses (  keyidx, addrtype) VALUES (1, 4);",
            "INSERT INTO addresses keyidx,addrtype",
        ),
        ("UPDATE invoices   SET state = 2 WHERE state = 0   AND expiry_time <= 5;", "UPDATE invoices state"),
        ("INSERT INTO datastore VALUES (x'6b', x'76', 0);", "INSERT INTO datastore"),
        ("PRAGMA foreign_keys = OFF;", "PRAGMA foreign_keys = OFF"),
    ];
    for (write, expected) in cases {
        assert_eq!(target(write), expected);
    }
}
