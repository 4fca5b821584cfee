//! Movements in the database: the tables `chain_moves`, `channel_moves` and `move_accounts` (`wallet/wallet.c`).

use super::movement::{Account, ChainMove, ChannelMove, Movement, bitmap, from_bitmap};
use crate::chain::transactions::txid_column;
use crate::db::Db;
use crate::indexes::{Index, Subsystem};
use crate::state::State;
use bitcoin::Txid;
use bitcoin::consensus::encode::{deserialize, serialize};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::ChannelId;
use rusqlite::Row;
use serde_json::{Value, json};

/// A movement as it was stored, with its `created_index`.
pub(super) struct Stored {
    pub(super) index: i64,
    pub(super) timestamp: u64,
    pub(super) movement: Movement,
}

/// The two columns that name an account: its channel, or its row in `move_accounts`, which is made if need be.
fn columns(db: &mut Db, account: Account) -> (Option<u64>, Option<u64>) {
    match account {
        Account::Channel { dbid, .. } => (Some(dbid), None),
        Account::Wallet | Account::External => (None, made_account_row(db, account)),
    }
}

fn account_row(db: &Db, account: Account) -> Option<u64> {
    db.rows("SELECT id FROM move_accounts WHERE name = ?", &[&account.name()], |row| row.get(0)).pop()
}

fn made_account_row(db: &mut Db, account: Account) -> Option<u64> {
    if account_row(db, account).is_none() {
        db.exec("INSERT INTO move_accounts (name) VALUES (?);", &[&account.name()]);
    }
    account_row(db, account)
}

/// What those are told who wait for a movement.
fn about(account: Account, credit_msat: u64, debit_msat: u64) -> Value {
    json!({ "account": account.name(), "credit_msat": credit_msat, "debit_msat": debit_msat })
}

/// Credits are stored as they are, debits below 0.
fn credit_or_debit(credit_msat: u64, debit_msat: u64) -> i64 {
    credit_msat.cast_signed() - debit_msat.cast_signed()
}

impl State {
    /// A channel is forgotten: from now on its movements go by its name (`wallet_channel_close`).
    pub(crate) fn name_moves_of_closed(&mut self, dbid: u64, id: ChannelId) {
        let row = made_account_row(self.db(), Account::Channel { dbid, id });
        for (table, whose) in
            [("chain_moves", "account"), ("channel_moves", "account"), ("chain_moves", "originating")]
        {
            let update = format!(
                "UPDATE {table} SET {whose}_channel_id=NULL, {whose}_nonchannel_id=? WHERE {whose}_channel_id=?"
            );
            self.db().exec(&update, &[&row, &dbid]);
        }
    }

    /// Whether this was told of before: the same output, spent by the same transaction, for the same reason.
    pub(super) fn has_chain_move(&self, chain: &ChainMove) -> bool {
        let (channel, other) = match chain.account {
            Account::Channel { dbid, .. } => (Some(dbid), None),
            account => (None, account_row(self.stored(), account)),
        };
        let query = "SELECT tag_bitmap FROM chain_moves WHERE utxo = ? AND spending_txid IS ? AND \
                     account_channel_id IS ? AND account_nonchannel_id IS ?";
        let spending = chain.spending_txid.map(Txid::to_byte_array);
        let params = (serialize(&chain.outpoint), spending);
        let tags = self.stored().rows(query, &[&params.0, &params.1, &channel, &other], |row| row.get(0));
        tags.into_iter().any(|bits: u64| from_bitmap(bits).first() == Some(&chain.tag))
    }

    /// Stores a movement, and gives its `created_index` if the release counts.
    pub(super) fn store_movement(&mut self, movement: &Movement, timestamp: u64) -> Option<i64> {
        match movement {
            Movement::Chain(chain) => self.store_chain_move(chain, timestamp),
            Movement::Channel(channel) => self.store_channel_move(channel, timestamp),
        }
    }

