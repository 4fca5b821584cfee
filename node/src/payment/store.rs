//! The table `payments` (`wallet/wallet.c`): a row for each part that was sent.

use super::PaymentKey;
use super::failure::RouteFailure;
use crate::command::page::Page;
use crate::db::Db;
use crate::indexes::{Index, Subsystem};
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ShortChannelId;
use leyden_bolt::onion::{FailureCode, OnionSecret};
use rusqlite::types::ToSql;
use rusqlite::{Row, types::Type};
use serde_json::{Value, json};

/// `status` of the table (`wallet/wallet.h:enum payment_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Complete,
    Failed,
}

impl Status {
    const ALL: [Self; 3] = [Self::Pending, Self::Complete, Self::Failed];

    pub(super) const fn stored(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Complete => 1,
            Self::Failed => 2,
        }
    }

    fn from_stored(stored: i64) -> Self {
        Self::ALL.into_iter().find(|status| status.stored() == stored).unwrap_or(Self::Failed)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// The way of a part, kept until it is known what became of it. A part that was sent as a ready onion has secrets at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// With which a failure is read; empty if only the client can.
    pub(super) secrets: Vec<OnionSecret>,
    pub(super) nodes: Vec<PublicKey>,
    pub(super) channels: Vec<ShortChannelId>,
}

/// A part that is sent now.
#[derive(Debug, Clone)]
pub(super) struct NewPayment {
    pub(super) key: PaymentKey,
    pub(super) destination: Option<PublicKey>,
    /// What arrives; 0 if nobody said.
    pub(super) amount_msat: u64,
    pub(super) amount_sent_msat: u64,
    /// What arrives of all parts together.
    pub(super) total_msat: u64,
    pub(super) route: Route,
    pub(super) label: Option<String>,
    pub(super) bolt11: Option<String>,
    pub(super) description: Option<String>,
    pub(super) local_invreq_id: Option<[u8; 32]>,
}

/// A part as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) created_index: i64,
    /// 0 if it was never changed.
    pub(super) updated_index: i64,
    pub(super) status: Status,
    /// Seconds since 1970.
    pub(super) created_at: i64,
    /// Seconds since 1970.
    pub(super) completed_at: Option<i64>,
    pub(super) preimage: Option<[u8; 32]>,
    /// The failure that could not be read.
    pub(super) failure_onion: Option<Vec<u8>>,
    pub(super) sent: NewPayment,
}

/// The columns that [`Payment::read`] reads.
const COLUMNS: &str = "id, updated_index, status, timestamp, completed_at, payment_preimage, failonionreply, payment_hash, partid, \
                       groupid, destination, msatoshi, msatoshi_sent, total_msat, path_secrets, route_nodes, route_channels, \
                       description, bolt11, paydescription, local_invreq_id";

impl Payment {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let key = PaymentKey {
            payment_hash: row.get("payment_hash")?,
            partid: row.get::<_, Option<i64>>("partid")?.unwrap_or(0).cast_unsigned(),
            groupid: row.get::<_, i64>("groupid")?.cast_unsigned(),
        };
        let secrets = pieces(row, "path_secrets", |bytes: [u8; 32]| Some(OnionSecret(bytes)))?;
        let nodes = pieces(row, "route_nodes", |bytes: [u8; 33]| PublicKey::from_slice(&bytes).ok())?;
        let channel = |bytes| Some(ShortChannelId::from_u64(u64::from_be_bytes(bytes)));
        let channels = pieces(row, "route_channels", channel)?;
        let msat = |column| row.get::<_, Option<i64>>(column).map(|msat| msat.unwrap_or(0).cast_unsigned());
        Ok(Self {
            created_index: row.get("id")?,
            updated_index: row.get::<_, Option<i64>>("updated_index")?.unwrap_or(0),
            status: Status::from_stored(row.get("status")?),
            created_at: row.get("timestamp")?,
            completed_at: row.get("completed_at")?,
            preimage: row.get("payment_preimage")?,
            failure_onion: row.get("failonionreply")?,
            sent: NewPayment {
                key,
                destination: node_id(row, "destination")?,
                amount_msat: msat("msatoshi")?,
                amount_sent_msat: msat("msatoshi_sent")?,
                total_msat: msat("total_msat")?,
                route: Route { secrets, nodes, channels },
                label: row.get("description")?,
                bolt11: row.get("bolt11")?,
                description: row.get("paydescription")?,
                local_invreq_id: row.get("local_invreq_id")?,
            },
        })
    }
}

/// A column of pieces of equal length.
fn pieces<const N: usize, T>(
    row: &Row<'_>,
    column: &str,
    piece: impl Fn([u8; N]) -> Option<T>,
) -> rusqlite::Result<Vec<T>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    let bytes = bytes.unwrap_or_default();
    let read = |chunk: &[u8]| chunk.try_into().ok().and_then(&piece);
    bytes.chunks(N).map(read).collect::<Option<_>>().ok_or_else(|| wrong_blob(column))
}

