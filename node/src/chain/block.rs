//! What the transactions of a new block mean to the node (`chaintopology.c:add_tip`, `filter_block_txs`).

use super::topology::TxLocation;
use crate::state::State;
use bitcoin::hashes::Hash;
use bitcoin::{Block, OutPoint, Transaction, TxOut};

impl State {
    /// Goes through the block: outputs that could be channels, then everything that is spent, then each transaction
    /// for those who watch it and for the wallet.
    pub(super) fn process_block(&mut self, height: u32, block: &Block) {
        for (index, tx) in (0..).zip(&block.txdata) {
            self.note_possible_channels(height, index, tx);
        }
        for tx in &block.txdata {
            self.note_spends(height, tx);
        }
        for (index, tx) in (0..).zip(&block.txdata) {
            self.filter_tx(TxLocation { height, index }, tx);
        }
        self.tell_closed_channels();
        self.gossip_spends(height);
    }

    /// Puts P2WSH outputs into the table `utxoset`, where channels of others are looked up.
    fn note_possible_channels(&mut self, height: u32, index: u32, tx: &Transaction) {
        let txid = tx.compute_txid();
        for (vout, output) in (0u32..).zip(&tx.output) {
            if output.script_pubkey.is_p2wsh() {
                self.store_possible_channel(OutPoint { txid, vout }, TxLocation { height, index }, output);
            }
        }
    }

    /// Puts an unspent output into that table.
    pub(crate) fn store_possible_channel(
        &mut self,
        outpoint: OutPoint,
        location: TxLocation,
        output: &TxOut,
    ) {
        let insert = "INSERT INTO utxoset (txid, outnum, blockheight, spendheight, txindex, scriptpubkey, \
                      satoshis) VALUES (?, ?, ?, ?, ?, ?, ?);";
        let (txid, TxLocation { height, index }) = (outpoint.txid.to_byte_array(), location);
        let (script, value) = (output.script_pubkey.as_bytes(), output.value.to_sat());
        let nothing: Option<u32> = None;
        self.db().exec(insert, &[&txid, &outpoint.vout, &height, &nothing, &index, &script, &value]);
    }

    /// Notes what a transaction spends of the wallet and of possible channels.
    fn note_spends(&mut self, height: u32, tx: &Transaction) {
        if tx.is_coinbase() {
            return;
        }
        self.spend_wallet_outputs(height, tx);
        for input in &tx.input {
            let OutPoint { txid, vout } = input.previous_output;
            let txid = txid.to_byte_array();
            let query = "SELECT 1 FROM utxoset WHERE txid = ? AND outnum = ?";
            if !self.db().rows(query, &[&txid, &vout], |_| Ok(())).is_empty() {
                let update = "UPDATE utxoset SET spendheight = ? WHERE txid = ? AND outnum = ?";
                self.db().exec(update, &[&height, &txid, &vout]);
            }
        }
    }

    fn filter_tx(&mut self, location: TxLocation, tx: &Transaction) {
        // Whoever is told of a spend may watch this very transaction from then on: it is stored before.
        if self.watches.wants_spend(tx) {
            self.store_tx(tx, Some(location));
            self.tell_of_spends(tx, location.height);
        }
        let txid = tx.compute_txid();
        let is_ours = self.take_wallet_outputs(tx, Some(location.height));
        if is_ours || self.watches.wants(txid) || self.outgoing.has(txid) || self.remembers_tx(txid) {
            self.store_tx(tx, Some(location));
            self.confirm_outputs(txid, location.height);
        }
    }
}
