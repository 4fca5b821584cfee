//! The transactions that a node remembers, in the table `transactions`: those that concern its wallet and its
//! channels (`wallet/wallet.c:wallet_transaction_add`), and the command `listtransactions`.

use super::topology::TxLocation;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid};
use leyden_protocol::message::RpcError;
use rusqlite::Row;
use serde_json::{Value, json};

/// A column with a txid, in the order of the wire, as `bitcoin` holds it.
pub(crate) fn txid_column(row: &Row<'_>, column: usize) -> rusqlite::Result<Txid> {
    row.get(column).map(Txid::from_byte_array)
}

impl State {
    /// Remembers a transaction; once it is in a block, where.
    pub(crate) fn store_tx(&mut self, tx: &Transaction, location: Option<TxLocation>) {
        let txid = tx.compute_txid();
        let id = txid.to_byte_array();
        let (height, index) = location.map(|at| (at.height, at.index)).unzip();
        if !self.remembers_tx(txid) {
            let insert = "INSERT INTO transactions (id, blockheight, txindex, rawtx) VALUES (?, ?, ?, ?);";
            self.db().exec(insert, &[&id, &height, &index, &serialize(tx)]);
        } else if location.is_some() {
            let update = "UPDATE transactions SET blockheight = ?, txindex = ? WHERE id = ?";
            self.db().exec(update, &[&height, &index, &id]);
        }
    }

    /// Whether this one is remembered.
    pub(super) fn remembers_tx(&self, txid: Txid) -> bool {
        let query = "SELECT 1 FROM transactions WHERE id = ?";
        !self.stored().rows(query, &[&txid.to_byte_array()], |_| Ok(())).is_empty()
    }

    /// Where a remembered transaction is; `None` if it is in no block that is known.
    pub(crate) fn tx_location(&self, txid: Txid) -> Option<TxLocation> {
        let query = "SELECT blockheight, txindex FROM transactions WHERE id = ? AND blockheight IS NOT NULL";
        let location = |row: &Row<'_>| Ok(TxLocation { height: row.get(0)?, index: row.get(1)? });
        self.stored().rows(query, &[&txid.to_byte_array()], location).pop()
    }

    /// A remembered transaction.
    pub(crate) fn stored_tx(&self, txid: Txid) -> Option<Transaction> {
        let query = "SELECT rawtx FROM transactions WHERE id = ?";
        let raw: Option<Vec<u8>> =
            self.stored().rows(query, &[&txid.to_byte_array()], |row| row.get(0)).pop();
        raw.and_then(|raw| deserialize(&raw).ok())
    }

    /// Those of the block at `height`.
    pub(super) fn txids_at(&self, height: u32) -> Vec<Txid> {
        let query = "SELECT id FROM transactions WHERE blockheight = ?";
        self.stored().rows(query, &[&height], |row| txid_column(row, 0))
    }
}

/// `listtransactions`.
pub(crate) struct Listtransactions;

impl Command for Listtransactions {
    const NAME: &'static str = "listtransactions";
    const TAKES: &'static [Shape] = &[];

    fn parse(_: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let query = "SELECT rawtx, blockheight, txindex FROM transactions ORDER BY blockheight, txindex ASC";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows: Vec<(Vec<u8>, Option<u32>, Option<u32>)> = node.stored().rows(query, &[], row);
        let transactions: Vec<Value> =
            rows.iter().filter_map(|(raw, height, index)| node.details(raw, *height, *index)).collect();
        node.reply(&request.client, &json!({ "transactions": transactions }));
        Ok(())
    }
}

impl State {
    fn details(&self, raw: &[u8], height: Option<u32>, index: Option<u32>) -> Option<Value> {
        let tx: Transaction = deserialize(raw).ok()?;
        let inputs = tx.input.iter().map(|input| {
            json!({
                "txid": input.previous_output.txid.to_string(),
                "index": input.previous_output.vout,
                "sequence": input.sequence.0,
            })
        });
        let outputs = tx.output.iter().enumerate().map(|(index, output)| {
            json!({
                "index": index,
                "amount_msat": self.amount(output.value.to_sat() * 1000),
                "scriptPubKey": output.script_pubkey.to_hex_string(),
            })
        });
        Some(json!({
            "hash": tx.compute_txid().to_string(),
            "rawtx": hex::encode(raw),
            "blockheight": height.unwrap_or(0),
            "txindex": index.unwrap_or(0),
            "locktime": tx.lock_time.to_consensus_u32(),
            "version": tx.version.0,
            "inputs": inputs.collect::<Vec<_>>(),
            "outputs": outputs.collect::<Vec<_>>(),
        }))
    }
}