fn node_id(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<PublicKey>> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    bytes.map(|bytes| PublicKey::from_slice(&bytes).map_err(|_| wrong_blob(column))).transpose()
}

fn wrong_blob(column: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, column.to_owned(), Type::Blob)
}

/// `None` for nothing, as CLN stores it.
fn blob<const N: usize>(pieces: impl Iterator<Item = [u8; N]>) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = pieces.flatten().collect();
    (!bytes.is_empty()).then_some(bytes)
}

/// The part with this key.
pub(super) fn find(db: &Db, key: &PaymentKey) -> Option<Payment> {
    let (partid, groupid) = (key.partid.cast_signed(), key.groupid.cast_signed());
    let rest = "WHERE payment_hash = ? AND partid = ? AND groupid = ?";
    select(db, rest, &[&key.payment_hash, &partid, &groupid]).pop()
}

/// Every part of every attempt at one payment, in the order in which they were made.
pub(super) fn with_hash(db: &Db, payment_hash: &[u8; 32]) -> Vec<Payment> {
    select(db, "WHERE payment_hash = ? ORDER BY id", &[payment_hash])
}

/// The parts that `rest` of a query selects.
pub(super) fn select(db: &Db, rest: &str, params: &[&dyn ToSql]) -> Vec<Payment> {
    db.rows(&format!("SELECT {COLUMNS} FROM payments {rest}"), params, Payment::read)
}

/// The parts that are to be on their way, and for which no HTLC was ever committed to.
pub(super) fn unsent(db: &Db) -> Vec<Payment> {
    let rest = "WHERE status = ? AND NOT EXISTS (SELECT 1 FROM channel_htlcs AS htlc WHERE htlc.direction = 1 \
                AND htlc.origin_htlc IS NULL AND htlc.payment_hash = payments.payment_hash \
                AND htlc.partid = payments.partid AND htlc.groupid = payments.groupid) ORDER BY id";
    select(db, rest, &[&Status::Pending.stored()])
}

/// The parts of one status, or all, in the order of an index.
pub(super) fn in_order(db: &Db, status: Option<Status>, page: &Page) -> Vec<Payment> {
    let Page { index, start, limit } = page;
    let column = if *index == Some(Index::Updated) { "updated_index" } else { "id" };
    match status {
        Some(status) => {
            let rest = format!("WHERE status = ? AND {column} >= ? ORDER BY {column} LIMIT ?");
            select(db, &rest, &[&status.stored(), start, limit])
        }
        None => select(db, &format!("WHERE {column} >= ? ORDER BY {column} LIMIT ?"), &[start, limit]),
    }
}

/// The last attempt at a payment; 0 if there was none.
pub(super) fn last_groupid(db: &Db, payment_hash: &[u8; 32]) -> u64 {
    let last = "SELECT MAX(groupid) FROM payments WHERE payment_hash = ?";
    let last = db.rows(last, &[payment_hash], |row| row.get::<_, Option<i64>>(0));
    last.first().copied().flatten().unwrap_or(0).cast_unsigned()
}

/// How a part failed, as it is stored, and the text about it. `None` if that is not known.
pub(super) fn failure_of(db: &Db, created_index: i64) -> Option<(RouteFailure, bool, String)> {
    let columns = "faildestperm, failindex, failcode, failnode, failscid, faildirection, faildetail";
    let sql = format!("SELECT {columns} FROM payments WHERE id = ? AND failnode IS NOT NULL");
    let read = |row: &Row<'_>| {
        let channel: Option<i64> = row.get("failscid")?;
        let channel = channel.map(|channel| ShortChannelId::from_u64(channel.cast_unsigned()));
        let direction = row.get::<_, Option<u8>>("faildirection")?.unwrap_or(0);
        let failure = RouteFailure {
            erring_index: row.get("failindex")?,
            code: FailureCode(row.get("failcode")?),
            erring_node: node_id(row, "failnode")?,
            erring_channel: channel.map(|channel| (channel, direction)),
            message: None,
        };
        Ok((
            failure,
            row.get("faildestperm")?,
            row.get::<_, Option<String>>("faildetail")?.unwrap_or_default(),
        ))
    };
    db.rows(&sql, &[&created_index], read).pop()
}

