//! The table `invoices` (`wallet/invoices.c`), and how unpaid invoices expire.

use super::list::unescaped;
use crate::db::Db;
use crate::indexes::{Index, Subsystem};
use crate::input::Timer;
use crate::output::Output;
use crate::state::State;
use crate::world::unix_seconds;
use leyden_bolt::Features;
use rusqlite::{Row, ToSql};
use serde_json::json;
use std::time::Duration;

/// The longest time for which the expiry timer is set; then it is set again.
const LONGEST_TIMER: Duration = Duration::from_secs(24 * 60 * 60);

/// `state` of the table (`wallet/invoices.h:enum invoice_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Unpaid,
    Paid,
    Expired,
}

impl Status {
    const fn stored(self) -> i64 {
        match self {
            Self::Unpaid => 0,
            Self::Paid => 1,
            Self::Expired => 2,
        }
    }

    fn from_stored(stored: i64) -> Self {
        match stored {
            1 => Self::Paid,
            2 => Self::Expired,
            _ => Self::Unpaid,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Paid => "paid",
            Self::Expired => "expired",
        }
    }
}

/// An invoice to be stored.
pub(super) struct NewInvoice<'a> {
    pub(super) payment_hash: [u8; 32],
    pub(super) preimage: [u8; 32],
    pub(super) amount_msat: Option<u64>,
    /// With its JSON escapes.
    pub(super) label: &'a str,
    /// Seconds since 1970.
    pub(super) expires_at: i64,
    pub(super) bolt11: &'a str,
    pub(super) description: &'a str,
    pub(super) features: &'a [u8],
}

/// A stored invoice.
#[derive(Debug)]
pub(crate) struct StoredInvoice {
    pub(crate) created_index: i64,
    /// 0 if it was never changed.
    pub(super) updated_index: i64,
    pub(super) payment_hash: [u8; 32],
    pub(crate) preimage: [u8; 32],
    pub(super) status: Status,
    /// There once it is paid.
    pub(super) receipt: Option<Receipt>,
    pub(crate) amount_msat: Option<u64>,
    /// With its JSON escapes.
    pub(crate) label: String,
    pub(super) expires_at: i64,
    pub(super) bolt11: String,
    /// `None` once `delinvoice` has removed it.
    pub(super) description: Option<String>,
    pub(crate) features: Features,
}

/// How an invoice was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Its place among those that were paid, from 1.
    pub(super) pay_index: i64,
    pub(super) received_msat: u64,
    /// Seconds since 1970.
    pub(super) paid_at: i64,
}

/// The columns that [`StoredInvoice::read`] reads.
pub(super) const COLUMNS: &str = "id, updated_index, payment_hash, state, msatoshi, label, expiry_time, bolt11, description, payment_key, \
     pay_index, msatoshi_received, paid_timestamp, features";

impl StoredInvoice {
    /// One that nobody has paid.
    #[cfg(test)]
    pub(super) fn unpaid(preimage: [u8; 32], amount_msat: Option<u64>, features: Features) -> Self {
        Self {
            created_index: 1,
            updated_index: 0,
            payment_hash: [0; 32],
            preimage,
            status: Status::Unpaid,
            receipt: None,
            amount_msat,
            label: String::new(),
            expires_at: 0,
            bolt11: String::new(),
            description: None,
            features,
        }
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let amount: Option<i64> = row.get(4)?;
        let features: Option<Vec<u8>> = row.get(13)?;
        let receipt = match row.get(10)? {
            None => None,
            Some(pay_index) => Some(Receipt {
                pay_index,
                received_msat: row.get::<_, i64>(11)?.cast_unsigned(),
                paid_at: row.get(12)?,
            }),
        };
        Ok(Self {
            created_index: row.get(0)?,
            updated_index: row.get(1)?,
            payment_hash: row.get(2)?,
            status: Status::from_stored(row.get(3)?),
            amount_msat: amount.map(i64::cast_unsigned),
            label: row.get(5)?,
            expires_at: row.get(6)?,
            bolt11: row.get(7)?,
            description: row.get(8)?,
            preimage: row.get(9)?,
            receipt,
            features: Features::from_be_bytes(features.unwrap_or_default()),
        })
    }
}

