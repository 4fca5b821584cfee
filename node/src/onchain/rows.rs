//! Closed channels in the database: which transaction closed them, in `channeltxs`, and what is known of them.

use super::case::{Case, KnownHtlc};
use crate::coin_mvts::ChannelClose;
use crate::coin_mvts::movement::Account;
use crate::state::State;
use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{OutPoint, Transaction, Txid};
use leyden_bolt::channel::HtlcState;
use leyden_bolt::transaction::{CommitmentHtlc, Side};
use rusqlite::Row;
use rusqlite::types::ToSql;

/// `type` of a row of `channeltxs` that names the transaction which spent a funding output: the number of a message of
/// lightningd's (`WIRE_ONCHAIND_INIT`), which got into its database by accident.
const FUNDING_SPEND: u32 = 5001;

impl State {
    /// Notes, once, which transaction spent the funding output.
    pub(super) fn store_funding_spend(&mut self, dbid: u64, txid: Txid, height: u32) {
        let query = "SELECT 1 FROM channeltxs WHERE channel_id = ? AND type = ? AND transaction_id = ?";
        let params: [&dyn ToSql; 3] = [&dbid, &FUNDING_SPEND, &txid.to_byte_array()];
        if !self.stored().rows(query, &params, |_| Ok(())).is_empty() {
            return;
        }
        let insert = "INSERT INTO channeltxs (channel_id, type, transaction_id, input_num, blockheight) \
                      VALUES (?, ?, ?, ?, ?);";
        let id = txid.to_byte_array();
        self.db().exec(insert, &[&dbid, &FUNDING_SPEND, &id, &0, &height]);
    }

    /// The transaction in the chain that spent the funding output, and the height of its block.
    pub(super) fn funding_spend(&self, dbid: u64) -> Option<(Transaction, u32)> {
        let query = "SELECT t.rawtx, t.blockheight FROM channeltxs c JOIN transactions t ON t.id = c.transaction_id \
                     WHERE c.channel_id = ? AND c.type = ? AND t.blockheight IS NOT NULL ORDER BY c.id";
        let rows = self.stored().rows(query, &[&dbid, &FUNDING_SPEND], raw_and_height);
        rows.into_iter().find_map(whole)
    }

    /// What was stored of the blocks from `start` on and before `end`, in the order of the chain.
    pub(super) fn stored_txs_between(&self, start: u32, end: u32) -> Vec<(Transaction, u32)> {
        let query = "SELECT rawtx, blockheight FROM transactions WHERE blockheight >= ? AND blockheight < ? \
                     ORDER BY blockheight, txindex";
        self.stored().rows(query, &[&start, &end], raw_and_height).into_iter().filter_map(whole).collect()
    }

    /// Everything that is known of a channel.
    pub(super) fn case_of(&self, dbid: u64) -> Option<Case> {
        let channel = self.channels.get(dbid)?;
        let record = channel.bolt.record();
        let [local, remote] = record.shutdown_script;
        Some(Case {
            account: Account::Channel { dbid, id: channel.channel_id() },
            terms: *channel.bolt.terms(),
            keys: channel.bolt.keys().clone(),
            commitment: channel.bolt.local_commitment().clone(),
            htlc_signatures: record.signatures.htlc_signatures,
            shachain: record.shachain,
            remote_points: [record.old_remote_per_commit, record.remote_per_commit],
            shutdown_scripts: [local.or_else(|| Some(channel.close_to.clone())), remote],
            htlcs: self.known_htlcs(dbid),
        })
    }

    fn known_htlcs(&self, dbid: u64) -> Vec<KnownHtlc> {
        let query = "SELECT channel_htlc_id, direction, msatoshi, cltv_expiry, payment_hash, hstate, payment_key \
                     FROM channel_htlcs WHERE channel_id = ? ORDER BY id";
        let htlc = |row: &Row<'_>| {
            let offered_by = if row.get::<_, u8>(1)? == 0 { Side::Remote } else { Side::Local };
            let htlc = CommitmentHtlc {
                offered_by,
                id: row.get(0)?,
                amount_msat: row.get(2)?,
                cltv_expiry: row.get(3)?,
                payment_hash: sha256::Hash::from_byte_array(row.get(4)?),
            };
            let state = HtlcState::from_number(row.get(5)?);
            Ok(state.zip(Some(row.get(6)?)).map(|(state, preimage)| KnownHtlc { htlc, state, preimage }))
        };
        self.stored().rows(query, &[&dbid], htlc).into_iter().flatten().collect()
    }

    /// Tells plugins that the channel's coins have left it.
    pub(super) fn record_channel_close(&mut self, dbid: u64, tx: &Transaction, height: u32) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let terms = channel.bolt.terms();
        let txid = tx.compute_txid();
        let ours = (0..).zip(&tx.output);
        let mut ours = ours.filter(|(_, output)| self.scripts.key_index(&output.script_pubkey).is_some());
        let to_wallet = ours.next().map(|(vout, output)| (OutPoint { txid, vout }, output.value.to_sat()));
        let close = ChannelClose {
            account: Account::Channel { dbid, id: channel.channel_id() },
            funding: terms.funding,
            spending_txid: txid,
            height,
            capacity_sat: terms.capacity_sat,
            ours_msat: channel.bolt.record().our_msat,
            output_count: u32::try_from(tx.output.len()).expect("outputs are few"),
            paid_sat: to_wallet.map_or(0, |(_, sat)| sat),
            to_wallet: to_wallet.map(|(outpoint, _)| outpoint),
        };
        self.channel_closed_movement(&close);
    }
}

fn raw_and_height(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, u32)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn whole((raw, height): (Vec<u8>, u32)) -> Option<(Transaction, u32)> {
    Some((deserialize(&raw).ok()?, height))
}