    fn store_chain_move(&mut self, chain: &ChainMove, timestamp: u64) -> Option<i64> {
        let about = || about(chain.account, chain.credit_msat, chain.debit_msat);
        let index = self.count_change(Subsystem::Chainmoves, Index::Created, about);
        let (account_channel, account_other) = columns(self.db(), chain.account);
        let originating = chain.originating.map(|account| columns(self.db(), account));
        let (from_channel, from_other) = originating.unwrap_or_default();
        let insert = "INSERT INTO chain_moves (id, account_channel_id, account_nonchannel_id, tag_bitmap, \
                      credit_or_debit, timestamp, utxo, spending_txid, peer_id, payment_hash, block_height, \
                      output_sat, originating_channel_id, originating_nonchannel_id, output_count) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.db().exec(
            insert,
            &[
                &index,
                &account_channel,
                &account_other,
                &bitmap(chain.tag, &chain.extra_tags),
                &credit_or_debit(chain.credit_msat, chain.debit_msat),
                &timestamp,
                &serialize(&chain.outpoint),
                &chain.spending_txid.map(Txid::to_byte_array),
                &chain.peer.map(|peer| peer.serialize()),
                &chain.payment_hash.map(sha256::Hash::to_byte_array),
                &chain.height,
                &chain.output_sat,
                &from_channel,
                &from_other,
                &chain.output_count,
            ],
        );
        index
    }

    fn store_channel_move(&mut self, channel: &ChannelMove, timestamp: u64) -> Option<i64> {
        let about = || about(channel.account, channel.credit_msat, channel.debit_msat);
        let index = self.count_change(Subsystem::Channelmoves, Index::Created, about);
        let (account_channel, account_other) = columns(self.db(), channel.account);
        let (part, group) = channel.part.unzip();
        let insert = "INSERT INTO channel_moves (id, account_channel_id, account_nonchannel_id, credit_or_debit, \
                      tag_bitmap, timestamp, payment_hash, payment_part_id, payment_group_id, fees) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);";
        self.db().exec(
            insert,
            &[
                &index,
                &account_channel,
                &account_other,
                &credit_or_debit(channel.credit_msat, channel.debit_msat),
                &bitmap(channel.tag, &[]),
                &timestamp,
                &channel.payment_hash.map(sha256::Hash::to_byte_array),
                &part.map(u64::cast_signed),
                &group.map(u64::cast_signed),
                &channel.fees_msat,
            ],
        );
        index
    }

    /// Movements on the chain, from an index on.
    pub(super) fn chain_moves(&self, start: i64, limit: i64) -> Vec<Stored> {
        let query = "SELECT id, timestamp, account_channel_id, account_nonchannel_id, originating_channel_id, \
                     originating_nonchannel_id, tag_bitmap, credit_or_debit, utxo, spending_txid, peer_id, \
                     payment_hash, block_height, output_sat, output_count FROM chain_moves WHERE id >= ? \
                     ORDER BY id LIMIT ?";
        self.stored().rows(query, &[&start, &limit], |row| {
            let (credit_msat, debit_msat) = amounts(row.get(7)?);
            let tags = from_bitmap(row.get(6)?);
            let peer: Option<Vec<u8>> = row.get(10)?;
            let utxo: Vec<u8> = row.get(8)?;
            let chain = ChainMove {
                account: self.stored_account(row, 2)?.unwrap_or(Account::External),
                originating: self.stored_account(row, 4)?,
                tag: tags[0],
                extra_tags: tags[1..].to_vec(),
                credit_msat,
                debit_msat,
                outpoint: deserialize(&utxo).expect("the node has stored an outpoint"),
                spending_txid: row.get::<_, Option<[u8; 32]>>(9)?.map(|_| txid_column(row, 9)).transpose()?,
                peer: peer.and_then(|peer| PublicKey::from_slice(&peer).ok()),
                payment_hash: row.get::<_, Option<[u8; 32]>>(11)?.map(sha256::Hash::from_byte_array),
                height: row.get(12)?,
                output_sat: row.get(13)?,
                output_count: row.get(14)?,
            };
            Ok(Stored { index: row.get(0)?, timestamp: row.get(1)?, movement: Movement::Chain(chain) })
        })
    }

    /// Movements within channels, from an index on.
    pub(super) fn channel_moves(&self, start: i64, limit: i64) -> Vec<Stored> {
        let query = "SELECT id, timestamp, account_channel_id, account_nonchannel_id, tag_bitmap, credit_or_debit, \
                     payment_hash, payment_part_id, payment_group_id, fees FROM channel_moves WHERE id >= ? \
                     ORDER BY id LIMIT ?";
        self.stored().rows(query, &[&start, &limit], |row| {
            let (credit_msat, debit_msat) = amounts(row.get(5)?);
            let (part, group): (Option<i64>, Option<i64>) = (row.get(7)?, row.get(8)?);
            let channel = ChannelMove {
                account: self.stored_account(row, 2)?.unwrap_or(Account::External),
                tag: from_bitmap(row.get(4)?)[0],
                credit_msat,
                debit_msat,
                payment_hash: row.get::<_, Option<[u8; 32]>>(6)?.map(sha256::Hash::from_byte_array),
                part: part.map(i64::cast_unsigned).zip(group.map(i64::cast_unsigned)),
                fees_msat: row.get(9)?,
            };
            Ok(Stored { index: row.get(0)?, timestamp: row.get(1)?, movement: Movement::Channel(channel) })
        })
    }

    /// The account that two columns name.
    fn stored_account(&self, row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Account>> {
        if let Some(dbid) = row.get(column)? {
            let query = "SELECT full_channel_id FROM channels WHERE id = ?";
            let id = self.stored().rows(query, &[&dbid], |row| row.get(0)).pop();
            return Ok(Some(Account::Channel { dbid, id: ChannelId(id.unwrap_or_default()) }));
        }
        let Some(id) = row.get::<_, Option<u64>>(column + 1)? else { return Ok(None) };
        let query = "SELECT name FROM move_accounts WHERE id = ?";
        let name: String = self.stored().rows(query, &[&id], |row| row.get(0)).pop().unwrap_or_default();
        Ok(Some(match name.parse() {
            // Of a channel that is forgotten: it has no number any more.
            Ok(id) => Account::Channel { dbid: 0, id },
            Err(_) if name == Account::Wallet.name() => Account::Wallet,
            Err(_) => Account::External,
        }))
    }
}

/// Credit and debit of what was stored.
fn amounts(credit_or_debit: i64) -> (u64, u64) {
    let msat = credit_or_debit.unsigned_abs();
    if credit_or_debit < 0 { (0, msat) } else { (msat, 0) }
}