/// Whether there is an invoice with this in that column.
pub(super) fn exists(db: &Db, column: &str, value: &dyn ToSql) -> bool {
    !db.rows(&format!("SELECT 1 FROM invoices WHERE {column} = ?"), &[value], |_| Ok(())).is_empty()
}

/// The invoice with this label, escapes included.
pub(super) fn labelled(db: &Db, label: &str) -> Option<StoredInvoice> {
    db.rows(&format!("SELECT {COLUMNS} FROM invoices WHERE label = ?"), &[&label], StoredInvoice::read).pop()
}

/// The invoice with this `created_index`.
pub(super) fn numbered(db: &Db, index: i64) -> Option<StoredInvoice> {
    db.rows(&format!("SELECT {COLUMNS} FROM invoices WHERE id = ?"), &[&index], StoredInvoice::read).pop()
}

/// The invoice with this payment hash.
pub(super) fn with_hash(db: &Db, payment_hash: &[u8; 32]) -> Option<StoredInvoice> {
    let select = format!("SELECT {COLUMNS} FROM invoices WHERE payment_hash = ?");
    db.rows(&select, &[payment_hash], StoredInvoice::read).pop()
}

/// The first invoice that was paid after the one with this `pay_index`.
pub(super) fn paid_after(db: &Db, pay_index: i64) -> Option<StoredInvoice> {
    let select = format!(
        "SELECT {COLUMNS} FROM invoices WHERE pay_index IS NOT NULL AND pay_index > ? ORDER BY pay_index LIMIT 1"
    );
    db.rows(&select, &[&pay_index], StoredInvoice::read).pop()
}

/// What is stored of a new invoice, and where.
const NEW_COLUMNS: &str = "payment_hash, payment_key, state, msatoshi, label, expiry_time, pay_index, \
                           msatoshi_received, paid_timestamp, bolt11, description, features, local_offer_id";
const NEW_VALUES: &str = "?, ?, ?, ?, ?, ?, NULL, NULL, NULL, ?, ?, ?, NULL";

impl State {
    /// Stores an invoice; gives its `created_index`, which is its number in releases that count none.
    pub(super) fn insert_invoice(&mut self, invoice: &NewInvoice<'_>) -> i64 {
        // SQLite has no unsigned numbers; CLN stores the same bits.
        let amount = invoice.amount_msat.map(u64::cast_signed);
        let row: [&dyn ToSql; 9] = [
            &invoice.payment_hash,
            &invoice.preimage,
            &Status::Unpaid.stored(),
            &amount,
            &invoice.label,
            &invoice.expires_at,
            &invoice.bolt11,
            &invoice.description,
            &invoice.features,
        ];
        self.next_invoice_expiry = self.next_invoice_expiry.min(invoice.expires_at);
        let about = || json!({ "status": Status::Unpaid.name(), "label": unescaped(invoice.label), "bolt11": invoice.bolt11 });
        if let Some(index) = self.count_change(Subsystem::Invoices, Index::Created, about) {
            let row: Vec<&dyn ToSql> = std::iter::once(&index as &dyn ToSql).chain(row).collect();
            self.db()
                .exec(&format!("INSERT INTO invoices (id, {NEW_COLUMNS}) VALUES (?, {NEW_VALUES});"), &row);
            return index;
        }
        self.db().exec(&format!("INSERT INTO invoices ({NEW_COLUMNS}) VALUES ({NEW_VALUES});"), &row);
        self.stored().rows("SELECT MAX(id) FROM invoices", &[], |row| row.get(0)).pop().unwrap_or_default()
    }

