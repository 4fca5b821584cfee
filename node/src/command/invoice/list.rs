//! `listinvoices` (`lightningd/invoice.c:json_listinvoices`).

use super::store::{COLUMNS, StoredInvoice};
use crate::command::Command;
use crate::command::page::Page;
use crate::command::params::{Params, Shape, invalid};
use crate::db::Db;
use crate::indexes::Index;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_bolt::SignedInvoice;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use rusqlite::ToSql;
use serde_json::{Value, json};

/// Which invoices are asked for.
enum Query {
    All,
    Label(String),
    PaymentHash([u8; 32]),
    /// The invoices of an offer: there are none.
    Offer,
    Page(&'static str, Page),
}

impl Query {
    fn parse(params: &Params) -> Result<Self, RpcError> {
        let label = params.optional_label("label")?;
        let invstring = params.raw("invstring");
        let payment_hash = params.optional_sha256("payment_hash")?;
        let offer = params.optional_sha256("offer_id")?;
        let page = Page::parse(params)?;
        let ways = [label.is_some(), invstring.is_some(), payment_hash.is_some(), offer.is_some()];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            return Err(invalid(
                "Can only specify one of {label}, {invstring}, {payment_hash} or {offer_id}",
            ));
        }
        if let Some(text) = invstring {
            let invoice: Result<SignedInvoice, _> = json::content(text).parse();
            let invoice = invoice.map_err(|_| invalid("Invalid invstring"))?;
            return Ok(Self::PaymentHash(invoice.invoice.payment_hash));
        }
        Ok(match (label, payment_hash, offer, page.index) {
            (Some(label), ..) => Self::Label(label),
            (_, Some(hash), ..) => Self::PaymentHash(hash),
            (_, _, Some(_), _) => Self::Offer,
            (.., Some(Index::Updated)) => Self::Page("updated_index", page),
            (.., Some(_)) => Self::Page("id", page),
            _ => Self::All,
        })
    }

    fn find(&self, db: &Db) -> Vec<StoredInvoice> {
        let select = |rest: &str, params: &[&dyn ToSql]| {
            let sql = format!("SELECT {COLUMNS} FROM invoices {rest}");
            db.rows(&sql, params, StoredInvoice::read)
        };
        match self {
            Self::All => select("ORDER BY id", &[]),
            Self::Label(label) => select("WHERE label = ?", &[label]),
            Self::PaymentHash(hash) => select("WHERE payment_hash = ?", &[hash]),
            Self::Offer => Vec::new(),
            Self::Page(column, page) => {
                let rest = format!("WHERE {column} >= ? ORDER BY {column}, id LIMIT ?");
                select(&rest, &[&page.start, &page.limit])
            }
        }
    }
}

/// `listinvoices [label] [invstring] [payment_hash] [offer_id] [index] [start] [limit]`.
pub(crate) struct Listinvoices {
    query: Query,
}

impl Command for Listinvoices {
    const NAME: &'static str = "listinvoices";
    const TAKES: &'static [Shape] = &[
        Shape::optional("label"),
        Shape::optional("invstring"),
        Shape::optional("payment_hash"),
        Shape::optional("offer_id"),
        Shape::optional("index"),
        Shape::optional("start"),
        Shape::optional("limit"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { query: Query::parse(params)? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.expire_invoices();
        let invoices: Vec<Value> =
            self.query.find(node.stored()).iter().map(|invoice| invoice_json(node, invoice)).collect();
        node.reply(&request.client, &json!({ "invoices": invoices }));
        Ok(())
    }
}

/// An invoice as every command shows it (`lightningd/invoice.c:json_add_invoice_fields`).
pub(super) fn invoice_json(node: &State, invoice: &StoredInvoice) -> Value {
    let mut json = json!({
        "label": unescaped(&invoice.label),
        "bolt11": invoice.bolt11,
        "payment_hash": hex::encode(invoice.payment_hash),
    });
    if let Some(amount_msat) = invoice.amount_msat {
        json["amount_msat"] = node.amount(amount_msat);
    }
    json["status"] = Value::from(invoice.status.name());
    if let Some(receipt) = &invoice.receipt {
        json["pay_index"] = Value::from(receipt.pay_index);
        json["amount_received_msat"] = node.amount(receipt.received_msat);
        json["paid_at"] = Value::from(receipt.paid_at);
        json["payment_preimage"] = Value::from(hex::encode(invoice.preimage));
    }
    if let Some(description) = &invoice.description {
        json["description"] = Value::from(&**description);
    }
    json["expires_at"] = Value::from(invoice.expires_at);
    json["created_index"] = Value::from(invoice.created_index);
    if invoice.updated_index != 0 {
        json["updated_index"] = Value::from(invoice.updated_index);
    }
    json
}

/// A stored label without its JSON escapes.
pub(super) fn unescaped(label: &str) -> String {
    json::string(&format!("\"{label}\"")).unwrap_or_else(|| label.to_owned())
}