impl State {
    /// Stores a part that is on its way from now on. Gives it as it is stored.
    pub(super) fn add_payment(&mut self, sent: NewPayment) -> Payment {
        let index = self.count_payment(&sent.key, Status::Pending, Index::Created);
        let created_at = self.now_seconds();
        let NewPayment { key, route, .. } = &sent;
        let secrets = blob(route.secrets.iter().map(|secret| secret.0));
        let nodes = blob(route.nodes.iter().map(PublicKey::serialize));
        let channels = blob(route.channels.iter().map(|channel| channel.to_u64().to_be_bytes()));
        let insert = "INSERT INTO payments (id, status, payment_hash, destination, msatoshi, timestamp, path_secrets, route_nodes, \
                      route_channels, msatoshi_sent, description, bolt11, total_msat, partid, local_invreq_id, groupid, \
                      paydescription) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);";
        let row: [&dyn ToSql; 17] = [
            &index,
            &Status::Pending.stored(),
            &key.payment_hash,
            &sent.destination.map(|node| node.serialize()),
            &sent.amount_msat.cast_signed(),
            &created_at,
            &secrets,
            &nodes,
            &channels,
            &sent.amount_sent_msat.cast_signed(),
            &sent.label,
            &sent.bolt11,
            &sent.total_msat.cast_signed(),
            &key.partid.cast_signed(),
            &sent.local_invreq_id,
            &key.groupid.cast_signed(),
            &sent.description,
        ];
        self.db().exec(insert, &row);
        let last = || self.stored().rows("SELECT MAX(id) FROM payments", &[], |row| row.get(0)).pop();
        let created_index = index.or_else(last).unwrap_or_default();
        Payment {
            created_index,
            updated_index: 0,
            status: Status::Pending,
            created_at,
            completed_at: None,
            preimage: None,
            failure_onion: None,
            sent,
        }
    }

    /// Stores that a part has arrived.
    pub(super) fn complete_payment(&mut self, payment: &mut Payment, preimage: [u8; 32]) {
        payment.preimage = Some(preimage);
        self.end_payment(payment, Status::Complete);
        let update = "UPDATE payments SET status = ?, completed_at = ?, updated_index = ?, payment_preimage = ?, path_secrets = NULL, \
                      route_nodes = NULL, route_channels = NULL WHERE id = ?;";
        let row: [&dyn ToSql; 5] = [
            &payment.status.stored(),
            &payment.completed_at,
            &payment.updated_index,
            &preimage,
            &payment.created_index,
        ];
        self.db().exec(update, &row);
    }

    /// Stores that a part has failed, and why: `Err` has the onion that cannot be read.
    pub(super) fn fail_payment(
        &mut self,
        payment: &mut Payment,
        why: Result<(&RouteFailure, &str), &[u8]>,
        is_final: bool,
    ) {
        self.end_payment(payment, Status::Failed);
        let (failure, detail) = (why.ok().map(|(failure, _)| failure), why.ok().map(|(_, detail)| detail));
        let channel = failure.and_then(|failure| failure.erring_channel);
        let row: [&dyn ToSql; 4] =
            [&payment.status.stored(), &payment.completed_at, &payment.updated_index, &payment.created_index];
        let update = "UPDATE payments SET status = ?, completed_at = ?, updated_index = ?, path_secrets = NULL, route_nodes = NULL, \
                      route_channels = NULL WHERE id = ?;";
        self.db().exec(update, &row);
        let key = &payment.sent.key;
        let row: [&dyn ToSql; 10] = [
            &why.err(),
            &is_final,
            &failure.map_or(-1, |failure| i64::from(failure.erring_index)),
            &failure.map_or(0, |failure| failure.code.0),
            &failure.and_then(|failure| failure.erring_node).map(|node| node.serialize()),
            &channel.map(|(channel, _)| channel.to_u64().cast_signed()),
            &channel.map(|(_, direction)| direction),
            &detail,
            &key.payment_hash.as_slice(),
            &key.partid.cast_signed(),
        ];
        // As in lightningd, earlier attempts forget for what they failed (`wallet_payment_set_failinfo`).
        let update = "UPDATE payments SET failonionreply = ?, faildestperm = ?, failindex = ?, failcode = ?, failnode = ?, \
                      failscid = ?, faildirection = ?, faildetail = ? WHERE payment_hash = ? AND partid = ?;";
        self.db().exec(update, &row);
    }

    fn end_payment(&mut self, payment: &mut Payment, status: Status) {
        payment.status = status;
        payment.completed_at = Some(self.now_seconds());
        payment.updated_index = self.count_payment(&payment.sent.key, status, Index::Updated).unwrap_or(0);
    }

    /// Forgets parts.
    pub(super) fn delete_payments(&mut self, payments: &[Payment]) {
        for payment in payments {
            self.count_payment(&payment.sent.key, payment.status, Index::Deleted);
            self.db().exec("DELETE FROM payments WHERE id = ?;", &[&payment.created_index]);
        }
    }

    fn count_payment(&mut self, key: &PaymentKey, status: Status, index: Index) -> Option<i64> {
        self.count_change(Subsystem::Sendpays, index, || about(key, status))
    }

    pub(super) fn now_seconds(&self) -> i64 {
        i64::try_from(unix_seconds((self.clock)())).unwrap_or(i64::MAX)
    }
}

/// What `wait` tells of a part.
fn about(key: &PaymentKey, status: Status) -> Value {
    json!({
        "status": status.name(),
        "partid": key.partid,
        "groupid": key.groupid,
        "payment_hash": hex::encode(key.payment_hash),
    })
}