    /// Notes that an unpaid invoice is paid.
    pub(super) fn mark_invoice_paid(&mut self, invoice: &StoredInvoice, received_msat: u64) {
        let now = self.unix_now();
        let pay_index = self.stored().intvar("next_pay_index").unwrap_or(1);
        self.db().set_intvar("next_pay_index", pay_index + 1);
        let updated = self.count_change(
            Subsystem::Invoices,
            Index::Updated,
            || json!({ "status": Status::Paid.name(), "label": unescaped(&invoice.label) }),
        );
        let update = "UPDATE invoices SET state=?, pay_index=?, msatoshi_received=?, paid_timestamp=?, paid_txid=NULL, \
                      paid_outnum=NULL, updated_index=? WHERE id=?;";
        let row: [&dyn ToSql; 6] = [
            &Status::Paid.stored(),
            &pay_index,
            &received_msat.cast_signed(),
            &now,
            &updated.unwrap_or(0),
            &invoice.created_index,
        ];
        self.db().exec(update, &row);
    }

    /// Deletes an invoice.
    pub(super) fn delete_invoice(&mut self, invoice: &StoredInvoice) {
        self.db().exec("DELETE FROM invoices WHERE id=?;", &[&invoice.created_index]);
        self.count_change(Subsystem::Invoices, Index::Deleted, || {
            let label = unescaped(&invoice.label);
            json!({ "status": invoice.status.name(), "label": label, "bolt11": invoice.bolt11 })
        });
    }

    /// Deletes the description of an invoice.
    pub(super) fn delete_invoice_description(&mut self, invoice: &StoredInvoice) {
        let updated = self.count_change(
            Subsystem::Invoices,
            Index::Updated,
            || json!({ "label": unescaped(&invoice.label), "description": invoice.description }),
        );
        let update = "UPDATE invoices SET description = NULL, updated_index = ? WHERE ID = ?;";
        self.db().exec(update, &[&updated.unwrap_or(0), &invoice.created_index]);
    }

    /// Marks unpaid invoices whose time is over, and sets the timer for the next one. It is also done before
    /// invoices are looked at, because an injected clock may have jumped.
    pub(crate) fn expire_invoices(&mut self) {
        let now = self.unix_now();
        if self.next_invoice_expiry <= now {
            self.expire_due_invoices(now);
            let next = "SELECT expiry_time FROM invoices WHERE state = ? ORDER BY expiry_time LIMIT 1";
            let next = self.stored().rows(next, &[&Status::Unpaid.stored()], |row| row.get(0)).pop();
            self.next_invoice_expiry = next.unwrap_or(i64::MAX);
        }
        if self.next_invoice_expiry < i64::MAX {
            let after = Duration::from_secs((self.next_invoice_expiry - now).unsigned_abs());
            self.out.push(Output::SetTimer(Timer::ExpireInvoices, after.min(LONGEST_TIMER)));
        }
    }

    fn expire_due_invoices(&mut self, now: i64) {
        let unpaid = Status::Unpaid.stored();
        let due = "SELECT id FROM invoices WHERE state = ? AND expiry_time <= ? ORDER BY expiry_time, id";
        let due = self.stored().rows(due, &[&unpaid, &now], |row| row.get::<_, i64>(0));
        if self.profile.counts_changes() {
            due.iter().for_each(|id| self.mark_invoice_expired(*id));
        } else if !due.is_empty() {
            self.mark_expired_invoices();
        }
        for id in due {
            self.tell_waiters_expired(id);
        }
    }

    /// Marks them all at once, as releases do that do not count changes.
    pub(crate) fn mark_expired_invoices(&mut self) {
        let now = self.unix_now();
        let update = "UPDATE invoices SET state = ? WHERE state = ? AND expiry_time <= ?;";
        self.db().exec(update, &[&Status::Expired.stored(), &Status::Unpaid.stored(), &now]);
    }

    fn mark_invoice_expired(&mut self, id: i64) {
        // As lightningd does, without saying which.
        let about = || json!({ "status": Status::Expired.name() });
        let updated = self.count_change(Subsystem::Invoices, Index::Updated, about);
        let update = "UPDATE invoices SET state = ?, updated_index = ? WHERE id = ?";
        self.db().exec(update, &[&Status::Expired.stored(), &updated.unwrap_or(0), &id]);
    }

    /// Seconds since 1970.
    pub(super) fn unix_now(&self) -> i64 {
        i64::try_from(unix_seconds((self.clock)())).unwrap_or(i64::MAX)
    }
}
