//! What transactions do to the wallet: outputs to its scripts are found, outputs of it are spent, and a
//! reorganisation takes back both (`wallet/wallet.c`).

use super::output::{CLOSE_KEY, CloseInfo, OWN_KEY, OutputStatus, WalletOutput};
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Script, Transaction, TxOut, Txid};

impl State {
    /// Takes the outputs to the wallet out of a transaction that is in the block at `height`, or was sent. Says whether
    /// there were any (`wallet_extract_owned_outputs`).
    pub(crate) fn take_wallet_outputs(&mut self, tx: &Transaction, height: Option<u32>) -> bool {
        let txid = tx.compute_txid();
        let mut any = false;
        for (vout, output) in (0..).zip(&tx.output) {
            if let Some(key_index) = self.scripts.key_index(&output.script_pubkey) {
                let outpoint = OutPoint { txid, vout };
                self.take_output(outpoint, output, key_index, tx.is_coinbase(), height);
                any = true;
            }
        }
        any
    }

    fn take_output(
        &mut self,
        outpoint: OutPoint,
        output: &TxOut,
        key_index: u32,
        is_coinbase: bool,
        height: Option<u32>,
    ) {
        let OutPoint { txid, vout } = outpoint;
        let value = output.value.to_sat();
        let kind = if output.script_pubkey.is_p2tr() { "p2tr" } else { "p2wpkh" };
        let confirmed = if height.is_some() { " CONFIRMED" } else { "" };
        let coinbase = if is_coinbase { " COINBASE" } else { "" };
        let text = format!("Owning output {vout} {value}sat ({kind}) txid {txid}{confirmed}{coinbase}");
        self.log(LogLevel::Debug, "wallet", &text);
        if let Some(height) = height {
            self.wallet_deposited(outpoint, value, height);
        }
        let id = txid.to_byte_array();
        if self.wallet_output(outpoint).is_some() {
            return;
        }
        let insert = "INSERT INTO outputs (prev_out_tx, prev_out_index, value, type, status, keyindex, channel_id, \
                      peer_id, commitment_point, option_anchor_outputs, confirmation_height, spend_height, \
                      scriptpubkey, is_in_coinbase) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);";
        let nothing: Option<u32> = None;
        let (status, script) = (OutputStatus::Available as u8, output.script_pubkey.as_bytes());
        self.db().exec(
            insert,
            &[
                &id,
                &vout,
                &value,
                &OWN_KEY,
                &status,
                &key_index,
                &nothing,
                &nothing,
                &nothing,
                &nothing,
                &height,
                &nothing,
                &script,
                &is_coinbase,
            ],
        );
    }

    /// Takes an output that a closed channel has paid to one of its own keys (`wallet_add_onchaind_utxo`).
    pub(crate) fn take_close_output(
        &mut self,
        outpoint: OutPoint,
        value_sat: u64,
        script: &Script,
        height: u32,
        close: &CloseInfo,
    ) {
        let id = outpoint.txid.to_byte_array();
        if self.wallet_output(outpoint).is_some() {
            let update =
                "UPDATE outputs SET confirmation_height = ? WHERE prev_out_tx = ? AND prev_out_index = ?";
            self.db().exec(update, &[&height, &id, &outpoint.vout]);
            return;
        }
        let insert = "INSERT INTO outputs (prev_out_tx, prev_out_index, value, type, status, keyindex, channel_id, \
                      peer_id, commitment_point, option_anchor_outputs, confirmation_height, spend_height, \
                      scriptpubkey, csv_lock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);";
        let nothing: Option<u32> = None;
        let CloseInfo { dbid, peer, csv, anchors } = close;
        let status = OutputStatus::Available as u8;
        self.db().exec(
            insert,
            &[
                &id,
                &outpoint.vout,
                &value_sat,
                &CLOSE_KEY,
                &status,
                &0,
                dbid,
                &peer.serialize(),
                &nothing,
                anchors,
                &height,
                &nothing,
                &script.as_bytes(),
                csv,
            ],
        );
    }

    /// Marks what a transaction in the block at `height` spends of the wallet.
    pub(crate) fn spend_wallet_outputs(&mut self, height: u32, tx: &Transaction) {
        let inputs = tx.input.iter();
        let outputs: Vec<WalletOutput> =
            inputs.filter_map(|input| self.wallet_output(input.previous_output)).collect();
        for output in &outputs {
            let OutPoint { txid, vout } = output.outpoint;
            let update = "UPDATE outputs SET spend_height = ?, status = ? WHERE prev_out_tx = ? AND prev_out_index = ?";
            let spent = OutputStatus::Spent as u8;
            self.db().exec(update, &[&height, &spent, &txid.to_byte_array(), &vout]);
        }
        if !outputs.is_empty() {
            self.wallet_spent(&outputs, tx, height);
        }
    }

    /// Outputs that were in blocks which are no longer, or are looked at again, are in this one.
    pub(crate) fn confirm_outputs(&mut self, txid: Txid, height: u32) {
        let id = txid.to_byte_array();
        let condition = "prev_out_tx = ? AND confirmation_height IS NULL";
        if !self.outputs_where(condition, &[&id]).is_empty() {
            let update = "UPDATE outputs SET confirmation_height = ? WHERE prev_out_tx = ?";
            self.db().exec(update, &[&height, &id]);
        }
    }

    /// The chain is at rest. What was spent in a block that is no longer, and in no other since, is there again, kept
    /// for whom it was kept before.
    pub(crate) fn restore_unspent_outputs(&mut self) {
        for output in self.outputs_where("status = 2 AND spend_height IS NULL", &[]) {
            let OutPoint { txid, vout } = output.outpoint;
            let status = match output.reserved_til {
                Some(_) => OutputStatus::Reserved,
                None => OutputStatus::Available,
            };
            let update = "UPDATE outputs SET status = ? WHERE prev_out_tx = ? AND prev_out_index = ?";
            self.db().exec(update, &[&(status as u8), &txid.to_byte_array(), &vout]);
        }
    }
}
