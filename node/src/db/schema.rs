//! The tables: names and columns as in CLN v26.06.6's final schema (`wallet/migrations.c`), the text our own.
//!
//! A new database is made in CLN's steps, because backup plugins see them: tables; then, unless the release is
//! too old for it, one table rewritten, between two lone pragmas that repeat the `data_version`; then the rest.

use super::Db;
use super::tables::{CHANNELS, FORWARDS, MOVES, WALLET};
use leyden_protocol::Profile;

const FIRST: [&str; 10] = [
    "CREATE TABLE version (version INTEGER)",
    "INSERT INTO version VALUES (1)",
    "CREATE TABLE vars (name TEXT, val TEXT, intval INTEGER, blobval BLOB, PRIMARY KEY (name))",
    "INSERT INTO vars (name, intval) VALUES ('next_pay_index', 1)",
    "INSERT INTO vars (name, intval) VALUES ('data_version', 0)",
    "CREATE TABLE peers (id INTEGER, node_id BLOB UNIQUE, address TEXT, feature_bits BLOB DEFAULT NULL, \
     last_known_address BLOB DEFAULT NULL, PRIMARY KEY (id))",
    "CREATE TABLE blocks (height INTEGER, hash BLOB, prev_hash BLOB, UNIQUE (height))",
    "CREATE TABLE invoices (id INTEGER, state INTEGER, msatoshi INTEGER, payment_hash BLOB, payment_key BLOB, \
     label TEXT, expiry_time INTEGER, pay_index INTEGER, msatoshi_received INTEGER, paid_timestamp INTEGER, \
     bolt11 TEXT, description TEXT, features BLOB DEFAULT '', local_offer_id BLOB DEFAULT NULL, \
     updated_index INTEGER DEFAULT 0, paid_txid BLOB DEFAULT NULL, paid_outnum INTEGER DEFAULT NULL, \
     PRIMARY KEY (id), UNIQUE (label), UNIQUE (payment_hash))",
    "CREATE TABLE datastore (key BLOB, data BLOB, generation INTEGER, PRIMARY KEY (key))",
    "CREATE TABLE payments (id INTEGER, timestamp INTEGER, status INTEGER, payment_hash BLOB, \
     PRIMARY KEY (id), UNIQUE (payment_hash))",
];

const PAYMENTS_REWRITTEN: [&str; 4] = [
    "ALTER TABLE payments RENAME TO temp_payments",
    "CREATE TABLE payments (id INTEGER, timestamp INTEGER, status INTEGER, payment_hash BLOB, destination BLOB, \
     msatoshi INTEGER, payment_preimage BLOB, path_secrets BLOB, route_nodes BLOB, route_channels BLOB, \
     failonionreply BLOB, faildestperm INTEGER, failindex INTEGER, failcode INTEGER, failnode BLOB, \
     failupdate BLOB, msatoshi_sent INTEGER, faildetail TEXT, description TEXT, faildirection INTEGER, \
     bolt11 TEXT, total_msat INTEGER, partid INTEGER, groupid INTEGER NOT NULL DEFAULT 0, \
     local_offer_id BLOB DEFAULT NULL, paydescription TEXT, completed_at INTEGER DEFAULT NULL, \
     failscid INTEGER, local_invreq_id BLOB DEFAULT NULL, updated_index INTEGER DEFAULT 0, PRIMARY KEY (id), \
     UNIQUE (payment_hash, partid, groupid))",
    "INSERT INTO payments (id, timestamp, status, payment_hash) \
     SELECT id, timestamp, status, payment_hash FROM temp_payments",
    "DROP TABLE temp_payments",
];

const REST: [&str; 3] = [
    "CREATE TABLE db_upgrades (upgrade_from INTEGER, lightning_version TEXT)",
    "CREATE TABLE addresses (keyidx INTEGER, addrtype INTEGER)",
    "CREATE TABLE utxoset (txid BLOB, outnum INTEGER, blockheight INTEGER REFERENCES blocks(height) ON DELETE CASCADE, \
     spendheight INTEGER REFERENCES blocks(height) ON DELETE SET NULL, txindex INTEGER, scriptpubkey BLOB, \
     satoshis BIGINT, PRIMARY KEY (txid, outnum))",
];

/// The variable that is 1 until a start has looked for channels that were closed to an address that was not watched.
pub(crate) const UNWATCHED_CLOSES: &str = "needs_p2wpkh_close_rescan";

/// What one step of making the database wrote.
pub(crate) enum Written {
    /// A transaction, which is to be committed as any other.
    Transaction,
    /// A statement of its own, to be shown with the last `data_version`.
    Alone(u32, Vec<String>),
    /// Nothing: the database is made.
    Done,
}

/// The next step of making a database: the first of a new one, or the one at which an earlier start was cut off.
pub(crate) fn next_step(db: &Db) -> Option<usize> {
    let has = |query: &str| !db.rows(query, &[], |_| Ok(())).is_empty();
    if db.is_new() {
        return Some(0);
    }
    if has("SELECT 1 FROM sqlite_master WHERE name = 'db_upgrades'") {
        return None;
    }
    let is_rewritten = has("SELECT 1 FROM pragma_table_info('payments') WHERE name = 'groupid'");
    Some(if is_rewritten { 3 } else { 1 })
}

/// The `step`-th step of making a new database.
pub(crate) fn create(db: &mut Db, profile: Profile, step: usize) -> Written {
    let rewrites = profile.rewrites_a_table();
    let statements: &[&[&str]] = match step {
        0 if rewrites => &[&FIRST, &WALLET, &CHANNELS],
        0 => &[&FIRST, &WALLET, &CHANNELS, &PAYMENTS_REWRITTEN, &FORWARDS, &MOVES, &REST],
        1 if rewrites => return alone(db, "PRAGMA foreign_keys = OFF;"),
        2 if rewrites => &[&PAYMENTS_REWRITTEN],
        3 if rewrites => return alone(db, "PRAGMA foreign_keys = ON;"),
        4 if rewrites => &[&FORWARDS, &MOVES, &REST],
        _ => return Written::Done,
    };
    for statement in statements.iter().copied().flatten() {
        db.exec(statement, &[]);
    }
    let is_last = step == 4 || !rewrites;
    if is_last {
        if profile.notes_unwatched_closes() {
            db.set_intvar(UNWATCHED_CLOSES, 1);
        }
        reopen(db, profile);
        db.exec("INSERT INTO db_upgrades VALUES (-1, ?);", &[&profile.version()]);
    }
    Written::Transaction
}

fn alone(db: &mut Db, pragma: &str) -> Written {
    let (data_version, writes) = db.exec_alone(pragma);
    Written::Alone(data_version, writes)
}

/// A start of an existing database: lightningd writes its schema version every time.
pub(crate) fn reopen(db: &mut Db, profile: Profile) {
    db.exec("UPDATE version SET version=?;", &[&profile.schema_version()]);
}
